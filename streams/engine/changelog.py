"""Rows from changelogs, and other topics: read to their end, committed records only."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from process.administrator import cluster_metadata
from streams.engine.errors import BadTopic
from streams.engine.progress import READING, TALLY
from streams.engine.rights import not_allowed
from streams.engine.standing import PUBLISHED_KEY, SEAL_KEY, STANDING_KEY, decode_standing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence

    from streams.engine.batch import Rows
    from streams.engine.options import EngineOptions
    from streams.engine.standing import Standing

FIRST_OFFSET: Final = 0
"""As a number: the symbolic beginning is asked for from the broker first, and asked again half a second later if
the leaders are not known yet, which they never are in a consumer just made. Nothing is deleted from a changelog
but by compaction; else `auto.offset.reset` finds the first offset."""

LAST_RECORDS: Final = 20
"""Each epoch ends with a standing, and seldom anything is behind it: records of transactions that were aborted. Of 12
partitions so many take 10 ms of CPU, and 2,000 each took 80: an idle worker looks after each of its commits."""
FURTHER_BACK: Final = 10
"""So many times as far where it is not among them."""

METADATA_TIMEOUT_S: Final = 5.0
RECORDS_PER_CALL: Final = 10_000
SILENCE_S: Final = 5.0
"""After so long without a record it is asked whether there is such a topic."""
WAIT_S: Final = 0.05
"""A call waits this long for more records: short, because at the end of a partition none come."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the changelogs hold of a source partition."""

    rows: Rows
    standing: Standing | None
    seals: dict[str, int]
    """Of those tables that have one."""
    end: int = 0
    """Where the first table's changelog ended when it was read."""
    owed: Collection[bytes] = ()
    """Keys of the first table's rows that are still to be published, those that changed last at the end."""


def load_rows(
    options: EngineOptions, partitions: Collection[int], *, cancelled: Callable[[], bool] = lambda: False
) -> dict[int, Loaded]:
    """Return what is kept of source partitions: of each table's changelog the last committed row of each key.

    Blocks. The partitions' producers must have started, so that the changelogs end in no open transaction.
    One consumer reads all of them: starting one takes longer than reading a small changelog.

    Args:
        options: the application's wiring.
        partitions: the source partitions.
        cancelled: asked between calls; when true, what was read so far is returned.

    Raises:
        KafkaException: a changelog cannot be read.

    """
    loaded: dict[int, Rows] = {number: {table: {} for table in options.tables} for number in partitions}
    changed: dict[int, list[bytes]] = {number: [] for number in partitions}
    places = {
        (options.changelog(table), number): (
            loaded[number][table],
            changed[number] if table == options.tables[0] else None,
        )
        for number in partitions
        for table in options.tables
    }
    ends: dict[tuple[str, int], int] = {}
    for place, message in read_to_end(options, places.keys(), cancelled=cancelled, ends=ends):
        key: Any = message.key()
        row: Any = message.value()
        table, changed_last = places[place]
        if row is not None:
            table[key] = row
        else:
            table.pop(key, None)
        if changed_last is not None:
            if key == PUBLISHED_KEY:
                changed_last.clear()
            else:
                changed_last.append(key)
    first = options.tables[0]
    return {
        number: _told_apart(rows, first, ends.get((options.changelog(first), number), 0), changed[number])
        for number, rows in loaded.items()
    }


def last_standings(options: EngineOptions, ends: Mapping[int, int]) -> dict[int, Standing | None]:
    """Return where the committed rows of source partitions stand, from the last records of their first changelog.

    Blocks. What is sure is only what was committed when a partition's producer had started after it.

    Args:
        options: the application's wiring.
        ends: where the changelog ends, of each source partition.

    Raises:
        KafkaException: a changelog cannot be read.

    """
    found: dict[int, Standing | None] = {}
    looked_at, left = LAST_RECORDS, dict(ends)
    while left:
        first = {number: max(FIRST_OFFSET, end - looked_at) for number, end in left.items()}
        places = {(options.standing_changelog, number): offset for number, offset in first.items()}
        for (_, number), message in read_to_end(options, places.keys(), start=places):
            if message.key() == STANDING_KEY:
                found[number] = decode_standing(message.value())
        left = {number: end for number, end in left.items() if number not in found and first[number] > FIRST_OFFSET}
        looked_at *= FURTHER_BACK
    return {number: found.get(number) for number in ends}


def read_topics(options: EngineOptions, topics: Sequence[str], start: dict[tuple[str, int], int]) -> Iterator[Message]:
    """Yield each committed record of topics, to where they end now; nothing of those that do not exist.

    From the offsets of `start` on, which are moved behind what was read: so another call goes on from there.
    """
    admin = options.clients.admin(options.client_config)
    found = admin.list_topics(timeout=METADATA_TIMEOUT_S).topics
    places = [(topic, number) for topic in topics if topic in found for number in found[topic].partitions]
    for place, message in read_to_end(options, places, start=start):
        start[place] = (message.offset() or 0) + 1
        yield message


def read_to_end(
    options: EngineOptions,
    places: Collection[tuple[str, int]],
    *,
    start: Mapping[tuple[str, int], int] = MappingProxyType({}),
    cancelled: Callable[[], bool] = lambda: False,
    ends: dict[tuple[str, int], int] | None = None,
) -> Generator[tuple[tuple[str, int], Message]]:
    """Yield each committed record of topics' partitions, with its place, to where they end now.

    `ends` takes in where that was.
    """
    consumer = options.clients.consumer(
        {
            **options.client_config,
            "group.id": f"{options.app_id}-recovery",  # asked for by the client; nothing is committed
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": 65_536,
            "fetch.wait.max.ms": 10,
            "fetch.queue.backoff.ms": 2,  # by default a full queue is looked at again only after a second
        }
    )
    try:
        consumer.assign([TopicPartition(*place, start.get(place, FIRST_OFFSET)) for place in places])
        unfinished = set(places)
        heard_s = time.monotonic()
        while unfinished and not cancelled():
            messages = consumer.consume(RECORDS_PER_CALL, WAIT_S)
            if messages:
                heard_s = time.monotonic()
            elif time.monotonic() - heard_s > SILENCE_S:
                _check_seen(consumer, {topic for topic, _ in unfinished})
                heard_s = time.monotonic()
            TALLY.add(bool(messages and messages[-1].error() is None))
            READING.records += len(messages)
            READING.unfinished = len(unfinished)
            for message in messages:
                place: Any = (message.topic(), message.partition())
                fault = message.error()
                if fault is None:
                    yield place, message
                elif fault.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the name that the client gives it
                    unfinished.discard(place)
                    if ends is not None:
                        ends[place] = message.offset() or 0
                elif fault.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                    raise not_allowed("READ", "topic", place[0])
                elif not fault.retriable():
                    raise KafkaException(fault)
    finally:
        READING.unfinished = 0
        consumer.close()


def _check_seen(consumer: Consumer, topics: set[str]) -> None:
    """See that topics are there: librdkafka reads one that is not, or that may not be seen, for ever without a word."""
    found = cluster_metadata(consumer.list_topics, timeout=METADATA_TIMEOUT_S).topics
    for topic in sorted(topics - found.keys()):
        raise BadTopic(f"topic {topic} does not exist, or this user lacks the right DESCRIBE on it")


def _told_apart(rows: Rows, first_table: str, end: int, changed_last: Sequence[bytes]) -> Loaded:
    """Take the engine's own rows out of the application's."""
    standing = decode_standing(rows[first_table].pop(STANDING_KEY, None))
    rows[first_table].pop(PUBLISHED_KEY, None)
    seals = {table: int(seal) for table, kept in rows.items() if (seal := kept.pop(SEAL_KEY, None)) is not None}
    owes = standing is not None and standing.owes
    owed = [key for key in reversed(dict.fromkeys(reversed(changed_last))) if key in rows[first_table]] if owes else []
    return Loaded(rows, standing, seals, end, owed)
