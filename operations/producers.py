"""What is wrong with what somebody's producer has sent to the source topics, record by record, with its coordinates.

The stream app moves what is in the wrong partition and sets aside what it cannot use: nothing is counted wrong. But
each costs work, and a producer's owner should hear of it from a check and not from dead letters.
"""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from models.codes import normalise_code
from models.errors import BadCode, BadInput, without_values
from models.events import AHEAD_MAX, Click, CodeIssued, Registration, decode_event, is_erasure, time_of
from models.outgoing import MOVED_FROM
from models.partitioning import partition_of
from models.topics import CLICKS, CODES, REGISTRATIONS, SOURCES, UNLIMITED_MS, Topic
from operations.partition_changes import homes
from operations.reading import TopicReader, content, place_of, time_of_record
from process.headers import headers_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from confluent_kafka import Message

    from process.settings import Settings

PARTITIONER: Final = "partitioner"
KEY: Final = "key"
FIELDS: Final = "fields"
CLOCK: Final = "clock"
CODE: Final = "code"

FINDINGS_KEPT: Final = 1_000
OWN_HEADERS: Final = frozenset({MOVED_FROM, "referrals.stands"})
"""Of records that the stream app has written itself; a producer is not judged by them."""

_EVENT_OF: Final[dict[Topic, type[CodeIssued | Click | Registration]]] = {
    CODES: CodeIssued,
    CLICKS: Click,
    REGISTRATIONS: Registration,
}


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
        self._settings = settings
        self._reader = TopicReader(settings, name="producers-check")

    def close(self) -> None:
        """Let the connections go."""
        self._reader.close()

    def check(self, topics: Sequence[Topic], *, last: int, since: datetime | None = None) -> Checked:
        """Judge the last records of each partition, or those since a time (by the records' timestamps).

        Codes that were never issued are looked for in the whole of the codes topic, which has a record for each code.

        Raises operations.reading.CannotRead.
        """
        checked = Checked()
        now = datetime.now(UTC)
        named: dict[str, list[tuple[Finding, bool]]] = {}
        partitions = self._reader.partitions(self._names)
        belongs = homes(self._settings, partitions[next(iter(self._names))], reader=self._reader)
        asked = self._places(topics, partitions)
        for message in self._reader.read(self._reader.spans(asked, last=last, since=since)):
            if OWN_HEADERS.intersection(header[0] for header in headers_of(message)):
                continue
            place = place_of(message)
            sent = _sent(self._names[place.topic], message)
            if sent.topic is REGISTRATIONS and is_erasure(sent.value):
                continue
            faults, code = faults_of(sent, belongs.partitions_at(*place), now)
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
        for message in self._reader.read(self._reader.spans(self._places([CODES], partitions))):
            try:
                yield normalise_code(decode_event(CodeIssued, content(message.value())).referral_code)
            except BadInput:
                continue

    def _places(self, topics: Sequence[Topic], partitions: dict[str, int]) -> list[tuple[str, int]]:
        """Return every partition of the topics."""
        return [
            (name, number)
            for name, topic in self._names.items()
            if topic in topics
            for number in range(partitions[name])
        ]


def _sent(topic: Topic, message: Message) -> Sent:
    return Sent(
        topic, message.partition() or 0, content(message.key()), content(message.value()), time_of_record(message)
    )
