"""The source on Kafka, held to what every milestone source must do, and what only a group can show."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Producer
from structlog.testing import capture_logs

from local.parts.kafka import LocalKafka
from models.badges import decode_milestone
from models.events import MilestoneReached, encode_event
from models.topics import MILESTONES
from process.settings import Settings
from sinks.kafka_source import KafkaSource
from sinks.milestone_source import MilestoneSource
from sinks.positions import Place
from sinks.records import Record
from tests.installation import DEADLINE_S, Installation, wait_until
from tests.milestone_source_suite import MilestoneSourceSuite, read, thresholds
from tests.milestones import milestone, new_id

pytestmark = pytest.mark.integration

SILENCE_MAX_MS = 6_000  # Kafka allows no less than the session timeout


@pytest.fixture
def installation(settings: Settings) -> Installation:
    """Give an installation with topics."""
    return Installation(settings.model_copy(update={"partitions": 4}))


@pytest.fixture
def make_source(installation: Installation) -> Iterator[Callable[..., KafkaSource]]:
    """Give a maker of sources of one consumer group; they are closed after the test."""
    made: list[KafkaSource] = []

    def make(config: dict[str, int] | None = None) -> KafkaSource:
        made.append(
            KafkaSource(
                config={**installation.settings.kafka_client_config(), **(config or {})},
                topics=[installation.topic(MILESTONES)],
                group_id=f"{installation.settings.topic_prefix}badges",
                session_timeout_s=installation.settings.session_timeout_s,
            )
        )
        return made[-1]

    yield make
    for source in made:
        source.close()


class TestKafkaSource(MilestoneSourceSuite):
    """The suite, on Kafka."""

    @pytest.fixture
    def source(self, make_source: Callable[[], KafkaSource], installation: Installation) -> KafkaSource:
        """Give a source of an empty topic."""
        self.installation = installation
        return make_source()

    def publish(self, source: MilestoneSource, *milestones: MilestoneReached) -> None:  # noqa: ARG002
        """Produce them to the source's topic."""
        self.installation.publish(*milestones)


def test_uncommitted_transactions_are_not_read(
    make_source: Callable[[], KafkaSource], installation: Installation
) -> None:
    """Records of an aborted transaction are never delivered; those of a committed one are, in order."""
    source = make_source()
    source.subscribe()
    producer = Producer(
        {**installation.settings.kafka_client_config(), "transactional.id": installation.settings.topic_prefix}
    )
    producer.init_transactions(DEADLINE_S)
    for threshold, is_committed in ((1, False), (5, True)):
        producer.begin_transaction()
        producer.produce(installation.topic(MILESTONES), key="mentor", value=encode_event(milestone(threshold)))
        producer.flush(DEADLINE_S)
        if is_committed:
            producer.commit_transaction(DEADLINE_S)
        else:
            producer.abort_transaction(DEADLINE_S)
    (record,) = read(source, 1)
    assert decode_milestone(record.value).milestone_threshold == 5


def test_record_comes_whole(make_source: Callable[[], KafkaSource], installation: Installation) -> None:
    """A record without key and value is delivered with its coordinates and time."""
    installation.produce(MILESTONES, None, None)
    source = make_source()
    source.subscribe()
    (record,) = read(source, 1)
    assert (record.topic, record.key, record.value, record.offset) == (installation.topic(MILESTONES), None, None, 0)
    assert abs(record.timestamp / 1000 - time.time()) < DEADLINE_S


def test_who_leaves_does_not_wait_for_a_broker_that_is_stopped(
    make_source: Callable[[], KafkaSource], installation: Installation, own_broker: LocalKafka
) -> None:
    """With offsets that were not sent yet: it ends, and who comes after it reads on."""
    installation.publish(milestone(1))
    first = make_source()
    first.subscribe()
    first.commit(read(first, 1))
    os.kill(own_broker.pid, signal.SIGSTOP)
    try:
        leaving = threading.Thread(target=first.close, daemon=True)
        leaving.start()
        wait_until(lambda: not leaving.is_alive())
    finally:
        os.kill(own_broker.pid, signal.SIGCONT)
    installation.publish(milestone(5))
    first.subscribe()
    wait_until(lambda: 5 in thresholds(first.poll(0.1)))


def test_second_member_shares_the_partitions(
    make_source: Callable[[], KafkaSource], installation: Installation
) -> None:
    """Two members read every record once between them after the rebalance, each some of it."""
    first, second = make_source(), make_source()
    first.subscribe()
    wait_until(lambda: bool(first.assigned) or bool(first.poll(0.1)))
    second.subscribe()

    def both_share() -> bool:
        assert not first.poll(0.05)
        assert not second.poll(0.05)
        return len(first.assigned) == len(second.assigned) == 2

    wait_until(both_share)
    installation.publish(*(milestone(mentor_id=new_id()) for _ in range(40)))
    ours: list[Record] = []
    theirs: list[Record] = []
    deadline = time.monotonic() + DEADLINE_S
    while len(ours) + len(theirs) < 40 and time.monotonic() < deadline:
        ours += first.poll(0.05)
        theirs += second.poll(0.05)
    assert len({(record.partition, record.offset) for record in ours + theirs}) == len(ours) + len(theirs) == 40
    assert ours
    assert theirs


def test_commit_of_a_partition_that_moved_away_is_passed_over(
    make_source: Callable[[], KafkaSource], installation: Installation
) -> None:
    """Records in hand whose partition another member has taken meanwhile are its own to commit."""
    first, second = make_source(), make_source()
    installation.publish(*(milestone(mentor_id=new_id()) for _ in range(40)))
    first.subscribe()
    records = read(first, 40)
    second.subscribe()

    stay_until_shared(first, second)
    first.commit(records)
    assert len(first.assigned) == 2


def test_partition_that_comes_back_is_read_on(
    make_source: Callable[[], KafkaSource], installation: Installation
) -> None:
    """What moved to another member while the first one waited, and back after that, is read like all others."""
    first, second = make_source(), make_source()
    installation.publish(milestone(1))
    first.subscribe()
    first.commit(read(first, 1))
    second.subscribe()
    stay_until_shared(first, second)
    assert first.poll(0) == []  # the wait is over
    second.close()
    wait_until(lambda: bool(first.poll(0.05)) or len(first.assigned) == 4)
    installation.publish(*(milestone(mentor_id=new_id()) for _ in range(40)))
    read(first, 40)


def test_commit_never_takes_another_members_back(
    make_source: Callable[[], KafkaSource], installation: Installation
) -> None:
    """Records in hand whose partition moved away and came back say nothing about how far it is by now."""
    first, second = make_source(), make_source()
    installation.publish(*(milestone(mentor_id=new_id()) for _ in range(40)))
    first.subscribe()
    in_hand = read(first, 40)
    second.subscribe()
    moved = set(stay_until_shared(first, second))
    installation.publish(*(milestone(mentor_id=new_id()) for _ in range(40)))
    done: list[Record] = []

    def all_moved_are_done() -> bool:
        first.stay()
        done.extend(records := second.poll(0.05))
        second.commit(records)
        return len(done) == sum(installation.end((topic, partition)) for topic, partition in moved)

    wait_until(all_moved_are_done)
    second.close()

    def all_are_back() -> bool:
        first.stay()
        return len(first.assigned) == 4

    wait_until(all_are_back)
    first.commit(in_hand)
    first.close()
    assert installation.committed("badges") == len(done) + sum(
        (record.topic, record.partition) not in moved for record in in_hand
    )


def test_staying_keeps_the_partitions(make_source: Callable[..., KafkaSource], installation: Installation) -> None:
    """A member that waits longer than the group lets a silent one keeps its partitions, and what it has in hand."""
    source = make_source({"max.poll.interval.ms": SILENCE_MAX_MS})
    installation.publish(milestone(1))
    source.subscribe()
    records = read(source, 1)
    with capture_logs() as logs:
        waited_until = time.monotonic() + 1.5 * SILENCE_MAX_MS / 1000
        while time.monotonic() < waited_until:
            source.stay()
            time.sleep(0.5)
        assert list(source.poll(0.1)) == []
    source.commit(records)
    assert logs == []
    assert len(source.assigned) == installation.settings.partitions


def test_broker_that_is_away_is_told_of_once(
    make_source: Callable[[], KafkaSource], installation: Installation, own_broker: LocalKafka
) -> None:
    """The source says once that Kafka is away and once that it is back, and then reads on."""
    source = make_source()
    source.subscribe()
    installation.publish(milestone(1))
    read(source, 1)
    with capture_logs() as logs:
        own_broker.kill()
        wait_until(lambda: bool(source.poll(0.1)) or any(log["event"] == "kafka.unreachable" for log in logs))
        own_broker.start()
        wait_until(lambda: bool(source.poll(0.1)) or any(log["event"] == "kafka.back" for log in logs))
    installation.publish(milestone(5))
    wait_until(lambda: 5 in thresholds(source.poll(0.1)))  # the first may come again before it
    events = [log["event"] for log in logs if log["event"] in {"kafka.unreachable", "kafka.back"}]
    assert events == ["kafka.unreachable", "kafka.back"]


def stay_until_shared(first: KafkaSource, second: KafkaSource) -> list[Place]:
    """Let the first member wait until the second, which reads nothing, has half of its partitions; return these."""

    def half_moved() -> bool:
        first.stay()
        second.stay()
        return len(first.assigned) == len(second.assigned) == 2

    wait_until(half_moved)
    return second.assigned
