"""A million rows of each kind, made by the app's own fold: what memory and recovery are measured with.

mentors   each with a code, a click in each of three channels and a confirmed registration
members   confirmed registrations of 1,000 mentors, each of another member
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Final, NamedTuple

from models.attribution import Attribution, Rules
from models.changes import MEMBERS, MENTORS, TABLES
from models.partitioning import partition_of
from proof.bench.load import (
    CHANNELS,
    Load,
    LoadRecord,
    Mentor,
    Population,
    click,
    code_issued,
    make_uuid,
    occurs_at,
    registration,
)
from proof.bench.worker import PARTITIONS

KINDS: Final = (MENTORS, MEMBERS)
MENTORS_OF_MEMBERS: Final = 1_000
CHUNK_MENTORS: Final = 2_400
"""Mentors worked on at a time: some 200 for each partition, and what is only needed for them is soon free again."""
CHUNK_MEMBERS: Final = 4_000

Rows = dict[str, dict[bytes, bytes]]
"""Table -> key -> row, of one partition, as the engine holds them."""


class _Record(NamedTuple):
    """A record as the fold takes it."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    offset: int = 0
    timestamp: int = 0
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True)
class _Batch:
    """Records of one topic and partition as the fold takes them."""

    topic: str
    partition: int
    records: list[LoadRecord]

    def __len__(self) -> int:
        return len(self.records)

    def values(self) -> list[bytes | None]:
        return [record.value for record in self.records]

    def with_header(self, name: str) -> list[int]:
        del name
        return []

    def record(self, index: int) -> _Record:
        record = self.records[index]
        return _Record(self.topic, self.partition, record.key, record.value)


def build(kind: str, count: int, *, before: Callable[[], None] = lambda: None) -> list[Rows]:
    """Return the rows of each partition: `count` of the kind, none of the other kind than are needed for them.

    `before` is called when all that is to be measured is still to be made.
    """
    builder = _Builder()
    if kind == MENTORS:
        before()
        builder.add_mentors(count)
    else:
        builder.add_codes(load := _load(MENTORS_OF_MEMBERS))
        before()
        builder.add_members(load.mentors, count)
    return builder.partitions


class _Builder:
    def __init__(self) -> None:
        rules = Rules()
        self._fold = Attribution(rules, partitions=PARTITIONS)
        self._prefix = rules.topic_prefix
        self._random = Random(2)
        self.partitions: list[Rows] = [{table: {} for table in TABLES} for _ in range(PARTITIONS)]

    def add_mentors(self, count: int) -> None:
        added = 0
        while added < count:
            size = min(CHUNK_MENTORS, count - added)
            load = _load(size, seed=added)
            self.add_codes(load)
            for channel in CHANNELS:
                self._take([click(self._random, m, channel, occurred_at=occurs_at(0)) for m in load.mentors], MENTORS)
            self._take([self._confirmed(mentor) for mentor in load.mentors], MENTORS)
            added += size

    def add_codes(self, load: Load) -> None:
        self._take([code_issued(mentor) for mentor in load.mentors], MENTORS)

    def add_members(self, mentors: Sequence[Mentor], count: int) -> None:
        records = (self._confirmed(self._random.choice(mentors)) for _ in range(count))
        for chunk in _chunks(records, CHUNK_MEMBERS):
            self._take(chunk, MENTORS, MEMBERS)

    def _confirmed(self, mentor: Mentor) -> LoadRecord:
        random = self._random
        channel = random.choice(CHANNELS)
        return registration(random, mentor, make_uuid(random), channel, status="confirmed", occurred_at=occurs_at(0))

    def _take(self, records: Sequence[LoadRecord], *tables: str) -> None:
        """Fold records of one topic; of what they change only the named tables are kept."""
        by_partition: dict[int, list[LoadRecord]] = {}
        topic = records[0].topic.full_name(self._prefix)
        for record in records:
            by_partition.setdefault(partition_of(record.key, PARTITIONS), []).append(record)
        for number, taken in by_partition.items():
            rows = self.partitions[number]
            changes = self._fold.fold(rows, _Batch(topic, number, taken), now_ms=0)
            for table in tables:
                rows[table].update((key, row) for key, row in changes.rows.get(table, {}).items() if row is not None)


def _load(mentors: int, seed: int = 1) -> Load:
    return Load(Population(name="rows", mentors=mentors, zipf_exponent=0.0), seed=seed)


def _chunks(records: Iterator[LoadRecord], size: int) -> Iterator[list[LoadRecord]]:
    while chunk := list(islice(records, size)):
        yield chunk
