"""Ownership of source partitions, folding, committing, back-pressure, and leaving.

The order that makes it exact (see DESIGN.md, the commit protocol):

    assign   partitions that another worker may have owned meanwhile are dropped
    prepare  a producer starts for each new partition: the former owner is fenced, its open transaction ends;
             then the group's offsets are asked for, and the changelogs are read to their end. What they hold says
             where the rows stand, or the partition is refused (standing.py)
    resume   unless partitions are given away again: the sources are sought to where the rows stand, records flow
    apply    a batch is folded: rows, epoch and position change in one step, without an await between
    commit   the open work ends, in turns if it is large, so that nobody waits long; the epoch is detached, written and
             committed by a thread, while the next one grows
    follow   each second the group's offsets are set to where the committed rows stand, outside any transaction
    settle   before partitions are given away, everything folded is committed, and the offsets follow

Everything here runs on the event loop except what is handed to threads: the producers and the loading.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Final

import structlog
from confluent_kafka import KafkaException
from faust.types import TP

from process.faults import named, where
from process.leaders import passes
from streams.engine.changelog import last_standings
from streams.engine.cluster import Cluster
from streams.engine.committing import commit
from streams.engine.counters import Counters, Taken
from streams.engine.errors import EngineError, StateDecided, TooLarge
from streams.engine.idle import IdlePartitions
from streams.engine.isolation import Isolation
from streams.engine.rights import explained
from streams.engine.takeover import Refusals, in_thread, take_over

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from streams.engine.batch import Changes, RecordBatch, Rows
    from streams.engine.epoch import Epoch
    from streams.engine.options import EngineOptions
    from streams.engine.partition import SourcePartition

GC_THRESHOLDS: Final = (1_000_000, 20, 100)
"""Each fetched record is two objects that the collector tracks: with Python's own thresholds (700, 10, 10) it walks
those of a backlog again and again. What it is for, cycles, are made here by exceptions and assignments alone."""

log = structlog.get_logger("engine")


class Phase(Enum):
    """Where this worker is in the life of an assignment."""

    JOINING = "joining"
    """It has none yet, or gives the last one away."""
    TAKING_OVER = "taking over"
    RUNNING = "running"
    LEAVING = "leaving"


def tell_nobody() -> None:
    """Leave without a word to the group."""


async def follow_nobody(positions: Mapping[TP, int]) -> bool:
    """Commit no offsets: there is no group."""
    del positions
    return False


def seek_nothing(positions: Mapping[TP, int]) -> None:
    """Read nothing again."""
    del positions


class Engine:
    """The partitions that this worker owns and what happens to them."""

    def __init__(
        self,
        options: EngineOptions,
        *,
        depart: Callable[[], None] = tell_nobody,
        seek: Callable[[Mapping[TP, int]], None] = seek_nothing,
        follow: Callable[[Mapping[TP, int]], Awaitable[bool]] = follow_nobody,
    ) -> None:
        """Make an engine without partitions.

        Args:
            options: the application's wiring.
            depart: tells the group that this worker leaves.
            seek: lets source partitions be fetched again from these offsets on.
            follow: commits the group's offsets; False if they are as they were.

        """
        self.options = options
        self._seek = seek
        self._follow = follow
        self.phase = Phase.JOINING
        self.does: str | None = None
        """What keeps the event loop busy now, in words; for the watchdog."""
        self.partitions: dict[int, SourcePartition] = {}
        self.counters = Counters()
        self.cluster = Cluster(options)
        self.refusals = Refusals(options, self.cluster)
        self._idle = IdlePartitions()
        self._generation = -1
        self._assigned: set[int] = set()
        self._depart = depart
        self._left = threading.Lock()
        """Taken by the first who leaves, and never given back."""
        self._room = asyncio.Event()
        self._hurry = asyncio.Event()
        self._commit_threads = ThreadPoolExecutor(options.commit_threads, thread_name_prefix="commit")
        self._closing = ThreadPoolExecutor(1, thread_name_prefix="close")
        self._isolation = Isolation(self._set_aside)

    # -- ownership --------------------------------------------------------------------------------------------

    def assign(self, numbers: set[int], generation: int) -> None:
        """Take note of the source partitions that are this worker's from now on; `prepare` does the work.

        A partition stays only if this worker was a member of the generation before too: otherwise another
        one may have owned it meanwhile. aiokafka sends no heartbeat until this has returned.
        """
        self.counters.rebalances += 1
        missed = generation != self._generation + 1
        self._generation = generation
        self._assigned = numbers
        if self.phase is not Phase.LEAVING:
            self.phase = Phase.TAKING_OVER
        for number in [number for number in self.partitions if missed or number not in numbers]:
            self._drop(number)

    async def prepare(self, generation: int) -> bool:
        """Take the assigned partitions over; False if another assignment came meanwhile.

        Partitions that stay keep their rows if the group's offsets are where these stand, which `settle` has seen to.
        """
        await in_thread(self.cluster.check_topics)
        await in_thread(self.cluster.check_changelogs)
        kept = set(self.partitions)
        committed, _ = await in_thread(self.cluster.committed, kept)
        if generation != self._generation:
            return False
        for number in [number for number in kept if self.partitions[number].positions != committed[number]]:
            self._drop(number)  # its rows do not stand at the position it would go on from
        new = sorted(self._assigned - self.partitions.keys())
        taken = await take_over(self.options, self.cluster, new, is_current=lambda: generation == self._generation)
        if taken is None:
            return False
        self.partitions.update({partition.number: partition for partition in taken.partitions})
        self.refusals.note(taken.refused, taken.refused_at)
        if new:
            gc.collect()
            gc.freeze()  # rows live long; the collector need not walk them
            gc.set_threshold(*GC_THRESHOLDS)
        log.info(
            "partitions_ready",
            generation=generation,
            kept=sorted(self.partitions.keys() - set(new)),
            new=sorted(self.partitions.keys() & set(new)),
            refused=sorted(taken.refused),
            rows=taken.rows,
            fencing_s=taken.fencing_s,
            loading_s=taken.loading_s,
        )
        return generation == self._generation

    async def look_after_decisions(self) -> None:
        """Start afresh when somebody has decided about a partition that was refused, or that has nothing to commit.

        A cluster that does not answer now, because a leader changes for example, is asked the next time: a worker that
        has nothing to commit has nothing to begin anew.
        """
        if not self.is_accepting:
            return
        generation = self._generation
        try:
            decided = await self.refusals.decided()
            ends = await in_thread(self.cluster.ends_of_standings, self._idle.find(self.partitions))
            standings = await in_thread(last_standings, self.options, self._idle.unseen(ends))
        except (KafkaException, TimeoutError) as error:
            if not passes(error):
                raise
            log.info("decisions_not_looked_at", reason=str(error) or type(error).__name__)
            return
        if (
            self.is_accepting
            and generation == self._generation
            and (decided := decided + self._idle.grown(ends, standings, self.partitions))
        ):
            self.leave(StateDecided(f"somebody decided about partitions {decided}"))

    def resume(self, generation: int) -> bool:
        """Accept batches again; False if the partitions that were prepared are given away or others meanwhile."""
        if self.phase is not Phase.TAKING_OVER or generation != self._generation:
            return False
        self._hurry.clear()
        self.phase = Phase.RUNNING
        return True

    async def settle(self) -> None:
        """Refuse further batches and commit all that is folded; before partitions are given away, and at the end."""
        if self.phase is not Phase.LEAVING:
            self.phase = Phase.JOINING
        self.options.fault_point("engine.settling")
        self._hurry.set()
        for partition in self.partitions.values():
            partition.urgent.set()
            partition.ripe.set()
        self._room.set()
        while self.phase is not Phase.LEAVING:
            committing = [self._commit_soon(p) for p in self.partitions.values() if p.is_pending or p.committing]
            if not committing:
                await self.follow()
                return
            await asyncio.wait(committing)  # not cancelled with who waits: a commit begun is ended

    async def follow(self) -> None:
        """Let the group's offsets follow the rows that are committed.

        Tools that show lag read them, and they tell a state that was lost from one that begins. Where to go on the rows
        say themselves; so no transaction waits for the offsets, nor for who keeps them.
        """
        ahead = [(partition, partition.ahead) for partition in self.partitions.values()]
        offsets = {TP(topic, each.number): at for each, positions in ahead for topic, at in positions.items()}
        self.options.fault_point("engine.following")
        if offsets and await self._follow(offsets):
            for partition, positions in ahead:
                partition.followed |= positions

    def _drop(self, number: int) -> None:
        self._close(self.partitions.pop(number))

    def _close(self, partition: SourcePartition) -> None:
        close = partition.producer.close  # joins librdkafka's threads: not on the event loop
        asyncio.get_running_loop().run_in_executor(self._closing, close)

    # -- folding ----------------------------------------------------------------------------------------------

    async def apply(self, batch: RecordBatch) -> None:
        """Fold the batch into its partition, and see to it that it is committed.

        Waits while too much is uncommitted. A batch of an assignment that has ended is dropped: whoever owns
        the partition now reads it again from where its rows stand. A record at which the fold fails is set aside
        (isolation.py); any other error makes this worker leave, and nothing is raised: Faust would crash the app in its
        own way.
        """
        while not self.has_room and self.is_accepting:
            for each in self.partitions.values():
                each.ripe.set()
            self._room.clear()
            await self._room.wait()
        self._take(batch)

    def _take(self, batch: RecordBatch) -> None:
        partition = self.partitions.get(batch.partition)
        if not self.is_accepting or partition is None or batch.generation != self._generation:
            self.counters.take(batch, Taken.NOT_OURS)
            return
        if partition.is_ending or partition.later:
            partition.later.append(batch)
            return
        if partition.is_stale(batch):
            self.counters.take(batch, Taken.READ_AGAIN)
            return
        self.does = f"folding {batch.topic} partition {batch.partition} from offset {batch.first_offset}"
        try:
            partition.admit(batch)
            if partition.is_careful:
                self._isolation.take(batch, lambda part: self._fold_alone(partition, part))
            else:
                is_folded = self._try(partition, lambda: partition.fold(batch), batch)
                self.counters.take(batch, Taken.FOLDED if is_folded else Taken.READ_AGAIN)
        except Exception as error:  # noqa: BLE001 - whatever it is, going on would lose the batch
            self.leave(error)
            return
        finally:
            self.does = None
        if partition.is_pending:
            self._commit_soon(partition)

    def _fold_alone(self, partition: SourcePartition, part: RecordBatch) -> None:
        partition.fold_alone(part)
        self.counters.take(part, Taken.FOLDED)

    def _try(self, partition: SourcePartition, step: Callable[[], None], failed: RecordBatch | None = None) -> bool:
        """Take a step of the partition's open work; False if it fails, and what the work has folded is read again."""
        try:
            step()
        except MemoryError:  # no record's fault
            raise
        except Exception as error:  # noqa: BLE001 - some record's, or ours; the partition must not stop for it
            self._read_again(partition, error, failed)
            return False
        return True

    def _read_again(self, partition: SourcePartition, error: Exception, failed: RecordBatch | None = None) -> None:
        """Throw away what was folded since the rows last changed, and read it again, carefully."""
        again = partition.rewind(failed)
        log.warning("work_failed", partition=partition.number, again=again, reason=named(error), where=where(error))
        self._seek({TP(topic, partition.number): offset for topic, offset in again.items()})

    def _set_aside(self, part: RecordBatch, error: Exception) -> None:
        """Pass one record, and send what the application wants of it."""
        if self.options.set_aside is None:
            raise error
        partition = self.partitions[part.partition]
        record = part.record(0)
        for kept in (record, replace(record, key=None, value=None, headers=())):
            changes = self.options.set_aside(kept, error)
            try:
                partition.note(changes, topic=part.topic, next_offset=part.covers_to)
            except TooLarge:  # then its coordinates must do
                continue
            self.counters.take(part, Taken.SET_ASIDE)
            return
        raise error

    def cover(self, topic: str, number: int, covers_from: int, covers_to: int) -> None:
        """Move a partition's position over what is no record: transaction markers, and aborted records.

        Else it would stay before a marker that ends the log, and count as unread when retention removes it.
        """
        partition = self.partitions.get(number)
        if self.is_accepting and partition is not None and partition.positions.get(topic) == covers_from < covers_to:
            partition.cover(topic, covers_to)
            self._commit_soon(partition)

    async def revise(self, step: Callable[[Rows, int], Changes]) -> None:
        """Let a step that no record caused change each partition's rows: `step(rows, partition number)`."""
        try:
            for partition in list(self.partitions.values()):
                if self.partitions.get(partition.number) is not partition or not self.is_accepting:
                    return
                self.does = f"revising the rows of partition {partition.number}"
                if self._try(partition, partition.end_work):
                    partition.note(step(partition.rows, partition.number))
                self.does = None
                if partition.is_pending:
                    self._commit_soon(partition)
                await asyncio.sleep(0)  # a step may look at many rows; let others have their turn
        except Exception as error:  # noqa: BLE001 - Faust would end the timer, and nothing be revised any more
            self.leave(error)

    @property
    def is_accepting(self) -> bool:
        """Tell whether batches are folded: not while partitions are given away, taken over, or the worker leaves."""
        return self.phase is Phase.RUNNING

    @property
    def has_room(self) -> bool:
        """Tell whether what is folded and not committed leaves room for more."""
        return self._uncommitted_bytes() <= self.options.uncommitted_bytes_max

    @property
    def is_filling(self) -> bool:
        """Tell whether half of that room is taken: what epochs have left to those that follow must go."""
        return self._uncommitted_bytes() > self.options.uncommitted_bytes_max // 2

    def _uncommitted_bytes(self) -> int:
        return sum(each.size for each in self.partitions.values())

    @property
    def generation(self) -> int:
        """Number of the last assignment; -1 before the first."""
        return self._generation

    def position(self, topic: str, number: int) -> int:
        """Return the offset of the next record of the topic to be folded in a partition; 0 before the first."""
        partition = self.partitions.get(number)
        return 0 if partition is None else partition.positions.get(topic, 0)

    @property
    def unread_first(self) -> set[int]:
        """Partitions that have not read the topic that is read first to where it ended at their takeover.

        That was asked for then: aiokafka knows no end of what it has not fetched yet.
        """
        first = self.options.read_first
        return {number for number, each in self.partitions.items() if each.positions[first] < each.first_end}

    @property
    def positions(self) -> dict[TP, int]:
        """Where each source partition is to be read on: the offset of the next record to be folded."""
        return {
            TP(topic, number): at
            for number, partition in self.partitions.items()
            for topic, at in partition.positions.items()
        }

    # -- committing -------------------------------------------------------------------------------------------

    def _commit_soon(self, partition: SourcePartition) -> asyncio.Task[None]:
        """At most one commit of a partition is in flight; the next begins when it ends, if there is work."""
        partition.note_pending()
        if partition.committing is None:
            partition.committing = asyncio.get_running_loop().create_task(self._commit(partition))
        return partition.committing

    async def _commit(self, partition: SourcePartition) -> None:
        try:
            while partition.is_pending and self.phase is not Phase.LEAVING:
                ends = await self._end_work(partition)
                epoch = partition.detach(whole=self._hurry.is_set() or self.is_filling) if ends else None
                self._take_later(partition)
                if epoch is None:
                    continue
                started = time.monotonic()
                await asyncio.get_running_loop().run_in_executor(self._commit_threads, self._write, partition, epoch)
                took_s = time.monotonic() - started
                self.counters.commit(epoch, took_s)
                if epoch.outgoing:
                    self.options.on_sent(epoch.outgoing)
                partition.note_committed()
                self._room.set()
                await self._rest(partition, took_s)
        except Exception as error:  # noqa: BLE001 - what is not committed must not be built upon
            self.leave(error)
        finally:
            partition.committing = None
            if not partition.is_pending:
                partition.opened_s = None

    def _write(self, partition: SourcePartition, epoch: Epoch) -> None:
        commit(
            self.options,
            self.cluster,
            partition,
            epoch,
            is_wanted=lambda: self.phase is not Phase.LEAVING and self.partitions.get(partition.number) is partition,
        )

    async def _end_work(self, partition: SourcePartition) -> bool:
        """End the partition's open work, and let others have their turn in between; False if it fails."""
        while (ends := self._try(partition, partition.prepare_end)) and partition.is_ending:  # noqa: ASYNC110 - nothing is waited for
            await asyncio.sleep(0)
        return ends and self._try(partition, partition.end_work)

    def _take_later(self, partition: SourcePartition) -> None:
        """Fold what came while the work was ending."""
        later, partition.later = partition.later, []
        for batch in later:
            self._take(batch)

    async def _rest(self, partition: SourcePartition, took_s: float) -> None:
        """Let the epoch grow: always in proportion to what a commit costs, longer if nobody waits for it.

        And much longer while the partition is behind: its results are late anyway, and rows written once for many
        events are what lets it catch up.
        """
        rest_s = min(took_s * self.options.rest_ratio, self.options.rest_s_max)
        await _wait(self._hurry, rest_s)
        if self._hurry.is_set():
            return
        if partition.is_behind:
            await _wait(partition.ripe, self.options.epoch_s_max - rest_s)
        else:
            await _wait(partition.urgent, self.options.calm_s - rest_s)

    # -- leaving ----------------------------------------------------------------------------------------------

    def leave(self, error: Exception) -> None:
        """Stop at once: this worker no longer owns what it works on, or cannot commit it.

        May be called from any thread but the consumer's, which is needed to tell the group.
        """
        if not self._left.acquire(blocking=False):
            return
        self.phase = Phase.LEAVING
        error = explained(error)
        is_foreseen = isinstance(error, EngineError | KafkaException)  # and then its text says all there is to know
        said = {"reason": str(error)} if is_foreseen else {"reason": named(error), "where": where(error)}
        log.error("worker_leaves", **said, kind=type(error).__name__)
        self._depart()
        self.options.on_leave(error)


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    """Wait for the event, at most so long."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
