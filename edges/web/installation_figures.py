"""What Postgres knows of the whole installation's work, for `/metrics`: the codes outbox, and how reconciliation goes.

Asked with a scrape, and no more often than every few seconds. Failure handling: while Postgres is away there is nothing
to show, so nothing is shown; `/health/ready` says why.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import psycopg
from croniter import croniter  # type: ignore[import-untyped]
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from edges.web.database import ANSWER_S, DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from edges.web.database import Database

LOOK_INTERVAL_S: Final = 5.0
AGES: Final = {"1h": timedelta(hours=1), "1d": timedelta(days=1), "2d": timedelta(days=2), "7d": timedelta(days=7)}
"""How long ago organisations were last reconciled: within an hour, within a day and not an hour, and so on."""
OLDER: Final = "older"
NEVER: Final = "never"

FIRINGS: Final = 10
"""So many times of a crontab are looked at for the longest gap between two."""

_ASK: Final = """
SELECT outbox.codes, outbox.oldest_at, clock_timestamp(), reconciled.run_every, reconciled.configured_at,
    reconciled.succeeded_at
FROM outbox_figures() AS outbox LEFT JOIN reconciliation_figures() AS reconciled ON true
"""


class InstallationFigures(Collector):
    """What was found with the last look."""

    def __init__(self, database: Database, reconcile_at: str) -> None:
        """Find nothing yet; `reconcile_at` is when organisations without an interval of their own are reconciled."""
        self._database = database
        self._reconcile_at = reconcile_at
        self._looking = asyncio.Lock()
        self._looked_s = float("-inf")
        self._asking: asyncio.Task[list[tuple[Any, ...]]] | None = None
        self._rows: list[tuple[Any, ...]] = []

    async def look(self) -> None:
        """Ask, if that was not done just now; a Postgres that does not answer does not keep who scrapes waiting."""
        async with self._looking:
            if time.monotonic() - self._looked_s < LOOK_INTERVAL_S:
                return
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._ask(), name="figures-asked")
            asking = self._asking  # not cancelled: it takes psycopg long to give up what it has sent
            answered, _ = await asyncio.wait({asking}, timeout=ANSWER_S)
            self._rows = asking.result() if answered else []
            self._looked_s = time.monotonic()

    async def _ask(self) -> list[tuple[Any, ...]]:
        try:
            return await self._database.rows(None, _ASK)
        except (DatabaseUnavailable, psycopg.Error):  # also a right that the next `db migrate` gives
            return []

    def collect(self) -> Iterator[Metric]:
        """Yield it; for the registry."""
        if not self._rows:
            return
        codes, oldest_at, now = self._rows[0][:3]
        yield GaugeMetricFamily("referrals_outbox_codes", "Codes that are stored and not published yet.", value=codes)
        yield GaugeMetricFamily(
            "referrals_outbox_oldest_age_seconds",
            "How long ago the oldest of them was issued; 0 where none waits.",
            value=0.0 if oldest_at is None else max(0.0, (now - oldest_at).total_seconds()),
        )
        counts = dict.fromkeys((*AGES, OLDER, NEVER), 0)
        overdue = 0
        for run_every, configured_at, succeeded_at in (row[3:] for row in self._rows):
            if configured_at is None:  # nobody has a source
                continue
            counts[age_class(succeeded_at, now)] += 1
            overdue += is_overdue(succeeded_at or configured_at, run_every or usual_interval(self._reconcile_at), now)
        organisations = GaugeMetricFamily(
            "referrals_reconciliation_organisations",
            "Organisations with a membership source, by how long ago a run last saw everything.",
            labels=["last_success"],
        )
        for name, count in counts.items():
            organisations.add_metric([name], count)
        yield organisations
        yield GaugeMetricFamily(
            "referrals_reconciliation_overdue_organisations",
            "Those for which that is more than two of their intervals ago.",
            value=overdue,
        )


def age_class(succeeded_at: datetime | None, now: datetime) -> str:
    """Return how long ago that was, in a word."""
    if succeeded_at is None:
        return NEVER
    return next((name for name, most in AGES.items() if now - succeeded_at <= most), OLDER)


def is_overdue(since: datetime, interval: timedelta | None, now: datetime) -> bool:
    """Tell whether two intervals are over since then; None: nobody is to be reconciled."""
    return interval is not None and now - since > 2 * interval


@cache
def usual_interval(reconcile_at: str) -> timedelta | None:
    """Return the longest time between two runs at REFERRALS_RECONCILE_AT; None where it is off."""
    if reconcile_at == "off":
        return None
    times = croniter(reconcile_at, datetime.now(UTC))
    firings = [times.get_next(datetime) for _ in range(FIRINGS)]
    return max((after - before for before, after in pairwise(firings)), default=None)
