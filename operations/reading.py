"""Topics of an installation, read once from one offset to another, by an operator's command that commits nothing."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from confluent_kafka import (
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from process.administrator import answer_to, cluster_metadata
from process.headers import headers_of
from process.leaders import LEADER_CHANGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from process.settings import Settings

SETTLES_S: Final = 3.0
"""A topic that was just made is not known at once to every broker, nor has each partition its leader."""
LOOK_AGAIN_S: Final = 0.1
_NOT_YET: Final = LEADER_CHANGES | {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001  librdkafka's public name begins so
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001  the same
}
REQUEST_TIMEOUT_S: Final = 30.0
STALL_TIMEOUT_S: Final = 30.0
BATCH_RECORDS: Final = 1_000
BATCH_WAIT_S: Final = 0.1
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class CannotRead(Exception):  # noqa: N818  read as what is wrong
    """The topics cannot be read; the message says what and why."""


class Place(NamedTuple):
    """A record's coordinates."""

    topic: str
    """The full name."""
    partition: int
    offset: int

    def __str__(self) -> str:
        """Return them as they are written everywhere: topic/partition/offset."""
        return f"{self.topic}/{self.partition}/{self.offset}"


class ReadRecord(NamedTuple):
    """A record as the rules look at it: a `models.records.Record`."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


class Span(NamedTuple):
    """Offsets of a partition: from `first` to just before `end`."""

    first: int
    end: int


Spans = dict[tuple[str, int], Span]
"""By topic (its full name) and partition."""


class TopicReader:
    """Reads what is committed in topics of one installation."""

    def __init__(self, settings: Settings, *, name: str) -> None:
        """Make it without connecting; `name` is what reads, for the broker's logs."""
        self._consumer = Consumer(
            {
                **settings.kafka_client_config(),
                "group.id": f"{settings.topic_prefix}{name}",  # asked for by librdkafka; nothing is committed
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "log_level": 2,
            }
        )

    def close(self) -> None:
        """Let the connections go."""
        self._consumer.close()

    def stands(self, name: str) -> bool:
        """Tell whether there is such a topic; raise CannotRead."""
        try:
            return name in cluster_metadata(self._consumer.list_topics, timeout=REQUEST_TIMEOUT_S).topics
        except KafkaException as error:
            raise CannotRead(f"Kafka does not answer: {error.args[0].str()}") from None

    def partitions(self, names: Iterable[str]) -> dict[str, int]:
        """Return how many partitions each topic has; raise CannotRead where one does not stand."""
        wanted = list(names)
        deadline_s = time.monotonic() + SETTLES_S
        while True:
            try:
                standing = cluster_metadata(self._consumer.list_topics, timeout=REQUEST_TIMEOUT_S).topics
            except KafkaException as error:
                raise CannotRead(f"Kafka does not answer: {error.args[0].str()}") from None
            missing = [name for name in wanted if name not in standing]
            if not missing:
                return {name: len(standing[name].partitions) for name in wanted}
            if time.monotonic() > deadline_s:
                raise CannotRead(f"{', '.join(missing)}: no such topic; is REFERRALS_TOPIC_PREFIX right?")
            time.sleep(LOOK_AGAIN_S)

    def spans(
        self, places: Iterable[tuple[str, int]], *, last: int | None = None, since: datetime | None = None
    ) -> Spans:
        """Return what there is to read of partitions, those that have nothing included.

        Args:
            places: topics' full names and partitions.
            last: of each the last so many offsets.
            since: instead, those from then on, by the records' timestamps.

        Raises CannotRead.

        """
        spans = {}
        try:
            for name, number in places:
                place = TopicPartition(name, number)
                first, end = self._watermarks(place)
                if since is not None:
                    place.offset = max(round(since.timestamp() * 1000), 0)
                    ask = partial(self._consumer.offsets_for_times, [place])
                    (found,) = answer_to(ask, REQUEST_TIMEOUT_S)
                    first = found.offset if found.offset >= 0 else end
                elif last is not None:
                    first = max(first, end - last)
                spans[name, number] = Span(first, end)
        except KafkaException as error:
            raise CannotRead(f"Kafka does not answer: {error.args[0].str()}") from None
        return spans

    def read(self, spans: Mapping[tuple[str, int], Span]) -> Iterator[Message]:
        """Yield the committed records of the spans; those of one partition in the order of their offsets.

        Raises CannotRead, also when nothing comes for STALL_TIMEOUT_S.
        """
        unread = {place: span.end for place, span in spans.items() if span.first < span.end}
        if not unread:
            return
        self._consumer.assign([TopicPartition(*place, spans[place].first) for place in unread])
        heard_s = time.monotonic()
        while unread:
            batch = self._consumer.consume(BATCH_RECORDS, BATCH_WAIT_S)
            if batch:
                heard_s = time.monotonic()
            elif time.monotonic() - heard_s > STALL_TIMEOUT_S:
                topic, partition = next(iter(unread))
                raise CannotRead(f"{topic}/{partition}: nothing came for {STALL_TIMEOUT_S:.0f} s; is the broker away?")
            for message in batch:
                place = (message.topic() or "", message.partition() or 0)
                if place not in unread:
                    continue  # read to its end, or left over from another read
                offset = message.offset() or 0
                if message.error() is None and offset < unread[place]:
                    yield message
                if _is_end(message) or (message.error() is None and offset >= unread[place] - 1):
                    del unread[place]
        self._consumer.unassign()

    def _watermarks(self, place: TopicPartition) -> tuple[int, int]:
        """Return where a partition begins and ends."""
        deadline_s = time.monotonic() + SETTLES_S
        while True:
            try:
                ask = partial(self._consumer.get_watermark_offsets, place)
                found: tuple[int, int] = answer_to(ask, REQUEST_TIMEOUT_S)
            except KafkaException as error:
                if error.args[0].code() not in _NOT_YET or time.monotonic() > deadline_s:
                    raise
                time.sleep(LOOK_AGAIN_S)
            else:
                return found


def _is_end(message: Message) -> bool:
    """Tell whether a message says that its partition ends; raise CannotRead where it says that it cannot be read."""
    error = message.error()
    if error is None or error.code() in _NOT_YET:  # where the latter does not end, nothing comes
        return False
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  librdkafka's public name begins so
        return True
    if error.fatal() or not error.retriable():
        raise CannotRead(f"{message.topic()}/{message.partition()}: {error.str()}")
    return False


def place_of(message: Message) -> Place:
    """Return a record's coordinates."""
    return Place(message.topic() or "", message.partition() or 0, message.offset() or 0)


def record_of(message: Message) -> ReadRecord:
    """Return a record as the rules look at it."""
    return ReadRecord(
        *place_of(message),
        message.timestamp()[1],
        content(message.key()),
        content(message.value()),
        headers_of(message),
    )


def time_of_record(message: Message) -> datetime | None:
    """Return a record's timestamp; None where it has none."""
    kind, at_ms = message.timestamp()
    try:
        return None if kind == TIMESTAMP_NOT_AVAILABLE else EPOCH + timedelta(milliseconds=at_ms)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def content(part: str | bytes | None) -> bytes | None:
    """Return a record's key or value as the bytes that it is."""
    return part.encode() if isinstance(part, str) else part
