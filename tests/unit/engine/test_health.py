"""Whether a worker lives and is ready, as its watchdog and its engine say."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from streams.engine.app import EngineApp
from streams.engine.engine import Engine, Phase
from streams.engine.errors import StateRefused
from streams.engine.health import SILENT_S, YOUNG_S, EngineHealth
from streams.engine.partition import SourcePartition
from streams.engine.watchdog import Bounds, Watchdog
from tests.unit.engine.changes import make_options

LOOP = ("event_loop", None)
COMMIT = ("commit", 3)
BOUNDS = Bounds(event_loop=60.0, commit=90.0)


class Scene:
    """A worker that runs, and a cluster of which something may be missing."""

    def __init__(self) -> None:
        self.missing: str | None = None
        self.engine = Engine(make_options())
        self.engine.phase = Phase.RUNNING
        app: Any = SimpleNamespace(engine=self.engine, consumer_thread=None)
        self.dog = app.watchdog = Watchdog(cast("EngineApp", app), BOUNDS, ask=lambda: self.missing)
        self.health = EngineHealth(app)

    def stand(self, sign: tuple[str, int | None], seconds: int) -> None:
        """Show the same sign for so many seconds."""
        for _ in range(seconds + 1):
            self.dog.look({sign: 7}, 1.0)


@pytest.fixture
def scene() -> Scene:
    """Give a worker."""
    return Scene()


def test_one_that_moves_is_live_and_ready(scene: Scene) -> None:
    """Also one that has nothing to do, and one that was never looked at: it starts."""
    assert (scene.health.live(), scene.health.ready()) == ({}, {})
    scene.stand(LOOP, 5)
    assert (scene.health.live(), scene.health.ready()) == ({}, {})


def test_a_loop_that_stands_is_seen_before_the_watchdog_acts(scene: Scene) -> None:
    """From half of its bound on."""
    scene.stand(LOOP, 29)
    assert scene.health.live() == {}
    scene.stand(LOOP, 1)
    assert scene.health.live() == {"event_loop": "no progress for 31 s"}
    assert scene.health.ready() == scene.health.live()


def test_what_the_cluster_may_cause_is_no_fault_of_the_worker(scene: Scene) -> None:
    """It is not up to date, but starting it afresh would not bring the cluster back."""
    scene.missing = "the cluster does not answer"
    scene.stand(COMMIT, 60)
    assert scene.health.live() == {}
    assert scene.health.ready() == {"commit 3": "no progress for 60 s"}
    scene.stand(COMMIT, 60)
    assert scene.health.live() == {}
    assert scene.health.ready() == {"commit 3": scene.missing}


def test_a_watchdog_that_does_not_look_is_seen(scene: Scene) -> None:
    """Else nobody would see that the rest stands."""
    scene.dog._looked_s = time.monotonic() - SILENT_S - 1  # noqa: SLF001 - as its thread notes it
    assert scene.health.live().keys() == {"watchdog"}


def test_it_is_ready_when_its_state_is_loaded(scene: Scene) -> None:
    """Not while it takes partitions over, nor where one is refused: that one's records are counted by nobody."""
    scene.engine.phase = Phase.TAKING_OVER
    assert scene.health.ready() == {"state": "the worker is taking over"}
    scene.engine.phase = Phase.RUNNING
    scene.engine.refusals.note({3: StateRefused(3, "its changelog was emptied")}, {3: 0})
    assert scene.health.ready() == {"partitions": "3: refused; the application's own command shows why"}
    assert scene.health.live() == {}


def test_it_is_ready_when_what_it_folds_is_committed_soon(scene: Scene) -> None:
    """The oldest change counts, in the open epoch or in the one that is being committed."""
    partition = SourcePartition(scene.engine.options, 3)
    scene.engine.partitions[3] = partition
    try:
        partition.note_pending()
        assert scene.health.ready() == {}
        partition.opened_s = time.monotonic() - YOUNG_S - 1
        assert scene.health.ready() == {"commit": "the oldest change has waited for 31 s"}
        partition.detach()
        partition.note_committed()
        assert scene.health.ready() == {}
    finally:
        partition.producer.close()
