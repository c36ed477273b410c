"""Where a code's link leads, and whose code it is: asked of Postgres, remembered for a short while.

Answers are kept longer than they are fresh: while Postgres is away, what was known goes on. A code that cannot be
looked up just now is another thing than one that was not issued.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar

import psycopg
import structlog

from edges.web.clicks.damaged import Damaged
from edges.web.clicks.parameters import CODE
from edges.web.database import Database, DatabaseUnavailable
from process.addresses import web_address
from process.faults import said

WELCOME: Final = "/welcome"
"""The built-in page, of organisations that have none of their own."""

FRESH_S: Final = 30.0
"""How long a changed landing page may go unnoticed."""
UNKNOWN_FRESH_S: Final = 2.0
"""The same for a code that was not issued: somebody may be about to."""
KNOWN_MAX: Final = 50_000
"""Codes remembered, some 250 bytes each."""
UNKNOWN_MAX: Final = 5_000
"""Apart from the others, so that guessing codes does not drive them out."""
LANDINGS_MAX: Final = 1_000
PATIENCE_S: Final = 2.0
"""Longest wait of a redirect for Postgres."""
AWAY_S: Final = 1.0
"""While Postgres does not answer, one redirect in so long waits for it, and the others go at once."""

_QUERY: Final = "SELECT org_id, landing_url FROM landing_of_code(%s)"
_BEGINNING: Final = "SELECT referral_code FROM codes_that_begin_with(%s)"

log = structlog.get_logger("clicks")

Value = TypeVar("Value")


class Landing(NamedTuple):
    """Whose code it is, and where its link leads."""

    org_id: str
    before: str
    """The address up to where the code belongs."""
    after: str
    own: frozenset[str]
    """Names of the parameters that the address has itself, in lower case."""

    def address(self, code: str, passed: str = "") -> str:
        """Return where the link with a code leads; `passed` goes behind it: empty, or `&name=value...`."""
        return f"{self.before}{code}{passed}{self.after}"


class LookupFailed(Exception):  # noqa: N818  read as what happened
    """Postgres does not say whose code it is, and nothing is remembered."""


class LandingPages:
    """Looks codes up; used from one event loop."""

    def __init__(self, database: Database, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock_s = clock_s
        self._known: dict[str, tuple[Landing, float]] = {}
        """By code, with the time until which it is fresh. The one looked up longest ago is first, and goes first."""
        self._unknown: dict[str, float] = {}
        self._asked: dict[str, asyncio.Task[bool]] = {}
        self._is_away = False
        self._look_again_s = 0.0

    async def find(self, code: str) -> Landing | None:
        """Return whose a normalised code is and where it leads; None: no such code was issued.

        Raises LookupFailed, after at most PATIENCE_S.
        """
        now_s = self._clock_s()
        known = self._known.get(code)
        if known is not None and now_s < known[1]:
            return known[0]
        if now_s < self._unknown.get(code, 0.0):
            return None
        if self._may_ask(now_s) and await self._has_answer(code):
            return self._known[code][0] if code in self._known else None
        if known is not None:
            return known[0]
        raise LookupFailed

    async def mean(self, damaged: Damaged) -> str | None:
        """Return the one code that a damaged link can mean; None where it may be another's as well.

        Raises LookupFailed, after at most PATIENCE_S.
        """
        if damaged.is_certain:
            return damaged.codes[0]
        if not self._may_ask(self._clock_s()):
            raise LookupFailed
        try:
            async with asyncio.timeout(PATIENCE_S):
                rows = await self._database.rows(None, _BEGINNING, [damaged.codes[0]])
        except (DatabaseUnavailable, TimeoutError, psycopg.Error):
            self._is_away = True
            raise LookupFailed from None
        self._is_away = False
        issued = [code for (code,) in rows]
        return issued[0] if len(issued) == 1 and issued[0] in damaged.codes else None

    def _may_ask(self, now_s: float) -> bool:
        """Tell whether Postgres is worth waiting for: always while it answers, else once in AWAY_S."""
        if self._is_away and now_s < self._look_again_s:
            return False
        self._look_again_s = now_s + AWAY_S
        return True

    async def _has_answer(self, code: str) -> bool:
        """Look a code up, once for all who ask at a time; tell whether Postgres answered within PATIENCE_S."""
        task = self._asked.get(code)
        if task is None:
            task = self._asked[code] = asyncio.create_task(self._look_up(code))
        # Not cancelled when it is late: psycopg waits for the server also then, and the next who asks wants the answer.
        done, _ = await asyncio.wait({task}, timeout=PATIENCE_S)
        if not done:
            self._is_away = True
        return bool(done) and task.result()

    async def _look_up(self, code: str) -> bool:
        try:
            rows = await self._database.rows(None, _QUERY, [code])
        except DatabaseUnavailable:
            self._is_away = True
            return False
        except psycopg.Error as error:
            self._is_away = True
            log.error("landing_not_found", reason=said(error))  # noqa: TRY400  the reason says all there is to know
            return False
        finally:
            del self._asked[code]
        self._is_away = False
        self._known.pop(code, None)
        self._unknown.pop(code, None)
        now_s = self._clock_s()
        if rows:
            ((org_id, landing_url),) = rows
            _keep(self._known, code, (_landing(org_id, landing_url), now_s + FRESH_S), KNOWN_MAX)
        else:
            _keep(self._unknown, code, now_s + UNKNOWN_FRESH_S, UNKNOWN_MAX)
        return True


@lru_cache(LANDINGS_MAX)
def _landing(org_id: str, landing_url: str | None) -> Landing:
    """Return an organisation's landing page; one object for all its codes."""
    if landing_url is not None:
        try:
            return read_landing_url(org_id, landing_url)
        except ValueError as fault:  # checked where it is set, so somebody has got round that
            log.warning("landing_url_unusable", org_id=org_id, reason=str(fault))
    return Landing(org_id, f"{WELCOME}?{CODE}=", "", frozenset())


def read_landing_url(org_id: str, url: str) -> Landing:
    """Return a landing page's address around the code; raise ValueError where it is no web address.

    Its own query and fragment stay, but for a parameter of the code's name.
    """
    address = web_address(url)
    kept = [each for each in address.query.split("&") if each and each.partition("=")[0] != CODE]
    return Landing(
        org_id,
        before=f"{address.origin}{address.path or '/'}?{'&'.join([*kept, CODE])}=",
        after=f"#{address.fragment}" if address.fragment else "",
        own=frozenset(each.partition("=")[0].lower() for each in kept),
    )


def _keep(remembered: dict[str, Value], code: str, value: Value, most: int) -> None:
    if len(remembered) >= most:
        del remembered[next(iter(remembered))]
    remembered[code] = value
