"""Analysts: logins that may ask the tables, each for the organisations that an operator granted to it (migration 0031).

What they may ask for is in `roles.sql`. A login is made with a password that is printed once; one that is there already
is left as it is, and gets the role.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql

from process.postgres import session

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

ROLE: Final = "referrals_analyst"

_SEES_MORE: Final = """
    SELECT rolsuper OR rolbypassrls, EXISTS (
        SELECT FROM pg_roles AS other
        WHERE other.rolname LIKE 'referrals%%' AND other.rolname <> %s AND pg_has_role(login.oid, other.oid, 'MEMBER')
    )
    FROM pg_roles AS login WHERE rolname = %s
"""
_LOGIN: Final = sql.SQL(
    "CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD {}"
)
_SHUT_OUT: Final = "SELECT WHERE NOT has_database_privilege(%s, current_database(), 'CONNECT')"
_PASSWORD_BYTES: Final = 24


class CannotGrant(Exception):  # noqa: N818 - it says what happened
    """A grant that cannot be made; the message names the culprit and the remedy."""


class Grant(NamedTuple):
    """What a login may see."""

    login: str
    org_id: UUID | None
    """None: every organisation."""
    granted_at: datetime


def grant(database_url: str, login: str, organisations: Sequence[UUID] | None) -> str | None:
    """Let a login see organisations, beside those that it sees already; make it where there is none.

    Args:
        database_url: as the owner of the tables.
        login: the analyst's; made, with a password, if nobody has it.
        organisations: None: every organisation, those to come as well.

    Returns:
        The database's address for a login that was made, with a password that is nowhere else; None where it was there.

    Raises:
        CannotGrant: an organisation is not there, or the owner may not make logins or give the role.
        psycopg.Error: Postgres cannot be reached.

    """
    with psycopg.connect(database_url, **session(database_url, "referrals db grant-analyst")) as connection:
        _refuse_what_sees_more(connection, login)
        known = {org_id for (org_id,) in connection.execute("SELECT org_id FROM organisations").fetchall()}
        if unknown := [each for each in organisations or () if each not in known]:
            msg = f"there is no organisation {unknown[0]}; `referrals orgs list` names those that there are"
            raise CannotGrant(msg)
        with connection.transaction():
            password = _make_login(connection, login)
            connection.cursor().executemany(
                "INSERT INTO analysts (login, org_id) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                [(login, each) for each in (organisations if organisations is not None else [None])],
            )
    return None if password is None else _address(database_url, login, password)


def revoke(database_url: str, login: str, organisations: Sequence[UUID] | None) -> int:
    """Let a login see these organisations no more, or, with None, none at all; return how many grants that took back.

    The login stays, and keeps the role: what it asks is answered by an error as long as nothing is granted to it.
    """
    with psycopg.connect(database_url, **session(database_url, "referrals db revoke-analyst")) as connection:
        return connection.execute(
            "DELETE FROM analysts WHERE login = %s AND (%s::uuid[] IS NULL OR org_id = ANY (%s::uuid[]))",
            [login, organisations, organisations],
        ).rowcount


def grants(database_url: str) -> list[Grant]:
    """Return every grant, by login."""
    with psycopg.connect(database_url, **session(database_url, "referrals db analysts")) as connection:
        rows = connection.execute(
            "SELECT login::text, org_id, granted_at FROM analysts ORDER BY login, org_id NULLS FIRST"
        ).fetchall()
    return [Grant(*row) for row in rows]


def _refuse_what_sees_more(connection: psycopg.Connection[tuple[object, ...]], login: str) -> None:
    """Refuse a login that policies do not bind, or that has the rights of a component: it would see other things."""
    row = connection.execute(_SEES_MORE, [ROLE, login]).fetchone()
    if row is not None and (row[0] or row[1] or login == connection.info.user):
        what = "is bound by no policy" if row[0] else "is a component's or the owner's"
        msg = f"the login {login} {what}, so it would see more than is granted: give an analyst a login of his own"
        raise CannotGrant(msg)


def _address(database_url: str, login: str, password: str) -> str:
    url = urlsplit(database_url)
    host = url.netloc.rpartition("@")[2]
    return url._replace(netloc=f"{quote(login, safe='')}:{password}@{host}").geturl()


def _make_login(connection: psycopg.Connection[tuple[object, ...]], login: str) -> str | None:
    """Make the login if it is not there, give it the role, and return its password if it was made."""
    is_there = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [login]).fetchone() is not None
    password = None if is_there else secrets.token_urlsafe(_PASSWORD_BYTES)
    name = sql.Identifier(login)
    try:
        if password is not None:
            # So that no log of statements has the password.
            secret = connection.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
            connection.execute(_LOGIN.format(name, sql.Literal(secret)))
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(ROLE), name))
        if connection.execute(_SHUT_OUT, [login]).fetchone() is not None:  # since `db roles apply`
            database = sql.Identifier(connection.info.dbname)
            connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, name))
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedObject) as error:
        msg = (
            f"the login {login} was not given the role {ROLE} ({error.diag.message_primary}): let somebody who may "
            f"make roles run `referrals db migrate` and CREATE ROLE {login} LOGIN; GRANT {ROLE} TO {login}; GRANT "
            f"CONNECT ON DATABASE {connection.info.dbname} TO {login}, and run this again"
        )
        raise CannotGrant(msg) from None
    return password
