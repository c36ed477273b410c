"""The job as a loop written by hand: consume a batch, fold it, produce what changed, commit, all in one transaction.

    PEER_BOOTSTRAP_SERVERS=... PEER_GROUP=... PEER_SOURCE_PREFIX=... PEER_SINK_PREFIX=... python loop.py

One consumer, one transactional producer (KIP-447: the consumer's group fences it), rows in dicts, and a changelog from
which they are loaded on assignment. Whatever goes wrong with Kafka ends the process; somebody starts it again.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID, uuid5

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

THRESHOLDS: Final = (1, 5, 10, 25)
CHANNELS_MAX: Final = 16
CHANNEL_LENGTH_MAX: Final = 32
WAITING_MAX: Final = 100_000  # for each code
NAMESPACE: Final = UUID("6f8a3c52-7d0e-5b1f-9c64-2e1d8b7a4f03")
BATCH: Final = 4_000  # records of one transaction, at most

SERVERS: Final = os.environ["PEER_BOOTSTRAP_SERVERS"]
GROUP: Final = os.environ["PEER_GROUP"]
SOURCES, SINKS = os.environ["PEER_SOURCE_PREFIX"], os.environ["PEER_SINK_PREFIX"]
CODES, CLICKS, REGISTRATIONS = SOURCES + "codes.v1", SOURCES + "clicks.v1", SOURCES + "registrations.v1"
COUNTS, MILESTONES, DEAD_LETTERS = SINKS + "mentor-counts.v1", SINKS + "milestones.v1", SINKS + "dead-letters.v1"
CHANGELOG: Final = SINKS + "changelog"

Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class Device(msgspec.Struct):
    """What the device told."""

    share_channel: str | None = None


class CodeIssued(msgspec.Struct):
    """A referral code was issued."""

    referral_code: str
    org_id: str
    mentor_id: str


class Click(msgspec.Struct):
    """A link was opened."""

    click_id: str
    referral_code: str
    occurred_at: Instant
    org_id: str | None = None
    device_metadata: Device | None = None


class Registration(msgspec.Struct):
    """A member registered, was confirmed or withdrew."""

    attribution_id: str
    referral_code: str
    new_member_id: str
    status: Literal["pending_signup", "confirmed", "withdrawn"]
    occurred_at: Instant
    org_id: str | None = None
    device_metadata: Device | None = None


class Channel(msgspec.Struct):
    """Counts in one channel."""

    clicks: int = 0
    pending: int = 0
    confirmed: int = 0


class Mentor(msgspec.Struct):
    """A mentor's row, as published."""

    org_id: str
    mentor_id: str
    referral_code: str
    total_clicks: int = 0
    pending_attributions: int = 0
    confirmed_attributions: int = 0
    conversion_rate: float = 0.0
    by_channel: dict[str, Channel] = msgspec.field(default_factory=dict)
    milestones: list[int] = msgspec.field(default_factory=list)
    last_event_at: datetime | None = None


class Member(msgspec.Struct):
    """The state of a pair of code and member."""

    status: str
    occurred_at: datetime
    channel: str


class Waiting(msgspec.Struct):
    """A record of a code that is not issued yet."""

    topic: str
    value: str


Event = Click | Registration
encode: Final = msgspec.json.Encoder().encode
decode_source: Final[dict[str, Callable[[bytes], CodeIssued | Event]]] = {
    CODES: msgspec.json.Decoder(CodeIssued).decode,
    CLICKS: msgspec.json.Decoder(Click).decode,
    REGISTRATIONS: msgspec.json.Decoder(Registration).decode,
}
decode_row: Final[dict[str, Callable[[bytes], Any]]] = {
    "mentors": msgspec.json.Decoder(Mentor).decode,
    "members": msgspec.json.Decoder(Member).decode,
    "waiting": msgspec.json.Decoder(list[Waiting]).decode,
}


@dataclass
class Partition:
    """The rows of one partition of the sources, and what the batch under way has changed or sends."""

    mentors: dict[str, Mentor] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    waiting: dict[str, list[Waiting]] = field(default_factory=dict)
    changed: set[tuple[str, str]] = field(default_factory=set)
    """Tables and keys of rows that the changelog does not have yet."""
    counted: dict[str, Mentor] = field(default_factory=dict)
    """Mentors whose counts are to be published."""
    outbox: list[tuple[str, bytes, bytes]] = field(default_factory=list)
    """Milestones and dead letters: topic, key, value."""

    def fold(self, topic: str, key: bytes, value: bytes) -> None:
        """Take one record."""
        try:
            event = decode_source[topic](value)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self.outbox.append((DEAD_LETTERS, key, value))
            return
        code = event.referral_code
        mentor = self.mentors.get(code)
        if isinstance(event, CodeIssued):
            if mentor is None:
                self.mentors[code] = Mentor(event.org_id, event.mentor_id, code)
                self.changed.add(("mentors", code))
                for waited in self.waiting.pop(code, ()):
                    self.changed.add(("waiting", code))
                    self.fold(waited.topic, key, waited.value.encode())
        elif mentor is None:
            waiting = self.waiting.setdefault(code, [])
            if len(waiting) < WAITING_MAX:
                waiting.append(Waiting(topic, value.decode()))
                self.changed.add(("waiting", code))
            else:
                self.outbox.append((DEAD_LETTERS, key, value))
        elif event.org_id is not None and event.org_id != mentor.org_id:
            self.outbox.append((DEAD_LETTERS, key, value))
        else:
            self.count(mentor, event)

    def count(self, mentor: Mentor, event: Event) -> None:
        """Count an event of an issued code."""
        if isinstance(event, Click):
            channel_of(mentor, channel_named(event)).clicks += 1
            mentor.total_clicks += 1
        elif not self.register(mentor, event):
            return
        if mentor.last_event_at is None or event.occurred_at > mentor.last_event_at:
            mentor.last_event_at = event.occurred_at
        self.changed.add(("mentors", mentor.referral_code))
        self.counted[mentor.referral_code] = mentor

    def register(self, mentor: Mentor, event: Registration) -> bool:
        """Note the pair's state; return whether it is another now."""
        key = f"{event.referral_code}:{event.new_member_id}"
        before = self.members.get(key)
        if before is not None and not supersedes(event, before):
            return False
        channel = channel_named(event) if before is None else before.channel
        self.members[key] = Member(event.status, event.occurred_at, channel)
        self.changed.add(("members", key))
        if before is not None:
            add(mentor, channel, before.status, -1)
        add(mentor, channel, event.status, 1)
        for threshold in THRESHOLDS:
            if threshold <= mentor.confirmed_attributions and threshold not in mentor.milestones:
                mentor.milestones.append(threshold)
                self.outbox.append((MILESTONES, mentor_key(mentor), encode(milestone(mentor, threshold, event))))
        return True


def supersedes(event: Registration, before: Member) -> bool:
    """Tell whether the registration changes what is known of the member (rule 1)."""
    if event.status == "pending_signup" or before.status == "pending_signup":
        return event.status != "pending_signup"
    return (event.occurred_at, event.status) > (before.occurred_at, before.status)


def channel_named(event: Event) -> str:
    """Return the channel that an event names."""
    device = event.device_metadata
    named = "" if device is None or device.share_channel is None else device.share_channel
    return named.strip().lower()[:CHANNEL_LENGTH_MAX] or "unknown"


def channel_of(mentor: Mentor, name: str) -> Channel:
    """Return the counts of a channel; past 16 channels those of `other`."""
    if name not in mentor.by_channel:
        name = name if len(mentor.by_channel) < CHANNELS_MAX else "other"
        return mentor.by_channel.setdefault(name, Channel())
    return mentor.by_channel[name]


def add(mentor: Mentor, channel: str, status: str, number: int) -> None:
    """Add to the counts that a status belongs to."""
    place = channel_of(mentor, channel)
    if status == "pending_signup":
        place.pending += number
        mentor.pending_attributions += number
    elif status == "confirmed":
        place.confirmed += number
        mentor.confirmed_attributions += number


def mentor_key(mentor: Mentor) -> bytes:
    """Return the key of counts and milestones."""
    return f"{mentor.org_id}:{mentor.mentor_id}".encode()


def milestone(mentor: Mentor, threshold: int, event: Registration) -> dict[str, Any]:
    """Return a milestone."""
    return {
        "milestone_id": str(uuid5(NAMESPACE, f"{mentor.org_id}:{mentor.mentor_id}:{threshold}")),
        "event_type": "recruitment_milestone_reached",
        "org_id": mentor.org_id,
        "mentor_id": mentor.mentor_id,
        "milestone_threshold": threshold,
        "confirmed_count": mentor.confirmed_attributions,
        "attribution_id": event.attribution_id,
        "reached_at": event.occurred_at,
    }


class Loop:
    """The loop, and the partitions that it was given."""

    def __init__(self) -> None:
        self.partitions: dict[int, Partition] = {}
        self.positions: dict[tuple[str, int], int] = {}
        """By topic and partition the offset of the record that is to be folded next."""
        self.is_stopping = False
        self.producer = Producer(
            {
                "bootstrap.servers": SERVERS,
                "transactional.id": GROUP,
                "transaction.timeout.ms": 10_000,
                "retry.backoff.ms": 1,  # else a short transaction waits 100 ms for the end of the one before
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
                "linger.ms": 1,
                "queue.buffering.max.messages": 1_000_000,
            }
        )
        self.consumer = Consumer({**CONSUMER, "group.id": GROUP})

    def run(self) -> None:
        """Consume, fold, produce and commit until it is stopped."""
        self.producer.init_transactions()
        self.consumer.subscribe([CODES, CLICKS, REGISTRATIONS], on_assign=self.assign, on_revoke=self.revoke)
        while not self.is_stopping:
            messages = self.consumer.consume(1, 0.1)
            if messages:
                self.transact(messages + self.consumer.consume(BATCH - 1, 0))
        self.consumer.close()

    def assign(self, consumer: Consumer, assigned: list[TopicPartition]) -> None:
        """Load the rows of the partitions, and where they stand; of each partition the codes are read first."""
        self.partitions = {number: load(number) for number in {each.partition for each in assigned}}
        committed = consumer.committed(assigned)
        self.positions = {(each.topic, each.partition): max(each.offset, 0) for each in committed}
        consumer.assign(assigned)
        consumer.pause([each for each in assigned if each.topic != CODES])

    def revoke(self, _consumer: Consumer, _revoked: list[TopicPartition]) -> None:
        """Forget all rows: between two batches all of them are committed, and all partitions are assigned anew."""
        self.partitions.clear()
        self.positions.clear()

    def transact(self, messages: Iterable[Message]) -> None:
        """Fold a batch, and send in one transaction what comes of it and the positions behind it."""
        folded: set[tuple[str, int]] = set()
        for message in messages:
            topic, number, error = message.topic() or "", message.partition() or 0, message.error()
            offset = message.offset() or 0
            if error is None:
                # A rebalance may come between two records of a batch: what was fetched before it is not ours any more.
                if offset >= self.positions.get((topic, number), offset + 1):
                    self.partitions[number].fold(topic, message.key() or b"", message.value() or b"")
                    self.positions[topic, number] = offset + 1
                    folded.add((topic, number))
            elif error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  the name that the client gives it
                raise KafkaException(error)
            elif topic == CODES:
                self.consumer.resume([TopicPartition(each, number) for each in (CLICKS, REGISTRATIONS)])
        if not folded:
            return
        self.producer.begin_transaction()
        for number, partition in self.partitions.items():
            self.send(number, partition)
        offsets = [TopicPartition(*where, self.positions[where]) for where in folded]
        self.producer.send_offsets_to_transaction(offsets, self.consumer.consumer_group_metadata())
        self.producer.commit_transaction()

    def send(self, number: int, partition: Partition) -> None:
        """Produce what a partition has changed and sends."""
        produce = self.producer.produce
        for table, key in partition.changed:
            row = getattr(partition, table).get(key)
            produce(CHANGELOG, None if row is None else encode(row), f"{table}/{key}", number)
        for mentor in partition.counted.values():
            clicks = mentor.total_clicks
            mentor.conversion_rate = min(mentor.confirmed_attributions / clicks, 1.0) if clicks else 0.0
            produce(COUNTS, encode(mentor), mentor_key(mentor))
        for topic, sent_key, value in partition.outbox:
            produce(topic, value, sent_key)
        self.producer.poll(0)
        partition.changed.clear()
        partition.counted.clear()
        partition.outbox.clear()


CONSUMER: Final[dict[str, Any]] = {
    "bootstrap.servers": SERVERS,
    "isolation.level": "read_committed",
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",
    "partition.assignment.strategy": "range",  # a number's three partitions together
    "session.timeout.ms": 6_000,
}


def load(number: int) -> Partition:
    """Return the rows of a partition, from its changelog."""
    partition = Partition()
    consumer = Consumer({**CONSUMER, "group.id": f"{GROUP}-changelog"})
    consumer.assign([TopicPartition(CHANGELOG, number, OFFSET_BEGINNING)])
    while True:
        for message in consumer.consume(10_000, 0.1):
            if (error := message.error()) is not None:
                if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  the name that the client gives it
                    raise KafkaException(error)
                consumer.close()
                return partition
            table, _, key = (message.key() or b"").decode().partition("/")
            if (value := message.value()) is None:
                getattr(partition, table).pop(key, None)
            else:
                getattr(partition, table)[key] = decode_row[table](value)


if __name__ == "__main__":
    loop = Loop()
    signal.signal(signal.SIGTERM, lambda *_: setattr(loop, "is_stopping", True))
    loop.run()
