"""Brings a database to the newest schema: `migrations/` by yoyo, then the roles.

Failure handling: all that is missing is applied in one transaction together with yoyo's note of it, so a process
killed half-way leaves nothing behind. A second run at the same time waits on an advisory lock and then finds
nothing to do.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from yoyo import get_backend, read_migrations  # type: ignore[import-untyped]

from process.postgres import is_pooled, session
from process.settings import SettingsError
from sinks.postgres import query
from sinks.schema import MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

ROLES: Final = tuple(Path(__file__).parent / name for name in ("roles.sql", "component_roles.sql"))
OWNER: Final = "referrals_owner"
"""To whom the tables belong where `referrals db roles apply` has handed them over."""

MIGRATING: Final = (8242, 2)
"""Advisory lock of whoever migrates; 8242 is this project's space, 1 is taken by migration 0003."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MigrationReport:
    """What a run did."""

    applied: tuple[str, ...]
    """Names of the migrations applied now, in order."""
    applied_before: int
    """How many had been applied before."""
    notices: tuple[str, ...]
    """What Postgres had to say about the roles: created, or missing and why."""


def migrate(
    database_url: str, *, thresholds: Sequence[int] | None = None, web_database_url: str | None = None
) -> MigrationReport:
    """Apply what is missing and return what was done; safe to run at any time, by several at once.

    Args:
        database_url: as the user who owns the tables, or will; or as one who may be their owner (`db roles apply`).
        thresholds: at which counts milestones are announced, and so badges may be defined; None: as it was.
        web_database_url: whose user is made, or given this password: the HTTP side's login, with the role
            referrals_app and nothing else.

    Raises:
        SettingsError: the two logins are the same, or the second has no name or password; or there is a pooler between.
        psycopg.Error: Postgres cannot be reached, or the user may not create tables; nothing was changed then.

    """
    notices: list[str] = []
    with psycopg.connect(database_url, **session(database_url, "referrals db migrate", lock_timeout_s=0)) as connection:
        if is_pooled(connection):
            msg = (
                "REFERRALS_DATABASE_URL leads through a pooler, and migrations need a session of their own, which a "
                "pooler in transaction mode does not give: let `db migrate` have the address of Postgres itself"
            )
            raise SettingsError(msg)
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
        connection.execute("SELECT pg_advisory_lock(%s, %s)", MIGRATING)
        owner = _owner(connection)
        if owner is not None:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(owner)))
        applied, applied_before = _apply_migrations(database_url, owner)
        for file in ROLES:
            connection.execute(file.read_bytes())
        if thresholds is not None:
            query(connection, "announce_thresholds", {"thresholds": list(thresholds)})
        if web_database_url is not None:
            connection.execute("RESET ROLE")
            notices.append(_make_login(connection, web_database_url))
    return MigrationReport(applied=applied, applied_before=applied_before, notices=tuple(notices))


def _owner(connection: psycopg.Connection[tuple[object, ...]]) -> str | None:
    """Return whom to migrate as; None: as who has logged in.

    Who made the tables goes on as himself. Where they were handed over, their owner has whatever is new as well; so has
    he what is made first by somebody who has his role and no other reason to come.
    """
    found = connection.execute(
        """
        SELECT owner.rolname FROM pg_class JOIN pg_roles AS owner ON owner.oid = relowner
        WHERE pg_class.oid = to_regclass('_yoyo_migration') AND owner.rolname <> current_user AND NOT owner.rolcanlogin
            AND pg_has_role(owner.oid, 'MEMBER')
        UNION ALL
        SELECT owner.rolname FROM pg_auth_members JOIN pg_roles AS owner ON owner.oid = roleid
        WHERE to_regclass('_yoyo_migration') IS NULL AND owner.rolname = %s
            AND member = (SELECT oid FROM pg_roles WHERE rolname = current_user AND NOT rolsuper)
        """,
        [OWNER],
    ).fetchone()
    return None if found is None else str(found[0])


def _make_login(connection: psycopg.Connection[tuple[object, ...]], url: str) -> str:
    """Make the HTTP side's login, or set its password, and return what there is to say."""
    given = conninfo_to_dict(url)
    name, password = str(given.get("user") or ""), str(given.get("password") or "")
    if not name or not password or name == connection.info.user:
        msg = (
            "REFERRALS_WEB_DATABASE_URL: give postgresql://NAME:PASSWORD@host/database, NAME another than the user of "
            "REFERRALS_DATABASE_URL"
        )
        raise SettingsError(msg)
    # So that no log of statements has the password.
    secret = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    login = sql.Identifier(name)
    is_there = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is not None
    try:
        with connection.transaction():
            connection.execute(
                sql.SQL(
                    "{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD {}"
                ).format(sql.SQL("ALTER" if is_there else "CREATE"), login, sql.Literal(secret))
            )
            connection.execute(sql.SQL("GRANT referrals_app TO {}").format(login))
    except psycopg.errors.InsufficientPrivilege as error:
        return (
            f"login {name} of REFERRALS_WEB_DATABASE_URL was not made ({error.diag.message_primary}): let somebody who "
            f"may run CREATE ROLE {name} LOGIN PASSWORD ...; GRANT referrals_app TO {name}"
        )
    return (
        f"{'set the password of' if is_there else 'created'} login {name}, with the role referrals_app and nothing else"
    )


def _apply_migrations(database_url: str, owner: str | None) -> tuple[tuple[str, ...], int]:
    url = urlsplit(database_url)._replace(scheme="postgresql+psycopg")  # so that yoyo takes psycopg 3
    if owner is not None:  # from the connection's beginning: yoyo makes its own tables first
        given = dict(parse_qsl(url.query))
        given["options"] = f"{given.get('options', '')} -c role={owner}"
        url = url._replace(query=urlencode(given, quote_via=quote))
    backend = get_backend(url.geturl())
    with closing(backend.connection):
        backend.break_lock()  # ours is held, so a row in yoyo's lock table is a dead process's
        migrations = read_migrations(str(MIGRATIONS))
        missing = backend.to_apply(migrations)
        # Not backend.apply_migrations: it commits each migration before it notes that it was applied.
        with backend.transaction():
            for migration in missing:
                migration.process_steps(backend, "apply")
                backend.mark_one(migration, log=False)
    applied = tuple(migration.id for migration in missing)
    return applied, len(migrations) - len(applied)
