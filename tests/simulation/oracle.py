"""What must have come of a schedule: a plain fold over the source logs, one topic after the other, uninterrupted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from msgspec import json, structs

from models.attribution import Attribution
from models.changes import MEMBERS, MENTORS, MOVES, TABLES
from models.errors import Unprocessable
from models.mentors import decode_mentor
from models.outgoing import AGAIN, MOVED_FROM
from streams.engine.batch import RecordBatch
from streams.engine.options import EngineOptions
from streams.engine.standing import STANDING_KEY, decode_standing
from tests.simulation.kafka import Entry, Kafka, Log
from tests.simulation.poisoned import is_poisoned

Rows = dict[str, dict[bytes, bytes]]
Letter = tuple[bytes | None, ...]


class Expected:
    """What the sources say."""

    def __init__(self) -> None:
        self.rows: Rows = {table: {} for table in TABLES}
        self.milestones: Counter[bytes] = Counter()
        self.letters: Counter[Letter] = Counter()
        self.moved: Counter[bytes] = Counter()


def fold_sources(
    attribution: Attribution, sources: Iterable[tuple[str, list[Entry]]], number: int, expected: Expected
) -> None:
    """Add what a partition's source records come to, folded topic by topic."""
    for topic, records in sources:
        for poisoned, run in groupby(records, key=lambda record: is_poisoned(record.value)):
            if poisoned:
                for record in run:
                    where = (topic.encode(), b"%d" % number, b"%d" % record.offset)
                    expected.letters[*where, Unprocessable.__name__.encode()] += 1
            else:
                _fold_run(attribution, topic, number, list(run), expected)


def _fold_run(attribution: Attribution, topic: str, number: int, records: list[Entry], expected: Expected) -> None:
    rows = expected.rows
    batch = RecordBatch(topic, number, records, records[0].offset, records[-1].offset + 1, 0)
    changes = attribution.fold(rows, batch, now_ms=0)
    for table, changed in changes.rows.items():
        for key, row in changed.items():
            if row is None:
                rows[table].pop(key, None)
            else:
                rows[table][key] = row
    for record in changes.outgoing:
        headers = dict(record.headers)
        if record.topic == attribution.milestones:
            expected.milestones[record.value or b""] += 1
        elif record.topic == attribution.dead_letters:
            expected.letters[_letter(headers)] += 1
        elif MOVED_FROM in headers:  # else an issue that stands, written again: as often as somebody likes
            expected.moved[headers[MOVED_FROM] or b""] += 1


def visible(log: Log) -> list[Entry]:
    """Return what readers of committed records see."""
    return log.read(log.first, 1_000_000)[0]


def changelog_rows(kafka: Kafka, options: EngineOptions, number: int) -> Rows:
    """Return the rows that a partition's changelogs hold, the engine's own among them."""
    rows: Rows = {}
    for table in options.tables:
        kept = rows[table] = {}
        for entry in visible(kafka.log(options.changelog(table), number)):
            if entry.value is None:
                kept.pop(entry.key or b"", None)
            else:
                kept[entry.key or b""] = entry.value
    return rows


class Found:
    """What the output topics hold."""

    def __init__(self, kafka: Kafka, attribution: Attribution) -> None:
        self.counts = {
            entry.key or b"": entry.value
            for log in kafka.topics[attribution.mentor_counts].logs
            for entry in visible(log)
            if entry.value is not None
        }
        self.milestones: Counter[bytes] = Counter(
            entry.value or b"" for log in kafka.topics[attribution.milestones].logs for entry in visible(log)
        )
        self.letters: Counter[Letter] = Counter()
        self.letters_again: Counter[Letter] = Counter()
        for log in kafka.topics[attribution.dead_letters].logs:
            for entry in visible(log):
                headers = dict(entry.headers)
                (self.letters_again if AGAIN in headers else self.letters)[_letter(headers)] += 1
        self.moved: Counter[bytes] = Counter()
        self.moved_again: Counter[bytes] = Counter()
        for topic in attribution.kinds:
            for log in kafka.topics[topic].logs:
                for entry in visible(log):
                    headers = dict(entry.headers)
                    if MOVED_FROM in headers:
                        (self.moved_again if AGAIN in headers else self.moved)[headers[MOVED_FROM] or b""] += 1


def same_mentors(one: Mapping[bytes, bytes], other: Mapping[bytes, bytes]) -> bool:
    """Tell whether mentors' rows say the same; channels may stand in another order, as they came."""
    return one == other or (
        one.keys() == other.keys() and all(_plain(row) == _plain(other[key]) for key, row in one.items())
    )


def _plain(row: bytes) -> Any:
    counts = structs.asdict(decode_mentor(row))
    return json.decode(json.encode(counts))


def _letter(headers: Mapping[str, bytes | None]) -> Letter:
    names = ("topic", "partition", "offset", "exception.class.name")
    return tuple(headers.get(f"__connect.errors.{name}") for name in names)


def positions_of(kafka: Kafka, options: EngineOptions, number: int) -> dict[str, int]:
    """Return where a partition's rows say that they stand."""
    log = kafka.log(options.standing_changelog, number)
    stable = log.stable
    for entry in reversed(log.entries):
        if entry.key == STANDING_KEY and entry.is_visible and entry.offset < stable:
            standing = decode_standing(entry.value)
            return {} if standing is None else standing.positions
    return {}


COMPARED = (MENTORS, MEMBERS, MOVES)
"""The tables whose rows are the same in whichever order the topics came."""
