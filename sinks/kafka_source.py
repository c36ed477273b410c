"""Reads topics of Kafka as a member of a consumer group, committed records only.

Offsets are stored when the caller commits and sent to Kafka by librdkafka once a second, at each rebalance and at
close: the effect is always first and the offset second, so a crash in between delivers up to a second of records
again, and nothing is lost.

A broker that is away is librdkafka's to bear: it connects again by itself. That is logged once, and once more when
Kafka answers again.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from process.headers import headers_of
from sinks.records import Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OFFSETS_COMMIT_INTERVAL_MS: Final = 1_000
"""Kafka need not write an offset for each small batch; a crash costs at most this much to do again."""

HEARTBEAT_INTERVAL_MS: Final = 500
"""A member hears of a rebalance with a heartbeat, and moving a partition takes two; a third of the session timeout,
as is usual, would stop it for 4 s."""

METADATA_INTERVAL_MS: Final = 10_000
"""Topics and partitions made after the start are noticed within this time; librdkafka's default is 5 minutes."""

_BACK_CHECK_INTERVAL_S: Final = 1.0
_BACK_CHECK_TIMEOUT_S: Final = 0.2
_UNREACHABLE: Final = frozenset({KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE})  # noqa: SLF001 - librdkafka's local errors are public, for all their names
_NOT_THERE_YET: Final = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC})  # noqa: SLF001 - the same

Place = tuple[str, int]
"""Topic and partition."""

log = structlog.stdlib.get_logger("sinks.kafka_source")


class KafkaSource:
    """A member of a consumer group; a `MilestoneSource`, and the projection's source too."""

    def __init__(
        self,
        *,
        config: Mapping[str, Any],
        topics: Sequence[str],
        group_id: str,
        session_timeout_s: float,
        batch_records_max: int = 5_000,
    ) -> None:
        """Make a source that is not subscribed yet.

        Args:
            config: how to reach Kafka (`Settings.kafka_client_config`).
            topics: full names of the topics.
            group_id: instances with the same one share the partitions.
            session_timeout_s: seconds without a heartbeat after which another instance takes over.
            batch_records_max: the most that a poll returns.

        """
        self._config = {
            **config,
            "group.id": group_id,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.auto.offset.store": False,
            "enable.auto.commit": True,
            "auto.commit.interval.ms": OFFSETS_COMMIT_INTERVAL_MS,
            "partition.assignment.strategy": "cooperative-sticky",  # a rebalance stops only the partitions that move
            "session.timeout.ms": int(session_timeout_s * 1000),
            "heartbeat.interval.ms": HEARTBEAT_INTERVAL_MS,
            "topic.metadata.refresh.interval.ms": METADATA_INTERVAL_MS,
            "log_level": logging.CRITICAL // 25,  # 2: what matters comes through `error_cb`, once
            "error_cb": self._on_error,
        }
        self._topics = list(topics)
        self._group_id = group_id
        self._batch_records_max = batch_records_max
        self._consumer: Consumer | None = None
        self._fetched: list[Message] = []  # to be returned by the next poll
        self._paused: dict[Place, TopicPartition] = {}
        self._lost_in_hand: set[Place] = set()  # moved away while the caller had records of them
        self._unreachable_since: float | None = None
        self._next_back_check = 0.0
        self._told: set[int] = set()

    @property
    def assigned(self) -> list[Place]:
        """The partitions that are ours now."""
        return [(p.topic, p.partition) for p in self._joined().assignment()]

    def subscribe(self) -> None:
        """Join the group; partitions come with the first polls."""
        self._consumer = Consumer(self._config)
        self._consumer.subscribe(self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke)

    def poll(self, timeout_s: float) -> Sequence[Record]:
        """Return what has been fetched, waiting for the first record only."""
        consumer = self._joined()
        if self._paused:
            # Also those that moved away: librdkafka remembers for ever that a partition is paused, and never reads one
            # that comes back.
            consumer.resume([*self._paused.values()])
            self._paused = {}
        if not self._fetched:
            first = consumer.poll(timeout_s)
            if first is not None:
                self._fetched.append(first)
        if self._fetched:
            # consume() waits its whole timeout for as many as were asked for; with none it returns what is there.
            more = consumer.consume(self._batch_records_max - len(self._fetched), 0)
            self._fetched += more  # only now: meanwhile partitions may have moved away with what was fetched of them
        messages, self._fetched = self._fetched, []
        self._lost_in_hand = set()
        self._look_whether_back(is_back=False)
        return [_record(message) for message in messages if self._is_record(message)]

    def commit(self, records: Sequence[Record]) -> None:
        """Store the offsets after these; partitions that have moved away meanwhile are their new owner's to commit.

        Also when the new owner is this member again: others may have read and committed more in between, and an offset
        stored now would take that back.
        """
        consumer = self._joined()
        next_offsets: dict[Place, int] = {}
        for record in records:
            next_offsets[record.topic, record.partition] = record.offset + 1
        ours = set(self.assigned) - self._lost_in_hand
        offsets = [TopicPartition(*place, offset) for place, offset in next_offsets.items() if place in ours]
        try:
            consumer.store_offsets(offsets=offsets)
        except KafkaException as error:
            if error.args[0].code() != KafkaError._STATE:  # noqa: SLF001 - the same as above
                raise
            log.info("kafka.offsets_not_stored", group=self._group_id, reason="a partition has just moved away")

    def stay(self) -> None:
        """Answer the group without reading on: the partitions are paused until the next poll."""
        consumer = self._joined()
        assignment = consumer.assignment()
        consumer.pause(assignment)
        self._paused |= {(p.topic, p.partition): p for p in assignment}
        message = consumer.poll(0)
        if message is not None:  # of a partition that came just now, or an error
            self._fetched.append(message)

    def close(self) -> None:
        """Commit what is stored and leave the group, so that another instance takes over at once."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None
            self._fetched = []
            self._paused = {}
            self._lost_in_hand = set()

    def _joined(self) -> Consumer:
        if self._consumer is None:
            msg = "not subscribed: call subscribe() first"
            raise RuntimeError(msg)
        return self._consumer

    def _is_record(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            self._look_whether_back(is_back=True)
            return True
        if error.fatal():
            raise KafkaException(error)
        if error.code() in _NOT_THERE_YET:
            self._tell_once(error, "kafka.topic_missing", remedy="run `referrals topics create`")
        else:
            self._tell_once(error, "kafka.error")
        return False

    def _on_error(self, error: KafkaError) -> None:
        """Hear of an error that concerns the client rather than a record; librdkafka tries again by itself."""
        if error.code() not in _UNREACHABLE:
            self._tell_once(error, "kafka.error")
        elif self._unreachable_since is None:
            self._unreachable_since = time.monotonic()
            log.warning("kafka.unreachable", group=self._group_id, error=error.str())

    def _look_whether_back(self, *, is_back: bool) -> None:
        if self._unreachable_since is None:
            return
        now = time.monotonic()
        if not is_back and now >= self._next_back_check:
            self._next_back_check = now + _BACK_CHECK_INTERVAL_S
            try:
                self._joined().list_topics(self._topics[0], timeout=_BACK_CHECK_TIMEOUT_S)
                is_back = True
            except KafkaException:
                pass
        if is_back:
            log.info("kafka.back", group=self._group_id, away_s=round(now - self._unreachable_since, 1))
            self._unreachable_since = None

    def _tell_once(self, error: KafkaError, event: str, **more: str) -> None:
        if error.code() not in self._told:
            self._told.add(error.code())
            log.warning(event, group=self._group_id, topics=self._topics, error=error.str(), **more)

    def _on_assign(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        log.info("kafka.partitions_assigned", group=self._group_id, partitions=_by_topic(partitions))

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        places = {(p.topic, p.partition) for p in partitions}
        self._lost_in_hand |= places
        self._fetched = [m for m in self._fetched if (m.topic(), m.partition()) not in places]  # the new owner reads it
        log.info("kafka.partitions_revoked", group=self._group_id, partitions=_by_topic(partitions))


def _record(message: Message) -> Record:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None  # noqa: S101 - the client's types allow None for messages that are errors
    assert partition is not None  # noqa: S101 - the same
    assert offset is not None  # noqa: S101 - the same
    return Record(
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp=message.timestamp()[1],
        key=message.key(),
        value=message.value(),
        headers=tuple(headers_of(message)),
    )


def _by_topic(partitions: list[TopicPartition]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for partition in partitions:
        found.setdefault(partition.topic, []).append(partition.partition)
    return found
