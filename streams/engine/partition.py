"""A source partition owned by this worker: its rows, the position they stand at, its open epoch, its producer.

The rows and the producer belong together: rows loaded under one producer are never given another, because
between the two somebody else may have owned the partition.

Batches are folded into the open work. When it ends, at the latest with `detach`, rows and epoch change together. So
whatever goes wrong before, they are as they were when it began, and `rewind` throws it away: its records are read
again, and until they are passed each batch is a work of its own, so that the record that is at fault is found.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from streams.engine.batch import change_rows
from streams.engine.epoch import Epoch, size_of
from streams.engine.errors import OutOfOrder
from streams.engine.producer import TransactionalProducer
from streams.engine.standing import Stand, Standing

if TYPE_CHECKING:
    from streams.engine.batch import Changes, RecordBatch, Rows, Work
    from streams.engine.options import EngineOptions
    from streams.engine.standing import Found


class SourcePartition:
    """State of one source partition number, across all joined topics."""

    first_end = 0
    """Where the topic that is read first ended when the partition was taken over."""
    is_ending = False
    """Whether the rows of the open work are being made, a few at a time."""
    committing_since_s: float | None = None
    """Since when the oldest change of the epoch in flight waits for its commit, monotonic; None: none is."""
    opened_s: float | None = None
    """The same of the open epoch."""

    _published_s = float("-inf")
    """When an epoch was detached last that left nothing out, or the partition was taken over; monotonic."""
    written: Standing | None = None
    """Where the rows stand that are committed."""

    def __init__(self, options: EngineOptions, number: int) -> None:
        self.number = number
        self.producer = TransactionalProducer(options, number)
        self.rows: Rows = {}
        self.positions: dict[str, int] = {}
        """Source topic -> offset of the next record to be folded."""
        self.topic_ids: dict[str, str] = {}
        """Source topic -> the broker's identity of it, as it was taken over."""
        self.seals: dict[str, int] = {}
        """Table -> number of the last epoch that changed it."""
        self.before: dict[str, int] = {}
        """Source topic -> position up to which a state before this one had read it."""
        self.since: dict[str, int] = {}
        """Source topic -> offset from which on its rows have taken it in."""
        self._options = options
        self._again = [(options.again_header, b"1")]
        self.epoch = Epoch()
        self.work: Work | None = None
        """What is folded and not in the epoch yet."""
        self.later: list[RecordBatch] = []
        """Batches that came meanwhile."""
        self._stands_at: dict[str, int] = {}
        """The positions that rows and epoch stand at; those of the work are ahead of them."""
        self._detached_at: dict[str, int] = {}
        """The positions that the last standing says, with what is in flight."""
        self.followed: dict[str, int] = {}
        """The group's offsets, as they were asked for or committed last."""
        self._published_at: dict[str, int] = {}
        """Where the rows stood with the last committed epoch that left nothing out."""
        self._unread: set[str] = set()
        """Source topics of which much followed when it was taken over, until the first batch of any of them."""
        self._behind_until: dict[str, float] = {}
        """Source topic of which much follows -> monotonic time until which that is taken for true."""
        self._careful_to: dict[str, int] = {}
        """Source topic -> position up to which each batch is a work of its own, after a rewind."""
        self._chains: dict[str, int] = {}
        """Source topic -> chain of the batch that came last."""
        self._stale: dict[str, int] = {}
        """Source topic -> chain of batches that were fetched before a rewind."""
        self.committing_bytes = 0
        """What the epoch in flight holds."""
        self.epochs = 0
        """Number of the last epoch that was detached."""
        self.detached = 0
        """How many were detached by this owner."""
        self.committing: asyncio.Task[None] | None = None
        self.urgent = asyncio.Event()
        """Set when the open epoch has something that should not wait for the calm."""
        self.ripe = asyncio.Event()
        """Set when the open epoch should not grow further, though more records follow."""

    def take_over(self, rows: Rows, positions: dict[str, int], found: Found) -> None:
        """Begin with the rows as loaded, at the positions that `judge` made of what was found.

        All of it was asked for after the producer had started.
        """
        self.rows = rows
        self._published_s = time.monotonic()  # as far as it must be: what is owed follows as soon as after an epoch
        self.written = found.standing
        self._published_at = dict(positions)
        self.positions = dict(positions)
        self._stands_at = dict(positions)
        self._detached_at = {} if found.standing is None else dict(positions)
        self.followed = dict(found.committed)
        self.topic_ids = {topic: log.topic_id for topic, log in found.sources.items()}
        self.first_end = found.sources[self._options.read_first].end
        self._unread = {
            topic
            for topic, log in found.sources.items()
            if topic != self._options.read_first and log.end - positions[topic] > self._options.behind_records
        }
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

    @property
    def size(self) -> int:
        """Bytes of what is folded and not committed, about."""
        return self.epoch.bytes + self.committing_bytes + (0 if self.work is None else self.work.size)

    def note_pending(self) -> None:
        """Note that something waits for a commit from now on, if nothing did."""
        if self.opened_s is None:
            self.opened_s = time.monotonic()

    def note_written(self, epoch: Epoch) -> None:
        """Note that an epoch is committed, from the thread that has done it."""
        self.written = epoch.standing or self.written
        if epoch.is_whole and self.written is not None:
            self._published_at = self.written.positions

    def note_committed(self) -> None:
        """Note that the epoch in flight is committed."""
        self.committing_bytes = 0
        self.committing_since_s = None

    def age_s(self, now_s: float) -> float:
        """Return how long the oldest change has waited for its commit; 0 where none does. From any thread."""
        since_s = self.committing_since_s or self.opened_s
        return 0.0 if since_s is None else max(0.0, now_s - since_s)

    @property
    def is_pending(self) -> bool:
        """Tell whether there is something to commit."""
        if self.work is not None or self.epoch:
            return True
        return self.positions != self._detached_at

    @property
    def ahead(self) -> dict[str, int]:
        """Up to where everything is committed, what the rows publish too; where the group's offsets are elsewhere."""
        return {topic: at for topic, at in self._published_at.items() if at != self.followed.get(topic)}

    @property
    def is_behind(self) -> bool:
        """Tell whether many more records follow, as the last batches told.

        That expires: the rest of a topic may be markers, of which no batch comes, or it may be held.
        """
        now = time.monotonic()
        return any(until > now for until in self._behind_until.values())

    @property
    def is_careful(self) -> bool:
        """Tell whether each batch must be a work of its own: something failed here before, or is sent again."""
        return bool(self.before or self._careful_to)

    def is_stale(self, batch: RecordBatch) -> bool:
        """Tell whether a batch was fetched before a rewind: it comes once more, behind what comes before it."""
        self._chains[batch.topic] = batch.chain
        return self._stale.get(batch.topic) == batch.chain

    def fold(self, batch: RecordBatch) -> None:
        """Fold a batch into the open work, and move the position.

        Raises:
            Exception: whatever the fold raises; `rewind` is to follow.

        """
        if self.work is None:
            self.work = self._options.begin_work(self.rows, self.number)
        work = self.work
        work.fold(batch, now_ms=self._options.now_ms())
        self.positions[batch.topic] = batch.covers_to
        until_s = time.monotonic() + self._options.behind_s
        if self._unread and batch.topic != self._options.read_first:  # a fetch brings few topics: the rest take a while
            self._behind_until |= dict.fromkeys(self._unread, until_s)
            self._unread.clear()
        was_behind = batch.topic in self._behind_until
        if batch.behind > (self._options.caught_up_records if was_behind else self._options.behind_records):
            self._behind_until[batch.topic] = until_s
        else:
            self._behind_until.pop(batch.topic, None)
        if work.is_urgent:
            self.urgent.set()
        is_full = work.touched > self._options.epoch_rows_max or work.size > self._options.epoch_bytes_max
        if is_full or not self.is_behind:
            self.ripe.set()

    def cover(self, topic: str, covers_to: int) -> None:
        """Move a position over what is no record."""
        if self.positions[topic] == self._stands_at[topic]:  # nothing folded lies between
            self._stands_at[topic] = covers_to
        self._move(topic, covers_to)

    def fold_alone(self, batch: RecordBatch) -> None:
        """Fold a batch in a work of its own, whose changes are noted at once.

        Raises:
            Exception: whatever the fold raises, or TooLarge; nothing has changed.

        """
        work = self._options.begin_work(self.rows, self.number)
        work.fold(batch, now_ms=self._options.now_ms())
        self.note(work.changes(), topic=batch.topic, next_offset=batch.covers_to)

    def prepare_end(self) -> None:
        """Make some of the rows with which the open work ends; no batch may be folded until it has (`is_ending`).

        Raises:
            Exception: as `end_work`.

        """
        self.is_ending = self.work is not None and self.work.encode(self._options.rows_at_once)

    def end_work(self) -> None:
        """End the open work, if there is one: what has come of it changes the rows, and is in the epoch.

        Raises:
            Exception: whatever the fold raises, or TooLarge; nothing has changed, and `rewind` is to follow.

        """
        if self.work is not None:
            self.note(self.work.changes())
            self.work = None
        self.is_ending = False

    def note(self, changes: Changes, *, topic: str | None = None, next_offset: int = 0) -> None:
        """Let changes change the rows and be part of the open epoch, and move a position.

        Raises:
            TooLarge: they can never be committed; nothing has changed.

        """
        size = size_of(changes, self._options.record_bytes_max)
        change_rows(self.rows, changes)
        self.epoch.add(changes, size)
        if changes.outgoing:
            self.urgent.set()
        if topic is not None:
            if self.before:
                self._read_again(changes, topic, next_offset)
            self._move(topic, next_offset)
        self._stands_at = dict(self.positions)

    def _move(self, topic: str, next_offset: int) -> None:
        """Move a position; what is behind it needs no care any more."""
        self.positions[topic] = next_offset
        if next_offset >= self._careful_to.get(topic, next_offset):
            self._careful_to.pop(topic, None)

    def rewind(self, failed: RecordBatch | None = None) -> dict[str, int]:
        """Throw the open work away, and a batch that failed; return from where each topic must be read again."""
        ahead = dict(self.positions)
        if failed is not None:
            ahead[failed.topic] = failed.covers_to
        again = {topic: at for topic, at in self._stands_at.items() if ahead[topic] != at}
        self.work = None
        self.is_ending = False
        self.positions = dict(self._stands_at)
        self._careful_to = {topic: ahead[topic] for topic in again}
        self._stale.update({topic: self._chains[topic] for topic in again})  # it was folded, so it has one
        return again

    def _read_again(self, changes: Changes, topic: str, next_offset: int) -> None:
        """Say of what is sent that it was sent before; in the batch in which the new begins, of some that was not."""
        if self.positions[topic] < self.before.get(topic, 0):
            for record in changes.outgoing:
                record.headers.extend(self._again)
        if next_offset >= self.before.get(topic, 0):
            self.before.pop(topic, None)

    def detach(self, *, whole: bool = True) -> Epoch:
        """Return the open epoch, to be committed with where the rows stand after it, and begin the next.

        Args:
            whole: whether what nobody waits for must be in it too, though it is urgent or the partition behind: what it
                publishes.

        Raises:
            Exception: as `end_work`.

        """
        self.end_work()
        now_s = time.monotonic()
        whole = whole or self._must_publish(now_s)
        self.urgent.clear()
        self.ripe.clear()
        epoch, self.epoch = self.epoch, Epoch()
        self.committing_since_s, self.opened_s = self.opened_s, None
        if whole:
            self._published_s = now_s
        else:
            epoch.leave(self.epoch)
            self.opened_s = now_s
        self.committing_bytes = epoch.bytes
        self.detached += 1
        if epoch.rows or self.positions != self._detached_at:
            self.epochs += 1
            self.seals.update(dict.fromkeys(epoch.rows, self.epochs))
            epoch.standing = self._standing()
        self._detached_at = dict(self.positions)
        return epoch

    def _must_publish(self, now_s: float) -> bool:
        """Tell whether the epoch must have what nobody waits for, too."""
        passed_s = now_s - self._published_s
        if self.is_behind:
            return passed_s >= self._options.follow_behind_s
        return not self.urgent.is_set() or passed_s >= self._options.follow_s

    def _standing(self) -> Standing:
        return Standing(
            self.epochs,
            {topic: Stand(at, self.topic_ids.get(topic, "")) for topic, at in self.positions.items()},
            dict(self.seals),
            before=dict(self.before),
            since=dict(self.since),
            owes=bool(self.epoch.latest),
            partitions=self._options.partitions,
        )
