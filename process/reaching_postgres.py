"""Whether Postgres answers: what is said where it does not, and of which setting it comes.

The components wait for it and log each in its own words what they cannot do meanwhile; here it is said once, soon after
their start, which address was tried, which setting says so, and what is to be done.
"""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING, Final

import structlog

from process.faults import said
from process.settings import variable_of

if TYPE_CHECKING:
    from process.settings import Settings

CONNECT_S: Final = 2
"""So long a server has to answer; the smallest that libpq takes."""

_AWAY: Final = ("connection failed: ", "connection timeout expired", "failed to resolve host")
"""How psycopg begins where nobody answers at an address, and where it is none."""

log = structlog.get_logger("postgres")


def remedy(text: str, *, is_given: bool, variable: str = "REFERRALS_DATABASE_URL") -> str:
    """Return what somebody should do who is told that there is no connection; empty where the text is of other things.

    Args:
        text: what psycopg says.
        is_given: the address comes from the variable, and not from its default.
        variable: where it comes from.

    """
    if not text.startswith(_AWAY):
        return ""
    if "FATAL" in text:  # somebody answers, and does not let us in, or not yet
        return f"{variable} names server, login and database" if is_given else ""
    if is_given:
        return f"{variable} says so: see that it runs there, and can be reached from here"
    return f"{variable} is not set: start a Postgres with `referrals up`, or set it to where one is"


def warn_without_postgres(settings: Settings, *settings_used: str) -> None:
    """Log soon where Postgres does not let us in, for a component that waits for it; returns at once.

    `settings_used` are the names of the settings with its addresses; those that are None are left out. The first that
    cannot be used is said.
    """

    def look_once() -> None:
        for name in settings_used:
            url = getattr(settings, name)
            reason = None if url is None else why_away(url, variable_of(name), is_given=settings.is_given(name))
            if reason is not None:
                log.warning("postgres_away", reason=reason, then="it is waited for")
                return

    Thread(target=look_once, name="look for Postgres", daemon=True).start()


def why_away(url: str, variable: str, *, is_given: bool) -> str | None:
    """Return why Postgres does not let us in at an address, with the variable that it is from; None where it does."""
    import psycopg  # noqa: PLC0415  `--help` needs none of it

    from process.postgres import session  # noqa: PLC0415  the same

    try:
        with psycopg.connect(url, **session(url, "referrals look", connect_timeout_s=CONNECT_S)):
            return None
    except psycopg.OperationalError as error:
        text = said(error)
        beside = remedy(text, is_given=is_given, variable=variable)
        return f"{text}; {beside}" if beside else text
