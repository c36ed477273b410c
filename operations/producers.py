"""What is wrong with what somebody's producer has sent to the source topics, record by record, with its coordinates.

The stream app moves what is in the wrong partition and sets aside what it cannot use: nothing is counted wrong. But
each costs work, and a producer's owner should hear of it from a check and not from dead letters.
"""

from __future__ import annotations

import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaError, KafkaException, Message, TopicPartition

from models.codes import normalise_code
from models.errors import BadCode, BadInput, without_values
from models.events import AHEAD_MAX, Click, CodeIssued, Registration, decode_event, time_of
from models.outgoing import MOVED_FROM
from models.partitioning import partition_of
from models.topics import CLICKS, CODES, REGISTRATIONS, SOURCES, UNLIMITED_MS, Topic
from process.headers import headers_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from process.settings import Settings

PARTITIONER: Final = "partitioner"
KEY: Final = "key"
FIELDS: Final = "fields"
CLOCK: Final = "clock"
CODE: Final = "code"

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FINDINGS_KEPT: Final = 1_000
SETTLES_S: Final = 3.0
"""A topic that was just made is not known at once to every broker, nor has each partition its leader."""
LOOK_AGAIN_S: Final = 0.1
_NOT_YET: Final = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001  librdkafka's public name begins so
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001  the same
    }
)
REQUEST_TIMEOUT_S: Final = 30.0
STALL_TIMEOUT_S: Final = 30.0
BATCH_RECORDS: Final = 1_000
BATCH_WAIT_S: Final = 0.1
OWN_HEADERS: Final = frozenset({MOVED_FROM, "referrals.stands"})
"""Of records that the stream app has written itself; a producer is not judged by them."""

_EVENT_OF: Final[dict[Topic, type[CodeIssued | Click | Registration]]] = {
    CODES: CodeIssued,
    CLICKS: Click,
    REGISTRATIONS: Registration,
}


class CannotCheck(Exception):  # noqa: N818  read as what is wrong
    """The topics cannot be read; the message says what and why."""


class Finding(NamedTuple):
    """One thing that is wrong with one record."""

    topic: str
    """The full name."""
    partition: int
    offset: int
    kind: str
    """PARTITIONER, KEY, FIELDS, CLOCK or CODE."""
    reason: str
    """Without anything that stood in the record's value."""

    def __str__(self) -> str:
        """Return it as a line."""
        return f"{self.topic}/{self.partition}/{self.offset}: {self.kind}: {self.reason}"


class Sent(NamedTuple):
    """A record as it is judged."""

    topic: Topic
    partition: int
    key: bytes | None
    value: bytes | None
    timestamp: datetime | None


@dataclass(slots=True)
class Checked:
    """What came of a check."""

    records: int = 0
    wrong: int = 0
    """Records with something wrong."""
    kinds: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    """The first FINDINGS_KEPT."""

    def add(self, finding: Finding) -> None:
        """Count a finding."""
        self.kinds[finding.kind] += 1
        if len(self.findings) < FINDINGS_KEPT:
            self.findings.append(finding)


def faults_of(sent: Sent, partitions: int, now: datetime) -> tuple[list[tuple[str, str]], str | None]:
    """Return what is wrong with a record, as kind and reason, and the code that it names where it names one."""
    faults = []
    if sent.key is not None and (belongs := partition_of(sent.key, partitions)) != sent.partition:
        why = "; CRC32 chose it, librdkafka's default" if zlib.crc32(sent.key) % partitions == sent.partition else ""
        faults.append(
            (PARTITIONER, f"murmur2 of its key says partition {belongs}{why}; set partitioner=murmur2_random")
        )
    faults.extend((CLOCK, fault) for fault in _record_clock(sent, now))
    try:
        event = decode_event(_EVENT_OF[sent.topic], sent.value)
    except BadInput as fault:
        faults.append((FIELDS, without_values(fault)))
        return faults, None
    code = normalise_code(event.referral_code)
    if sent.key is None:
        faults.append((KEY, "it has none; the key is the normalised referral code"))
    elif sent.key != code.encode():
        how = "is its referral code, but not normalised" if _is_code(sent.key, code) else "is not its referral code"
        faults.append((KEY, f"{how}; the key is the normalised referral code"))
    faults.extend((CLOCK, fault) for fault in _event_clock(sent, event, now))
    return faults, code


def _is_code(key: bytes, code: str) -> bool:
    try:
        return normalise_code(key.decode("utf-8", "replace")) == code
    except BadCode:
        return False


def _record_clock(sent: Sent, now: datetime) -> Iterator[str]:
    if sent.timestamp is None:
        return
    if sent.timestamp - now > AHEAD_MAX:
        yield "the record's timestamp is more than a day ahead of the clock here"
    elif (kept := _kept(sent.topic)) is not None and now - sent.timestamp > kept:
        yield "the record's timestamp is older than the topic keeps records; it has milliseconds since 1970"


def _event_clock(sent: Sent, event: CodeIssued | Click | Registration, now: datetime) -> Iterator[str]:
    name, at = time_of(event)
    against = sent.timestamp or now
    if at - against > AHEAD_MAX:
        yield f"{name} is more than a day ahead of the record's timestamp"
    elif (kept := _kept(sent.topic)) is not None and against - at > kept:
        yield f"{name} is further behind the record's timestamp than the topic keeps records, {kept.days:,} days"


def _kept(topic: Topic) -> timedelta | None:
    return None if topic.retention_ms == UNLIMITED_MS or topic.compacted else timedelta(milliseconds=topic.retention_ms)


class ProducersCheck:
    """Reads the source topics of one installation; commits nothing."""

    def __init__(self, settings: Settings) -> None:
        self._names = {topic.full_name(settings.topic_prefix): topic for topic in SOURCES}
        self._consumer = Consumer(
            {
                **settings.kafka_client_config(),
                "group.id": f"{settings.topic_prefix}producers-check",  # asked for by librdkafka; nothing is committed
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "log_level": 2,
            }
        )

    def close(self) -> None:
        """Let the connections go."""
        self._consumer.close()

    def check(self, topics: Sequence[Topic], *, last: int, since: datetime | None = None) -> Checked:
        """Judge the last records of each partition, or those since a time (by the records' timestamps).

        Codes that were never issued are looked for in the whole of the codes topic, which has a record for each code.

        Raises CannotCheck.
        """
        checked = Checked()
        now = datetime.now(UTC)
        named: dict[str, list[tuple[Finding, bool]]] = {}
        partitions = self._partitions()
        for message in self._read(self._starts(topics, partitions, last=last, since=since)):
            if OWN_HEADERS.intersection(header[0] for header in headers_of(message)):
                continue
            place = (message.topic() or "", message.partition() or 0, message.offset() or 0)
            sent = _sent(self._names[place[0]], message)
            faults, code = faults_of(sent, partitions[place[0]], now)
            checked.records += 1
            checked.wrong += bool(faults)
            for kind, reason in faults:
                checked.add(Finding(*place, kind, reason))
            if code is not None and sent.topic is not CODES:
                unknown = Finding(*place, CODE, "its referral code was never issued; so far it waits")
                named.setdefault(code, []).append((unknown, bool(faults)))
        if named:
            for code in self._issued(partitions):
                named.pop(code, None)
        for finding, is_wrong_already in (each for found in named.values() for each in found):
            checked.wrong += not is_wrong_already
            checked.add(finding)
        return checked

    def _issued(self, partitions: dict[str, int]) -> Iterator[str]:
        """Yield the codes of the codes topic."""
        for message in self._read(self._starts([CODES], partitions, last=None)):
            try:
                yield normalise_code(decode_event(CodeIssued, _bytes(message.value())).referral_code)
            except BadInput:
                continue

    def _starts(
        self, topics: Sequence[Topic], partitions: dict[str, int], *, last: int | None, since: datetime | None = None
    ) -> dict[tuple[str, int], tuple[int, int]]:
        """Return where reading begins and ends, of each partition that has something to read."""
        spans = {}
        try:
            for name, topic in self._names.items():
                for number in range(partitions[name]) if topic in topics else ():
                    place = TopicPartition(name, number)
                    first, end = self._span(place)
                    if since is not None:
                        place.offset = round(since.timestamp() * 1000)
                        (found,) = self._consumer.offsets_for_times([place], REQUEST_TIMEOUT_S)
                        first = found.offset if found.offset >= 0 else end
                    elif last is not None:
                        first = max(first, end - last)
                    if first < end:
                        spans[name, number] = (first, end)
        except KafkaException as error:
            raise CannotCheck(f"Kafka does not answer: {error.args[0].str()}") from None
        return spans

    def _read(self, spans: dict[tuple[str, int], tuple[int, int]]) -> Iterator[Message]:
        """Yield the committed records of the spans."""
        unread = {place: end for place, (_, end) in spans.items()}
        self._consumer.assign([TopicPartition(*place, first) for place, (first, _) in spans.items()])
        heard_s = time.monotonic()
        while unread:
            batch = self._consumer.consume(BATCH_RECORDS, BATCH_WAIT_S)
            if batch:
                heard_s = time.monotonic()
            elif time.monotonic() - heard_s > STALL_TIMEOUT_S:
                topic, partition = next(iter(unread))
                raise CannotCheck(f"{topic}/{partition}: nothing came for {STALL_TIMEOUT_S:.0f} s; is the broker away?")
            for message in batch:
                place = (message.topic() or "", message.partition() or 0)
                error = message.error()
                if place not in unread or (error is not None and error.code() in _NOT_YET):
                    continue  # where the latter does not end, nothing comes
                if error is None and (message.offset() or 0) < unread[place]:
                    yield message
                if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  librdkafka's public name begins so
                    if error.fatal() or not error.retriable():
                        raise CannotCheck(f"{place[0]}/{place[1]}: {error.str()}")
                elif error is not None or (message.offset() or 0) >= unread[place] - 1:
                    del unread[place]
        self._consumer.unassign()

    def _span(self, place: TopicPartition) -> tuple[int, int]:
        """Return where a partition begins and ends."""
        deadline_s = time.monotonic() + SETTLES_S
        while True:
            try:
                found: tuple[int, int] = self._consumer.get_watermark_offsets(place, REQUEST_TIMEOUT_S)
            except KafkaException as error:
                if error.args[0].code() not in _NOT_YET or time.monotonic() > deadline_s:
                    raise
                time.sleep(LOOK_AGAIN_S)
            else:
                return found

    def _partitions(self) -> dict[str, int]:
        deadline_s = time.monotonic() + SETTLES_S
        while True:
            try:
                standing = self._consumer.list_topics(timeout=REQUEST_TIMEOUT_S).topics
            except KafkaException as error:
                raise CannotCheck(f"Kafka does not answer: {error.args[0].str()}") from None
            missing = [name for name in self._names if name not in standing]
            if not missing:
                return {name: len(standing[name].partitions) for name in self._names}
            if time.monotonic() > deadline_s:
                raise CannotCheck(f"{', '.join(missing)}: no such topic; is REFERRALS_TOPIC_PREFIX right?")
            time.sleep(LOOK_AGAIN_S)


def _sent(topic: Topic, message: Message) -> Sent:
    kind, at_ms = message.timestamp()
    try:
        timestamp = None if kind == TIMESTAMP_NOT_AVAILABLE else EPOCH + timedelta(milliseconds=at_ms)
    except OverflowError:
        timestamp = datetime.max.replace(tzinfo=UTC)
    return Sent(topic, message.partition() or 0, _bytes(message.key()), _bytes(message.value()), timestamp)


def _bytes(content: str | bytes | None) -> bytes | None:
    return content.encode() if isinstance(content, str) else content
