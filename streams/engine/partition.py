"""A source partition owned by this worker: its rows, the position they stand at, its open epoch, its producer.

The rows and the producer belong together: rows loaded under one producer are never given another, because
between the two somebody else may have owned the partition.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from streams.engine.epoch import Epoch
from streams.engine.errors import OutOfOrder
from streams.engine.producer import TransactionalProducer

if TYPE_CHECKING:
    from streams.engine.batch import Changes, RecordBatch, Rows
    from streams.engine.options import EngineOptions


class SourcePartition:
    """State of one source partition number, across all joined topics."""

    def __init__(self, options: EngineOptions, number: int) -> None:
        self.number = number
        self.producer = TransactionalProducer(options, number)
        self.rows: Rows = {}
        self.positions: dict[str, int] = {}
        """Source topic -> offset of the next record to be folded."""
        self.committed: dict[str, int] = {}
        """The same as of the last commit; absent where nothing is committed yet."""
        self.epoch = Epoch()
        self.committing: asyncio.Task[None] | None = None
        self.urgent = asyncio.Event()
        """Set when the open epoch has something that should not wait for the calm."""

    def take_over(self, rows: Rows, committed: dict[str, int], first: dict[str, int]) -> None:
        """Begin with the rows as loaded and the positions as committed, both asked for after the producer started.

        Where nothing is committed, or retention has removed what follows, `first` is the first offset there is.
        """
        self.rows = rows
        self.committed = committed
        self.positions = {topic: max(offset, committed.get(topic, 0)) for topic, offset in first.items()}

    def admit(self, batch: RecordBatch) -> None:
        """Refuse a batch that does not follow what was folded before.

        Raises:
            OutOfOrder: it begins earlier, so records would count twice; or records before it were fetched and
                lost on the way, so they would not count at all.

        """
        expected = self.positions[batch.topic]
        where = f"{batch.topic} partition {self.number}"
        if batch.first_offset < expected:
            raise OutOfOrder(f"{where}: a batch begins at offset {batch.first_offset}, expected {expected} or later")
        if batch.covers_from > expected:
            raise OutOfOrder(f"{where}: records between {expected} and {batch.covers_from} were fetched and lost")

    def note(self, changes: Changes, *, topic: str | None = None, next_offset: int = 0) -> int:
        """Make the changes visible to the next fold and part of the open epoch; return their size in bytes."""
        rows = self.rows
        for table, changed in changes.rows.items():
            target = rows[table]
            for key, row in changed.items():
                if row is None:
                    target.pop(key, None)
                else:
                    target[key] = row
        size = self.epoch.add(changes)
        if changes.outgoing:
            self.urgent.set()
        if topic is not None:
            self.epoch.positions[topic] = self.positions[topic] = next_offset
        return size

    def detach(self) -> Epoch:
        """Return the open epoch, to be committed, and begin the next."""
        self.urgent.clear()
        epoch, self.epoch = self.epoch, Epoch()
        return epoch
