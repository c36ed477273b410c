"""An epoch: what a source partition changed, wants sent and has read, committed together or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.engine.errors import TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.engine.batch import Changes, OutgoingRecord
    from streams.engine.standing import Standing


class Epoch:
    """The changes of one source partition since the epoch before was detached.

    Rows and published values are bytes, so a detached epoch cannot be changed by a later fold; a row that
    changed many times is written once.
    """

    __slots__ = ("bytes", "counted", "elsewhere", "is_whole", "latest", "offsets", "outgoing", "rows", "standing")

    def __init__(self) -> None:
        self.rows: dict[str, dict[bytes, bytes | None]] = {}
        self.latest: dict[str, dict[bytes, bytes]] = {}
        self.outgoing: list[OutgoingRecord] = []
        self.offsets: dict[str, int] = {}
        """Source topic -> the group's offset, where somebody decides about the partition who is no member: until its
        owner is back, it would say that all is read. A worker's own follow in no transaction."""
        self.standing: Standing | None = None
        """Where the rows stand after it; given when it is detached, if they or the positions have changed."""
        self.elsewhere: dict[int, tuple[dict[str, dict[bytes, bytes]], Standing]] = {}
        """Of other partitions that begin with it: their rows, and where these stand."""
        self.is_whole = True
        """Whether it publishes all that the rows say."""
        self.counted: dict[tuple[str, ...], int] = {}
        """What its changes count."""
        self.bytes = 0
        """What the epoch holds, about: for the bound on uncommitted work."""

    def __bool__(self) -> bool:
        return bool(self.rows or self.latest or self.outgoing)

    def leave(self, following: Epoch) -> None:
        """Leave what it would publish to the epoch that follows, which has nothing yet.

        But for what has the key of a record that it sends: who reads such a record finds what was published with it.
        """
        sent = dict.fromkeys(record.key for record in self.outgoing if record.key is not None)
        for topic, values in self.latest.items():
            self.latest[topic] = {key: values.pop(key) for key in sent if key in values}
            if values:
                following.latest[topic] = values
                size = sum(map(len, values.values()))
                following.bytes += size
                self.bytes -= size
                self.is_whole = False

    def add(self, changes: Changes, size: int) -> None:
        """Take in a fold's changes of so many bytes (`size_of`)."""
        for table, rows in changes.rows.items():
            self.rows.setdefault(table, {}).update(rows)
        for topic, values in changes.latest.items():
            self.latest.setdefault(topic, {}).update(values)
        self.outgoing.extend(changes.outgoing)
        for name, number in changes.counted.items():
            self.counted[name] = self.counted.get(name, 0) + number
        self.bytes += size


RECORD_BYTES_MAX: Final = 1_048_576
"""What every topic takes: less is refused at the start (process/topics.py)."""

OVERHEAD_BYTES: Final = 512
"""Of a batch of one record, and the engine's own headers."""


def size_of(changes: Changes, bytes_max: Mapping[str, int]) -> int:
    """Return what a fold's changes take, about, in bytes.

    Args:
        changes: of a fold.
        bytes_max: topic -> largest record, where it takes more than others.

    Raises:
        TooLarge: one of them alone is larger than its topic takes, uncompressed.

    """
    size = 0
    for table, rows in changes.rows.items():
        size += _sum(rows, f"a row of table {table}", RECORD_BYTES_MAX)
    for topic, values in changes.latest.items():
        size += _sum(values, f"a record for {topic}", bytes_max.get(topic, RECORD_BYTES_MAX))
    for record in changes.outgoing:
        parts = [record.key, record.value, *(each for name, value in record.headers for each in (name.encode(), value))]
        size += _bounded(parts, f"a record for {record.topic}", bytes_max.get(record.topic, RECORD_BYTES_MAX))
    return size


def _sum(records: Mapping[bytes, bytes | None], what: str, bytes_max: int) -> int:
    rows = list(map(len, filter(None, records.values())))
    largest_key = max(map(len, records), default=0)
    if largest_key + max(rows, default=0) + OVERHEAD_BYTES > bytes_max:  # perhaps not of the same record
        for key, row in records.items():
            _bounded((key, row), what, bytes_max)
    return sum(rows)


def _bounded(parts: Iterable[bytes | None], what: str, bytes_max: int) -> int:
    size = sum(map(len, filter(None, parts)))
    if size + OVERHEAD_BYTES > bytes_max:
        raise TooLarge(f"{what} has {size:,} bytes, its topic takes {bytes_max:,}")
    return size
