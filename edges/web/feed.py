"""Tells open pages that an organisation's figures changed: on NOTIFY from Postgres, at most once a second.

One connection listens on `referrals_changes`, whose payload is the organisation. While an organisation has pages open,
a task of its own computes its summary after each notification, and puts it to each of its pages.

Failure handling: a page that does not keep up has one summary waiting, the latest, and nothing queues behind it. Where
Postgres is away, or a notification was lost, everything is compared every `POLL_S`. The listening connection connects
again by itself, and then everything is compared once, because nobody heard what was told meanwhile. Through a pooler
nothing is heard, so nobody listens.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

import psycopg
import structlog

from edges.web.answers.organisation import Changed
from edges.web.database import DatabaseUnavailable
from process.postgres import is_pooled_async, session

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from types import TracebackType

    from edges.web.answers.organisation import Summary

CHANNEL: Final = "referrals_changes"
PAGES_MAX: Final = 500
"""Pages that one process serves; each is a connection and a few kilobytes."""
PAGES_OF_ORGANISATION_MAX: Final = 250
"""How many of them an organisation may have. Where all places are taken, one that has fewer pages than another takes
the place of the other's oldest."""
PAUSE_S: Final = 1.0
"""Between two summaries of an organisation."""
POLL_S: Final = 15.0
RECONNECT_S: Final = 2.0

log = structlog.get_logger("web")


class TooManyPages(Exception):  # noqa: N818  read as what is wrong
    """As many pages are open as this process serves, or serves to one organisation."""


class FeedEnded(Exception):  # noqa: N818  read as what is wrong
    """The server stops, or another organisation needs the place."""


class Page:
    """One open page: what it is to be told next."""

    def __init__(self) -> None:
        self._next: Changed | None = None
        self._has_come = asyncio.Event()
        self._is_over = False

    async def next(self, timeout_s: float) -> Changed | None:
        """Return the latest change that the page has not been told; None if none comes in time.

        Raises FeedEnded when the server stops, or another needs the place.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._has_come.wait()
        if self._is_over:
            raise FeedEnded
        self._has_come.clear()
        change, self._next = self._next, None
        return change

    def tell(self, change: Changed) -> None:
        """Take a change, in place of one that was not taken yet."""
        self._next = change
        self._has_come.set()

    def end(self) -> None:
        """Wake whoever waits, for the last time."""
        self._is_over = True
        self._has_come.set()


class Feed:
    """Every open page; a context manager."""

    def __init__(
        self, database_url: str, summarise: Callable[[str], Awaitable[Summary]], stopping: asyncio.Event
    ) -> None:
        """Make a feed that listens when it is entered.

        Args:
            database_url: where to listen.
            summarise: returns an organisation's sums as they are now.
            stopping: set when the server is asked to stop; then every page is told.

        """
        self._database_url = database_url
        self._summarise = summarise
        self._stopping = stopping
        self._audiences: dict[str, _Audience] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Begin to listen; wait for nothing."""
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._end_when_stopping())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop listening."""
        tasks = [*self._tasks, *(audience.task for audience in self._audiences.values())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def has_room(self, org_id: str) -> bool:
        """Tell whether an organisation may open another page."""
        pages = len(self._audiences[org_id].pages) if org_id in self._audiences else 0
        if pages >= PAGES_OF_ORGANISATION_MAX:
            return False
        return not self._is_full or pages + 1 < len(self._largest.pages)

    @property
    def _is_full(self) -> bool:
        return sum(len(audience.pages) for audience in self._audiences.values()) >= PAGES_MAX

    @property
    def _largest(self) -> _Audience:
        return max(self._audiences.values(), key=lambda audience: len(audience.pages))

    @contextmanager
    def open_page(self, org_id: str) -> Iterator[Page]:
        """Give a page that is told of an organisation while the body runs; first how it is now.

        Raises TooManyPages, and FeedEnded when the server stops.
        """
        if self._stopping.is_set():
            raise FeedEnded
        if not self.has_room(org_id):
            raise TooManyPages
        if self._is_full:
            self._largest.end_oldest()
        audience = self._audiences.get(org_id)
        if audience is None:
            audience = self._audiences[org_id] = _Audience(org_id, self._summarise)
        page = Page()
        audience.add(page)
        try:
            yield page
        finally:
            audience.pages.pop(page, None)
            if not audience.pages and self._audiences.get(org_id) is audience:
                del self._audiences[org_id]
                audience.task.cancel()

    async def _listen(self) -> None:
        is_heard = True
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._database_url, **session(self._database_url, "referrals web feed")
                ) as connection:
                    if await is_pooled_async(connection):
                        log.info(
                            "feed_looks_by_itself", reason="no notifications come through a pooler", every_s=POLL_S
                        )
                        return
                    await connection.execute(f"LISTEN {CHANNEL}".encode())
                    is_heard = True
                    for audience in self._audiences.values():
                        audience.wake()
                    async for told in connection.notifies():
                        if (changed := self._audiences.get(told.payload)) is not None:
                            changed.wake()
            except psycopg.Error as error:
                if is_heard:
                    log.warning("feed_interrupted", reason=type(error).__name__)
                is_heard = False
            await asyncio.sleep(RECONNECT_S)

    async def _end_when_stopping(self) -> None:
        await self._stopping.wait()
        for audience in self._audiences.values():
            for page in audience.pages:
                page.end()


class _Audience:
    """The pages of one organisation, and the task that keeps them told."""

    def __init__(self, org_id: str, summarise: Callable[[str], Awaitable[Summary]]) -> None:
        self._org_id = org_id
        self._summarise = summarise
        self._is_due = asyncio.Event()
        self._last: Changed | None = None
        self.pages: dict[Page, None] = {}
        """The oldest first."""
        self.task = asyncio.create_task(self._keep_told())

    def add(self, page: Page) -> None:
        """Tell a new page what the others know, and look whether that still holds."""
        self.pages[page] = None
        if self._last is not None:
            page.tell(self._last)
        self.wake()

    def end_oldest(self) -> None:
        """End the page that has been open longest; its place is free at once."""
        page = next(iter(self.pages))
        del self.pages[page]
        page.end()

    def wake(self) -> None:
        """Look again, as soon as the pause allows."""
        self._is_due.set()

    async def _keep_told(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._is_due.wait()
            self._is_due.clear()
            with suppress(DatabaseUnavailable):  # the next poll finds what changed
                summary = await self._summarise(self._org_id)
                if self._last is None or summary != self._last.summary:
                    self._last = Changed(at=datetime.now(UTC), summary=summary)
                    for page in self.pages:
                        page.tell(self._last)
            await asyncio.sleep(PAUSE_S)
