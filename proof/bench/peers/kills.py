"""What SIGKILL does: each contender is killed at work, again and again, and its result compared with the oracle's.

Killed at a random moment after the counts have moved, started again at once, and left to finish after the last kill.
The load stands before the start, so who is fast may be done before all kills: how many hit is part of the result.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import asdict, dataclass, replace
from random import Random
from typing import Any, Final

from proof.bench.peers.contenders import Command, Contender
from proof.bench.peers.measuring import POLL_S, SETTLED_S, TIMEOUT_S
from proof.bench.peers.scene import FAILURES, Scene, Source
from proof.bench.worker import Worker, WorkerEnded

AT_WORK_S: Final = 1.5
"""A kill comes at a random moment of this length, from when counts have moved."""
RESTARTS_MAX: Final = 20
"""A contender that ends by itself is started again so often, as a supervisor would."""


@dataclass(frozen=True, kw_only=True)
class Survival:
    """What a contender's result was after kills."""

    contender: str
    fault: str = ""
    """Why there is no result; empty where there is."""
    kills: int = 0
    """That hit it at work."""
    restarts: int = 0
    """How often it ended by itself and was started again."""
    differences: int = 0
    """Mentors with other counts and milestones with another number than the oracle's."""
    example: str = ""

    def as_data(self) -> dict[str, Any]:
        """Return it for a file."""
        return asdict(self)


def survive(source: Source, contender: Contender, command: Command, *, kills: int) -> Survival:
    """Kill a contender so often, and compare what it has made of the load in the end."""
    found = Survival(contender=contender.name)
    with source.scene(contender, command) as scene:
        try:
            found = _run(scene, found, kills)
        except FAILURES as error:
            return replace(found, fault=f"failed: {error}")
        results = scene.results(dict.fromkeys(scene.watch.ends([scene.counts]), 0))
    differences = list(source.expected.differences(results.counts, results.milestones))
    return replace(found, differences=len(differences), example=next(iter(differences), ""))


def _run(scene: Scene, found: Survival, kills: int) -> Survival:
    random = Random(kills)
    deadline_s = time.monotonic() + TIMEOUT_S
    worker = scene.start()
    ends, moved_at_s = scene.watch.ends([scene.counts]), time.monotonic()
    kill_at_s: float | None = None
    try:
        while True:
            time.sleep(POLL_S)
            now_s, now = time.monotonic(), scene.watch.ends([scene.counts])
            if now != ends:
                ends, moved_at_s = now, now_s
                if kill_at_s is None and found.kills < kills:
                    kill_at_s = now_s + random.uniform(0, AT_WORK_S)
            is_done = now_s > moved_at_s + SETTLED_S and scene.is_done()
            if is_done:
                return found
            if kill_at_s is not None and now_s > kill_at_s:
                _kill(worker)
                worker, kill_at_s = scene.start(), None
                found = replace(found, kills=found.kills + 1)
            try:
                worker.check_alive()
            except WorkerEnded:
                if found.restarts == RESTARTS_MAX:
                    raise
                worker = scene.start()
                found = replace(found, restarts=found.restarts + 1)
            if now_s > deadline_s:
                raise TimeoutError(f"not done {TIMEOUT_S:.0f} s after its start, killed {found.kills} times")
    finally:
        worker.stop()


def _kill(worker: Worker) -> None:
    os.kill(worker.pid, signal.SIGKILL)
    worker.stop()  # reaps it
