"""How every connection to Postgres begins: who it is, times in UTC, and how long it waits for whom.

A pooler in transaction mode (PgBouncer) may stand between, and give each transaction another session of the server. So
nothing is kept in a session that a later transaction relies on: no prepared statements, roles and organisations for one
transaction alone. `options` do not come through there; what they say is the login's own default as well
(`sinks/logins.py`). Who needs a session looks whether it has one: `is_pooled`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from psycopg.conninfo import conninfo_to_dict

from process.instants import EVERY_INSTANT

if TYPE_CHECKING:
    import psycopg

CONNECT_TIMEOUT_S: Final = 5
SILENCE_S: Final = 10
"""A server that vanished without a word is given up after it."""

IN_UTC: Final = "-c TimeZone=UTC"
"""Else times come as the server's or the session's settings have it, and with them what is published and printed."""

LOCK_TIMEOUT_S: Final = 10.0
"""Somebody's transaction that was left open, in psql perhaps, is waited for so long, and no process waits for ever."""


MAY_DO_MORE: Final = """
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = session_user AND (rolsuper OR rolbypassrls))
    OR EXISTS (
        SELECT FROM pg_class WHERE oid = to_regclass('organisations') AND pg_has_role(session_user, relowner, 'MEMBER')
    )
    OR EXISTS (
        SELECT FROM pg_database WHERE datname = current_database() AND pg_has_role(session_user, datdba, 'MEMBER')
    )
"""
"""Whether who has logged in goes around row-level security, or could: then nothing keeps a component to its work."""


def session(
    url: str,
    name: str,
    *,
    connect_timeout_s: int = CONNECT_TIMEOUT_S,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    statement_timeout_s: float = 0,
    idle_timeout_s: float = 0,
) -> dict[str, Any]:
    """Return the arguments, besides the address, with which a connection of ours is made.

    Args:
        url: the address; options that it has itself stay, and go before ours.
        name: what does the connecting, for `pg_stat_activity`.
        connect_timeout_s: seconds for the connection to come about.
        lock_timeout_s: seconds to wait for what somebody else has locked; 0: without end.
        statement_timeout_s: seconds for a statement; 0: without end.
        idle_timeout_s: seconds after which the server gives up a transaction in which nothing is done; 0: never.

    """
    given = str(conninfo_to_dict(url).get("options") or "")
    bounds = f"-c lock_timeout={lock_timeout_s * 1000:.0f} -c statement_timeout={statement_timeout_s * 1000:.0f}"
    if idle_timeout_s:
        bounds += f" -c idle_in_transaction_session_timeout={idle_timeout_s * 1000:.0f}"
    return {
        "application_name": name,
        "autocommit": True,
        "connect_timeout": connect_timeout_s,
        "context": EVERY_INSTANT,
        "keepalives_idle": SILENCE_S,
        "options": f"{bounds} {given} {IN_UTC}",
        "prepare_threshold": None,
        "tcp_user_timeout": SILENCE_S * 1000,
    }


def is_pooled(connection: psycopg.Connection[Any]) -> bool:
    """Tell whether a pooler is between: the server's process is then another than the one that let us in."""
    return connection.execute(_SERVERS_PID).fetchall() != _pid(connection)


async def is_pooled_async(connection: psycopg.AsyncConnection[Any]) -> bool:
    """Tell the same."""
    return await (await connection.execute(_SERVERS_PID)).fetchall() != _pid(connection)


_SERVERS_PID: Final = "SELECT pg_backend_pid()"


def _pid(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> list[tuple[int]]:
    return [(connection.info.backend_pid,)]
