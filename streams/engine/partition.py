"""A source partition owned by this worker: its rows, the position they stand at, its open epoch, its producer.

The rows and the producer belong together: rows loaded under one producer are never given another, because
between the two somebody else may have owned the partition.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from streams.engine.epoch import Epoch, size_of
from streams.engine.errors import OutOfOrder
from streams.engine.producer import TransactionalProducer
from streams.engine.standing import Stand, Standing

if TYPE_CHECKING:
    from streams.engine.batch import Changes, RecordBatch, Rows
    from streams.engine.options import EngineOptions
    from streams.engine.standing import Found


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
        self.topic_ids: dict[str, str] = {}
        """Source topic -> the broker's identity of it, as it was taken over."""
        self.seals: dict[str, int] = {}
        """Table -> number of the last epoch that changed it."""
        self.before: dict[str, int] = {}
        """Source topic -> position up to which a state before this one had read it."""
        self.since: dict[str, int] = {}
        """Source topic -> offset from which on its rows have taken it in."""
        self._bytes_max = options.record_bytes_max
        self._again = [(options.again_header, b"1")]
        self.epoch = Epoch()
        self.epochs = 0
        """Number of the last epoch that was detached."""
        self.detached = 0
        """How many were detached by this owner."""
        self.committing: asyncio.Task[None] | None = None
        self.urgent = asyncio.Event()
        """Set when the open epoch has something that should not wait for the calm."""

    def take_over(self, rows: Rows, positions: dict[str, int], found: Found) -> None:
        """Begin with the rows as loaded, at the positions that `judge` made of what was found.

        All of it was asked for after the producer had started.
        """
        self.rows = rows
        self.positions = dict(positions)
        self.committed = dict(found.committed)
        self.topic_ids = {topic: log.topic_id for topic, log in found.sources.items()}
        if found.standing is not None:
            self.seals = dict(found.standing.seals)
            self.epochs = found.standing.epoch
            self.before = dict(found.standing.before)
            self.since = dict(found.standing.since)
        elif found.begins:
            self.since = dict(positions)

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
        """Make the changes visible to the next fold and part of the open epoch; return their size in bytes.

        Raises:
            TooLarge: they can never be committed; nothing has changed.

        """
        size = size_of(changes, self._bytes_max)
        rows = self.rows
        for table, changed in changes.rows.items():
            target = rows[table]
            for key, row in changed.items():
                if row is None:
                    target.pop(key, None)
                else:
                    target[key] = row
        self.epoch.add(changes, size)
        if changes.outgoing:
            self.urgent.set()
        if topic is not None and self.before:
            self._read_again(changes, topic, next_offset)
        if topic is not None:
            self.epoch.positions[topic] = self.positions[topic] = next_offset
        return size

    def _read_again(self, changes: Changes, topic: str, next_offset: int) -> None:
        """Say of what is sent that it was sent before; in the batch in which the new begins, of some that was not."""
        if self.positions[topic] < self.before.get(topic, 0):
            for record in changes.outgoing:
                record.headers.extend(self._again)
        if next_offset >= self.before.get(topic, 0):
            self.before.pop(topic, None)

    def detach(self) -> Epoch:
        """Return the open epoch, to be committed with where the rows stand after it, and begin the next."""
        self.urgent.clear()
        epoch, self.epoch = self.epoch, Epoch()
        self.detached += 1
        if epoch.rows or epoch.positions:
            self.epochs += 1
            self.seals.update(dict.fromkeys(epoch.rows, self.epochs))
            sources = {topic: Stand(at, self.topic_ids.get(topic, "")) for topic, at in self.positions.items()}
            epoch.standing = Standing(
                self.epochs, sources, dict(self.seals), before=dict(self.before), since=dict(self.since)
            )
        return epoch
