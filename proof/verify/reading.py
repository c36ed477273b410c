"""Kafka as the oracle reads it: every committed record that stood in a partition when the check began."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import orjson
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec, TopicMetadata  # type: ignore[attr-defined]  # not in its __all__

from models.topics import PARTITION_CHANGES
from process.administrator import Administrator, cluster_metadata, described, offsets_at
from process.settings import Settings

REQUEST_TIMEOUT_S = 30.0
STALL_TIMEOUT_S = 30.0
"""No record for so long: an open transaction holds readers back (at most its timeout, 10 s), or the broker is away."""

LOG_CRITICAL = 2
"""librdkafka's level, as syslog counts: what it tries again is nobody's concern, what fails is raised here."""

BATCH_RECORDS = 10_000
BATCH_WAIT_S = 0.01

FIRST_TABLE = "mentors"
STANDING_KEY = b"\0standing"
"""Where the stream app says where its rows stand; see DESIGN.md, the commit protocol."""

LOOK_BACK = (100, 100_000, 1 << 62)
"""Offsets before the end of a changelog in which a standing is looked for; then in more, then in all."""

CONFIG: dict[str, str | int | float | bool] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "isolation.level": "read_committed",  # what was aborted never happened
    "auto.offset.reset": "error",  # a partition is read from where it begins, never from somewhere else
    "enable.partition.eof": True,  # transaction markers hide the end otherwise
    "check.crcs": True,
    "fetch.wait.max.ms": 20,
    "fetch.queue.backoff.ms": 2,  # by default a full queue is looked at again only after a second
    "queued.max.messages.kbytes": 64 * 1024,
    "log_level": LOG_CRITICAL,
}


class CannotRead(Exception):  # noqa: N818  read as what is wrong
    """The topics cannot be read; the message says what and why."""


class Span(NamedTuple):
    """The offsets of one partition that a check covers: from `first` to just before `end`."""

    first: int
    end: int


Spans = dict[tuple[str, int], Span]
"""By topic (without prefix) and partition."""


class Standing(NamedTuple):
    """What the stream app's rows of one partition say of where they stand."""

    positions: dict[str, int]
    """Of each source topic, the offset of the next record."""
    since: dict[str, int]
    """Of each source topic, the offset from which on they have counted; absent: 0."""
    owes: bool
    """Whether counts of theirs are still to be published."""


class Reader:
    """Reads topics of one installation, which are named here without their prefix."""

    def __init__(self, settings: Settings) -> None:
        self._prefix = settings.topic_prefix
        self._group = settings.app_id
        config = settings.kafka_client_config()
        self._admin = Administrator({**config, "log_level": LOG_CRITICAL})
        ours = f"{self._prefix}verify"  # asked for by librdkafka; nothing is committed under it
        self._consumer = Consumer({**config, **CONFIG, "group.id": ours})
        self._group_consumer = Consumer({**config, **CONFIG, "group.id": self._group})
        self._standing: dict[str, TopicMetadata] = {}

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """Return the broker's identity of each topic: another one when it is deleted and made anew."""
        names = {self._prefix + topic: topic for topic in topics}
        try:
            found = described(self._admin, names, REQUEST_TIMEOUT_S)
            return {names[name]: str(topic.topic_id) for name, topic in found.items()}
        except KafkaException as error:
            msg = f"Kafka does not describe its topics: {error.args[0].str()}"
            raise CannotRead(msg) from None

    def standings(self) -> dict[int, Standing]:
        """Return where the stream app's rows stand, by partition; nothing where no changelog says it.

        Each epoch writes it last, so it is near the end of the changelog of the first table.
        """
        name = f"{self._group}-{FIRST_TABLE}-changelog"
        try:
            found = self._admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
        except KafkaException as error:
            msg = f"Kafka does not answer: {error.args[0].str()}"
            raise CannotRead(msg) from None
        if name not in found:
            return {}
        cluster_metadata(self._consumer.list_topics, name, REQUEST_TIMEOUT_S)
        places = [TopicPartition(name, number) for number in found[name].partitions]
        firsts = self._offsets(places, OffsetSpec.earliest(), prefix="")  # type: ignore[no-untyped-call]
        ends = self._offsets(places, OffsetSpec.latest(), prefix="")  # type: ignore[no-untyped-call]
        standings: dict[int, Standing] = {}
        for looked_at in LOOK_BACK:
            rest = {place: Span(max(firsts[place], end - looked_at), end) for place, end in ends.items()}
            rest = {place: span for place, span in rest.items() if place[1] not in standings}
            for batch in self.read(rest, prefix=""):
                for message in batch:
                    key, value = message.key(), message.value()
                    if key == STANDING_KEY and value:
                        standings[message.partition() or 0] = _standing(value, self._prefix)
        return standings

    def partition_changes(self) -> list[bytes]:
        """Return what the topic of the changes of the number of partitions holds; nothing where there was none."""
        topic = PARTITION_CHANGES.name
        if self._prefix + topic not in self._standing:
            return []
        cluster_metadata(self._consumer.list_topics, self._prefix + topic, REQUEST_TIMEOUT_S)
        place = TopicPartition(self._prefix + topic, 0)
        first = self._offsets([place], OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        end = self._offsets([place], OffsetSpec.latest())  # type: ignore[no-untyped-call]
        read = self.read({at: Span(first[at], end[at]) for at in end})
        values: list[Any] = [message.value() for batch in read for message in batch]
        return values

    def close(self) -> None:
        """Let the connections go."""
        self._consumer.close()
        self._group_consumer.close()

    def partitions(self, topics: Iterable[str]) -> dict[str, int]:
        """Return the number of partitions of each topic; raise CannotRead if one does not stand."""
        try:
            standing = self._admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
        except KafkaException as error:
            msg = f"Kafka does not answer: {error.args[0].str()}"
            raise CannotRead(msg) from None
        self._standing = standing
        counts = {}
        for topic in topics:
            name = self._prefix + topic
            if name not in standing:
                msg = f"{name}: no such topic; is REFERRALS_TOPIC_PREFIX right, and were the topics created?"
                raise CannotRead(msg)
            # Once asked for by name the consumer knows a topic; else it would find out a second after it is assigned.
            cluster_metadata(self._consumer.list_topics, name, REQUEST_TIMEOUT_S)
            counts[topic] = len(standing[name].partitions)
        return counts

    def spans(self, partitions: dict[str, int]) -> Spans:
        """Return where each partition begins and ends now."""
        places = [
            TopicPartition(self._prefix + topic, number)
            for topic, count in partitions.items()
            for number in range(count)
        ]
        firsts = self._offsets(places, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        ends = self._offsets(places, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        return {place: Span(firsts[place], ends[place]) for place in ends}

    def committed(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """Return the next offset that the stream app will process, for each partition that it has committed.

        Waits for a commit under way: its records would be visible here before its offsets.
        """
        # By a consumer: for an admin client librdkafka can abort the process when it asks a coordinator.
        places = [
            TopicPartition(self._prefix + topic, number)
            for topic in topics
            for number in range(len(self._standing[self._prefix + topic].partitions))
        ]
        try:
            answer = self._group_consumer.committed(places, REQUEST_TIMEOUT_S)
        except KafkaException as error:
            msg = f"offsets of group {self._group}: {error.args[0].str()}"
            raise CannotRead(msg) from None
        return {
            (place.topic.removeprefix(self._prefix), place.partition): place.offset
            for place in answer
            if place.offset >= 0
        }

    def read(self, spans: Spans, *, prefix: str | None = None) -> Iterator[list[Message]]:
        """Yield the committed records of the spans in batches; those of one partition in the order of their offsets.

        Raises CannotRead when nothing comes for STALL_TIMEOUT_S.
        """
        prefix = self._prefix if prefix is None else prefix
        ends = {(prefix + topic, part): span.end for (topic, part), span in spans.items() if span.first < span.end}
        positions = {(prefix + topic, part): span.first for (topic, part), span in spans.items()}
        positions = {place: positions[place] for place in ends}  # of those that are not read to their ends
        if not positions:
            return
        self._consumer.assign([TopicPartition(*place, offset) for place, offset in positions.items()])
        heard_s = time.monotonic()
        while positions:
            # Not more than can be there, because consume() waits for as many as it is asked for.
            wanted = min(BATCH_RECORDS, sum(ends[place] - offset for place, offset in positions.items()))
            batch = _sort(self._consumer.consume(wanted, BATCH_WAIT_S), positions, ends)
            if batch:
                yield batch
                heard_s = time.monotonic()
            elif time.monotonic() - heard_s > STALL_TIMEOUT_S:
                (topic, partition), position = next(iter(positions.items()))
                msg = (
                    f"{topic}/{partition}: nothing after offset {position} of {ends[topic, partition]} for "
                    f"{STALL_TIMEOUT_S:.0f} s; is a transaction open, or the broker away?"
                )
                raise CannotRead(msg)

    def _offsets(
        self, places: list[TopicPartition], spec: OffsetSpec, *, prefix: str | None = None
    ) -> dict[tuple[str, int], int]:
        prefix = self._prefix if prefix is None else prefix
        asked = [(place.topic, place.partition) for place in places]
        try:  # at the true end: an open transaction is waited for
            found = offsets_at(self._admin, spec, asked, REQUEST_TIMEOUT_S)
        except KafkaException as error:
            topics = ", ".join(sorted({topic for topic, _ in asked}))
            msg = f"{topics}: Kafka does not say what there is of it: {error.args[0].str()}"
            raise CannotRead(msg) from None
        return {(topic.removeprefix(prefix), number): offset for (topic, number), offset in found.items()}


def _standing(value: Any, prefix: str) -> Standing:  # noqa: ANN401  librdkafka's union of shapes
    """Read what an epoch has written of where its rows stand."""
    found = orjson.loads(value)
    positions = {topic.removeprefix(prefix): stand["next"] for topic, stand in found["sources"].items()}
    since = {topic.removeprefix(prefix): at for topic, at in found.get("since", {}).items()}
    return Standing(positions, since, found.get("owes", False))


def _sort(
    answer: list[Message], positions: dict[tuple[str, int], int], ends: dict[tuple[str, int], int]
) -> list[Message]:
    """Return the records that are within the ends; move the positions on, and take out those that reach their end."""
    batch = []
    for message in answer:
        place = (message.topic() or "", message.partition() or 0)
        if place not in positions:
            continue  # read to its end, or left over from another read
        offset = message.offset() or 0
        error = message.error()
        if error is None:
            positions[place] = offset + 1
            if offset < ends[place]:
                batch.append(message)
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  librdkafka's public name begins so
            positions[place] = max(positions[place], offset)
        elif error.fatal() or not error.retriable():
            msg = f"{place[0]}/{place[1]} at offset {positions[place]}: {error.str()}"
            raise CannotRead(msg)
        if positions[place] >= ends[place]:
            del positions[place]
    return batch
