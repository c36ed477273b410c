"""Who comes to Postgres as whom: a login for each component with the least that it needs, and one that migrates.

What may be done stands in roles (roles.sql, component_roles.sql), which cannot log in; a login has one or two of them
and nothing else. Tables belong to the role referrals_owner, of which only the login that migrates is a member.

Failure handling: all of `apply` is one transaction, so one that fails, or is killed, has changed nothing; and it may be
repeated at any time.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final, LiteralString, NamedTuple

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from operations.acls import Component
from process.postgres import LOCK_TIMEOUT_S, session
from sinks import postgres
from sinks.migrate import MIGRATING, OWNER, ROLES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


OWNERSHIP: Final = Path(__file__).parent / "owner.sql"
PLACE: Final = "{component}"
"""Where a pattern of logins has the component's name."""
MIGRATIONS: Final = "migrations"
"""Not a component: who runs `db migrate`."""

ROLES_OF: Final[Mapping[str, tuple[str, ...]]] = {
    Component.STREAM: ("referrals_reconciliation",),
    Component.BADGES: ("referrals_badges",),
    Component.COUNTS: ("referrals_counts",),
    Component.WEB: ("referrals_app",),
    Component.REGISTRY: ("referrals_registry",),
    Component.RECONCILE: ("referrals_reconciliation",),
    Component.DEAD_LETTERS: ("referrals_reader",),
    Component.ERASE_MEMBER: ("referrals_auditor", "referrals_reader"),
    Component.VERIFY: ("referrals_auditor", "referrals_reader"),
    MIGRATIONS: (OWNER,),
}
"""`publish` and `topics` ask no Postgres. A worker's leader reconciles; `dead-letters --org` asks whose a code is."""

GROUPS: Final = tuple(dict.fromkeys(role for roles in ROLES_OF.values() for role in roles))
_PASSWORD_BYTES: Final = 24
_NOTHING_MORE: Final = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
_BEYOND: Final = """
SELECT CASE
    WHEN rolsuper THEN 'is a superuser' WHEN rolbypassrls THEN 'goes around row-level security'
    WHEN rolcreaterole THEN 'may make roles' WHEN rolreplication THEN 'may read everything by replication'
END
FROM pg_roles WHERE rolname = %(login)s AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolreplication)
UNION ALL
SELECT 'has the role ' || roleid::regrole::text FROM pg_auth_members
WHERE member = (SELECT oid FROM pg_roles WHERE rolname = %(login)s)
    AND roleid <> ALL (SELECT oid FROM pg_roles WHERE rolname = ANY (%(roles)s))
UNION ALL
SELECT 'owns ' || oid::regclass::text FROM pg_class
WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = %(login)s) AND relkind IN ('r', 'p', 'v', 'm')
UNION ALL
SELECT 'owns the database' FROM pg_database
WHERE datname = current_database() AND datdba = (SELECT oid FROM pg_roles WHERE rolname = %(login)s)
"""


class Login(NamedTuple):
    """Who a component is."""

    component: str
    name: str

    @property
    def roles(self) -> tuple[str, ...]:
        """What it may do."""
        return ROLES_OF[self.component]


class Applied(NamedTuple):
    """What `apply` did, or would do."""

    created: list[Login]
    changed: list[Login]
    """They stood, and got a role or a password."""
    passwords: dict[str, str]
    """Those that were made, by component: they are nowhere else."""
    made_roles: list[str]
    handed_over: int
    """Tables that have another owner now."""
    shut_out: bool
    """Whether anybody could connect to the database until now."""
    beyond: list[str]
    """What the logins have beyond their need."""


def logins(pattern: str, components: Iterable[str], given: Mapping[str, str]) -> list[Login]:
    """Return who each component is: as given, else by the pattern, in which `{component}` is its name."""
    return [Login(each, given.get(each) or pattern.replace(PLACE, each)) for each in components]


def statements(who: Iterable[Login], database: str) -> list[str]:
    """Return as SQL what `apply` does, but for passwords; each may be run again, but for CREATE ROLE of a login."""
    lines = [_create_group(role).as_string() for role in GROUPS]
    lines += [OWNERSHIP.read_text(encoding="utf-8").strip()]
    lines += [file.read_text(encoding="utf-8").strip() for file in ROLES]
    lines.append(_shut_out(database).as_string())
    for login in who:
        lines.append(_create(login).as_string() + ";  -- \\password " + sql.Identifier(login.name).as_string())
        lines += [each.as_string() for each in _grants(login, database)]
    return [line if line.endswith(";") or "--" in line.rpartition("\n")[2] else f"{line};" for line in lines]


def apply(
    database_url: str,
    who: Iterable[Login],
    *,
    new_passwords: Collection[str] = (),
    with_passwords: bool = True,
    given_passwords: Mapping[str, str] | None = None,
    hand_over: bool = True,
    dry_run: bool = False,
) -> Applied:
    """Make roles and logins, hand the tables over to the owner, and give each its rights; all or nothing.

    Args:
        database_url: as somebody who may make roles, and owns the tables or is a superuser.
        who: the logins that are wanted.
        new_passwords: components that get a new password though their login stands.
        with_passwords: False: new logins get none, because they prove themselves in another way.
        given_passwords: by component; the others' are made.
        hand_over: False: leave tables, and who may connect, as they are.
        dry_run: only look, and undo it.

    Raises:
        psycopg.Error: Postgres cannot be reached, or the user may not; nothing was changed then.

    """
    who = list(who)
    given = given_passwords or {}
    done = Applied([], [], {}, [], 0, shut_out=False, beyond=[])
    with (
        psycopg.connect(database_url, **session(database_url, "referrals db roles")) as connection,
        connection.transaction(force_rollback=dry_run),
    ):
        _execute(connection, "SELECT pg_advisory_xact_lock(%s, %s)", [*MIGRATING])
        database = connection.info.dbname
        for role in GROUPS:
            if not _is_role(connection, role):
                _execute(connection, _create_group(role))
                done.made_roles.append(role)
        if hand_over:
            done = done._replace(handed_over=_hand_over(connection), shut_out=_is_open(connection))
            _execute(connection, _shut_out(database))
        _grant_rights(connection)
        for login in who:
            is_there = _is_role(connection, login.name)
            had = set() if not is_there else _roles_of(connection, login.name)
            if not is_there:
                _execute(connection, _create(login))
                done.created.append(login)
            for statement in _grants(login, database):
                _execute(connection, statement)
            asked = login.component in given or login.component in new_passwords
            if asked or (with_passwords and not is_there):
                password = given.get(login.component) or secrets.token_urlsafe(_PASSWORD_BYTES)
                done.passwords[login.component] = password
                _execute(connection, _set_password(connection, login.name, password))
            if is_there and (asked or not had >= set(login.roles)):
                done.changed.append(login)
            for (what,) in connection.execute(_BEYOND, {"login": login.name, "roles": list(login.roles)}).fetchall():
                done.beyond.append(f"{login.name} {what}")
    return done


def address(database_url: str, login: str, password: str | None) -> str:
    """Return the database's address for a login; without a password where that is not known."""
    from urllib.parse import quote, urlsplit, urlunsplit  # noqa: PLC0415  of this function alone

    parts = urlsplit(database_url)
    secret = "" if password is None else f":{quote(password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{quote(login, safe='')}{secret}@{parts.netloc.rpartition('@')[2]}"))


def database_of(database_url: str) -> str:
    """Return the name of the database in an address."""
    return str(conninfo_to_dict(database_url).get("dbname") or "referrals")


Connection = psycopg.Connection[tuple[object, ...]]


def _execute(
    connection: Connection, statement: bytes | LiteralString | sql.Composed, values: list[object] | None = None
) -> None:
    connection.execute(statement, values)


def _create_group(role: str) -> sql.Composed:
    return sql.SQL(
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {}) THEN "
        "CREATE ROLE {} NOLOGIN NOSUPERUSER NOBYPASSRLS; END IF; END $$;"
    ).format(sql.Literal(role), sql.Identifier(role))


def _create(login: Login) -> sql.Composed:
    # Whoever migrates is the owner only when he says so (SET ROLE), and not by being let in.
    inherit = "NOINHERIT" if login.component == MIGRATIONS else "INHERIT"
    return sql.SQL("CREATE ROLE {} LOGIN {} {}").format(
        sql.Identifier(login.name), sql.SQL(inherit), sql.SQL(_NOTHING_MORE)
    )


def _grants(login: Login, database: str) -> list[sql.Composed]:
    """Return what gives a login its roles, and what its sessions begin with where a pooler drops what we ask for."""
    name = sql.Identifier(login.name)
    return [
        *(
            sql.SQL("ALTER ROLE {} SET {} = {};").format(name, sql.Identifier(setting), sql.Literal(value))
            for setting, value in _session_of(login.component).items()
        ),
        *(sql.SQL("GRANT {} TO {};").format(sql.Identifier(role), name) for role in login.roles),
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {};").format(sql.Identifier(database), name),
    ]


def _session_of(component: str) -> dict[str, str]:
    """Return the settings with which a login's sessions begin, as `process.postgres.session` asks for them."""
    if component == MIGRATIONS:
        return {"timezone": "UTC"}
    if component not in {Component.BADGES, Component.COUNTS}:
        return {"timezone": "UTC", "lock_timeout": f"{LOCK_TIMEOUT_S:g}s"}
    return {
        "timezone": "UTC",
        "lock_timeout": f"{postgres.LOCK_TIMEOUT_S:g}s",
        "statement_timeout": f"{postgres.STATEMENT_TIMEOUT_S:g}s",
        "idle_in_transaction_session_timeout": f"{postgres.SILENCE_S:g}s",
    }


def _shut_out(database: str) -> sql.Composed:
    return sql.SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC;").format(sql.Identifier(database))


def _set_password(connection: Connection, name: str, password: str) -> sql.Composed:
    # Sealed here, so that no log of statements has it.
    sealed = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    return sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(name), sql.Literal(sealed))


def _hand_over(connection: Connection) -> int:
    """Give the tables to the owner, and return how many that were."""
    count = "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p') AND relowner = %s::regrole"
    ((before,),) = connection.execute(count, [OWNER]).fetchall()
    _execute(connection, OWNERSHIP.read_bytes())
    ((after,),) = connection.execute(count, [OWNER]).fetchall()
    return int(str(after)) - int(str(before))


def _grant_rights(connection: Connection) -> None:
    """Give the roles their rights, where there are tables; else `db migrate` does."""
    ((is_migrated,),) = connection.execute("SELECT to_regclass('_yoyo_migration') IS NOT NULL").fetchall()
    if is_migrated:
        for file in ROLES:
            _execute(connection, file.read_bytes())


def _is_open(connection: Connection) -> bool:
    ((found,),) = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) AS acl "
        "WHERE datname = current_database() AND acl.grantee = 0 AND acl.privilege_type = 'CONNECT')"
    ).fetchall()
    return bool(found)


def _is_role(connection: Connection, name: str) -> bool:
    return connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is not None


def _roles_of(connection: Connection, name: str) -> set[str]:
    rows = connection.execute(
        "SELECT pg_roles.rolname FROM pg_auth_members JOIN pg_roles ON pg_roles.oid = roleid "
        "WHERE member = (SELECT oid FROM pg_roles WHERE rolname = %s)",
        [name],
    ).fetchall()
    return {str(role) for (role,) in rows}
