"""Partitions counted anew, also after changes of their number: each era by the number of partitions that it had.

A record that was counted before a change lies where its code belonged then. So what came before is folded by the former
number, up to the offsets at which the change stands, and its rows are laid out as the change did it; then the next era,
on these rows. What comes after the last change the workers count, from there on. Nothing of a former era is sent again:
its dead letters and moved copies are in their topics, and what was announced is known. A milestone that was due and was
never announced is sent with the rows.

The number grows to a multiple, so the partitions of one remainder by the first number are a *class*: their records
count together, and they are counted anew together.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from models.changes import MENTORS, TABLES, WAITING
from models.events import MilestoneReached, parse_event
from models.mentors import decode_mentor, encode_mentor, mentor_key
from models.resharding import spread
from process.headers import headers_of
from streams.engine.batch import RecordBatch, change_rows
from streams.engine.changelog import read_to_end
from streams.engine.deciding import Begun
from streams.engine.errors import CannotWork

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Sequence

    from models.attribution import Attribution
    from models.outgoing import Outgoing
    from models.partition_changes import PartitionChange
    from streams.beginning import Beginnings
    from streams.engine.batch import Rows
    from streams.engine.options import EngineOptions

BATCH_RECORDS: Final = 5_000


class Anew:
    """Says with what partitions begin that are counted anew; all methods block."""

    def __init__(self, options: EngineOptions, beginnings: Beginnings, fold: Callable[[int], Attribution]) -> None:
        """Look which changes there were.

        Args:
            options: the stream app's wiring.
            beginnings: knows the owners of codes, and what was announced.
            fold: gives the fold for a number of partitions.

        Raises:
            CannotWork: a change was begun and is not over.

        """
        self._options = options
        self._beginnings = beginnings
        self._fold = fold
        self._changes = beginnings.changes()
        if self._changes and not self._changes[-1].is_done:
            number = self._changes[-1].partitions
            raise CannotWork(f"a change to {number} partitions is not over: run `referrals state reshard` to its end")
        self.left_out: list[str] = []
        """Records that cannot be folded, with the class of the error: workers have made dead letters of them."""
        self._class: int | None = None
        """The class whose former eras are folded."""
        self._rows: dict[int, Rows] = {}
        """Partition -> its rows at the beginning of today's era."""
        self._due: list[Outgoing] = []
        """The milestones of that class that were not announced when its folding began."""

    def together(self, numbers: Collection[int]) -> list[int]:
        """Return these partitions with all that are to be counted anew with them, class by class."""
        if not self._changes:
            return sorted(numbers)
        classes = self._changes[0].former
        return [
            number
            for first in sorted({number % classes for number in numbers})
            for number in range(first, self._options.partitions, classes)
        ]

    def prepare(self, number: int) -> None:
        """Read what was announced, and fold the former eras of the partition's class, where there were any."""
        self._beginnings.read()
        if not self._changes or self._class == number % self._changes[0].former:
            return
        self._class = number % self._changes[0].former
        self._due = []
        first = self._changes[0].former
        self._rows = {self._class: {table: {} for table in TABLES}}
        self._rows[self._class][MENTORS] = self._beginnings.mentors(self._class, first)
        former: PartitionChange | None = None
        for change in self._changes:
            laid_out: dict[int, Rows] = {}
            for at in sorted(self._rows):
                rows = self._rows.pop(at)
                self._fold_era(rows, at, former, change)
                laid_out |= spread(rows, at, former=change.former, partitions=change.partitions)
            self._rows, former = laid_out, change

    def begin(self, number: int) -> Begun:
        """Return with what the partition begins; what was announced since `prepare` is known as well."""
        self._beginnings.read()
        partitions = self._options.partitions
        known = self._beginnings.mentors(number, partitions)
        if not self._changes:
            return Begun({MENTORS: known})
        rows = {table: dict(kept) for table, kept in self._rows[number].items()}
        announced = {}
        for code, row in rows[MENTORS].items():
            mentor = decode_mentor(row)
            announced[mentor_key(mentor)] = self._beginnings.announced(mentor)
            mentor.milestones = sorted({*mentor.milestones, *announced[mentor_key(mentor)]})
            rows[MENTORS][code] = encode_mentor(mentor)
        # Whose code was issued since, and is waited for, counts what waits when his issue is read.
        rows[MENTORS] = {code: row for code, row in known.items() if code not in rows[WAITING]} | rows[MENTORS]
        last = self._changes[-1]
        positions = {
            topic: ends[number] for topic, ends in last.read_to.items() if number < min(last.former, len(ends))
        }
        return Begun(rows, positions, [each for each in self._due if _is_due(each, announced)])

    def _fold_era(self, rows: Rows, number: int, former: PartitionChange | None, change: PartitionChange) -> None:
        """Fold into rows what came to a partition between two changes."""
        attribution = self._fold(change.former)
        first = self._options.read_first
        for topic in sorted(self._options.source_topics, key=lambda name: name != first):
            ends = change.read_to.get(topic, ())
            end = ends[number] if number < len(ends) else 0
            begun = former.read_to.get(topic, ()) if former else ()
            at = begun[number] if number < len(begun) else 0
            for batch in self._batches(topic, number, at, end):
                self._take(rows, attribution, batch)

    def _take(self, rows: Rows, attribution: Attribution, batch: RecordBatch) -> None:
        now_ms = self._options.now_ms()
        try:
            changes = attribution.fold(rows, batch, now_ms=now_ms)
        except Exception as fault:  # noqa: BLE001 - whatever it is: the worker has set such a record aside, in its time
            if len(batch) > 1:
                for alone in batch.alone():
                    self._take(rows, attribution, alone)
                return
            self.left_out.append(f"{batch.topic}/{batch.partition}/{batch.first_offset}: {type(fault).__name__}")
            return
        change_rows(rows, changes)
        self._due += [record for record in changes.outgoing if record.topic == attribution.milestones]

    def _batches(self, topic: str, number: int, begin: int, end: int) -> Iterator[RecordBatch]:
        """Yield what there is of a partition from one offset to before another one."""
        if begin >= end:
            return
        gathered: list[_Fetched] = []
        with closing(_read(self._options, (topic, number), begin, end)) as records:
            for record in records:
                gathered.append(record)
                if len(gathered) == BATCH_RECORDS:
                    yield _batch(topic, number, gathered)
                    gathered = []
        if gathered:
            yield _batch(topic, number, gathered)


class _Fetched(Struct):
    """A record as batches have it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def _read(options: EngineOptions, place: tuple[str, int], begin: int, end: int) -> Generator[_Fetched]:
    with closing(read_to_end(options, [place], start={place: begin})) as messages:
        for _, message in messages:
            offset = message.offset() or 0
            if offset < end:
                key: Any = message.key()
                value: Any = message.value()
                yield _Fetched(offset, message.timestamp()[1], key, value, headers_of(message))
            if offset >= end - 1:
                return


def _batch(topic: str, number: int, records: list[_Fetched]) -> RecordBatch:
    return RecordBatch(topic, number, records, records[0].offset, records[-1].offset + 1, generation=0)


def _is_due(milestone: Outgoing, announced: dict[bytes, set[int]]) -> bool:
    """Tell whether a milestone is of one of these mentors, and was not announced."""
    known = announced.get(milestone.key or b"")
    return known is not None and parse_event(MilestoneReached, milestone.value or b"").milestone_threshold not in known
