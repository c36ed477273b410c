"""How every connection to Postgres begins: who it is, when a server that says nothing is given up, and times in UTC."""

from __future__ import annotations

from typing import Any, Final

from psycopg.conninfo import conninfo_to_dict

CONNECT_TIMEOUT_S: Final = 5
SILENCE_S: Final = 10
"""A server that vanished without a word is given up after it."""

IN_UTC: Final = "-c TimeZone=UTC"
"""Else times come as the server's or the session's settings have it, and with them what is published and printed."""


def session(url: str, name: str, *, connect_timeout_s: int = CONNECT_TIMEOUT_S) -> dict[str, Any]:
    """Return the arguments, besides the address, with which a connection of ours is made.

    Args:
        url: the address; options that it has itself stay.
        name: what does the connecting, for `pg_stat_activity`.
        connect_timeout_s: seconds for the connection to come about.

    """
    given = str(conninfo_to_dict(url).get("options") or "")
    return {
        "application_name": name,
        "autocommit": True,
        "connect_timeout": connect_timeout_s,
        "keepalives_idle": SILENCE_S,
        "options": f"{given} {IN_UTC}".strip(),
        "tcp_user_timeout": SILENCE_S * 1000,
    }
