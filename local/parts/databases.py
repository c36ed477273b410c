"""Databases on a Postgres server, whoever started it."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

USER = "referrals"
DATABASE = "referrals"


def with_database(url: str, name: str) -> str:
    """Return the address of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def with_user(url: str, name: str, password: str) -> str:
    """Return the address of the same database for another user, whose name and password need no escapes."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{name}:{password}@{parts.netloc.rpartition('@')[2]}"))


def create_database(maintenance_url: str, name: str, template: str | None = None) -> str:
    """Create a database, from a template where one is named, unless there is one of this name; return its address.

    Nobody may be connected to the template meanwhile.
    """
    import psycopg  # noqa: PLC0415  `--help` and a start without Postgres do not need it
    from psycopg import sql  # noqa: PLC0415  the same

    with psycopg.connect(maintenance_url, autocommit=True) as connection:
        exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        if not exists:
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template or "template1")
            )
            connection.execute(statement)
    return with_database(maintenance_url, name)


def drop_database(maintenance_url: str, name: str) -> None:
    """Remove a database, whoever is connected to it; nothing happens where there is none of this name."""
    import psycopg  # noqa: PLC0415  as above
    from psycopg import sql  # noqa: PLC0415  the same

    with psycopg.connect(maintenance_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
