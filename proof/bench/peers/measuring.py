"""Events per second of each contender, in rounds that take turns, over topics that stand before anybody starts.

A round, the same way for all:

1. The contender gets an app id that nobody had before it, and topics of counts and milestones that are new and empty.
2. It starts, and is watched from outside, every 50 ms. The clock starts at the first look at which all codes are
   processed: the group's offsets say it, or the engine's rows have a first event. It stops when the last count is
   readable (read_committed). So start-up and codes are not measured, nor what was processed before the clock started:
   the engine's rows say how much that was, which it publishes later; of others the counts that were readable then, by
   their share of what is counted in the end. It does not wait for the first count: who publishes late would have
   counted much by then, which nobody could see.
3. All offsets must then be committed, and counts and milestones be those of the oracle. Else the round is wrong, and
   its figure void.

Plain Faust does not read the codes first: for it the group's offsets of the events are set to their ends, it processes
the codes, is stopped, and the offsets are set to 0. Its clock starts when its first count is readable.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from local.parts import Parts
from proof.bench.clock import Clock
from proof.bench.expected import WrongResult
from proof.bench.machine import brokers_cpu_s, foreign_cpu_s, tree_cpu_s
from proof.bench.peers.contenders import Command, Contender
from proof.bench.peers.scene import FAILURES, Scene, Source
from proof.bench.worker import Worker

POLL_S: Final = 0.05
"""How often the ends of the counts topic are asked for: the error at either end of a measurement."""
LEAST_S: Final = 0.5
"""A shorter measurement says nothing."""
SETTLED_S: Final = 3.0
"""Nothing more may come for so long before a contender is stopped."""
TIMEOUT_S: Final = 600.0


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one round of a contender gave."""

    contender: str
    population: str
    number: int
    fault: str = ""
    """Why it has no figure; empty where it has."""
    events: float = 0.0
    """Events processed while the clock ran."""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    """CPU time of the contender, with all processes that it started, meanwhile."""
    broker_cpu_s: float = 0.0
    foreign_cpus: float = 0.0
    """CPUs busy meanwhile with what is neither the contender nor Kafka nor this benchmark."""

    @property
    def events_per_s(self) -> float:
        """Return the throughput."""
        return self.events / self.wall_s

    @property
    def cpu_s_per_million(self) -> float:
        """Return the contender's CPU seconds for a million events."""
        return self.cpu_s / self.events * 1e6

    @property
    def broker_cpu_s_per_million(self) -> float:
        """Return the broker's CPU seconds for a million events."""
        return self.broker_cpu_s / self.events * 1e6

    def as_data(self) -> dict[str, Any]:
        """Return it for a file."""
        figures = {} if self.fault else {"events_per_s": self.events_per_s, "cpu_s_per_million": self.cpu_s_per_million}
        return asdict(self) | figures


def measure(source: Source, contender: Contender, command: Command, *, number: int) -> Round:
    """Return a round of a contender; one that is wrong, or did not come to its end, says why."""
    empty = Round(contender=contender.name, population=source.population.name, number=number)
    try:
        with source.scene(contender, command) as scene:
            with scene.start() as worker:
                clock = _time(scene, worker)
            results = scene.results(clock.early)
        source.expected.check(results.counts, results.milestones)
    except WrongResult as error:
        return replace(empty, fault=f"WRONG: {error}")
    except FAILURES as error:
        return replace(empty, fault=f"failed: {error}")
    first, last = clock.first, clock.last
    wall_s = last.at_s - first.at_s
    if wall_s < LEAST_S:
        return replace(empty, fault=f"too short: right, but done within {wall_s:.2f} s; it takes more events")
    return replace(
        empty,
        events=clock.processed(source.events, early=results.counts_before, counts=results.counts),
        wall_s=wall_s,
        cpu_s=last.cpu_s - first.cpu_s,
        broker_cpu_s=last.broker_cpu_s - first.broker_cpu_s,
        foreign_cpus=(last.foreign_cpu_s - first.foreign_cpu_s) / wall_s,
    )


def _time(scene: Scene, worker: Worker) -> Clock[_Moment]:
    """Watch until all is done."""
    watch = scene.watch
    ends = early = watch.ends([scene.counts])
    first: _Moment | None = None
    begun = 0
    last = _Moment.of(worker, scene.parts)
    deadline_s = time.monotonic() + TIMEOUT_S
    while True:
        time.sleep(POLL_S)
        now, found = _Moment.of(worker, scene.parts), watch.ends([scene.counts])
        if found != ends:
            ends, last = found, now
        has_begun = scene.contender.reads_codes_first or any(ends.values())
        if first is None and has_begun and (known := scene.begun()) is not None:
            first, early, begun, last = now, ends, known, now
        is_settled = first is not None and now.at_s > last.at_s + SETTLED_S
        if first is not None and is_settled and scene.is_done():
            return Clock(first=first, last=last, early=early, begun=begun)
        if now.at_s > deadline_s:
            missing = sum(scene.event_ends.values()) - sum(watch.committed(scene.events).values())
            raise TimeoutError(f"{missing:,} events were not processed within {TIMEOUT_S:.0f} s")


@dataclass(frozen=True, kw_only=True)
class _Moment:
    """CPU times at a moment."""

    at_s: float
    cpu_s: float
    broker_cpu_s: float
    foreign_cpu_s: float

    @classmethod
    def of(cls, worker: Worker, parts: Parts) -> _Moment:
        worker.check_alive()
        return cls(
            at_s=time.monotonic(),
            cpu_s=tree_cpu_s(worker.pid),
            broker_cpu_s=brokers_cpu_s(parts),
            foreign_cpu_s=foreign_cpu_s(parts, [worker.pid]),
        )
