"""What a steady load sees of workers that come, leave and die: how long a confirmed registration waits meanwhile."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median, quantiles
from typing import Final

from local.parts import Parts
from process.settings import Settings
from proof.bench.latency import WARM_UP_S, Latencies, measure_latency
from proof.bench.worker import ENGINE, Worker

EACH_S: Final = 30.0
"""Between two things that happen: a worker that is killed is missed after 6 s."""
LATE_S: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """The confirmed registrations from one thing that happens to the next."""

    begins_with: str
    measured: int
    p50_s: float
    p99_s: float
    max_s: float
    late: int
    """How many waited longer than `LATE_S`."""


class _Second:
    """A worker beside the one that works all the time."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._worker: Worker | None = None
        self._starts = 0

    def come(self, settings: Settings) -> None:
        self._starts += 1
        self._worker = Worker(ENGINE, settings=settings, parts=self._parts, name=f"second-{self._starts}")

    def leave(self, _: Settings) -> None:
        self._existing().stop()

    def die(self, _: Settings) -> None:
        os.kill(self._existing().pid, signal.SIGKILL)

    def end(self) -> None:
        if self._worker is not None:
            self._worker.stop()

    def _existing(self) -> Worker:
        if self._worker is None:
            message = "the second worker did not start"
            raise RuntimeError(message)
        return self._worker


def measure_rebalances(parts: Parts, *, events_per_s: float, announce: Callable[[str], None]) -> list[Stretch]:
    """Measure each stretch of `EACH_S` s. Raises TimeoutError where a milestone does not come."""
    second = _Second(parts)
    happens: list[tuple[str, Callable[[Settings], object]]] = [
        ("one worker", lambda _: None),
        ("a second one comes", second.come),
        ("it is stopped", second.leave),
        ("it comes again", second.come),
        ("it is killed", second.die),
    ]
    acts = {name: (WARM_UP_S + number * EACH_S, act) for number, (name, act) in enumerate(happens)}
    try:
        found = measure_latency(
            parts,
            events_per_s=events_per_s,
            seconds=len(happens) * EACH_S,
            awards=False,
            announce=announce,
            acts=acts,
        )
    finally:
        second.end()
    return list(stretches(found, [(name, at_s) for name, (at_s, _) in acts.items()]))


def stretches(found: Latencies, begun: Sequence[tuple[str, float]]) -> Iterator[Stretch]:
    """Cut what was measured at the given seconds of the load, each with the name of what begins there."""
    for (name, from_s), (_, to_s) in pairwise([*begun, ("", float("inf"))]):
        waited_s = [
            waited
            for at_s, waited in zip(found.produced_at_s, found.produced_to_milestone_s, strict=True)
            if from_s <= at_s < to_s
        ]
        yield Stretch(
            begins_with=name,
            measured=len(waited_s),
            p50_s=median(waited_s),
            p99_s=quantiles(waited_s, n=100)[98],
            max_s=max(waited_s),
            late=sum(each > LATE_S for each in waited_s),
        )
