"""Clicks that were not people's, counted apart: for each organisation, day and reason.

They are added up here and written once a second. What a kill takes is that second's: exact are the counts of people.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from types import TracebackType
from typing import Final, NamedTuple, Self, get_args

import psycopg
import structlog
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from edges.web.clicks.agents import Reason
from edges.web.database import Database, DatabaseUnavailable
from process.faults import said
from process.setting_groups.kinds import DAY_S

WRITE_INTERVAL_S: Final = 1.0
CLOSING_S: Final = 3.0
"""How long the last write may take when the server stops."""

_FIRST_DAY: Final = date(1970, 1, 1).toordinal()
_ADD: Final = """
INSERT INTO filtered_clicks (org_id, day, reason, clicks) VALUES (%s, %s, %s, %s)
ON CONFLICT (org_id, day, reason) DO UPDATE SET clicks = filtered_clicks.clicks + excluded.clicks
"""

log = structlog.get_logger("clicks")


class Cell(NamedTuple):
    """A row of the table."""

    day: int
    """Days since 1970, UTC."""
    reason: Reason


class FilteredClicks(Collector):
    """Counts filtered clicks and writes the counts. A context manager; used from one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._unwritten: dict[str, Counter[Cell]] = {}
        """By organisation."""
        self._is_away = False
        self._by_reason: Counter[Reason] = Counter(dict.fromkeys(get_args(Reason), 0))

    def count(self, org_id: str | None, reason: Reason) -> None:
        """Count a click; without an organisation only for the metrics."""
        self._by_reason[reason] += 1
        if org_id is not None:
            cells = self._unwritten.setdefault(org_id, Counter())
            cells[Cell(int(time.time() // DAY_S), reason)] += 1

    async def __aenter__(self) -> Self:
        """Begin to write."""
        self._writing = asyncio.create_task(self._write_forever())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write the rest."""
        self._writing.cancel()
        with suppress(asyncio.CancelledError):
            await self._writing
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_S):
                await self.write()

    async def write(self) -> None:
        """Write what was counted; what cannot be written now is kept for the next time."""
        for org_id in list(self._unwritten):
            cells = self._unwritten.pop(org_id, None)
            if cells is None:  # whoever else writes just now has it
                continue
            try:
                await self._add(org_id, cells)
            except psycopg.IntegrityError:
                log.warning("filtered_clicks_dropped", org_id=org_id)  # the organisation is gone
            except BaseException as error:
                self._unwritten.setdefault(org_id, Counter()).update(cells)
                if not isinstance(error, DatabaseUnavailable | psycopg.Error):
                    raise
                if not self._is_away:
                    log.warning("filtered_clicks_wait", reason=said(error))
                self._is_away = True
                return
        self._is_away = False

    def collect(self) -> Iterator[Metric]:
        """Yield the figures for Prometheus, also those of codes whose organisation could not be looked up."""
        filtered = CounterMetricFamily("referrals_clicks_filtered", "Clicks that were not people's.", labels=["reason"])
        for reason, clicks in self._by_reason.items():
            filtered.add_metric([reason], clicks)
        yield filtered

    async def _add(self, org_id: str, cells: Counter[Cell]) -> None:
        async with self._database.acting_for(org_id) as connection, connection.cursor() as cursor:
            rows = [(org_id, date.fromordinal(_FIRST_DAY + day), reason, n) for (day, reason), n in cells.items()]
            await cursor.executemany(_ADD, sorted(rows))

    async def _write_forever(self) -> None:
        while True:
            await asyncio.sleep(WRITE_INTERVAL_S)
            if self._unwritten:
                await self.write()
