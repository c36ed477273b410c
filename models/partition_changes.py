"""Changes of the number of partitions: what lies where because it came under another number.

A record that was counted before a change stays where it is; its code may belong elsewhere since. So where a code
belonged is asked of a record, not of today's number of partitions: of each source topic's partition a change says up to
which offset it was read under the number before it. What comes from there on belongs by the number after it, and is
moved where somebody has put it otherwise.

The number only grows, to a multiple: what was in one partition is then in it and in certain new ones, and of two former
partitions nothing ever meets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct, json

from models.partitioning import partition_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class PartitionChange(Struct, frozen=True, kw_only=True):
    """One change, as it is kept in its own topic (models/topics.py)."""

    number: int
    """1 is an installation's first."""
    former: int
    """Partitions of each source topic before it."""
    partitions: int
    """The same after it."""
    read_to: dict[str, list[int]]
    """Source topic (its full name) -> of each former partition the offset up to which it was counted before it."""
    is_done: bool = False
    """Whether it is over; until then no worker starts."""

    @property
    def key(self) -> bytes:
        """The key of its record."""
        return b"%d" % self.number


encode_change: Final = json.Encoder().encode
decode_change: Final = json.Decoder(PartitionChange).decode


def latest_changes(values: Iterable[bytes]) -> list[PartitionChange]:
    """Return the changes that records say, the first one first; of one that is said several times the last stands."""
    by_number = {change.number: change for change in map(decode_change, values)}
    return [by_number[number] for number in sorted(by_number)]


class Homes:
    """Where codes belong, and belonged when a record came."""

    def __init__(self, changes: Sequence[PartitionChange], partitions: int) -> None:
        """Take the changes that are done, the first one first, and how many partitions there are now."""
        self._changes = changes
        self.partitions = partitions

    @property
    def numbers(self) -> list[int]:
        """How many partitions there have been, the first number first."""
        return [*(change.former for change in self._changes), self.partitions]

    def order(self, topic: str, partition: int, offset: int) -> tuple[int, int]:
        """Return what orders the records of a code that lay where it belonged: how many changes came before, offset."""
        for number, change in enumerate(self._changes):
            read_to = change.read_to.get(topic, ())
            if partition < len(read_to) and offset < read_to[partition]:
                return number, offset
        return len(self._changes), offset

    def partitions_at(self, topic: str, partition: int, offset: int) -> int:
        """Return the number of partitions under which a record was read, or will be."""
        number, _ = self.order(topic, partition, offset)
        return self.numbers[number]

    def is_at_home(self, topic: str, partition: int, offset: int, code: str) -> bool:
        """Tell whether a record lies where its code belonged when it was read; if not, a copy of it counts."""
        return partition_of(code.encode(), self.partitions_at(topic, partition, offset)) == partition

    def of(self, code: str) -> list[int]:
        """Return the partitions where a code belongs and has belonged, the first one first."""
        return list(dict.fromkeys(partition_of(code.encode(), number) for number in self.numbers))
