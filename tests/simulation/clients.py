"""confluent-kafka's clients on the Kafka in memory: those of their methods that the engine uses, with their answers.

Before each request they `pause`, so that others may come in between, but for what does not change while anybody works:
topics. The caller may draw a fault there. Without a scheduler, in the suite, `pause` writes the markers that are due.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import ConfigSource  # type: ignore[attr-defined]  # it is not in its __all__

from models.partitioning import partition_of
from tests.simulation.kafka import COMMITTED, OPEN, Data, Entry, Kafka, Log, Place

EARLIEST: Final = -2
BATCHES: Final = 3
"""Partitions of which a request to produce has records."""

Pause = Callable[[str], None]
Draw = Callable[[str], KafkaException | None]


class FakeClients:
    """Makes the clients of one process."""

    def __init__(self, kafka: Kafka, *, pause: Pause | None = None, draw: Draw | None = None) -> None:
        """Make clients of a Kafka.

        Args:
            kafka: the cluster.
            pause: called before each request.
            draw: gives the fault, if any, of what is asked at this point.

        """
        self.kafka = kafka
        self.pause = pause or self._write_markers
        self.draw = draw or (lambda _point: None)

    def producer(self, config: Mapping[str, Any]) -> Any:
        """Return a transactional producer."""
        return FakeProducer(self, config)

    def consumer(self, config: Mapping[str, Any]) -> Any:
        """Return a consumer that is assigned to, and not in a group."""
        return FakeConsumer(self, config)

    def admin(self, config: Mapping[str, Any]) -> Any:
        """Return a client for what an administrator asks."""
        del config
        return FakeAdmin(self)

    def list_topics(self) -> SimpleNamespace:
        """Return the cluster's metadata."""
        if self.kafka.metadata is None:
            topics = self.kafka.topics.values()
            self.kafka.metadata = _metadata(
                tuple((each.name, len(each.logs), tuple(each.config.items())) for each in topics)
            )
        return self.kafka.metadata

    def raise_drawn(self, point: str) -> None:
        """Fail where a fault is drawn."""
        fault = self.draw(point)
        if fault is not None:
            raise fault

    def _write_markers(self, _label: str) -> None:
        while self.kafka.unwritten:
            self.kafka.write_marker()


class _Partition(NamedTuple):
    replicas: tuple[int, ...] = (0,)


class _Metadata(NamedTuple):
    partitions: dict[int, _Partition]


_PARTITIONS: Final = [dict.fromkeys(range(count), _Partition()) for count in range(17)]
"""By their number: of one replica each."""


@cache
def _metadata(topics: tuple[tuple[str, int, tuple[tuple[str, str], ...]], ...]) -> SimpleNamespace:
    """Return one object for topics that are the same, in whichever schedule: name, partitions, configuration."""
    return SimpleNamespace(
        topics={name: _Metadata(_PARTITIONS[partitions]) for name, partitions, _ in topics}, brokers={0: None}
    )


class FakeProducer:
    """A transactional producer, or without a transactional id a plain one."""

    def __init__(self, clients: FakeClients, config: Mapping[str, Any]) -> None:
        self._clients = clients
        self._kafka = clients.kafka
        self._id = str(config.get("transactional.id", ""))
        self._timeout_s = int(config.get("transaction.timeout.ms", 60_000)) / 1000
        self._epoch = -1
        self._buffer: dict[Place, list[Data]] = {}
        self._is_begun = False
        self._is_ended = False
        self._offsets: dict[Place, tuple[int, str]] = {}
        """Of the group that the transaction sets."""
        self._group = ""
        self._failed: KafkaException | None = None
        """Why it can only be aborted."""

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> SimpleNamespace:
        """Return the cluster's metadata."""
        del topic, timeout
        return self._clients.list_topics()

    def init_transactions(self, timeout: float = -1) -> None:
        """Fence whoever had the id, and wait until its transaction has ended."""
        del timeout
        while True:
            self._clients.pause("init")
            self._clients.raise_drawn("init")
            epoch = self._kafka.fence(self._id, self._timeout_s)
            if epoch is not None:
                self._epoch = epoch
                return

    def begin_transaction(self) -> None:
        """Begin: the client's affair alone."""
        if self._epoch < 0 or self._is_begun:
            raise KafkaException(KafkaError(KafkaError._STATE, "not initialised, or begun already"))
        self._is_begun, self._is_ended, self._failed = True, False, None
        self._offsets = {}

    def produce(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int = -1,
        timestamp: int = 0,
        headers: Iterable[tuple[str, bytes | None]] | None = None,
    ) -> None:
        """Take a record in; it is sent later."""
        self._check_begun()
        if partition < 0:
            found = self._kafka.topics.get(topic)
            partition = partition_of(key, len(found.logs)) if found is not None and key else 0
        record = Data(key, value, list(headers or ()), timestamp)
        self._buffer.setdefault((topic, partition), []).append(record)

    def produce_all(self, topic: str, values: Mapping[bytes, bytes | None], partition: int = -1) -> None:
        """Take values in by their keys."""
        for key, value in values.items():
            self.produce(topic, value, key, partition)

    def poll(self, timeout: float = 0) -> int:
        """Do nothing: there are no callbacks."""
        del timeout
        return 0

    def flush(self, timeout: float = -1) -> int:
        """Send what was taken in."""
        del timeout
        self._send()
        return 0

    def send_offsets_to_transaction(self, positions: Sequence[TopicPartition], group: str, timeout: float = -1) -> None:
        """Make offsets part of the transaction."""
        del timeout
        self._clients.pause("offsets")
        self._check_begun()
        self._offsets = {(each.topic, each.partition): (each.offset, each.metadata or "") for each in positions}
        self._group = group

    def commit_transaction(self, timeout: float = -1) -> None:
        """Send what is left, and commit."""
        del timeout
        self._send()
        self._clients.pause("commit")
        self._check_begun()
        if not self._is_ended:
            self._raise_drawn("commit")
            self._kafka.end(self._id, self._epoch, committed=True)
            self._kafka.group(self._group).offsets.update(self._offsets)
            self._is_ended = True
            self._raise_drawn("committed")
        self._is_begun = False

    def abort_transaction(self, timeout: float = -1) -> None:
        """Give the transaction up."""
        del timeout
        self._buffer.clear()
        self._clients.pause("abort")
        self._kafka.end(self._id, self._epoch, committed=False)
        self._is_begun = False

    def close(self) -> None:
        """Forget what was not sent; an open transaction is aborted, as librdkafka does."""
        if self._is_begun and not self._is_ended and self._epoch >= 0:
            self._clients.pause("close")
            self._is_begun = False
            self._buffer.clear()
            with suppress(KafkaException):  # fenced: somebody else has ended it
                self._kafka.end(self._id, self._epoch, committed=False)

    def _send(self) -> None:
        for at, (place, records) in enumerate(list(self._buffer.items())):
            if at % BATCHES == 0:
                self._clients.pause("produce")
                self._check_begun()
                self._raise_drawn("produce")
            transaction = self._transaction() if self._id else None
            log = self._kafka.log(*place)
            for record in records:
                log.append(record, transaction)
            del self._buffer[place]

    def _check_begun(self) -> None:
        """Refuse what needs a transaction: it may have been aborted by another thread, which closes the client."""
        if self._id and not self._is_begun:
            raise KafkaException(KafkaError(KafkaError._STATE, "no transaction"))
        if self._failed is not None:
            raise self._failed

    def _raise_drawn(self, point: str) -> None:
        """Fail where a fault is drawn; after some the transaction can only be aborted."""
        try:
            self._clients.raise_drawn(point)
        except KafkaException as drawn:
            if drawn.args[0].txn_requires_abort():
                self._failed = drawn
            raise

    def _transaction(self) -> Any:
        while (transaction := self._kafka.transaction(self._id, self._epoch)) is None:
            self._clients.pause("produce.concurrent")
            self._check_begun()
        return transaction


class FakeMessage:
    """What a consumer gives: a record, or the end of a partition."""

    __slots__ = ("_end", "_entry", "_place")

    def __init__(self, place: Place, entry: Entry | None, end: int = -1) -> None:
        self._place = place
        self._entry = entry
        self._end = end

    def topic(self) -> str:
        """Return the topic."""
        return self._place[0]

    def partition(self) -> int:
        """Return the partition."""
        return self._place[1]

    def error(self) -> KafkaError | None:
        """Return what it is if it is no record."""
        return _END if self._entry is None else None

    def key(self) -> bytes | None:
        """Return the key."""
        return None if self._entry is None else self._entry.key

    def value(self) -> bytes | None:
        """Return the value."""
        return None if self._entry is None else self._entry.value

    def headers(self) -> Sequence[tuple[str, bytes | None]] | None:
        """Return the headers."""
        return None if self._entry is None else self._entry.headers or None

    def offset(self) -> int:
        """Return the offset."""
        return self._end if self._entry is None else self._entry.offset


_END: Final = KafkaError(KafkaError._PARTITION_EOF, "end of the partition")


class FakeConsumer:
    """A consumer of assigned partitions that reads committed records."""

    def __init__(self, clients: FakeClients, config: Mapping[str, Any]) -> None:
        self._clients = clients
        self._kafka = clients.kafka
        self._group = str(config["group.id"])
        self._positions: dict[Place, int] = {}
        self._at_end: set[Place] = set()
        self._reads_all = config.get("isolation.level") == "read_uncommitted"

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> SimpleNamespace:
        """Return the cluster's metadata."""
        del topic, timeout
        return self._clients.list_topics()

    def consumer_group_metadata(self) -> str:
        """Return what a transaction needs to commit in the group's name: here its name."""
        return self._group

    def committed(self, asked: Sequence[TopicPartition], timeout: float = -1) -> list[TopicPartition]:
        """Return the group's offsets."""
        del timeout
        group = self._kafka.group(self._group)
        self._clients.pause("committed")
        return [
            TopicPartition(each.topic, each.partition, *group.offsets.get((each.topic, each.partition), (-1001, "")))
            for each in asked
        ]

    def assign(self, places: Sequence[TopicPartition]) -> None:
        """Read these partitions, from these offsets on."""
        self._positions = {(each.topic, each.partition): each.offset for each in places}
        self._at_end = set()

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[FakeMessage]:
        """Return records of the partitions, and the end of those that are read."""
        del timeout
        self._clients.pause("load")
        messages: list[FakeMessage] = []
        for place in self._positions:
            if place in self._at_end:
                continue
            log = self._kafka.log(*place)
            entries, at = log.read(self._positions[place], num_messages, committed=not self._reads_all)
            messages += [FakeMessage(place, entry) for entry in entries]
            self._positions[place] = at
            if at >= (log.end if self._reads_all else log.stable):
                messages.append(FakeMessage(place, None, at))
                self._at_end.add(place)
        return messages

    def close(self) -> None:
        """Let go."""


class _Answer:
    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def result(self, timeout: float | None = None) -> Any:
        """Return the answer, or raise it."""
        del timeout
        if isinstance(self._value, Exception):
            raise self._value
        return self._value


class _Entry(NamedTuple):
    value: str
    source: ConfigSource = ConfigSource.DYNAMIC_TOPIC_CONFIG


@cache
def _entry(value: str) -> _Entry:
    return _Entry(value)


class FakeAdmin:
    """What the engine asks of an administrator."""

    def __init__(self, clients: FakeClients) -> None:
        self._clients = clients
        self._kafka = clients.kafka

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> SimpleNamespace:
        """Return the cluster's metadata."""
        del topic, timeout
        return self._clients.list_topics()

    def create_topics(self, topics: Sequence[Any], **_: Any) -> dict[str, _Answer]:
        """Make topics."""
        answers = {}
        for new in topics:
            try:
                self._kafka.make_topic(new.topic, new.num_partitions, **new.config)
                answers[new.topic] = _Answer(None)
            except KafkaException as error:
                answers[new.topic] = _Answer(error)
        return answers

    def describe_configs(self, resources: Sequence[Any], **_: Any) -> dict[Any, _Answer]:
        """Return topics' configuration."""
        return {
            each: _Answer({item[0]: _entry(item[1]) for item in self._topic(each.name).config.items()})
            for each in resources
        }

    def describe_topics(self, topics: Any, **_: Any) -> dict[str, _Answer]:
        """Return topics' identities."""
        return {name: _Answer(SimpleNamespace(topic_id=self._topic(name).id)) for name in topics.topic_names}

    def list_offsets(self, asked: Mapping[TopicPartition, Any], **_: Any) -> dict[TopicPartition, _Answer]:
        """Return first or next offsets."""
        self._clients.pause("ends")
        answers = {}
        for place, spec in asked.items():
            log: Log = self._kafka.log(place.topic, place.partition)
            offset = log.first if spec._value == EARLIEST else log.end
            answers[place] = _Answer(SimpleNamespace(offset=offset))
        return answers

    def _topic(self, name: str) -> Any:
        found = self._kafka.topics.get(name)
        if found is None:
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, name))
        return found


__all__ = ["COMMITTED", "OPEN", "FakeClients"]
