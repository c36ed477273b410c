"""What a benchmark does on the cluster, and what it sees of a consumer group from outside."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # they are not in its __all__

from edges.publishing.producer import SourceProducer
from process.administrator import Administrator
from process.settings import Settings
from proof.bench.load import LoadRecord

REQUEST_TIMEOUT_S: Final = 30.0
FLUSH_TIMEOUT_S: Final = 120.0
SERVE_EVERY: Final = 5_000
"""Records between two looks for failure reports."""
GROUP_EMPTY_TIMEOUT_S: Final = 90.0
"""Faust's own session timeout is 60 s: a worker that did not say goodbye is a member for so long."""
RETRY_S: Final = 0.5
RECORDS_PER_CALL: Final = 10_000

_NOT_READY_YET: Final[tuple[int, ...]] = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)
"""Answers of a broker that has just started, or just made a topic."""

Answer = TypeVar("Answer")

Position = tuple[str, int]
"""Topic and partition."""


class GroupBusy(Exception):  # noqa: N818  read as what it is: a group that is busy
    """The positions of a consumer group cannot be moved while it has members."""


def publish(records: Iterable[LoadRecord], settings: Settings) -> None:
    """Publish the records as `referrals publish` does: murmur2 by key, lz4; and wait until Kafka has them all."""
    failures: list[str] = []
    producer = SourceProducer(settings, lambda place, why: failures.append(f"{place}: {why}"))
    producer.check_topics()
    prefix = settings.topic_prefix
    for number, (topic, key, value) in enumerate(records):
        producer.send(prefix + topic.name, key, value, place=f"record {number}")
        if number % SERVE_EVERY == 0:
            producer.serve()
    unanswered = producer.flush(FLUSH_TIMEOUT_S)
    if failures or unanswered:
        raise RuntimeError(f"{len(failures)} records refused, {unanswered} not answered: {failures[:1]}")


class Watch:
    """A consumer group and topics, seen and changed without being a member."""

    def __init__(self, settings: Settings) -> None:
        self._group = settings.app_id
        self._partitions: dict[str, int] = {}
        """Topic -> how many it has: what the program writes may have fewer than the sources."""
        self._admin = Administrator({**settings.kafka_client_config(), "log_level": 4})
        self._consumer = Consumer(
            {
                **settings.kafka_client_config(),
                "group.id": self._group,
                "enable.auto.commit": False,
                "isolation.level": "read_uncommitted",  # else a commit under way delays the answer
                "log_level": 4,
            }
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()

    def ends(self, topics: Sequence[str]) -> dict[Position, int]:
        """Return the offset after the last record that a read_committed reader can see."""
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = dict.fromkeys(self._places(topics), latest)

        def ask() -> dict[Position, int]:
            answers = self._admin.list_offsets(
                asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=REQUEST_TIMEOUT_S
            )
            return {(tp.topic, tp.partition): future.result().offset for tp, future in answers.items()}

        return _answered(ask)

    def committed(self, topics: Sequence[str]) -> dict[Position, int]:
        """Return the group's committed offsets, 0 where there is none."""
        asked = self._places(topics)
        answers = _answered(lambda: self._consumer.committed(asked, REQUEST_TIMEOUT_S))
        return {(tp.topic, tp.partition): max(tp.offset, 0) for tp in answers}

    def _places(self, topics: Sequence[str]) -> list[TopicPartition]:
        if any(topic not in self._partitions for topic in topics):
            found = self._admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
            self._partitions |= {topic: len(found[topic].partitions) for topic in topics}
        return [TopicPartition(topic, number) for topic in topics for number in range(self._partitions[topic])]

    def delete(self, topics: Sequence[str]) -> None:
        """Delete topics; return when the cluster knows them no more."""
        for deleted in self._admin.delete_topics(list(topics), operation_timeout=REQUEST_TIMEOUT_S).values():
            deleted.result(REQUEST_TIMEOUT_S)
        deadline_s = time.monotonic() + REQUEST_TIMEOUT_S
        while any(topic in self._admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics for topic in topics):
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"{', '.join(topics)}: still there {REQUEST_TIMEOUT_S:.0f} s after their deletion")
            time.sleep(RETRY_S)

    def delete_all_of(self, prefix: str) -> None:
        """Delete every topic whose name begins so: what a round has written is not needed, and fills the disk."""
        found = self._admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
        if names := [name for name in found if name.startswith(prefix)]:
            self.delete(names)

    def move(self, offsets: Mapping[Position, int]) -> None:
        """Set the group's committed offsets, waiting until its last member has left."""
        positions = [TopicPartition(topic, number, offset) for (topic, number), offset in offsets.items()]
        request = [ConsumerGroupTopicPartitions(self._group, positions)]
        deadline_s = time.monotonic() + GROUP_EMPTY_TIMEOUT_S
        while True:
            try:
                moved = self._admin.alter_consumer_group_offsets(request)[self._group].result(REQUEST_TIMEOUT_S)
            except KafkaException as error:
                busy: tuple[int, ...] = (KafkaError.UNKNOWN_MEMBER_ID, KafkaError.NON_EMPTY_GROUP)
                if error.args[0].code() not in busy:
                    raise
            else:
                faults = [tp.error for tp in moved.topic_partitions if tp.error is not None]
                if not faults:
                    return
            if time.monotonic() > deadline_s:
                raise GroupBusy(f"group {self._group} still has members after {GROUP_EMPTY_TIMEOUT_S:.0f} s")
            time.sleep(RETRY_S)


def _answered(ask: Callable[[], Answer]) -> Answer:
    """Ask until the broker is ready to answer."""
    deadline_s = time.monotonic() + REQUEST_TIMEOUT_S
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in _NOT_READY_YET or time.monotonic() > deadline_s:
                raise
        time.sleep(RETRY_S)


def read(settings: Settings, topic: str, since: Mapping[Position, int]) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of the topic's committed records from the given offsets to the end."""
    for message in read_messages(settings, topic, since):
        yield message.key() or b"", message.value() or b""


def read_counts(
    settings: Settings, topic: str, since: Mapping[Position, int], early: Mapping[Position, int]
) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
    """Return the last value of each key from the offsets `since` on, and the same of what lies below `early`."""
    found: dict[bytes, bytes] = {}
    found_early: dict[bytes, bytes] = {}
    for message in read_messages(settings, topic, since):
        key, value = message.key() or b"", message.value() or b""
        found[key] = value
        if (message.offset() or 0) < early[topic, message.partition() or 0]:
            found_early[key] = value
    return found, found_early


def read_messages(settings: Settings, topic: str, since: Mapping[Position, int]) -> Iterator[Message]:
    """Yield the topic's committed records from the given offsets to the end, with their positions."""
    consumer = Consumer(
        {
            **settings.kafka_client_config(),
            "group.id": f"{settings.app_id}-reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "log_level": 4,
        }
    )
    positions = [TopicPartition(name, number, offset) for (name, number), offset in since.items() if name == topic]
    consumer.assign(positions)
    unfinished = {position.partition for position in positions}
    try:
        while unfinished:
            for message in consumer.consume(RECORDS_PER_CALL, 0.1):
                fault = message.error()
                if fault is None:
                    yield message
                elif fault.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  the name that the client gives it
                    unfinished.discard(message.partition())
                else:
                    raise KafkaException(fault)
    finally:
        consumer.close()
