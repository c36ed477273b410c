"""Stream workers killed at any moment, and at each step of the commit protocol; the oracle is the judge."""

from __future__ import annotations

import signal
import time
from random import Random
from typing import Final

import pytest

from process.settings import Settings
from tests.crew import READY, Crew, Traffic, events

pytestmark = [pytest.mark.chaos, pytest.mark.integration, pytest.mark.timeout(420)]


def test_ten_kills_under_load_change_nothing(crew: Crew, settings: Settings) -> None:
    """After ten SIGKILLs of one of two workers under load, everything is as if none had died."""
    random = Random(1)
    traffic = Traffic(events(100_000, settings, seed=1), settings, events_per_s=3_000)
    traffic.start()
    for _ in range(10):
        time.sleep(1.0 + 3.0 * random.random())
        victim = random.choice(("left", "right"))
        crew.kill(victim)
        crew.start(victim)
    traffic.finish()
    crew.assert_exact()


CRASH_POINTS: Final = (
    "engine.folded:40",
    "engine.begun:40",
    "engine.produced:40",
    "engine.following:4",
    "engine.committed:40",
    "engine.loading",
    "engine.settling",
)
"""Batch folded and not committed, and so on (reliability.md, Faults); :40 is the fortieth visit."""


def test_each_crash_point_once(crew: Crew, settings: Settings) -> None:
    """A worker killed at each step of the commit protocol, under load, leaves nothing behind and nothing out."""
    traffic = Traffic(events(None, settings, seed=6), settings, events_per_s=1_200)
    traffic.start()
    crew.kill("right")
    for point in CRASH_POINTS:
        name = f"right-{point.partition(':')[0]}"
        crew.start(name, fault=point)
        if point == "engine.settling":
            crew.wait_log(name, READY)
            crew.signal(name, signal.SIGTERM)
        crew.wait_killed(name)
    crew.start("right")
    traffic.end()
    crew.assert_exact()
