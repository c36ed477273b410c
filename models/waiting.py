"""Activity of codes not issued yet: kept in order, bounded in number, bytes and age (rule 3).

Rows of the table `waiting`:

    code                  -> Queue(first, next): the numbers of the code's records that wait
    code '/' number (4 B) -> StoredRecord
    empty key             -> Total(records, bytes) waiting in this partition

so a code's records are found without an index, and a million garbage codes cost no more than the bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct, msgpack

from models.errors import WaitedTooLong, WaitingFull
from models.outgoing import CARRIED_BYTES_MAX, cut
from models.records import StoredRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from models.records import Record

_DAY_MS: Final = 86_400_000
WAITING_BYTES_PER_RECORD: Final = 1_024
"""The bound in bytes is this times the bound in records: four times an ordinary record with its overhead."""

ROW_OVERHEAD_BYTES: Final = 200
"""Two keys, two byte objects and their entries in the table, for each record."""

TOTAL_KEY: Final = b""


class Queue(Struct, frozen=True, gc=False, array_like=True):
    """The numbers of a code's waiting records: from `first` up to, not including, `next`."""

    first: int
    next: int


class Total(Struct, frozen=True, gc=False, array_like=True):
    """What waits in one partition."""

    records: int
    bytes: int


_encode: Final = msgpack.Encoder().encode
_decode_queue: Final = msgpack.Decoder(Queue).decode
_decode_total: Final = msgpack.Decoder(Total).decode
_decode_record: Final = msgpack.Decoder(StoredRecord).decode


class WaitingRoom:
    """The waiting rows as one step of the stream sees and changes them.

    `changed` collects the rows written (None: deleted); `rows` is only read.
    """

    def __init__(self, rows: Mapping[bytes, bytes], *, records_max: int) -> None:
        self._rows = rows
        self._records_max = records_max
        self.changed: dict[bytes, bytes | None] = {}
        self.bytes_changed = 0
        """What `changed` holds, about; what was written again is counted again."""
        self.oldest_ms: int | None = None
        """When the oldest record came of those that `expire` has looked at and left."""

    def add(self, code: str, record: Record, *, now_ms: int) -> None:
        """Keep the record until its code is issued.

        Raises:
            WaitingFull: as many records, or bytes, wait in this partition as the settings allow.

        """
        key, value, headers = cut(record, CARRIED_BYTES_MAX)
        stored = _encode(
            StoredRecord(
                record.topic,
                record.partition,
                record.offset,
                record.timestamp,
                key,
                value or b"",
                headers,
                now_ms,
            )
        )
        total = self._total()
        size = total.bytes + len(stored) + ROW_OVERHEAD_BYTES
        if total.records >= self._records_max or size > self._records_max * WAITING_BYTES_PER_RECORD:
            raise WaitingFull(
                f"code {code} is not issued yet and {total.records:,} records of such codes wait already "
                "(REFERRALS_WAITING_RECORDS_MAX); replay this record once the code is issued"
            )
        queue = self._queue(code) or Queue(0, 0)
        self.changed[_record_key(code, queue.next)] = stored
        self.bytes_changed += len(stored) + ROW_OVERHEAD_BYTES
        self.changed[code.encode()] = _encode(Queue(queue.first, queue.next + 1))
        self.changed[TOTAL_KEY] = _encode(Total(total.records + 1, size))

    def take(self, code: str) -> Iterator[StoredRecord]:
        """Yield the code's records in the order they came and remove them."""
        queue = self._queue(code)
        if queue is None:
            return
        self.changed[code.encode()] = None
        for number in range(queue.first, queue.next):
            yield self._remove(code, number)

    def replace(self, code: str, changed: Callable[[StoredRecord], StoredRecord | None]) -> int:
        """Keep some of the code's records otherwise, in their places; None: as it is. Return how many were changed."""
        queue = self._queue(code) or Queue(0, 0)
        replaced = 0
        for number in range(queue.first, queue.next):
            key = _record_key(code, number)
            record = changed(self._peek(code, number))
            if record is None:
                continue
            before, stored = len(self._get(key) or b""), _encode(record)
            self.changed[key] = stored
            self.bytes_changed += len(stored) + ROW_OVERHEAD_BYTES
            total = self._total()
            self.changed[TOTAL_KEY] = _encode(Total(total.records, total.bytes - before + len(stored)))
            replaced += 1
        return replaced

    def expire(self, *, now_ms: int, age_ms: int, records_max: int) -> Iterator[tuple[StoredRecord, WaitedTooLong]]:
        """Yield, and remove, at most `records_max` of the records that have waited longer than `age_ms`."""
        left = records_max
        for code in [key.decode() for key in self._rows if key and b"/" not in key]:
            queue = self._queue(code)
            first = 0 if queue is None else queue.first
            while queue is not None and left and first < queue.next:
                record = self._peek(code, first)
                if now_ms - record.arrived_ms <= age_ms:
                    self.oldest_ms = min(record.arrived_ms, self.oldest_ms or record.arrived_ms)
                    break
                self._remove(code, first)
                first += 1
                left -= 1
                self.changed[code.encode()] = _encode(Queue(first, queue.next)) if first < queue.next else None
                yield (
                    record,
                    WaitedTooLong(
                        f"code {code} was not issued within {_in_words(age_ms)} (REFERRALS_WAITING_AGE_S); "
                        "replay this record once the code is issued"
                    ),
                )
            if not left:
                return

    def _get(self, key: bytes) -> bytes | None:
        return self.changed[key] if key in self.changed else self._rows.get(key)

    def _queue(self, code: str) -> Queue | None:
        row = self._get(code.encode())
        return None if row is None else _decode_queue(row)

    def _peek(self, code: str, number: int) -> StoredRecord:
        row = self._get(_record_key(code, number))
        if row is None:
            raise LookupError(f"waiting record {number} of code {code} is missing: the rows contradict each other")
        return _decode_record(row)

    def _remove(self, code: str, number: int) -> StoredRecord:
        key = _record_key(code, number)
        record = self._peek(code, number)
        size = len(self._get(key) or b"")
        self.changed[key] = None
        total = self._total()
        self.changed[TOTAL_KEY] = _encode(Total(total.records - 1, total.bytes - size - ROW_OVERHEAD_BYTES))
        return record

    def _total(self) -> Total:
        row = self._get(TOTAL_KEY)
        return Total(0, 0) if row is None else _decode_total(row)


def waiting_records(rows: Mapping[bytes, bytes]) -> int:
    """Return how many records wait, by the rows of a partition's table."""
    row = rows.get(TOTAL_KEY)
    return 0 if row is None else _decode_total(row).records


def total_of(rows: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the row that says how much waits, of a table that has every other row; nothing where nothing waits."""
    sizes = [len(row) + ROW_OVERHEAD_BYTES for key, row in rows.items() if b"/" in key]
    return {TOTAL_KEY: _encode(Total(len(sizes), sum(sizes)))} if sizes else {}


def _record_key(code: str, number: int) -> bytes:
    return code.encode() + b"/" + number.to_bytes(4)


def _in_words(age_ms: int) -> str:
    """Return a bound as somebody would say it who has set it: `30 days`, `20 s`."""
    days, rest = divmod(age_ms, _DAY_MS)
    return f"{age_ms / 1000:,g} s" if rest else f"{days} day{'s' if days > 1 else ''}"
