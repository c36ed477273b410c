"""What a sink counts of its work, and what of it is shown: plain numbers, added by the loop, read by whoever asks.

Names begin with `referrals_sink_`, but for what other components count too. No label names an organisation, a mentor, a
member or a code.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from models.badges import Reason
from models.errors import BadCode, BadEvent
from process.backlog import Backlog
from process.histogram import Histogram
from sinks.errors import RecordRefused, SecondCode

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from prometheus_client import Metric

    from sinks.records import DeadLetter
    from sinks.watchdog import Watchdog

PUT_S_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
PUT_RECORDS_BOUNDS: Final = (1.0, 10.0, 100.0, 1_000.0, 5_000.0)
FAULTS: Final = (BadEvent, BadCode, RecordRefused, SecondCode)
"""For which sinks make dead letters."""

YOUNG_S: Final = 30.0
"""A batch takes milliseconds, a large one with the sums of 300 organisations seconds."""


class SinkState:
    """What a sink's loop notes of itself."""

    def __init__(self) -> None:
        self.kept = 0
        """Records that were put, and are no dead letters."""
        self.letters: dict[str, int] = {}
        """Dead letters, by the class of their fault."""
        self.put_s = Histogram(PUT_S_BOUNDS)
        self.put_records = Histogram(PUT_RECORDS_BOUNDS)
        self.fenced = 0
        self.backlog = Backlog()
        self.away_since_s: float | None = None
        """Since when the store is away, monotonic; None: it is not."""
        self.done_s: float | None = None
        """When it last had done all that there was; None: never yet."""

    def put(self, records: int, letters: Sequence[DeadLetter], took_s: float) -> None:
        """Count a batch that is put."""
        self.put_s.observe(took_s)
        self.put_records.observe(records)
        self.kept += records - len(letters)
        for letter in letters:
            reason = type(letter.fault).__name__
            self.letters[reason] = self.letters.get(reason, 0) + 1


class Reader(Protocol):
    """What is asked of a sink's source."""

    @property
    def rebalances(self) -> int:
        """How often it was given partitions, or none."""

    @property
    def waits_for(self) -> str | None:
        """What keeps it from reading; None where nothing does."""


class SinkMetrics(Collector):
    """The metrics of all sinks of a process; the label `sink` tells them apart."""

    def __init__(self, sinks: Mapping[str, tuple[SinkState, Reader]], *, unsent: Collection[str] = ()) -> None:
        """Take what each notes of itself, and what it reads from, by its name; `unsent` make no new dead letters."""
        self._sinks = sinks
        self._unsent = unsent

    def collect(self) -> Iterator[Metric]:
        """Yield everything; for the registry."""
        now_s = time.monotonic()
        records = CounterMetricFamily(
            "referrals_sink_records", "Records read, by what became of them.", labels=["sink", "disposition"]
        )
        lag = GaugeMetricFamily(
            "referrals_sink_lag_records", "Records that are not kept yet.", labels=["sink", "topic"]
        )
        waits = GaugeMetricFamily(
            "referrals_sink_lag_seconds",
            "How long the oldest of them has waited, as this sink saw it.",
            labels=["sink", "topic"],
        )
        took = HistogramMetricFamily(
            "referrals_sink_put_duration_seconds",
            "From a batch read to the batch kept, waits for the store among it.",
            labels=["sink"],
        )
        size = HistogramMetricFamily("referrals_sink_put_records", "Records of a batch.", labels=["sink"])
        away = GaugeMetricFamily(
            "referrals_sink_store_away_seconds",
            "For how long the store cannot be used; 0 where it can.",
            labels=["sink"],
        )
        rebalances = CounterMetricFamily(
            "referrals_sink_rebalances", "Assignments of partitions, the first among them.", labels=["sink"]
        )
        fenced = CounterMetricFamily(
            "referrals_sink_fenced", "How often another process had claimed its partitions.", labels=["sink"]
        )
        letters = dict.fromkeys((fault.__name__ for fault in FAULTS), 0)
        for name, (state, source) in self._sinks.items():
            found = state.letters.copy()
            if name not in self._unsent:
                letters |= {reason: letters.get(reason, 0) + count for reason, count in found.items()}
            records.add_metric([name, "kept"], state.kept)
            records.add_metric([name, "dead_letter"], sum(found.values()))
            for topic, behind in state.backlog.by_topic(now_s).items():
                lag.add_metric([name, topic], behind.records)
                waits.add_metric([name, topic], behind.seconds)
            state.put_s.add_to(took, [name])
            state.put_records.add_to(size, [name])
            away.add_metric([name], 0.0 if state.away_since_s is None else now_s - state.away_since_s)
            rebalances.add_metric([name], source.rebalances)
            fenced.add_metric([name], state.fenced)
        by_reason = CounterMetricFamily("referrals_dead_letters", "Dead letters, by reason.", labels=["reason"])
        for reason, count in letters.items():
            by_reason.add_metric([reason], count)
        yield from (records, by_reason, lag, waits, took, size, away, rebalances, fenced)


class DecisionMetrics(Collector):
    """What the badge consumer decided."""

    def __init__(self, decisions: Mapping[Reason, int]) -> None:
        self._decisions = decisions

    def collect(self) -> Iterator[Metric]:
        """Yield it; for the registry."""
        decided = CounterMetricFamily(
            "referrals_badge_decisions", "Decisions about a milestone and a badge.", labels=["decision"]
        )
        for reason in Reason:
            decided.add_metric([reason.value], self._decisions.get(reason, 0))
        yield decided


class SinkHealth:
    """Whether a sink lives, and whether what it reads is kept soon."""

    def __init__(self, state: SinkState, source: Reader, watchdog: Watchdog) -> None:
        self._state = state
        self._source = source
        self._watchdog = watchdog

    def live(self) -> dict[str, str]:
        """Return what stands still, from half of the watchdog's bound on; empty where nothing does.

        A store that is away is waited for, and that moves.
        """
        stands_s = self._watchdog.stands_s
        return {"loop": f"no progress for {stands_s:.0f} s"} if stands_s >= self._watchdog.bound_s / 2 else {}

    def ready(self) -> dict[str, str]:
        """Return what is missing; empty where nothing is."""
        state = self._state
        now_s = time.monotonic()
        missing = self.live()
        if self._source.waits_for is not None:
            missing["kafka"] = self._source.waits_for
        if state.away_since_s is not None:
            missing["postgres"] = f"cannot be used for {now_s - state.away_since_s:.0f} s"
        if state.done_s is None:
            missing["state"] = "has not read yet"
        elif now_s - state.done_s >= YOUNG_S:
            missing["state"] = f"works on the same records for {now_s - state.done_s:.0f} s"
        return missing


class AllHealth:
    """Whether every sink of a process lives and is ready; what is missing for others than the first names them."""

    def __init__(self, each: Mapping[str, SinkHealth]) -> None:
        self._first, *self._others = each.items()

    def live(self) -> dict[str, str]:
        """Return what stands still; there is one watchdog for all."""
        return self._first[1].live()

    def ready(self) -> dict[str, str]:
        """Return what is missing; empty where nothing is."""
        missing = self._first[1].ready()
        for name, health in self._others:
            missing |= {f"{name} {what}": why for what, why in health.ready().items()}
        return missing
