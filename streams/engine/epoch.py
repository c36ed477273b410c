"""An epoch: what a source partition changed, wants sent and has read, committed together or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.engine.batch import Changes, OutgoingRecord
    from streams.engine.standing import Standing


class Epoch:
    """The changes of one source partition since the epoch before was detached.

    Rows and published values are bytes, so a detached epoch cannot be changed by a later fold; a row that
    changed many times is written once.
    """

    __slots__ = ("bytes", "latest", "outgoing", "positions", "rows", "standing")

    def __init__(self) -> None:
        self.rows: dict[str, dict[bytes, bytes | None]] = {}
        self.latest: dict[str, dict[bytes, bytes]] = {}
        self.outgoing: list[OutgoingRecord] = []
        self.positions: dict[str, int] = {}
        """Source topic -> offset of the next record to be read."""
        self.standing: Standing | None = None
        """Where the rows stand after it; given when it is detached."""
        self.bytes = 0
        """What the epoch holds, about: for the bound on uncommitted work."""

    def __bool__(self) -> bool:
        return bool(self.positions or self.rows or self.latest or self.outgoing)

    def add(self, changes: Changes) -> int:
        """Take in a fold's changes and return their size in bytes."""
        size = 0
        for table, rows in changes.rows.items():
            self.rows.setdefault(table, {}).update(rows)
            size += sum(map(len, filter(None, rows.values())))
        for topic, values in changes.latest.items():
            self.latest.setdefault(topic, {}).update(values)
            size += sum(map(len, values.values()))
        for record in changes.outgoing:
            self.outgoing.append(record)
            size += len(record.value or b"")
        self.bytes += size
        return size
