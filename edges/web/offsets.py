"""How far the components are, as Kafka says: committed offsets, the ends of the topics, and the dead letters there are.

Everything here waits for Kafka, each request for a second at most, so it has a thread of its own. It asks by consumers
that never join a group: librdkafka's admin client may abort the process when it has to wait for a group's coordinator
(pull request 5397).

| component | consumer group       | reads                        |
|-----------|----------------------|------------------------------|
| stream    | app_id               | codes, clicks, registrations |
| badges    | topic prefix badges  | milestones                   |
| counts    | topic prefix counts  | codes, mentor-counts         |
| history   | topic prefix history | clicks, registrations        |
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from models.topics import CLICKS, CODES, DEAD_LETTERS, MENTOR_COUNTS, MILESTONES, REGISTRATIONS, SOURCES
from operations.lag import Lag, Place
from process.administrator import answer_to, cluster_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from models.topics import Topic
    from process.settings import Settings

COMPONENTS: Final = {
    "stream": SOURCES,
    "badges": (MILESTONES,),
    "counts": (CODES, MENTOR_COUNTS),
    "history": (CLICKS, REGISTRATIONS),
}
"""By name, what each reads; as in `local/installation/components.py`, which starts them. The history, of which a page's
periods are, is a sink of `counts` with a group of its own."""

REQUEST_TIMEOUT_S: Final = 1.0
READ_TIME_S: Final = 0.3
"""The most that one look reads dead letters."""
EARLIEST: Final = -2
LATEST: Final = -1
"""What Kafka's request for offsets by time takes for the two ends."""

_AT_END: Final = KafkaError._PARTITION_EOF  # noqa: SLF001  librdkafka's public name begins so


def group_id(component: str, settings: Settings) -> str:
    """Return the consumer group of a component."""
    return settings.app_id if component == "stream" else f"{settings.topic_prefix}{component}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """What one look found."""

    committed: Mapping[str, Mapping[Place, int]]
    """By component, where each partition that it reads stands."""
    ends: Mapping[Place, int]
    """The ends of those partitions; what is in an open transaction comes after them."""
    waiting: Mapping[str, Mapping[Place, int]]
    """By component, the records between the two; partitions without any are left out."""
    dead_letters: int
    """Records in the dead letters topic."""


class Offsets:
    """One pair of eyes; used by one thread at a time. It connects with the first look, also after it was closed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._groups: dict[str, Consumer] = {}
        self._lag: Lag | None = None
        self._partitions = Partitions(settings)
        self._dead_letters = DeadLetterCount(settings, self._partitions)

    def look(self) -> Progress:
        """Return how far everything is; raise KafkaException where Kafka does not say."""
        if self._lag is None:
            self._groups = {name: _consumer(self._settings, group_id(name, self._settings)) for name in COMPONENTS}
            self._lag = Lag(self._settings)
        lag = self._lag
        # Committed offsets first: records that come in between then count as waiting, never as less than none.
        stored = {name: self._stored(name) for name in COMPONENTS}
        ends = self._find({place for places in stored.values() for place in places}, LATEST)
        unread = {
            place
            for places in stored.values()
            for place, offset in places.items()
            if offset < 0 and ends[place] > 0  # nothing committed yet, so it begins where the topic does
        }
        starts = self._find(unread, EARLIEST) if unread else {}
        committed = {
            name: {place: offset if offset >= 0 else starts.get(place, 0) for place, offset in places.items()}
            for name, places in stored.items()
        }
        return Progress(
            committed=committed,
            ends=ends,
            waiting={name: lag.locate(name, places, ends) for name, places in committed.items()},
            dead_letters=self._dead_letters.count(self._find(self._places(DEAD_LETTERS), LATEST)),
        )

    def close(self) -> None:
        """Let the connections go."""
        for consumer in self._groups.values():
            consumer.close()
        if self._lag is not None:
            self._lag.close()
        self._groups, self._lag = {}, None
        self._dead_letters.close()

    def _stored(self, component: str) -> dict[Place, int]:
        asked = [TopicPartition(*place) for topic in COMPONENTS[component] for place in self._places(topic)]
        found = self._groups[component].committed(asked, REQUEST_TIMEOUT_S)
        return {(place.topic, place.partition): place.offset for place in found}

    def _find(self, places: Iterable[Place], end: int) -> dict[Place, int]:
        return _ends_of(self._groups["stream"], places, end)

    def _places(self, topic: Topic) -> list[Place]:
        return self._partitions.places(topic, self._groups["stream"])


class Partitions:
    """How many partitions topics have: the sources as the settings say, the others as they were made.

    That stays as it is, so it is asked once.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[str, int] = dict.fromkeys((topic.name for topic in SOURCES), settings.partitions)

    def places(self, topic: Topic, consumer: Consumer) -> list[Place]:
        """Return all partitions of a topic; raise KafkaException where Kafka does not say."""
        name = topic.full_name(self._settings.topic_prefix)
        count = self._known.get(topic.name)
        if count is None:
            count = len(cluster_metadata(consumer.list_topics, name, REQUEST_TIMEOUT_S).topics[name].partitions)
            if count:
                self._known[topic.name] = count
        return [(name, number) for number in range(count)]


class DeadLetterCount:
    """How many dead letters there are: each is read once and counted.

    The ends of the topic alone would say too much: what is written in transactions has markers between the records.
    What has not been read yet is counted by its offsets.
    """

    def __init__(self, settings: Settings, partitions: Partitions) -> None:
        self._settings = settings
        self._partitions = partitions
        self._consumer: Consumer | None = None
        self._next: dict[Place, int] = {}
        self._read = 0

    def count(self, ends: Mapping[Place, int]) -> int:
        """Read on, for a moment at most, and return how many records there are up to the ends."""
        consumer = self._consumer or self._begin()
        until_s = time.monotonic() + READ_TIME_S
        while any(self._next[place] < end for place, end in ends.items()):
            message = consumer.poll(max(0.0, until_s - time.monotonic()))
            if message is None:
                break
            place = (message.topic() or "", message.partition() or 0)
            error = message.error()
            if error is None:
                self._read += 1
                self._next[place] = (message.offset() or 0) + 1
            elif error.code() == _AT_END:
                self._next[place] = message.offset() or 0
        return self._read + sum(max(0, end - self._next[place]) for place, end in ends.items())

    def close(self) -> None:
        """Let the connection go; what was counted stays counted."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _begin(self) -> Consumer:
        consumer = _consumer(
            self._settings,
            f"{self._settings.topic_prefix}lag",
            {"enable.partition.eof": True, "queued.max.messages.kbytes": 4096, "fetch.wait.max.ms": 20},
        )
        self._next = self._next or _ends_of(consumer, self._partitions.places(DEAD_LETTERS, consumer), EARLIEST)
        consumer.assign([TopicPartition(*place, offset) for place, offset in self._next.items()])
        self._consumer = consumer
        return consumer


def _ends_of(consumer: Consumer, places: Iterable[Place], end: int) -> dict[Place, int]:
    """Return the offsets at one end of partitions, by one request to each broker."""
    asked = [TopicPartition(*place, end) for place in places]
    found = answer_to(partial(consumer.offsets_for_times, asked), REQUEST_TIMEOUT_S)
    for place in found:
        if place.error is not None:
            raise KafkaException(place.error)
    return {(place.topic, place.partition): place.offset for place in found}


def _consumer(settings: Settings, group: str, more: Mapping[str, str | int | bool] | None = None) -> Consumer:
    return Consumer(
        {
            **settings.kafka_client_config(),
            "group.id": group,  # nothing is committed under it, and it is never joined
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "reconnect.backoff.max.ms": 1_000,
            "log_level": 2,
            **(more or {}),
        }
    )
