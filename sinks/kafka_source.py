"""Reads topics of Kafka as a member of a consumer group, committed records only.

Offsets are stored when the caller commits and sent to Kafka by librdkafka once a second, at each rebalance and at
close: the effect is always first and the offset second, so a crash in between delivers up to a second of records
again, and nothing is lost.

With `keeps_positions=False` somebody else knows where to go on. A partition that the group gives is then taken without
reading it, awaits `begin`, and is read from there; the offsets only follow, with a mark that says so. A log may end in
what is no record, a transaction's marker for example: that it was passed is known from the end that librdkafka reports.

A broker that is away is librdkafka's to bear: it connects again by itself. That is logged once, and once more when
Kafka answers again. One that is silent and ends no connection is seen by what has come of it (`kafka_answers`), and by
the group: who hears nothing of it for the session's time has lost its partitions.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from msgspec.structs import replace

from process.headers import headers_of
from process.kafka_refusals import Refusals
from sinks.kafka_answers import INTERVAL_MS, Answers
from sinks.kafka_logs import KafkaLogs
from sinks.positions import OFFSETS_MARK, Log, Place
from sinks.records import Record

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sinks.positions import Start

OFFSETS_COMMIT_INTERVAL_MS: Final = 1_000
"""Kafka need not write an offset for each small batch; a crash costs at most this much to do again."""

HEARTBEAT_INTERVAL_MS: Final = 500
"""A member hears of a rebalance with a heartbeat, and moving a partition takes two; a third of the session timeout,
as is usual, would stop it for 4 s."""

METADATA_INTERVAL_MS: Final = 10_000
"""Topics and partitions made after the start are noticed within this time; librdkafka's default is 5 minutes."""

SILENT_S: Final = 30.0
"""A broker that has not answered for so long keeps it from reading; a new leader is found sooner."""

LEAVE_S: Final = 4.0
"""How long the group is told that we leave; a component has 10 s for all of its stop."""

_BACK_CHECK_INTERVAL_S: Final = 1.0
_BACK_CHECK_TIMEOUT_S: Final = 0.2
_UNREACHABLE: Final = frozenset({KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE})  # noqa: SLF001 - librdkafka's local errors are public, for all their names
_NOT_THERE_YET: Final = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC})  # noqa: SLF001 - the same

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
        keeps_positions: bool = True,
    ) -> None:
        """Make a source that is not subscribed yet.

        Args:
            config: how to reach Kafka (`Settings.kafka_client_config`).
            topics: full names of the topics.
            group_id: instances with the same one share the partitions.
            session_timeout_s: seconds without a heartbeat after which another instance takes over.
            batch_records_max: the most that a poll returns.
            keeps_positions: whether to go on at the group's offsets; False: where `begin` says.

        """
        self._config = {
            **config,
            "group.id": group_id,
            "isolation.level": "read_committed",
            # Where records are that were not expected is for the keeper of the positions to judge.
            "auto.offset.reset": "earliest" if keeps_positions else "error",
            "enable.auto.offset.store": False,
            "enable.auto.commit": True,
            "auto.commit.interval.ms": OFFSETS_COMMIT_INTERVAL_MS,
            "partition.assignment.strategy": "cooperative-sticky",  # a rebalance stops only the partitions that move
            "session.timeout.ms": int(session_timeout_s * 1000),
            "heartbeat.interval.ms": HEARTBEAT_INTERVAL_MS,
            "topic.metadata.refresh.interval.ms": METADATA_INTERVAL_MS,
            "enable.partition.eof": not keeps_positions,
            "log_level": logging.CRITICAL // 25,  # 2: what matters comes through `error_cb`, once
            "error_cb": self._on_error,
            "statistics.interval.ms": INTERVAL_MS,
            "stats_cb": self._on_statistics,
        }
        self._topics = list(topics)
        self._group_id = group_id
        self._batch_records_max = batch_records_max
        self._keeps_positions = keeps_positions
        self._logs = KafkaLogs(config)
        self._answers = Answers()
        self._refusals = Refusals(config, client=group_id)
        self._awaiting: set[Place] = set()
        self._begun: dict[Place, Start] = {}
        self._next: dict[Place, int] = {}  # what follows all that was polled
        self._kept: dict[Place, int] = {}  # what follows all that was committed
        self._consumer: Consumer | None = None
        self._fetched: list[Message] = []  # to be returned by the next poll
        self._paused: dict[Place, TopicPartition] = {}
        self._lost_in_hand: set[Place] = set()  # moved away while the caller had records of them
        self._unreachable_since: float | None = None
        self._next_back_check = 0.0
        self._told: set[int] = set()
        self._is_member = False
        self.rebalances = 0
        """How often the group has given partitions, or none."""

    @property
    def waits_for(self) -> str | None:
        """What keeps it from reading; None where nothing does. May be asked from another thread."""
        since_s = self._unreachable_since
        if since_s is not None:
            why = self._refusals.recent
            return f"does not answer for {time.monotonic() - since_s:.0f} s{'' if why is None else f' ({why})'}"
        if not self._is_member:
            lost = "does not answer, or has given its partitions to others"
            return f"the group {lost if self.rebalances else 'has given no partitions yet'}"
        if (silent_s := self._answers.silent_s) >= SILENT_S:
            return f"a broker has not answered for {silent_s:.0f} s"
        return f"{len(self._awaiting)} partitions are to be claimed" if self._awaiting else None

    @property
    def assigned(self) -> list[Place]:
        """The partitions that are ours now."""
        return [*((p.topic, p.partition) for p in self._joined().assignment()), *self._awaiting]

    def subscribe(self) -> None:
        """Join the group; partitions come with the first polls."""
        self._consumer = Consumer(self._config)
        self._consumer.subscribe(
            self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

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
        return [self._take(message) for message in messages if self._is_record(message)]

    def commit(self, records: Sequence[Record]) -> None:
        """Store the offsets after these; partitions that have moved away meanwhile are their new owner's to commit.

        Also when the new owner is this member again: others may have read and committed more in between, and an offset
        stored now would take that back.
        """
        next_offsets: dict[Place, int] = {}
        for record in records:
            next_offsets[record.topic, record.partition] = record.offset + 1
        if not self._keeps_positions:
            next_offsets |= self.reached()
        ours = set(self.assigned) - self._lost_in_hand
        self._store({place: offset for place, offset in next_offsets.items() if place in ours})

    def awaiting(self) -> Sequence[Place]:
        """Return the partitions that have come and of which nothing is read before `begin`."""
        return sorted(self._awaiting)

    def look(self, places: Sequence[Place]) -> Mapping[Place, Log]:
        """Ask Kafka how partitions are; nothing is returned while it does not answer."""
        try:
            return self._logs.look(self._joined(), places)
        except (KafkaException, TimeoutError) as error:
            cause = error.args[0] if error.args and isinstance(error.args[0], KafkaError) else None
            self._tell_once(cause or KafkaError(KafkaError._TIMED_OUT), "kafka.partitions_not_known")  # noqa: SLF001 - as above
            return {}

    def begin(self, starts: Mapping[Place, Start]) -> None:
        """Read partitions from there on; those that have moved away meanwhile are passed over."""
        ours = {place: start for place, start in starts.items() if place in self._awaiting}
        if not ours:
            return
        self._awaiting -= ours.keys()
        self._begun |= ours
        at = {place: start.next for place, start in ours.items()}
        self._kept |= at
        for place in at:
            self._next.pop(place, None)
        self._joined().incremental_assign([TopicPartition(*place, offset) for place, offset in at.items()])
        self._store(at)

    def held(self) -> Collection[Place]:
        """Return the partitions that are being read."""
        return [*self._begun]

    def reached(self) -> Mapping[Place, int]:
        """Return how far partitions were read, where that is further than the last commit or `begin`."""
        return {place: offset for place, offset in self._next.items() if offset > self._kept.get(place, -1)}

    def behind(self, *, in_hand: bool) -> Mapping[Place, tuple[int, int]]:
        """Return how far partitions are dealt with, and where they end as far as librdkafka has heard."""
        found = {}
        for place in self._begun:
            done = self._kept.get(place, 0)
            if not in_hand:
                done = max(done, self._next.get(place, 0))
            _, end = self._joined().get_watermark_offsets(TopicPartition(*place), cached=True)
            found[place] = (done, max(end, 0))
        return found

    def give_back(self, places: Collection[Place]) -> None:
        """Forget what was read of partitions; while they are ours they await a new `begin`."""
        given = self._begun.keys() & set(places)
        self._forget(given)
        self._awaiting |= given

    def _store(self, offsets: Mapping[Place, int]) -> None:
        mark = "" if self._keeps_positions else OFFSETS_MARK
        self._kept |= offsets
        try:
            self._joined().store_offsets(
                offsets=[TopicPartition(*place, offset, metadata=mark) for place, offset in offsets.items()]
            )
        except KafkaException as error:
            if error.args[0].code() != KafkaError._STATE:  # noqa: SLF001 - the same as above
                raise
            log.info("kafka.offsets_not_stored", group=self._group_id, reason="a partition has just moved away")

    def _forget(self, places: Collection[Place]) -> None:
        """Stop to read partitions that `begin` has begun, and drop what is there of them."""
        for place in places:
            self._begun.pop(place, None)
            self._next.pop(place, None)
            self._kept.pop(place, None)
        paused = [self._paused.pop(place) for place in places if place in self._paused]
        if paused:  # librdkafka remembers it beyond the assignment, and would never read one that comes back
            self._joined().resume(paused)
        self._fetched = [m for m in self._fetched if (m.topic(), m.partition()) not in places]
        self._joined().incremental_unassign([TopicPartition(*place) for place in places])

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
        """Commit what is stored and leave the group, so that another instance takes over at once.

        Where no broker answers to that within `LEAVE_S`, the group finds out by itself, and what was not committed is
        read again, which changes nothing. librdkafka waits for ever for one that is stopped, or lets us in no more.
        """
        if self._consumer is not None:
            leaving = threading.Thread(target=self._consumer.close, name="leaving", daemon=True)
            leaving.start()
            leaving.join(LEAVE_S)
            if leaving.is_alive():
                log.warning("kafka.left_unheard", group=self._group_id, waited_s=LEAVE_S)
            self._consumer = None
            self._is_member = False
            self._fetched = []
            self._paused = {}
            self._lost_in_hand = set()
            self._awaiting = set()
            self._begun, self._next, self._kept = {}, {}, {}

    def _joined(self) -> Consumer:
        if self._consumer is None:
            msg = "not subscribed: call subscribe() first"
            raise RuntimeError(msg)
        return self._consumer

    def _is_record(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            self._look_whether_back(is_back=True)
            # What was handed out while its partition moved away is its new owner's.
            return self._keeps_positions or (message.topic(), message.partition()) in self._begun
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the same as above
            self._pass(message)
            return False
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - the same as above
            self._tell_once(error, "kafka.position_out_of_range")
            self.give_back([(str(message.topic()), message.partition() or 0)])
            return False
        if error.fatal():
            raise KafkaException(error)
        if error.code() in _NOT_THERE_YET and (message.topic() or "").startswith("^"):
            return False  # a pattern: whether there is such a topic is nobody's fault
        if error.code() in _NOT_THERE_YET:
            self._tell_once(error, "kafka.topic_missing", remedy="run `referrals topics create`")
        else:
            self._tell_once(error, "kafka.error")
        return False

    def _on_error(self, error: KafkaError) -> None:
        """Hear of an error that concerns the client rather than a record; librdkafka tries again by itself."""
        if self._refusals.note(error):
            return
        if error.code() not in _UNREACHABLE:
            self._tell_once(error, "kafka.error")
        elif self._unreachable_since is None:
            self._unreachable_since = time.monotonic()
            log.warning("kafka.unreachable", group=self._group_id, error=error.str())

    def _on_statistics(self, statistics: str) -> None:
        """Hear, now and then within a poll, how often which broker has answered."""
        reads = self._begun or [(p.topic, p.partition) for p in self._joined().assignment()]
        self._answers.look(statistics, reads, time.monotonic())

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

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.rebalances += 1
        self._is_member = True
        if not self._keeps_positions:
            self._awaiting |= {(p.topic, p.partition) for p in partitions}
            consumer.incremental_assign([])  # else librdkafka would read them from the group's offsets
        log.info("kafka.partitions_assigned", group=self._group_id, partitions=_by_topic(partitions))

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if consumer is not self._consumer:
            return  # of one that still leaves
        places = {(p.topic, p.partition) for p in partitions}
        self._lost_in_hand |= places
        self._fetched = [m for m in self._fetched if (m.topic(), m.partition()) not in places]  # the new owner reads it
        if not self._keeps_positions:
            self._awaiting -= places
            self._forget(self._begun.keys() & places)
        log.info("kafka.partitions_revoked", group=self._group_id, partitions=_by_topic(partitions))

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Hear that the group has given the partitions to others by now, or does not answer at all."""
        self._is_member = False
        self._on_revoke(consumer, partitions)

    def _take(self, message: Message) -> Record:
        record = _record(message)
        if not self._keeps_positions:
            place = (record.topic, record.partition)
            self._next[place] = record.offset + 1
            start = self._begun.get(place)
            if start is not None and record.offset < start.read_before:
                record = replace(record, again=True)
        return record

    def _pass(self, message: Message) -> None:
        """Note that there is nothing before this end that was not polled."""
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        if topic is not None and partition is not None and offset is not None and (topic, partition) in self._begun:
            self._next[topic, partition] = max(offset, self._next.get((topic, partition), 0))


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
