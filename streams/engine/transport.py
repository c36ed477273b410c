"""The transport that Faust is given: batches in, epochs out.

    BatchConsumer    Transport.Consumer: makes one Faust message of a batch; commits are epochs, acks are nothing
    BatchSchema      the topics' schema: hands the batch through, decoding is the fold's affair
    Epochs           Transport.TransactionManager: Faust tells it of assignments, before and after
    EpochTransport   puts them in place

When partitions move, Faust calls `Epochs.on_partitions_revoked`, then `Epochs.on_rebalance`, and then
`ChangelogRecovery` (recovery.py), which ends with a seek to where the rows stand.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast

import faust
from faust.transport.consumer import TransactionManager
from faust.transport.drivers import aiokafka as driver
from faust.types.tuples import ConsumerMessage

from streams.engine.batch import RecordBatch
from streams.engine.errors import CommitFailed, NotCoPartitioned
from streams.engine.fetching import BatchThread, Listener

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from faust.types import TP, EventT, Message

    from streams.engine.engine import Engine
    from streams.engine.fetching import Slice


STOP_S: Final = 7.0
"""Of the 10 s that a component has for all of its stop; the group is told in at most 2."""


class Folded(dict["TP", "int | None"]):
    """What Faust drops records before, as read: what is folded. Its own note of it does not know of rewinds."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine

    def __getitem__(self, tp: TP) -> int:
        """Return the offset up to which the source partition is folded."""
        return self._engine.position(tp.topic, tp.partition)

    def __setitem__(self, tp: TP, offset: int | None) -> None:
        """Take note of nothing."""


class BatchConsumer(driver.Consumer):
    """Makes one Faust message of a batch; positions are committed by epochs, not by acknowledgements."""

    RebalanceListener = Listener

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - Faust's
        self._held: set[TP] = set()
        super().__init__(*arguments, **options)
        self._read_offset = Folded(engine_of(self.app))

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

    def _to_message(self, tp: TP, record: Slice) -> ConsumerMessage:
        last = record[-1]
        generation = self.app.consumer_generation_id
        batch = RecordBatch(
            tp.topic,
            tp.partition,
            record,
            record.covers_from,
            record.covers_to,
            generation,
            behind=record.end - record.covers_to,
            chain=record.chain,
        )
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000.0,
            0,
            None,
            None,
            cast("bytes", batch),
            None,
            0,
            0,
            tp,
            generation_id=generation,
        )

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

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Ignore gaps between batches: they belong to the bookkeeping of acknowledgements."""


class BatchSchema(faust.Schema):  # type: ignore[type-arg]  # generic for type checkers only
    """Hands a batch through as the value of the event."""

    def compile(self, app: Any, **_: Any) -> Any:  # noqa: ANN401 - Faust's signature
        """Return the function that makes an event of a message."""

        async def decode(message: Message, *, propagate: bool = False) -> EventT[Any]:
            del propagate
            event: EventT[Any] = app.create_event(None, message.value, {}, message)
            return event

        return decode


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
