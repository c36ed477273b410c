"""The daily run: of several stream workers exactly one reconciles, another one after its death, and none holds it up.

The crontab of these tests has a sixth field, seconds: every second one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from process.settings import Settings
from tests.commands_running import runs
from tests.crew import Crew, wait_until
from tests.membership_system import Answer, MembershipSystem, running_membership_system
from tests.reconciliation_scene import Scene, row

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

EVERY_SECOND_ONE = "* * * * * */2"
WORKERS = ("one", "two")
STARTED = "reconciliation_started"
DONE = "reconciliation_done"


@pytest.fixture
def system() -> Iterator[MembershipSystem]:
    """Give a membership system that lists nobody."""
    with running_membership_system() as running:
        yield running


@pytest.fixture
def scene(settings: Settings, system: MembershipSystem) -> Scene:
    """Give two organisations, the first of which has a source."""
    scene = Scene(settings.model_copy(update={"partitions": 2}), system)
    scene.configure()
    return scene


@pytest.fixture
def crew(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crew]:
    """Give two workers that have shared the partitions."""
    monkeypatch.setenv("REFERRALS_RECONCILE_AT", EVERY_SECOND_ONE)
    crew = Crew(scene.settings, tmp_path)
    for name in WORKERS:
        crew.start(name)
    try:
        wait_until(lambda: share(crew), "the workers did not share the partitions")
        yield crew
    finally:
        scene.system.is_slow.clear()
        crew.stop()


def share(crew: Crew) -> bool:
    """Tell whether both workers are ready in the same generation of the group."""
    generations = [[line["generation"] for line in lines(crew, name, "partitions_ready")] for name in WORKERS]
    return all(generations) and generations[0][-1] == generations[1][-1]


def lines(crew: Crew, name: str, event: str) -> list[dict[str, object]]:
    """Return what a worker has logged of an event; Faust clears its spinner at the beginning of a line."""
    written = [line for line in crew.log(name).splitlines(keepends=True) if line.endswith("\n")]
    return [json.loads(line[line.index("{") :]) for line in written if f'"event":"{event}"' in line]


def started(crew: Crew) -> dict[str, int]:
    """Return how often each worker began to reconcile."""
    return {name: len(lines(crew, name, STARTED)) for name in WORKERS}


def reconciling() -> list[psutil.Process]:
    """Return the processes that reconcile for the workers."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "reconcile" in process.cmdline():
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.mark.long
def test_one_of_two_workers_reconciles(scene: Scene, crew: Crew) -> None:
    """The leader does it again and again, in a process of its own; killed in the middle, it leaves it to the other."""
    scene.system.rows = [row(1)]
    before = started(crew)
    wait_until(lambda: sum(started(crew).values()) >= sum(before.values()) + 3, "nobody reconciled")
    now = started(crew)
    (leader,) = [name for name in WORKERS if now[name] > before[name]]
    (other,) = set(WORKERS) - {leader}
    wait_until(lambda: bool(lines(crew, leader, DONE)), "it was not done")
    assert scene.statuses() == [(1, "confirmed")]

    scene.system.always = Answer(410)
    crew.wait_log(leader, "reconciliation_failed")
    assert lines(crew, leader, "reconciliation_failed")[0]["exit_code"] == 1
    scene.system.always = None

    scene.system.is_slow.set()
    wait_until(lambda: bool(scene.system.held), "it was not asked again")
    (process,) = reconciling()
    crew.kill(leader)
    wait_until(lambda: not runs(process), "the process outlived its worker")
    scene.system.is_slow.clear()
    scene.system.rows = [row(1), row(2)]
    wait_until(lambda: len(scene.statuses()) > 1, "nobody took over")
    assert started(crew)[other] > now[other]
    assert scene.statuses() == [(1, "confirmed"), (2, "confirmed")]
    assert "worker_leaves" not in crew.log(other)


def test_a_worker_that_stops_stops_it(scene: Scene, crew: Crew) -> None:
    """SIGTERM ends a worker well while it reconciles, and nothing is left running."""
    scene.system.is_slow.set()
    wait_until(lambda: bool(scene.system.held), "nobody reconciled")
    (process,) = reconciling()
    crew.stop()
    assert not runs(process)
