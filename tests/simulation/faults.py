"""What goes wrong in a schedule: drawn beforehand, "nothing" among it, and done when its moment comes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException

from tests.simulation.loop import Process, SimulatedLoop

TURNS: Final = 400
"""Moments of a schedule at which something may happen; the end is left alone, so that the work can be ended."""

SETTLES: Final = 60
"""Turns after the last fault before a schedule may end: what it has struck begins again, and must find all in order."""

STEPS: Final = (
    "init", "committed", "load", "ends", "engine.loading", "engine.folded", "engine.begun", "engine.produced",
    "engine.following", "produce", "commit", "engine.committed", "engine.interrupted",
    "engine.settling",
)  # fmt: skip
"""Where a process can be met; the turns in between are drawn by their number."""

SINK_STEPS: Final = (
    "poll", "look", "letters", "database.begin", "database.commit",
    "badges.polled", "badges.committed", "counts.polled", "counts.committed",
)  # fmt: skip

KILL: Final = "kill"
SLEEP: Final = "sleep"
SLEEPS_S: Final = (0.03, 0.3, 0.9, 2.0, 3.0)
"""Shorter and longer than a session, a rebalance and a transaction may take."""


class Fault(NamedTuple):
    """What happens to a process, and when: at a turn, or when it comes to a step for the n-th time."""

    what: str
    seconds: float
    turn: int
    step: str
    nth: int


class Refusal(NamedTuple):
    """An answer of Kafka's to what is asked at a point for the n-th time."""

    point: str
    nth: int
    error: KafkaError


def _error(code: int, **kind: bool) -> KafkaError:
    return KafkaError(code, "drawn", **kind)


REFUSALS: Final = (
    ("init", _error(KafkaError._TIMED_OUT, retriable=True)),
    ("produce", _error(KafkaError.MSG_SIZE_TOO_LARGE, txn_requires_abort=True)),
    ("produce", _error(KafkaError.NOT_ENOUGH_REPLICAS, txn_requires_abort=True)),
    ("commit", _error(KafkaError.NOT_COORDINATOR, txn_requires_abort=True)),
    ("commit", _error(KafkaError._INCONSISTENT, txn_requires_abort=True)),
    ("commit", _error(KafkaError._TIMED_OUT, retriable=True)),
    ("commit", _error(KafkaError.INVALID_TXN_STATE, txn_requires_abort=True)),
    ("committed", _error(KafkaError._TIMED_OUT, retriable=True)),
    ("committed", _error(KafkaError._FATAL, fatal=True)),
    ("committed", _error(KafkaError._TIMED_OUT, txn_requires_abort=True)),
)


class Faults:
    """The faults of one schedule."""

    def __init__(
        self,
        randomness: random.Random,
        loop: SimulatedLoop,
        *,
        is_worker: Callable[[Process], bool],
        turns: int = TURNS,
        steps: Sequence[str] = STEPS,
    ) -> None:
        self._loop = loop
        self._random = randomness
        self._is_worker = is_worker
        self._visits: dict[str, int] = {}
        self._asked: dict[str, int] = {}
        self._last_turn = -SETTLES
        self.faults: list[Fault] = []
        self.refusals: list[Refusal] = []
        self.lost_fetches = int(randomness.random() < 0.1)
        for _ in range(randomness.choice((0, 0, 1, 1, 1, 2, 2, 3, 5))):
            what = KILL if randomness.random() < 0.5 else SLEEP
            is_step = randomness.random() < 0.6
            turn = 0 if is_step else 1 + int(randomness.random() ** 2 * turns)
            step = randomness.choice(steps) if is_step else ""
            self.faults.append(Fault(what, randomness.choice(SLEEPS_S), turn, step, 1 + int(randomness.random() * 8)))
        for _ in range(randomness.choice((0, 0, 0, 1, 1, 2))):
            point, error = randomness.choice(REFUSALS)
            self.refusals.append(Refusal(point, 1 + int(randomness.random() * 6), error))

    def at_step(self, process: Process, step: str) -> None:
        """Do what is drawn for a step that a process comes to."""
        if not self.faults or not self._is_worker(process):
            return
        self._visits[step] = visit = self._visits.get(step, 0) + 1
        for fault in self.faults:
            if fault.step == step and fault.nth == visit:
                self.faults.remove(fault)
                self._do(fault, process)
                return

    @property
    def first_turn(self) -> float:
        """The turn at which something happens next."""
        return min((fault.turn for fault in self.faults if fault.turn), default=math.inf)

    def at_turn(self, workers: list[Process]) -> None:
        """Do what is drawn for a turn."""
        for fault in self.faults:
            if fault.turn and fault.turn <= self._loop.turns:
                self.faults.remove(fault)
                if workers:
                    self._do(fault, self._random.choice(workers))
                return

    def is_over(self) -> bool:
        """Tell whether nothing more happens, once the work is done.

        What is drawn for a later turn comes now, one after the other; not what waits for a step that nobody comes to.
        """
        for at, fault in enumerate(self.faults):
            if fault.turn:
                self.faults[at] = fault._replace(turn=1)
                self._loop.alarm = 1
                return False
        return self._loop.turns - self._last_turn >= SETTLES

    def answer(self, point: str) -> KafkaException | None:
        """Give the answer that is drawn for what is asked."""
        if not self.refusals:
            return None
        self._asked[point] = asked = self._asked.get(point, 0) + 1
        for refusal in self.refusals:
            if refusal.point == point and refusal.nth == asked:
                self.refusals.remove(refusal)
                return KafkaException(refusal.error)
        return None

    def _do(self, fault: Fault, process: Process) -> None:
        self._last_turn = self._loop.turns
        if self._loop.trace is not None:
            self._loop.trace.append(f"{self._loop.now:8.3f} {process.name} {fault.what.upper()} {fault.seconds}")
        if fault.what == KILL:
            self._loop.kill(process)
        else:
            self._loop.sleep_process(process, fault.seconds)
