"""Broker and database that go away, and input that cannot be used: no person is needed; the oracle is the judge."""

from __future__ import annotations

import time
from itertools import islice

import pytest

from local import parts
from local.sample.faults import Faults
from local.sample.programme import Programme
from process.settings import Settings
from tests.crew import Crew, Traffic, events, wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.integration, pytest.mark.timeout(420)]


def test_broker_and_database_may_go_away(crew: Crew, settings: Settings, parts: parts.Parts) -> None:
    """A broker that is away for 30 s and a Postgres that restarts, both under load, need no person."""
    traffic = Traffic(events(None, settings, seed=5), settings, events_per_s=1_000)
    traffic.start()
    time.sleep(5.0)
    parts.postgres.kill()
    time.sleep(3.0)
    parts.postgres.start()
    parts.kafka.kill()
    time.sleep(30.0)
    parts.kafka.start()
    time.sleep(5.0)  # load also on what has just come back
    traffic.end()
    crew.assert_exact()
    for name in ("left", "right", "badges", "counts"):
        assert crew.is_running(name)


def test_corrupt_input_needs_no_restart(crew: Crew, settings: Settings) -> None:
    """Spoilt and awkward records of every kind become dead letters or count all the same; no worker restarts."""
    faults = Faults(seed=7, partitions=settings.partitions, spoilt=0.05, awkward=0.2)
    Traffic(faults.among(islice(Programme(seed=7).events(), 20_000)), settings, events_per_s=None).run()
    crew.assert_exact()
    wait_until(lambda: all(crew.is_running(name) for name in ("left", "right")), "a worker ended")
    for name in ("left", "right"):
        assert "worker_leaves" not in crew.log(name)
        assert "worker_starts_afresh" not in crew.log(name)
