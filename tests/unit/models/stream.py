"""A driver of the fold without Kafka: applies changes to rows as `streams.engine.partition` does."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from msgspec import msgpack

from models.attribution import Attribution, Rules
from models.changes import MENTORS, TABLES, WAITING, Changes
from models.outgoing import Outgoing
from models.partitioning import partition_of
from models.waiting import Total
from streams.engine.batch import Rows, SourceRecord
from tests.factories import Event, make_batch, make_record

REASON = "__connect.errors.exception.class.name"


class Stream:
    """The source topics' partitions, each with its rows, and all that was sent."""

    def __init__(self, rules: Rules | None = None, *, partitions: int = 1) -> None:
        self.attribution = Attribution(rules or Rules(), partitions=partitions)
        self.rows: list[Rows] = [{table: {} for table in TABLES} for _ in range(partitions)]
        self.published: dict[bytes, bytes] = {}
        """What the compacted counts topic holds: the last value of each key."""
        self.publications: list[tuple[bytes, bytes]] = []
        """Every value published, in order."""
        self.outgoing: list[Outgoing] = []
        self.now_ms = 0

    def take(self, *records: Event | SourceRecord) -> Changes:
        """Fold events, or records of one topic and partition, as one batch."""
        batch = make_batch(*[make_record(each) if isinstance(each, dict) else each for each in records])
        changes = self.attribution.fold(self.rows[batch.partition], batch, now_ms=self.now_ms)
        self._apply(batch.partition, changes)
        return changes

    def take_each(self, records: Iterable[Event | SourceRecord]) -> None:
        """Fold each in a batch of its own."""
        for record in records:
            self.take(record)

    def take_runs(self, records: Iterable[SourceRecord]) -> None:
        """Fold in the largest batches there are: consecutive records of the same topic and partition."""
        for run in runs_of(records):
            self.take(*run)

    def take_as_one(self, records: Iterable[SourceRecord]) -> None:
        """Fold records of partition 0 in one go: in runs as above, and their changes are taken only at the end."""
        work = self.attribution.begin(self.rows[0], 0)
        for run in runs_of(records):
            work.fold(make_batch(*run), now_ms=self.now_ms)
        self._apply(0, work.changes())

    def expire(self, *, partition: int = 0) -> None:
        """Let waiting records that are too old go."""
        self._apply(partition, self.expired(partition=partition))

    def expired(self, *, partition: int = 0) -> Changes:
        """Return what becomes of waiting records that are too old; nothing is changed."""
        return self.attribution.expire(self.rows[partition], partition=partition, now_ms=self.now_ms).changes()

    def take_moved(self) -> None:
        """Fold the moved copies at the partitions that their keys lead to, until none is left."""
        while copies := self.sent_to_sources():
            self.outgoing = [each for each in self.outgoing if each not in copies]
            for copy in copies:
                assert copy.key is not None
                home = partition_of(copy.key, len(self.rows))
                self.take(
                    SourceRecord(copy.topic, home, 0, copy.timestamp_ms, copy.key, copy.value, tuple(copy.headers))
                )

    def sent_to_sources(self) -> list[Outgoing]:
        """Return the records sent back to a source topic."""
        return [each for each in self.outgoing if each.topic in self.attribution.kinds]

    @property
    def dead_letters(self) -> list[Outgoing]:
        """What went to the dead letters, in order."""
        return self._sent_to(self.attribution.dead_letters)

    @property
    def reasons(self) -> list[str]:
        """Why each of the dead letters is there."""
        return [headers_of(letter)[REASON].decode() for letter in self.dead_letters]

    @property
    def milestones(self) -> list[dict[str, Any]]:
        """The milestones emitted, in order."""
        return [json.loads(each.value or b"") for each in self._sent_to(self.attribution.milestones)]

    @property
    def thresholds(self) -> list[int]:
        """The thresholds of the milestones emitted, in order."""
        return [each["milestone_threshold"] for each in self.milestones]

    def _sent_to(self, topic: str) -> list[Outgoing]:
        return [each for each in self.outgoing if each.topic == topic]

    @property
    def all_counts(self) -> dict[str, dict[str, Any]]:
        """What is published, by referral code."""
        values = [json.loads(value) for value in self.published.values()]
        return {value["referral_code"]: value for value in values}

    @property
    def counts(self) -> dict[str, Any]:
        """What is published, of the only mentor."""
        (only,) = self.all_counts.values()
        return only

    @property
    def totals(self) -> tuple[int, int, int]:
        """Clicks, pending and confirmed of the only mentor."""
        counts = self.counts
        return counts["total_clicks"], counts["pending_attributions"], counts["confirmed_attributions"]

    def waiting_total(self, partition: int = 0) -> Total:
        """Return what the totals row says is waiting."""
        row = self.rows[partition][WAITING].get(b"")
        return Total(0, 0) if row is None else msgpack.decode(row, type=Total)

    def waiting_keys(self, partition: int = 0) -> set[bytes]:
        """Return the keys of the waiting rows but that of the totals row."""
        return set(self.rows[partition][WAITING]) - {b""}

    def _apply(self, partition: int, changes: Changes) -> None:
        for table, changed in changes.rows.items():
            target = self.rows[partition][table]
            for key, row in changed.items():
                if row is None:
                    target.pop(key, None)
                else:
                    target[key] = row
        for topic, values in changes.latest.items():
            assert topic == self.attribution.mentor_counts
            self.published.update(values)
            self.publications.extend(values.items())
        self.outgoing.extend(changes.outgoing)


def headers_of(sent: Outgoing) -> dict[str, bytes]:
    """Return a sent record's headers by name; of a name that is there twice the last one, as Kafka reads them."""
    return {name: value for name, value in sent.headers if value is not None}


def outcome(stream: Stream) -> tuple[dict[str, dict[str, Any]], Counter[str]]:
    """Return what must not depend on the order of the topics: the counts, and each milestone how often."""
    return stream.all_counts, Counter(json.dumps(each, sort_keys=True) for each in stream.milestones)


def runs_of(records: Iterable[SourceRecord]) -> list[list[SourceRecord]]:
    """Return consecutive records of the same topic and partition together."""
    grouped = itertools.groupby(records, key=lambda record: (record.topic, record.partition))
    return [list(run) for _, run in grouped]


def everything(stream: Stream) -> tuple[list[Rows], list[dict[bytes, Any]], dict[bytes, Any], list[Outgoing]]:
    """Return all that a stream keeps and has sent, byte by byte but for the order of channels in a mentor's counts."""
    rows = [{table: each for table, each in tables.items() if table != MENTORS} for tables in stream.rows]
    mentors = [{code: json.loads(row) for code, row in tables[MENTORS].items()} for tables in stream.rows]
    published = {key: json.loads(value) for key, value in stream.published.items()}
    return rows, mentors, published, stream.outgoing
