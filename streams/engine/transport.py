"""The transport that Faust is given: batches in, epochs out.

    BatchConsumer    Transport.Consumer: has batches folded, without a detour; commits are epochs, acks are nothing
    Epochs           Transport.TransactionManager: Faust tells it of assignments, before and after
    EpochTransport   puts them in place

When partitions move, Faust calls `Epochs.on_partitions_revoked`, then `Epochs.on_rebalance`, and then
`ChangelogRecovery` (recovery.py), which ends with a seek to where the rows stand.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast

from faust.transport.consumer import TransactionManager
from faust.transport.drivers import aiokafka as driver

from streams.engine.batch import RecordBatch
from streams.engine.errors import CommitFailed, NotCoPartitioned
from streams.engine.fetching import RECORDS_PER_BATCH_MAX, BatchThread, Listener

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from faust.types import TP
    from mode.types import ServiceT

    from streams.engine.engine import Engine
    from streams.engine.fetching import Slice


FETCH_S: Final = 1.0
"""Longest wait for records, before it is looked whether somebody stops."""

STOP_S: Final = 7.0
"""Of the 10 s that a component has for all of its stop; the group is told in at most 2."""


class BatchConsumer(driver.Consumer):
    """Has the engine fold what is fetched; positions are committed by epochs, not by acknowledgements."""

    RebalanceListener = Listener

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - Faust's
        self._held: set[TP] = set()
        super().__init__(*arguments, **options)

    def hold(self, tps: set[TP]) -> None:
        """Fetch nothing from these partitions, whoever resumes them, until they are released."""
        self._held = tps
        self.pause_partitions(tps)

    @property
    def held(self) -> set[TP]:
        """The partitions that are held."""
        return self._held.copy()

    def release(self, tps: set[TP]) -> None:
        """Fetch from these partitions again."""
        self._held -= tps
        self.resume_partitions(tps)

    def covered(self) -> dict[TP, tuple[int, int]]:
        """Return the source partitions whose records end in markers or aborted records: from where, and to where."""
        return cast("BatchThread", self._thread).covered(engine_of(self.app).options.source_topics)

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Resume those of the partitions that are not held."""
        super().resume_partitions(set(tps) - self._held)

    def _new_consumer_thread(self) -> BatchThread:
        thread = BatchThread(self, loop=self.loop, beacon=self.beacon)
        cast("Any", self.app).consumer_thread = thread
        return thread

    async def _drain_messages(self, fetcher: ServiceT) -> None:
        """Let the engine fold what is fetched, until Faust stops the fetcher: it does so when partitions move.

        Faust would make a message of each batch, and have it go by way of two tasks, a queue and a stream to an agent:
        that takes longer than a fold of a few records does.
        """
        try:
            while not (self.should_stop or fetcher.should_stop):
                fetched, _ = await self._wait_next_records(FETCH_S)
                await self.fold(cast("dict[TP, Slice]", fetched or {}))
                await asyncio.sleep(0)
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.app.should_stop:  # else the consumer's thread has stopped; Faust would crash if partitions move
                raise

    async def fold(self, fetched: Mapping[TP, Slice]) -> None:
        """Have what was fetched folded in parts, and others have their turn in between.

        What is left when the flow stops, or another assignment begins, is fetched again from where the rows stand then.
        """
        engine, generation = engine_of(self.app), self.app.consumer_generation_id
        for tp, records in fetched.items():
            for part in records.parts(RECORDS_PER_BATCH_MAX):
                if not self.flow_active or self.app.consumer_generation_id != generation:
                    return
                if part[-1].offset >= engine.position(tp.topic, tp.partition):  # else it was folded when it came before
                    await engine.apply(batch_of(tp, part, generation))
                    await asyncio.sleep(0)

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ANN401, FBT001, FBT002 - Faust's signature
        """Commit everything if Faust is stopping; its commit timer has nothing to do, epochs follow their own pace.

        Where nothing gets committed, because a broker does not answer, the worker leaves: whoever has the partitions
        then does it again from the last commit.
        """
        del topics
        if not start_new_transaction:
            engine, committed_at = engine_of(self.app), -1.0
            while committed_at != (committed_at := engine.counters.committed_at):
                try:
                    async with asyncio.timeout(STOP_S):
                        await engine.settle()
                except TimeoutError:
                    continue
                return True
            engine.leave(CommitFailed(f"of what is folded nothing was committed within {STOP_S:.0f} s of the stop"))
        return True


def batch_of(tp: TP, part: Slice, generation: int) -> RecordBatch:
    """Return what was fetched as what the engine folds."""
    return RecordBatch(
        tp.topic,
        tp.partition,
        part,
        part.covers_from,
        part.covers_to,
        generation,
        behind=part.end - part.covers_to,
        chain=part.chain,
    )


class Epochs(TransactionManager):
    """Tells the engine which source partitions this worker owns."""

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit what is folded before the partitions are given away."""
        del revoked
        await engine_of(self.app).settle()

    async def on_rebalance(self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP]) -> None:
        """Own the assigned partitions; their rows are loaded, and the sources sought, after this."""
        del revoked, newly_assigned
        engine = engine_of(self.app)
        try:
            numbers = _co_partitioned(assigned, engine.options.source_topics)
            engine.assign(numbers, self.app.consumer_generation_id)
        except Exception as error:  # noqa: BLE001 - half an assignment is none
            engine.leave(error)


class EpochTransport(driver.Transport):
    """aiokafka's transport with batches and epochs."""

    Consumer = BatchConsumer
    TransactionManager = Epochs


def engine_of(app: Any) -> Engine:  # noqa: ANN401 - Faust's app types do not know ours
    """Return the engine of an `EngineApp`, as Faust's classes know their app."""
    engine: Engine = app.engine
    return engine


def _co_partitioned(assigned: set[TP], topics: Sequence[str]) -> set[int]:
    numbers = [{tp.partition for tp in assigned if tp.topic == topic} for topic in topics]
    if any(each != numbers[0] for each in numbers):
        found = ", ".join(f"{topic}: {sorted(each)}" for topic, each in zip(topics, numbers, strict=True))
        raise NotCoPartitioned(
            f"the joined topics must be assigned by the same partitions, found {found}; "
            "give them the same number of partitions"
        )
    return numbers[0]
