"""A sink that hangs is seen, says where, and ends; one that waits or sleeps is not touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import Final

import pytest

from sinks.badge_awarder import BadgeAwarder
from sinks.badge_repository import MemoryBadgeRepository
from sinks.dead_letters import MemoryDeadLetters
from sinks.metrics import YOUNG_S, SinkHealth
from sinks.milestone_source import MemoryMilestoneSource
from sinks.sink_task import SinkTask
from sinks.watchdog import SIGNS, Signs, Watchdog
from tests.component import ROOT

HANGS: Final = """
import time
from process import logs
from process.settings import load_settings
from sinks import watchdog

logs.configure(load_settings(log_format="json"))
watchdog.LOOK_S = 0.05
watchdog.Watchdog(bound_s=0.2).start()

def hangs():
    time.sleep(1_000_000)

hangs()
"""


def test_what_gives_no_sign_for_its_bound_hangs() -> None:
    """And not before; each sign begins the count anew."""
    signs = Signs()
    dog = Watchdog(signs, bound_s=3.0)
    assert [dog.look(1.0) for _ in range(5)] == [False, False, False, True, True]
    signs.give()
    assert [dog.look(1.0) for _ in range(3)] == [False, False, False]


def test_of_two_sinks_the_one_that_hangs_is_seen() -> None:
    """Signs of the other, which is in a thread of its own, do not hide it."""
    signs = Signs()
    dog = Watchdog(signs, bound_s=2.0)

    def beside() -> None:
        signs.count_apart()
        signs.give()

    thread = threading.Thread(target=beside)
    thread.start()
    thread.join()
    looks = []
    for _ in range(3):
        signs.give()
        looks.append(dog.look(1.0))
    assert (looks, signs.count) == ([False, False, True], 4)


def test_it_says_where_it_hangs_and_asks_to_be_started_again() -> None:
    """With the exit code of who left for a start afresh, as a stream worker's."""
    ran = subprocess.run(
        [sys.executable, "-P", "-c", HANGS],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == os.EX_TEMPFAIL, ran.stderr
    line = json.loads(ran.stderr)
    assert line["event"] == "sink.stands_still"
    assert "the main thread is in hangs " in line["reason"]
    assert any("hangs" in call for call in line["threads"]["MainThread"])


@pytest.fixture
def task() -> SinkTask:
    """Give a badge consumer that has read."""
    made = SinkTask(
        source=MemoryMilestoneSource(), sink=BadgeAwarder(MemoryBadgeRepository()), dead_letters=MemoryDeadLetters()
    )
    made.source.subscribe()
    return made


def test_health_of_a_sink(task: SinkTask) -> None:
    """Ready when it has read and keeps up; live until half of the bound, so that it is seen before it ends."""
    dog = Watchdog(bound_s=4.0)
    health = SinkHealth(task.state, task.source, dog)
    assert (health.live(), health.ready()) == ({}, {"state": "has not read yet"})
    before = SIGNS.count
    task.step(threading.Event(), timeout_s=0)
    assert SIGNS.count > before
    assert (health.live(), health.ready()) == ({}, {})
    assert task.state.done_s is not None
    task.state.done_s -= YOUNG_S + 1
    assert health.ready() == {"state": "works on the same records for 31 s"}
    for _ in range(3):
        dog.look(1.0)
    assert health.live() == {"loop": "no progress for 2 s"}
