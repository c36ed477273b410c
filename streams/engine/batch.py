"""What is folded is a batch of records, and a fold gives back what is to be changed and sent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_value: Final = attrgetter("value")
_headers: Final = attrgetter("headers")
"""Every record passes here: called from C they take a third less than a loop's own access."""

Rows = dict[str, dict[bytes, bytes]]
"""The rows of one source partition: table -> key -> row."""


def change_rows(rows: Rows, changes: Changes) -> None:
    """Let a fold's changes change the rows."""
    for table, changed in changes.rows.items():
        if None in changed.values():
            for key in [key for key, row in changed.items() if row is None]:
                rows[table].pop(key, None)
            rows[table].update((key, row) for key, row in changed.items() if row is not None)
        else:
            rows[table].update(cast("Mapping[bytes, bytes]", changed))


class FetchedRecord(Protocol):
    """A record as aiokafka's parser gives it: without topic and partition, which the batch has once."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One record of a batch, whole."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    """Milliseconds since 1970; -1 if unknown."""
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Consecutive records of one topic and partition, as fetched; at least one."""

    topic: str
    partition: int
    fetched: Sequence[FetchedRecord]
    covers_from: int
    """From this offset on the batch has every record there is."""
    covers_to: int
    """Up to this offset, not included: the position after the batch."""
    generation: int
    """The consumer group's generation when it was fetched; a batch of an earlier one is dropped."""
    behind: int = 0
    """How many offsets there were behind it when it was fetched."""
    chain: int = 0
    """The same for batches that were fetched one after the other; another one after each seek."""

    def __len__(self) -> int:
        return len(self.fetched)

    @property
    def first_offset(self) -> int:
        """Offset of the first record."""
        return self.fetched[0].offset

    def values(self) -> list[bytes | None]:
        """Return the records' values, in order."""
        return list(map(_value, self.fetched))

    def with_header(self, name: str) -> list[int]:
        """Return the places of the records that have a header of this name; most have none at all."""
        if not any(map(_headers, self.fetched)):
            return []
        return [
            index for index, record in enumerate(self.fetched) if any(header == name for header, _ in record.headers)
        ]

    def alone(self) -> Iterator[RecordBatch]:
        """Yield each record as a batch of its own, the chain of custody unbroken."""
        covers_from = self.covers_from
        for number, record in enumerate(self.fetched):
            covers_to = self.covers_to if number + 1 == len(self.fetched) else record.offset + 1
            yield replace(self, fetched=[record], covers_from=covers_from, covers_to=covers_to)
            covers_from = covers_to

    def record(self, index: int) -> SourceRecord:
        """Return one record whole."""
        fetched = self.fetched[index]
        return SourceRecord(
            self.topic,
            self.partition,
            fetched.offset,
            fetched.timestamp,
            fetched.key,
            fetched.value,
            tuple(fetched.headers),
        )


class OutgoingRecord(Protocol):
    """A record to be produced; its partition follows from its key by murmur2."""

    @property
    def topic(self) -> str:
        """Full name of the topic."""

    @property
    def key(self) -> bytes | None:
        """The key."""

    @property
    def value(self) -> bytes | None:
        """The value."""

    @property
    def headers(self) -> list[tuple[str, bytes | None]]:
        """The headers."""

    @property
    def timestamp_ms(self) -> int:
        """Milliseconds since 1970; 0: the time of producing."""


class Work(Protocol):
    """A fold that has begun over a partition's rows, which it never changes: batches in, changes out at the end."""

    def fold(self, batch: RecordBatch, *, now_ms: int) -> None:
        """Take a batch, at this time in milliseconds since 1970. If it raises, the work is of no use any more."""

    def encode(self, rows_max: int) -> bool:
        """Make about so many of the rows of `changes` beforehand; False if none is left. No batch follows then."""

    def changes(self) -> Changes:
        """Return what has come of all batches; nothing else is asked of the work afterwards."""

    @property
    def is_urgent(self) -> bool:
        """Whether something is to be sent that somebody waits for."""

    @property
    def touched(self) -> int:
        """How many rows `changes` may have to make: what it takes time for."""

    @property
    def size(self) -> int:
        """Bytes that it holds, about, with those of the changes that it will make."""


class Changes(Protocol):
    """What a fold gives back."""

    @property
    def rows(self) -> Mapping[str, Mapping[bytes, bytes | None]]:
        """Table -> key -> new row; None: deleted."""

    @property
    def latest(self) -> Mapping[str, Mapping[bytes, bytes]]:
        """Compacted topic -> key -> value; only the last one of an epoch is sent."""

    @property
    def outgoing(self) -> Sequence[OutgoingRecord]:
        """Records that are sent each, in order."""

    @property
    def counted(self) -> Mapping[tuple[str, ...], int]:
        """What is to be counted when all of it is committed, for who looks at the worker."""
