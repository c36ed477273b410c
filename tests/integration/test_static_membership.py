"""A worker with a name that outlives its process: back in time it has its partitions again, and nobody has moved."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from process.settings import Settings
from proof.verify.oracle import Oracle
from tests.component import Component
from tests.crew import CATCH_UP_S, READY, Crew, Traffic, differences, events, wait_until

pytestmark = [pytest.mark.long, pytest.mark.integration]

SESSION_TIMEOUT_S: Final = 12
NAMES: Final = ("stream-0", "stream-1")


@pytest.fixture
def crew(settings: Settings, tmp_path: Path) -> Iterator[Crew]:
    """Give the topics of an installation."""
    running = Crew(settings, tmp_path)
    yield running
    running.stop()


@pytest.fixture
def start(crew: Crew, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give a function that starts a worker by its name, as a pod's is; each has a log of its own."""
    started: list[Component] = []

    def start_one(name: str) -> Component:
        monkeypatch.setenv("REFERRALS_SESSION_TIMEOUT_S", str(SESSION_TIMEOUT_S))
        monkeypatch.setenv("REFERRALS_GROUP_INSTANCE_ID", name)
        started.append(Component("stream", crew.settings, tmp_path / f"{name}-{len(started)}.log"))
        return started[-1]

    yield start_one
    for each in started:
        sys.stdout.write(f"{each.tail()}\n")  # shown where the test failed
        if each.is_running:
            each.kill()


def told(worker: Component, event: str = READY) -> list[dict[str, Any]]:
    """Return the lines that a worker has logged of an event."""
    lines = (text for text in worker.log.split("\n")[:-1] if f'"event":"{event}"' in text)  # the last is being written
    return [json.loads(text) for text in lines]


def owned(worker: Component) -> set[int]:
    """Return the partitions that a worker had when it was told last."""
    last = told(worker)[-1]
    return {*last["kept"], *last["new"]}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_worker_that_is_back_in_time_moves_nobody(crew: Crew, start: Any, number: signal.Signals) -> None:  # noqa: ANN401
    """Stopped or killed, its successor by name has the same partitions; the other one is told of nothing."""
    traffic = Traffic(events(None, crew.settings, seed=5, mentors=100), crew.settings, events_per_s=100)
    traffic.start()
    first, other = start(NAMES[0]), start(NAMES[1])
    everything = set(range(crew.settings.partitions))
    wait_until(
        lambda: bool(told(first) and told(other)) and owned(first) | owned(other) == everything != owned(first),
        "the two do not share the partitions",
    )
    wait_until(lambda: owned(first).isdisjoint(owned(other)), "both say that they have the same partition")
    had, rebalances = owned(first), len(told(other))
    first.signal(number)
    first.wait()
    again = start(NAMES[0])
    wait_until(lambda: bool(told(again)), "it does not come back")
    time.sleep(1)
    assert owned(again) == had
    assert len(told(other)) == rebalances
    traffic.end()
    report = Oracle(crew.settings).check(wait_s=CATCH_UP_S, with_database=False)
    assert report.is_clean, differences(report)


def test_one_that_does_not_come_back_is_succeeded(crew: Crew, start: Any) -> None:  # noqa: ANN401  a function
    """After the session timeout the other one has all partitions."""
    first, other = start(NAMES[0]), start(NAMES[1])
    everything = set(range(crew.settings.partitions))
    wait_until(lambda: bool(told(first) and told(other)) and owned(other) not in (set(), everything), "not shared")
    first.signal(signal.SIGTERM)
    assert first.wait() == 0
    left = time.monotonic()
    wait_until(lambda: owned(other) == everything, "nobody succeeds it")
    assert time.monotonic() - left > SESSION_TIMEOUT_S / 2
