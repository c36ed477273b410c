"""The loop of the sinks: whose fault a failure is, what is said while it waits, and what happens to who is fenced."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from models.badges import FIRST_RECRUIT, FIVE_RECRUITS
from sinks import sink_task
from sinks.badge_awarder import BadgeAwarder
from sinks.badge_repository import BadgeTransaction, MemoryBadgeRepository
from sinks.dead_letters import MemoryDeadLetters
from sinks.errors import Fenced, StoreUnavailable
from sinks.milestone_source import MemoryMilestoneSource
from sinks.sink_task import SinkTask
from tests.milestones import MENTOR, ORG, milestone

PLACE = (MemoryMilestoneSource.TOPIC, 0)


class Troubled(MemoryBadgeRepository):
    """A repository of which the next transactions end with these errors, none of them kept."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.errors = list(errors)
        self.add_mentor(ORG, MENTOR)

    @contextmanager
    def transaction(self) -> Iterator[BadgeTransaction]:
        """Run the body; fail at its end while there is an error left."""
        with super().transaction() as work:
            yield work
            if self.errors:
                raise self.errors.pop(0)


class Scene:
    """A badge consumer in memory on a troubled repository."""

    def __init__(self, *errors: Exception) -> None:
        self.repository = Troubled(*errors)
        self.source = MemoryMilestoneSource()
        self.letters = MemoryDeadLetters()
        self.task = SinkTask(source=self.source, sink=BadgeAwarder(self.repository), dead_letters=self.letters)

    def run(self) -> list[str]:
        """Deal with all that is there, and return what was said."""
        stop = threading.Event()
        self.source.subscribe()
        with capture_logs() as logs:
            while self.task.step(stop, timeout_s=0):
                pass
        return [log["event"] for log in logs if log["event"].startswith("sink.")]

    def badges(self) -> set[str]:
        """Return the badges that the mentor holds."""
        return {badge_id for _, _, badge_id in self.repository.awards()}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing that does not come."""
    monkeypatch.setattr(sink_task, "RETRY_DELAY_FIRST_S", 0.0)
    monkeypatch.setattr(sink_task, "RETRY_DELAY_MAX_S", 0.0)


@pytest.mark.parametrize("records", [1, 3])
def test_what_a_right_record_causes_too_is_the_stores(records: int) -> None:
    """Each attempt fails, and so does what is made up: nothing is a dead letter, and all is awarded afterwards."""
    scene = Scene(*(ValueError("null value in column region") for _ in range(6)))
    for threshold in (1, 5, 10)[:records]:
        scene.source.publish(milestone(threshold))
    said = scene.run()
    assert scene.letters.letters == []
    assert said == ["sink.store_unavailable", "sink.store_back"]
    assert len(scene.badges()) == records
    assert scene.source.lag == 0


def test_what_a_right_record_does_not_cause_is_the_records() -> None:
    """A batch fails, and a made-up record does not: then the records are put one by one, and here all are right."""
    scene = Scene(ValueError("once"))
    scene.source.publish(milestone(1))
    scene.source.publish(milestone(5))
    assert scene.run() == ["sink.batch_failed"]
    assert scene.badges() == {FIRST_RECRUIT, FIVE_RECRUITS}
    assert scene.repository.claim([PLACE])[PLACE].next == 2


def test_waiting_is_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at each attempt, but each time that the interval is over; and at once when it is known who blocks."""
    attempts = [StoreUnavailable("away") for _ in range(3)]
    scene = Scene(*attempts)
    scene.source.publish(milestone(1))
    assert scene.run().count("sink.store_unavailable") == 1
    monkeypatch.setattr(sink_task, "SAID_AGAIN_S", 0.0)
    scene = Scene(*attempts)
    scene.source.publish(milestone(1))
    assert scene.run().count("sink.store_unavailable") == 3
    monkeypatch.undo()
    monkeypatch.setattr(sink_task, "RETRY_DELAY_FIRST_S", 0.0)
    blocked = StoreUnavailable("locked", blocked_by="pid 7")
    scene = Scene(StoreUnavailable("locked"), blocked, blocked)
    scene.source.publish(milestone(1))
    assert scene.run().count("sink.store_unavailable") == 2


def test_who_is_fenced_reads_again_from_where_the_store_is() -> None:
    """Nothing of the batch is kept, and no record is blamed for it."""
    scene = Scene(Fenced({PLACE}))
    scene.source.publish(milestone(1))
    assert scene.run() == ["sink.fenced"]
    assert scene.letters.letters == []
    assert scene.badges() == {FIRST_RECRUIT}
    assert scene.source.lag == 0


def test_position_follows_the_dead_letters() -> None:
    """The position is in the transaction of the effect, or where there are dead letters moved when they are safe."""
    scene = Scene()
    scene.source.publish(milestone(1))
    scene.run()
    assert scene.repository.claim([PLACE])[PLACE].next == 1
    at_flush: list[int] = []

    def flush() -> bool:
        at_flush.append(scene.repository.claim([PLACE])[PLACE].next)
        return True

    scene.letters.flush = flush  # type: ignore[method-assign]
    scene.source.publish(b"{")
    scene.run()
    assert at_flush == [1]
    assert scene.repository.claim([PLACE])[PLACE].next == 2
