"""Partitions that move between stream workers: one sleeps and wakes, others come and go; the oracle is the judge."""

from __future__ import annotations

import signal
import time
from random import Random
from typing import Final

import pytest

from process.settings import Settings
from tests.crew import Crew, Traffic, events

pytestmark = [pytest.mark.chaos, pytest.mark.integration, pytest.mark.timeout(420)]

PAST_SESSION_S: Final = 9.0
"""A sleep after which the group has given the sleeper's partitions away: the session timeout is 6 s."""


@pytest.mark.long
def test_workers_asleep_past_their_session_do_no_harm(crew: Crew, settings: Settings) -> None:
    """A worker that sleeps past its session, under load and then idle while its partitions get events, is fenced."""
    traffic = Traffic(events(30_000, settings, seed=2), settings, events_per_s=1_500)
    traffic.start()
    time.sleep(4.0)
    crew.signal("left", signal.SIGSTOP)
    time.sleep(PAST_SESSION_S)
    crew.signal("left", signal.SIGCONT)
    traffic.finish()
    crew.assert_exact()

    crew.signal("right", signal.SIGSTOP)
    time.sleep(PAST_SESSION_S)
    Traffic(events(5_000, settings, seed=3), settings, events_per_s=None).run()
    assert crew.check().unprocessed == 0
    crew.signal("right", signal.SIGCONT)
    Traffic(events(5_000, settings, seed=4), settings, events_per_s=1_000).run()
    crew.assert_exact()
    assert crew.is_running("left")
    assert crew.is_running("right")


@pytest.mark.long
def test_workers_that_come_and_go_change_nothing(crew: Crew, settings: Settings) -> None:
    """Partitions that move to a third worker and back, again and again under load, lose nothing on the way."""
    random = Random(8)
    traffic = Traffic(events(40_000, settings, seed=8), settings, events_per_s=2_000)
    traffic.start()
    while traffic.is_alive():
        crew.start("guest")
        time.sleep(1.5 + 3.0 * random.random())
        crew.end("guest")
    traffic.finish()
    crew.assert_exact()
