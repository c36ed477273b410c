"""Fetched data to records, a whole batch at a time and not one by one through aiokafka's loop.

aiokafka goes through the batches, with its own rules about transactions that were aborted, control records and what
compaction has removed; it is given batches that have one record each, which is all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiokafka.consumer import fetcher
from aiokafka.record.memory_records import MemoryRecords

from streams.engine.header_names import again

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.engine.batch import FetchedRecord


class Parsed(list["FetchedRecord"]):
    """The records of a batch, at least one; for aiokafka a record where the last one is."""

    @property
    def offset(self) -> int:
        """Offset of the last."""
        return self[-1].offset


class FetchedBatch:
    """aiokafka's batch, whose records come all at once."""

    def __init__(self, batch: Any, data: bytes, number: int) -> None:  # noqa: ANN401 - aiokafka's, of two formats
        self._batch = batch
        self._data = data
        self._number = number

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - an attribute of the batch
        """Return what the batch says of itself."""
        return getattr(self._batch, name)

    def __next__(self) -> FetchedRecord:
        """Return the record of a control batch."""
        record: FetchedRecord = next(self._batch)
        return record

    def __iter__(self) -> Iterator[Parsed]:
        """Yield all records, if there are any: compaction may have left none."""
        try:
            parsed = Parsed(self._batch)
        except UnicodeDecodeError:
            parsed = Parsed(again(self._data, self._number))
        if parsed:
            yield parsed


class FetchedBatches:
    """aiokafka's batches of a fetched partition."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._batches = MemoryRecords(data)
        self._taken = 0

    def size_in_bytes(self) -> int:
        """Return how much was fetched."""
        return int(self._batches.size_in_bytes())

    def has_next(self) -> bool:
        """Tell whether there is another batch."""
        return bool(self._batches.has_next())

    def next_batch(self) -> FetchedBatch:
        """Return the next batch."""
        self._taken += 1
        return FetchedBatch(self._batches.next_batch(), self._data, self._taken - 1)


class LeanRecords(fetcher.PartitionRecords):
    """The records of a fetched partition that are to be read, as the parser made them."""

    next_fetch_offset: int
    _records_iterator: Iterator[Parsed] | None

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - aiokafka's
        super().__init__(*arguments, **options)
        self._rest: list[FetchedRecord] = []
        """Parsed, and not taken yet."""

    def _consumer_record(self, tp: object, parsed: Parsed) -> list[FetchedRecord]:
        """Leave out what lies before the position: the fetch may begin inside a batch."""
        del tp
        position = self.next_fetch_offset
        return parsed if parsed[0].offset >= position else [each for each in parsed if each.offset >= position]

    def take(self, records_max: int) -> list[FetchedRecord]:
        """Return the next records, at most so many; empty: there are no more."""
        taken, self._rest = self._rest, []
        while len(taken) < records_max and self._records_iterator is not None:
            taken += next(self, ())
        if len(taken) > records_max:
            taken, self._rest = taken[:records_max], taken[records_max:]
            self.next_fetch_offset = self._rest[0].offset
        elif taken:
            self.next_fetch_offset = max(self.next_fetch_offset, taken[-1].offset + 1)
        return taken

    @property
    def is_exhausted(self) -> bool:
        """Tell whether all was taken."""
        return self._records_iterator is None and not self._rest
