"""The watchdog: a thread that sees whether everything moves that must, and ends a worker that stands still.

Each second it takes a *sign* of everything that has something to do: a value that changes with progress (signs.py).
What shows the same sign for longer than its bound stands still. Then the cluster is asked:

    it does not answer, or has a partition without a leader    said now and every minute; a restart would cure nothing
    it answers                                                 the worker leaves, with what stands and where in the code

What has nothing to do has no sign, so an idle worker is never at fault; a long recovery shows how many records it has
read. Only the watchdog's own seconds are counted, at most two for each look: a laptop that slept, or a process that was
stopped and goes on, has not stood still. It works while the event loop is blocked; code in C that never gives Python's
lock back is beyond it.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Final

import structlog
from confluent_kafka import KafkaException
from msgspec import Struct

from process.stacks import main_thread_is, stacks
from streams.engine.errors import StandsStill
from streams.engine.options import EXIT_LEFT
from streams.engine.signs import Signs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.engine.app import EngineApp
    from streams.engine.options import EngineOptions
    from streams.engine.signs import Sign

LOOK_S: Final = 1.0
SAID_AGAIN_S: Final = 60.0
ASK_TIMEOUT_S: Final = 5.0
LAST_WORDS_S: Final = 5.0
"""Longest wait for a log that nobody reads, before the process ends."""

COORDINATORS: Final = frozenset({"__consumer_offsets", "__transaction_state"})

log = structlog.get_logger("engine")


class Bounds(Struct, frozen=True):
    """Seconds for which each kind of work may stand still."""

    event_loop: float = 60.0
    """A fold takes milliseconds, a collection of garbage among millions of rows seconds."""
    group: float = 60.0
    """The event loop of aiokafka's consumer."""
    join: float = 180.0
    """The broker waits for the other members up to 60 s, aiokafka for the broker up to 90 s."""
    takeover: float = 180.0
    """Of one step or one read of a changelog: a producer waits up to 60 s, twice."""
    fetch: float = 60.0
    """A fetch of nothing returns after 20 ms."""
    fold: float = 60.0
    """Records that were fetched and are not folded."""
    commit: float = 90.0
    """It waits for a thread, or between two tries for the group's coordinator."""
    call: float = 20.0
    """Of the producer to librdkafka: each is given 5 s, wherever the cluster is; see "Not obvious" in DESIGN.md."""
    stop: float = 60.0
    """What was asked to stop; the partitions' last commits are among it."""
    leave: float = 30.0


BOUNDS: Final = Bounds()

RESTART_CURES: Final = frozenset({"event_loop", "group", "call", "stop", "leave"})
"""These stand still by themselves; of the others the cluster may be the cause."""


class StageView(Struct, frozen=True, kw_only=True):
    """One kind of work, as the watchdog sees it."""

    kind: str
    partition: int | None
    stands_s: float
    """Seconds without progress."""
    bound_s: float
    waits_for: str | None
    """What of the cluster is missing; None where nothing is known to be."""


class View(Struct, frozen=True, kw_only=True):
    """A worker as its watchdog sees it, for who asks whether it lives."""

    phase: str
    generation: int
    partitions: list[int]
    refused: list[int]
    """Partitions that are assigned and left alone until somebody decides."""
    waits_for: str | None
    """Why the group did not let it in; None where it did."""
    stages: list[StageView]
    """What has something to do now."""

    @property
    def is_well(self) -> bool:
        """Whether everything has moved within its bound."""
        return all(stage.stands_s < stage.bound_s for stage in self.stages)


class Stage:
    """Something that must move while it has something to do."""

    def __init__(self, bound_s: float) -> None:
        self.bound_s = bound_s
        self.stands_s = 0.0
        self.waits_for: str | None = None
        self.asked_s = 0.0
        """How long it had stood when the cluster was asked last."""
        self._sign: object = None

    def look(self, sign: object, elapsed_s: float) -> bool:
        """Take its sign after so many seconds; tell whether it stands still and the cluster is to be asked."""
        if sign != self._sign:
            self._sign = sign
            self.moved()
            return False
        self.stands_s += elapsed_s
        return self.stands_s >= max(self.bound_s, self.asked_s + SAID_AGAIN_S if self.waits_for else 0.0)

    def moved(self) -> None:
        """Begin to count anew."""
        self.stands_s = self.asked_s = 0.0
        self.waits_for = None

    def wait_for(self, missing: str) -> None:
        """Take note of what it waits for, to be asked about again after a minute."""
        self.asked_s = self.stands_s
        self.waits_for = missing


class Watchdog:
    """Watches one worker, from a thread of its own."""

    def __init__(self, app: EngineApp, bounds: Bounds, *, ask: Callable[[], str | None] | None = None) -> None:
        """Watch an app; `ask` tells what of the cluster is missing, None where nothing is."""
        self._app = app
        self._bounds = bounds
        self._ask = ask or (lambda: missing_of_the_cluster(app.engine.options))
        self._signs = Signs(app)
        self._stages: dict[Sign, Stage] = {}
        self._looked_s: float | None = None

    def start(self) -> None:
        """Begin to watch."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    @property
    def silent_s(self) -> float:
        """For how long it has not looked; 0 before it has begun to."""
        return 0.0 if self._looked_s is None else time.monotonic() - self._looked_s

    @property
    def view(self) -> View:
        """What it sees now; may be asked for from any thread."""
        engine, thread = self._app.engine, self._app.consumer_thread
        membership = None if thread is None else thread.membership
        return View(
            phase=engine.phase.value,
            generation=engine.generation,
            partitions=sorted(engine.partitions.copy()),
            refused=engine.refusals.numbers,
            waits_for=None if membership is None else membership.waits_for,
            stages=[
                StageView(
                    kind=kind,
                    partition=partition,
                    stands_s=round(stage.stands_s, 1),
                    bound_s=stage.bound_s,
                    waits_for=stage.waits_for,
                )
                for (kind, partition), stage in self._stages.copy().items()
            ],
        )

    def look(self, signs: Mapping[Sign, object], elapsed_s: float) -> StandsStill | None:
        """Take the signs after so many seconds; return why the worker must leave, if it must."""
        for gone in self._stages.keys() - signs.keys():
            del self._stages[gone]
        for sign in signs.keys() - self._stages.keys():
            self._stages[sign] = Stage(getattr(self._bounds, sign[0]))
        due = [sign for sign, value in signs.items() if self._stages[sign].look(value, elapsed_s)]
        missing = self._ask() if any(kind not in RESTART_CURES for kind, _ in due) else None
        for sign in due:
            stage = self._stages[sign]
            if sign[0] not in RESTART_CURES and missing is not None:
                stage.wait_for(missing)
            elif stage.waits_for is not None:
                stage.moved()  # the cluster is back; now the work has its time
            else:
                return StandsStill(f"{_in_words(*sign)} has made no progress for {stage.stands_s:.0f} s")
        if missing is not None:
            stands_s = round(max(self._stages[sign].stands_s for sign in due))
            log.warning(
                "waits_for_cluster", reason=missing, stages=[_in_words(*sign) for sign in due], stands_s=stands_s
            )
        return None

    def _watch(self) -> None:
        before_s = time.monotonic()
        while True:
            time.sleep(LOOK_S)
            now_s = self._looked_s = time.monotonic()
            elapsed_s, before_s = min(now_s - before_s, 2 * LOOK_S), now_s
            try:
                self._look_at_the_backlog(now_s)
                error = self.look(self._signs.take(), elapsed_s)
            except Exception:  # its own fault must not end the worker, nor the watch
                log.exception("watchdog_failed")
                time.sleep(SAID_AGAIN_S)
                before_s = time.monotonic()
            else:
                if error is not None:
                    self._end(error)

    def _look_at_the_backlog(self, now_s: float) -> None:
        engine, thread = self._app.engine, self._app.consumer_thread
        places = {} if thread is None else thread.places()
        owned = engine.partitions.copy()
        self._app.backlog.look(
            {
                (tp.topic, tp.partition): (engine.position(tp.topic, tp.partition), place.end)
                for tp, place in places.items()
                if tp.partition in owned
            },
            now_s,
        )

    def _end(self, error: StandsStill) -> None:
        """Let the worker leave, whoever holds the log or the way out."""
        does = self._app.engine.does
        reason = StandsStill(f"{error}{f', {does}' if does else ''}; the main thread is {main_thread_is()}")
        last = threading.Thread(target=lambda: self._last_words(reason), name="leave", daemon=True)
        last.start()
        last.join(LAST_WORDS_S + self._bounds.leave)
        os._exit(EXIT_LEFT)

    def _last_words(self, reason: StandsStill) -> None:
        log.error("worker_stands_still", reason=str(reason), threads=stacks())
        self._app.engine.leave(reason)


def missing_of_the_cluster(options: EngineOptions) -> str | None:
    """Ask the cluster; return what is missing of it, None where nothing is."""
    try:
        found = options.clients.admin(options.client_config).list_topics(timeout=ASK_TIMEOUT_S).topics
    except KafkaException as error:
        return f"the cluster does not answer: {error.args[0].str()}"
    names = {*options.source_topics, *map(options.changelog, options.tables), *COORDINATORS} & found.keys()
    for name in sorted(names):
        for number, partition in found[name].partitions.items():
            if partition.leader < 0:
                return f"{name} partition {number} has no leader"
    return None


def _in_words(kind: str, partition: int | None) -> str:
    return kind.replace("_", " ") if partition is None else f"{kind} of partition {partition}"
