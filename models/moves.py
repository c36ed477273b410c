"""Records that were moved here from a wrong partition: each counts once, however often it is moved.

A worker moves the records of a partition in their order, so of each origin the offset of the last one that came is
enough to know the others. One that comes again, because somebody had the origin counted anew, is a duplicate.

Rows of the table `moves`: `topic/partition` of the origin -> offset of the last record that came from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from models.outgoing import AGAIN, MOVED_FROM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from models.records import Record

_DEAD_LETTER: Final = "__connect.errors.topic"

DIGITS_MAX: Final = 19
"""Of an offset: the largest is 2**63 - 1."""


def origin_of(record: Record) -> tuple[bytes, int] | None:
    """Return where a record was moved from, `topic/partition` and offset; None for one that was not moved.

    One that was a dead letter meanwhile and is sent again has its headers still, and is a record of its own: only what
    was added behind them says that it was moved since.
    """
    moves = [value for name, value in _added_since(record) if name == MOVED_FROM]
    origin = moves[-1] if moves else None
    place, _, offset = (origin or b"").rpartition(b"/")
    topic, _, partition = place.rpartition(b"/")
    if topic != record.topic.encode() or not (_is_number(partition) and _is_number(offset)):
        return None  # no worker wrote that
    return place, int(offset)


def is_moved_again(record: Record) -> bool:
    """Tell whether a copy says that it was moved before, as after a rebuild; the first copy stands before it."""
    if not record.headers:  # nearly always
        return False
    names = {name for name, _ in _added_since(record)}
    return AGAIN in names and MOVED_FROM in names


def _added_since(record: Record) -> Sequence[tuple[str, bytes | None]]:
    """Return the headers that were added since the record was a dead letter last; all of one that never was."""
    ended = [place for place, (name, _) in enumerate(record.headers, start=1) if name == _DEAD_LETTER]
    return record.headers[ended[-1] :] if ended else record.headers


def _is_number(digits: bytes) -> bool:
    return digits.isdigit() and len(digits) <= DIGITS_MAX


def forgotten(rows: Mapping[bytes, bytes], topic: str) -> dict[bytes, bytes | None]:
    """Return the rows that go when a topic was made anew: its offsets begin again."""
    return {place: None for place in rows if place.rpartition(b"/")[0] == topic.encode()}


class Arrivals:
    """The rows of moves as one step of the stream sees and changes them; `changed` collects those written."""

    def __init__(self, rows: Mapping[bytes, bytes]) -> None:
        self._rows = rows
        self.changed: dict[bytes, bytes | None] = {}

    def is_new(self, origin: tuple[bytes, int]) -> bool:
        """Note a record that was moved here, and tell whether it comes for the first time."""
        place, offset = origin
        last = self.changed.get(place) or self._rows.get(place)
        if last is not None and offset <= int(last):
            return False
        self.changed[place] = b"%d" % offset
        return True
