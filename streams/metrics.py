"""What the referral programme shows of a stream worker, in Prometheus's form: records, dead letters, what waits.

Counted is what is committed (`models/counted.py`); what waits is read off the rows. No label names an organisation, a
mentor, a member or a code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from models.changes import WAITING
from models.counted import DEAD_LETTERS, MILESTONES, RECORDS, Disposition
from models.errors import STREAM_FAULTS
from models.waiting import waiting_records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from streams.engine.app import EngineApp


class AttributionMetrics(Collector):
    """The counters of one worker."""

    def __init__(self, app: EngineApp, thresholds: tuple[int, ...]) -> None:
        self._app = app
        self._thresholds = thresholds
        self._oldest_ms: dict[int, int | None] = {}

    def note_oldest(self, partition: int, oldest_ms: int | None) -> None:
        """Note since when the oldest record of a partition waits, in milliseconds since 1970; None: none does."""
        self._oldest_ms[partition] = oldest_ms

    def collect(self) -> Iterator[Metric]:
        """Yield everything; for the registry."""
        yield from self._counted()
        yield from self._waiting()

    def _counted(self) -> Iterator[Metric]:
        counted = self._app.engine.counters.counted.copy()
        records = CounterMetricFamily(
            "referrals_records",
            "Records of the source topics, by what became of them.",
            labels=["topic", "disposition"],
        )
        letters = CounterMetricFamily("referrals_dead_letters", "Dead letters, by reason.", labels=["reason"])
        milestones = CounterMetricFamily("referrals_milestones", "Milestones emitted.", labels=["threshold"])
        # What has not happened yet is 0 and not absent: the first time would else be no increase.
        for topic in self._app.engine.options.source_topics:
            for disposition in Disposition:
                records.add_metric([topic, disposition], counted.get((RECORDS, topic, disposition), 0))
        for reason in (fault.__name__ for fault in STREAM_FAULTS):
            letters.add_metric([reason], counted.get((DEAD_LETTERS, reason), 0))
        for threshold in self._thresholds:
            milestones.add_metric([str(threshold)], counted.get((MILESTONES, str(threshold)), 0))
        yield from (records, letters, milestones)

    def _waiting(self) -> Iterator[Metric]:
        engine = self._app.engine
        waiting = {
            number: waiting_records(partition.rows[WAITING])
            for number, partition in engine.partitions.copy().items()
            if partition.rows
        }
        yield GaugeMetricFamily(
            "referrals_waiting_records", "Records of codes not issued yet.", value=sum(waiting.values())
        )
        oldest_ms = [
            since_ms
            for number, count in waiting.items()
            if count and (since_ms := self._oldest_ms.get(number)) is not None
        ]
        yield GaugeMetricFamily(
            "referrals_waiting_oldest_age_seconds",
            "How long the oldest of them has waited, as of the last look, once a minute; 0 where none does.",
            value=max(0.0, (engine.options.now_ms() - min(oldest_ms)) / 1000) if oldest_ms else 0.0,
        )
