"""The badge layer driven without Kafka, Postgres or the stream app."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from models.badges import (
    FIRST_RECRUIT,
    FIVE_RECRUITS,
    SEEDED_DEFINITIONS,
    TEN_RECRUITS,
    BadgeDefinition,
    Decision,
    Reason,
)
from sinks.badge_awarder import BadgeAwarder
from sinks.badge_repository import Award, BadgeTransaction, MemoryBadgeRepository, key_of
from sinks.dead_letters import MemoryDeadLetters
from sinks.errors import StoreUnavailable
from sinks.milestone_source import MemoryMilestoneSource
from sinks.sink_task import SinkTask, Stopped
from tests.milestones import MENTOR, ORG, OTHER_ORG, definition, milestone


class Layer:
    """A badge consumer put together in memory; `run` deals with all that is there and then stops."""

    def __init__(
        self,
        repository: MemoryBadgeRepository | None = None,
        *,
        definitions: Sequence[BadgeDefinition] = SEEDED_DEFINITIONS,
    ) -> None:
        self.source = MemoryMilestoneSource()
        self.repository = repository or MemoryBadgeRepository(definitions)
        self.dead_letters = MemoryDeadLetters()
        self.task = SinkTask(source=self.source, sink=BadgeAwarder(self.repository), dead_letters=self.dead_letters)

    def run(self) -> None:
        """Subscribe, read until nothing is left, and close."""
        stop = threading.Event()
        self.source.subscribe()
        while self.task.step(stop, timeout_s=0):
            pass
        self.source.close()

    def badges(self, org_id: str = ORG) -> set[str]:
        """Return the ids of the badges that the mentor holds in the organisation."""
        return {badge_id for org, mentor, badge_id in self.repository.awards() if (org, mentor) == (org_id, MENTOR)}


@pytest.fixture
def layer() -> Layer:
    """Give a badge layer that knows the mentor."""
    layer = Layer()
    layer.repository.add_mentor(ORG, MENTOR)
    return layer


def test_milestone_earns_badge(layer: Layer) -> None:
    """A milestone at the threshold earns the badge, and its record is committed."""
    layer.source.publish(milestone(1))
    layer.run()
    assert layer.badges() == {FIRST_RECRUIT}
    assert layer.source.lag == 0


def test_milestone_twice_earns_badge_once(layer: Layer) -> None:
    """The same milestone again, in the batch and later, changes nothing."""
    first, again = milestone(1), milestone(1)
    layer.source.publish(first)
    layer.source.publish(again)
    layer.run()
    layer.source.publish(again)
    layer.run()
    assert [earned.attribution_id for earned in layer.repository.awards().values()] == [first.attribution_id]


def test_buffered_milestones_are_replayed_to_a_late_subscription(layer: Layer) -> None:
    """What was published before the badge layer began, or while it was stopped, is awarded when it runs."""
    layer.source.publish(milestone(1))
    assert layer.badges() == set()
    layer.run()
    layer.source.publish(milestone(5))
    assert layer.badges() == {FIRST_RECRUIT}
    layer.run()
    assert layer.badges() == {FIRST_RECRUIT, FIVE_RECRUITS}


def test_no_definitions_is_no_crash() -> None:
    """Without definitions nothing is awarded; when they come, what was recorded is."""
    layer = Layer(definitions=())
    layer.repository.add_mentor(ORG, MENTOR)
    layer.source.publish(milestone(1))
    layer.run()
    assert layer.badges() == set()
    late = definition(1)
    layer.repository.define(late)
    layer.run()
    assert layer.badges() == {late.badge_id}


def test_missing_definition_is_warned_of_at_start() -> None:
    """A seeded definition that is not there is named in a warning; the others are awarded."""
    layer = Layer(definitions=SEEDED_DEFINITIONS[1:])
    layer.repository.add_mentor(ORG, MENTOR)
    layer.source.publish(milestone(10))
    stop = threading.Event()
    with capture_logs() as logs:
        runner = threading.Thread(target=layer.task.run, args=[stop])
        runner.start()
        while layer.source.lag:
            stop.wait(0.001)
        stop.set()
        runner.join()
    warnings = [log["badge_ids"] for log in logs if log["event"] == "badges.definitions_missing"]
    assert warnings == [[FIRST_RECRUIT]]
    assert layer.badges() == {FIVE_RECRUITS, TEN_RECRUITS}
    assert not layer.source.is_subscribed


def test_forged_organisation_earns_nothing(layer: Layer) -> None:
    """A milestone that names an organisation which does not know the mentor leaves an audit row and nothing else."""
    forged = milestone(1, org_id=OTHER_ORG)
    layer.source.publish(forged)
    layer.run()
    assert layer.repository.awards() == {}
    assert layer.repository.reasons() == {(key_of(forged), None): Reason.FORGED_ORGANISATION}
    assert layer.dead_letters.letters == []


def test_unknown_mentor_waits_for_his_code() -> None:
    """A milestone that is there before the mentor's code is awarded when the code comes, without a new record."""
    layer = Layer()
    layer.source.publish(milestone(5))
    layer.run()
    assert layer.badges() == set()
    assert layer.source.lag == 0
    layer.repository.add_mentor(ORG, MENTOR)
    layer.run()
    assert layer.badges() == {FIRST_RECRUIT, FIVE_RECRUITS}


@pytest.mark.parametrize("value", [None, b"", b"{", b'{"milestone_id": 1}'])
def test_poison_is_a_dead_letter(layer: Layer, value: bytes | None) -> None:
    """A value that is no milestone goes to the dead letters untouched; those around it are awarded."""
    layer.source.publish(milestone(1))
    poison = layer.source.publish(value)
    layer.source.publish(milestone(5))
    layer.run()
    assert [letter.record for letter in layer.dead_letters.letters] == [poison]
    assert layer.badges() == {FIRST_RECRUIT, FIVE_RECRUITS}
    assert layer.source.lag == 0


class Faulty(MemoryBadgeRepository):
    """A repository that fails to save decisions about one threshold, or fails a number of times."""

    def __init__(self, *, refuses: int | None = None, failures: int = 0) -> None:
        super().__init__()
        self.refuses = refuses
        self.failures = failures

    @contextmanager
    def transaction(self) -> Iterator[BadgeTransaction]:
        """Run the body in a transaction that may fail at its save."""
        with super().transaction() as work:
            save = work.save

            def fail_or_save(decisions: Sequence[Decision]) -> Collection[Award]:
                if self.failures:
                    self.failures -= 1
                    raise StoreUnavailable("away")
                if any(d.milestone.milestone_threshold == self.refuses for d in decisions):
                    raise ArithmeticError("overflow")
                return save(decisions)

            work.save = fail_or_save  # type: ignore[method-assign]
            yield work


def test_failure_of_one_milestone_is_isolated() -> None:
    """What the repository throws for one milestone ends neither the others nor the loop; that one is a dead letter."""
    layer = Layer(Faulty(refuses=5))
    layer.repository.add_mentor(ORG, MENTOR)
    records = [layer.source.publish(milestone(threshold)) for threshold in (1, 5, 10)]
    with capture_logs() as logs:
        layer.run()
    assert layer.badges() == {FIRST_RECRUIT, FIVE_RECRUITS, TEN_RECRUITS}
    ((record, fault),) = layer.dead_letters.letters
    assert (record, str(fault)) == (records[1], "ArithmeticError: overflow")
    assert [log["offset"] for log in logs if log["event"] == "sink.record_failed"] == [1]
    assert layer.source.lag == 0


def test_unavailable_store_is_waited_for() -> None:
    """While the store is away nothing is committed or lost; it is said once that it went and once that it is back."""
    layer = Layer(Faulty(failures=2))
    layer.repository.add_mentor(ORG, MENTOR)
    layer.source.publish(milestone(1))
    with capture_logs() as logs:
        layer.run()
    assert layer.badges() == {FIRST_RECRUIT}
    assert layer.dead_letters.letters == []
    events = [log["event"] for log in logs if log["event"].startswith("sink.store")]
    assert events == ["sink.store_unavailable", "sink.store_back"]


def test_stop_ends_the_wait_for_the_store() -> None:
    """Asked to stop while the store is away, the task leaves at once; the next subscription gets the record again."""
    repository = Faulty(failures=1_000_000)
    repository.add_mentor(ORG, MENTOR)
    layer = Layer(repository)
    layer.source.publish(milestone(1))
    stop = threading.Event()
    runner = threading.Thread(target=layer.task.run, args=[stop])
    runner.start()
    while repository.failures == 1_000_000:
        stop.wait(0.001)
    stop.set()
    runner.join()
    assert layer.source.lag == 1
    repository.failures = 0
    layer.run()
    assert layer.badges() == {FIRST_RECRUIT}


class SlowDeadLetters(MemoryDeadLetters):
    """Dead letters that are acknowledged at the third asking; `lags` holds the source's lag at each."""

    def __init__(self, source: MemoryMilestoneSource) -> None:
        super().__init__()
        self.source = source
        self.lags: list[int] = []

    def flush(self) -> bool:
        """Tell whether they are safe."""
        self.lags.append(self.source.lag)
        return len(self.lags) >= 3


def test_offset_waits_for_the_dead_letter() -> None:
    """Nothing is committed before the dead letters of the batch are acknowledged."""
    source = MemoryMilestoneSource()
    dead_letters = SlowDeadLetters(source)
    task = SinkTask(source=source, sink=BadgeAwarder(MemoryBadgeRepository()), dead_letters=dead_letters)
    source.publish(b"{")
    source.subscribe()
    task.step(threading.Event(), timeout_s=0)
    assert (dead_letters.lags, source.lag) == ([1, 1, 1], 0)


def test_stop_ends_the_wait_for_the_dead_letters() -> None:
    """Asked to stop while Kafka does not acknowledge, the task leaves the record uncommitted."""
    source = MemoryMilestoneSource()
    task = SinkTask(source=source, sink=BadgeAwarder(MemoryBadgeRepository()), dead_letters=SlowDeadLetters(source))
    source.publish(b"{")
    source.subscribe()
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        task.step(stop, timeout_s=0)
    assert source.lag == 1
