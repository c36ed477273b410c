"""What a worker shows of its work, in Prometheus's form, whatever its records mean.

Read at each scrape, from another thread, off numbers that the worker keeps for itself: nobody waits for it. Names
begin with `stream_`; labels are topics, tables and words of this program.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from streams.engine import errors
from streams.engine.counters import Taken
from streams.engine.engine import Phase
from streams.engine.progress import READING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client import Metric

    from streams.engine.app import EngineApp

REASONS: frozenset[str] = frozenset(
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.EngineError)
)
"""For which the engine leaves; whoever runs the worker may know others."""


class EngineMetrics(Collector):
    """The metrics of one worker."""

    def __init__(self, app: EngineApp, restarts: Mapping[str, int]) -> None:
        """Show an app; `restarts` says how often the process has started afresh before, by the class of the error."""
        self._app = app
        self._restarts = {**dict.fromkeys(REASONS, 0), **restarts}

    def collect(self) -> Iterator[Metric]:
        """Yield everything; for the registry."""
        yield from self._records()
        yield from self._commits()
        yield from self._ownership()
        yield from self._recovery()

    def _records(self) -> Iterator[Metric]:
        engine, topics = self._app.engine, self._app.engine.options.source_topics
        taken = engine.counters.records.copy()
        records = CounterMetricFamily(
            "stream_records", "Records fetched, by what became of them.", labels=["topic", "disposition"]
        )
        for topic in topics:
            for disposition in Taken:
                records.add_metric([topic, disposition], taken.get((topic, disposition), 0))
        yield records
        behind = self._app.backlog.by_topic(time.monotonic())
        lag = GaugeMetricFamily(
            "stream_lag_records", "Records of this worker's partitions that are not folded yet.", labels=["topic"]
        )
        waits = GaugeMetricFamily(
            "stream_lag_seconds", "How long the oldest of them has waited, as this worker saw it.", labels=["topic"]
        )
        for topic in topics:
            lag.add_metric([topic], behind[topic].records if topic in behind else 0)
            waits.add_metric([topic], behind[topic].seconds if topic in behind else 0.0)
        yield from (lag, waits)

    def _commits(self) -> Iterator[Metric]:
        engine = self._app.engine
        counters = engine.counters
        took = HistogramMetricFamily("stream_commit_duration_seconds", "An epoch's transaction, begun to committed.")
        counters.commit_s.add_to(took)
        size = HistogramMetricFamily("stream_commit_size_bytes", "What a committed epoch held, about.")
        counters.commit_bytes.add_to(size)
        yield from (took, size)
        yield CounterMetricFamily("stream_changelog_rows", "Rows written to changelogs.", value=counters.rows)
        yield GaugeMetricFamily(
            "stream_last_commit_timestamp_seconds",
            "When the last commit ended, since 1970; 0 before the first. A worker with nothing to do commits nothing.",
            value=counters.committed_at,
        )
        owned = engine.partitions.copy().values()
        yield GaugeMetricFamily(
            "stream_epoch_age_seconds",
            "How long the oldest change has waited for its commit; 0 where none does.",
            value=max((partition.age_s(time.monotonic()) for partition in owned), default=0.0),
        )
        yield GaugeMetricFamily(
            "stream_uncommitted_bytes",
            "What is folded and not committed, about.",
            value=sum(partition.size for partition in owned),
        )

    def _ownership(self) -> Iterator[Metric]:
        engine = self._app.engine
        partitions = GaugeMetricFamily("stream_partitions", "Source partitions of this worker.", labels=["state"])
        owned = engine.partitions.copy()
        partitions.add_metric(["owned"], len(owned))
        partitions.add_metric(["refused"], len(engine.refusals))
        yield partitions
        yield GaugeMetricFamily(
            "stream_source_partitions",
            "Source partitions that all workers together should have.",
            value=engine.options.partitions,
        )
        phases = GaugeMetricFamily("stream_phase", "1 for where the worker is, 0 for the others.", labels=["phase"])
        for phase in Phase:
            phases.add_metric([phase.value], phase is engine.phase)
        yield phases
        rows = GaugeMetricFamily("stream_rows", "Rows in memory.", labels=["table"])
        for table in engine.options.tables:
            rows.add_metric([table], sum(len(each.rows.get(table, ())) for each in owned.values()))
        yield rows
        yield CounterMetricFamily(
            "stream_rebalances", "Assignments of partitions, the first among them.", value=engine.counters.rebalances
        )
        restarts = CounterMetricFamily(
            "stream_restarts",
            "How often this process has started itself afresh, by the class of the error.",
            labels=["reason"],
        )
        for reason, count in sorted(self._restarts.items()):
            restarts.add_metric([reason], count)
        yield restarts
        yield CounterMetricFamily(
            "stream_fenced",
            "How often it did because another worker had its partition.",
            value=self._restarts[errors.Fenced.__name__],
        )

    def _recovery(self) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "stream_recovery_records", "Records read of changelogs, to take partitions over.", value=READING.records
        )
        yield GaugeMetricFamily(
            "stream_recovery_changelogs",
            "Partitions of changelogs that are still to be read to their end; 0 where no recovery goes on.",
            value=READING.unfinished,
        )
