"""Clicks on codes that nobody could look up: kept until somebody can, and recorded then if the code was issued.

Else whoever guesses codes while Postgres is away, or slow for a moment, would have each of them recorded. They are in
memory: a server that is stopped records them as they are, because they may be somebody's, and the stream app keeps
clicks of codes that it does not know; one that is killed loses them.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from edges.web.clicks.landing import LookupFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from prometheus_client import Metric

    from edges.web.clicks.landing import LandingPages
    from edges.web.clicks.recorder import ClickRecorder

CLICKS_MAX: Final = 20_000
"""How many are kept, about 300 bytes each; what comes after is dropped, and counted."""
PAUSE_S: Final = 1.0
"""Between two attempts while nobody can be asked."""

log = structlog.get_logger("clicks")


class Unsure(NamedTuple):
    """A click on a code that may not be one."""

    code: str
    channel: str | None
    occurred_at: datetime


class UnsureClicks(Collector):
    """Keeps them, and asks again. A context manager; used from one event loop."""

    def __init__(self, landings: LandingPages, recorder: ClickRecorder) -> None:
        self._landings = landings
        self._recorder = recorder
        self._kept: deque[Unsure] = deque()
        self._has_some = asyncio.Event()
        self._ended: Counter[str] = Counter(dict.fromkeys(("recorded", "not_issued", "dropped"), 0))

    def keep(self, code: str, channel: str | None) -> None:
        """Keep a click, as of now."""
        if len(self._kept) >= CLICKS_MAX:
            if not self._ended["dropped"]:
                log.error("unsure_clicks_dropped", reason="codes cannot be looked up, and as many clicks wait as may")
            self._ended["dropped"] += 1
            return
        self._kept.append(Unsure(code, channel, datetime.now(UTC)))
        self._has_some.set()

    async def __aenter__(self) -> Self:
        """Begin to ask."""
        self._asking = asyncio.create_task(self._ask_forever())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Record what is left as it is."""
        self._asking.cancel()
        with suppress(asyncio.CancelledError):
            await self._asking
        for click in self._kept:
            self._recorder.record(*click)
        self._kept.clear()

    def collect(self) -> Iterator[Metric]:
        """Yield the figures for Prometheus."""
        ended = CounterMetricFamily(
            "referrals_clicks_unsure", "Clicks on codes that could not be looked up at first.", labels=["became"]
        )
        for became, clicks in self._ended.items():
            ended.add_metric([became], clicks)
        yield ended
        yield GaugeMetricFamily("referrals_clicks_unsure_waiting", "The same, not looked up yet.", len(self._kept))

    async def _ask_forever(self) -> None:
        while True:
            await self._has_some.wait()
            self._has_some.clear()
            while self._kept:
                try:
                    landing = await self._landings.find(self._kept[0].code)
                except LookupFailed:
                    await asyncio.sleep(PAUSE_S)
                    continue
                click = self._kept.popleft()
                if landing is None:
                    self._ended["not_issued"] += 1
                else:
                    self._ended["recorded"] += 1
                    self._recorder.record(*click)
