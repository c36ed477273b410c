"""What aiokafka fetched, as slices with a chain of custody: no record is lost between its position and the fold.

aiokafka moves a partition's position on when it hands records out, whatever becomes of them. Faust drops what
comes while its flow is stopped, and trusts a later seek to bring it back. Between that seek and the moment when the
flow resumes, a fetch that was already waiting can return: its records were dropped, the position stood behind
them, and nothing noticed (seen: one run in ten under load, a partition's whole backlog). So

- records that come while the flow is stopped are put back: the position is set to where they begin;
- each slice says from which position on it covers everything, and the engine refuses one that leaves a hole.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import structlog
from aiokafka import TopicPartition
from aiokafka.consumer import consumer as consumer_module
from aiokafka.consumer import fetcher
from aiokafka.errors import IllegalStateError, KafkaError, TopicAuthorizationFailedError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import Service

from streams.engine.membership import Membership, explained
from streams.engine.parsing import FetchedBatches, LeanRecords
from streams.engine.standing import OFFSETS_MARK

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    import aiokafka

    from streams.engine.batch import FetchedRecord
    from streams.engine.errors import EngineError

RECORDS_PER_BATCH_MAX: Final = 2_000
"""A fold is not interrupted: 2,000 clicks take 6 ms on a slow machine, registrations of as many mentors 35."""

FETCH_WAIT_MS_MAX: Final = 20
"""aiokafka has one fetch in flight for each broker, and a partition whose records were just taken is not in
it: with Faust's 1,500 ms a second record of an otherwise idle topic would wait that long."""


PAUSE_S: Final = 0.005
"""Between what was fetched and the next request, when it has been taken. Under load the broker would else answer each
request with the one record that came meanwhile; a record that comes alone is waited for already, and never waits."""

RESPONSE_BYTES_MAX: Final = 8 * 1024 * 1024
"""Of all partitions at a time. aiokafka hands a response out when all of it has come: with its own 50 MB a worker that
is behind waits for the first of it, and holds all of it twice."""

LEAVE_GROUP_S: Final = 2.0
"""Longest wait for the coordinator when a worker leaves: it needs milliseconds, or is away."""

FOLLOW_S: Final = 5.0
"""Longest wait for the coordinator: the offsets can follow another time."""

log = structlog.get_logger("engine")

_chains = itertools.count(1)


class Slice(list["FetchedRecord"]):
    """Consecutive records of a partition, and what they cover.

    Between `covers_from` and `covers_to` the partition has no other records: what is missing there are control
    records, aborted ones, or ones removed by compaction.
    """

    covers_from: int
    covers_to: int
    end: int
    """Where the partition ended when they were fetched, as far as a reader of what is committed sees it."""
    chain: int
    """As in RecordBatch."""

    @classmethod
    def of(cls, records: list[FetchedRecord], covers_from: int, covers_to: int, *, end: int, chain: int) -> Slice:
        """Return the records with what they cover."""
        made = cls(records)
        made.covers_from = covers_from
        made.covers_to = covers_to
        made.end = end
        made.chain = chain
        return made

    def parts(self, records_max: int) -> Iterator[Slice]:
        """Yield the slice in parts of at most so many records, the chain of custody unbroken."""
        covers_from = self.covers_from
        for start in range(0, len(self), records_max):
            records = self[start : start + records_max]
            is_last = start + records_max >= len(self)
            covers_to = self.covers_to if is_last else records[-1].offset + 1
            yield Slice.of(records, covers_from, covers_to, end=self.end, chain=self.chain)
            covers_from = covers_to


class SliceResult(fetcher.FetchResult):
    """Hands out slices instead of lists.

    The chain is kept with the partition's state, which aiokafka makes anew with each assignment: from which
    position on nothing was handed out, and the position after what was looked at last.
    """

    _partition_records: LeanRecords | None

    def getall(self, max_records: int | None = None) -> list[FetchedRecord]:
        """Return the next records as a slice; empty if there are none, or the partition is not ours any more."""
        records = self._partition_records if self.check_assignment(self._topic_partition) else None
        if records is None:
            return []
        start = records.next_fetch_offset
        fetched = records.take(max_records or sys.maxsize)
        self._update_position()
        if records.is_exhausted:
            self._partition_records = None
        if (end := records.next_fetch_offset) == start:
            return fetched
        state = self._assignment.state_value(self._topic_partition)
        pending_from, looked_to = getattr(state, "custody", (start, start))
        covers_from = pending_from
        if looked_to != start or not hasattr(state, "chain"):  # somebody has sought
            covers_from = start
            state.chain = next(_chains)
        if not fetched:  # control records only
            state.custody = (covers_from, end)
            return fetched
        state.custody = (end, end)
        return Slice.of(fetched, covers_from, end, end=state.lso or end, chain=state.chain)


class Sources:
    """An assignment's source partitions, as aiokafka's fetcher asks for them."""

    def __init__(self, assignment: Any, topics: Collection[str]) -> None:  # noqa: ANN401 - aiokafka's
        self.tps = [tp for tp in assignment.tps if tp.topic in topics]
        self.state_value = assignment.state_value


class SourceFetcher(fetcher.Fetcher):
    """Fetches the source topics, and asks for more a moment after what it has fetched was handed out.

    Faust has the changelogs assigned too, always paused; aiokafka would look at each of them before each request.
    """

    topics: Collection[str] = ()

    async def _proc_fetch_request(self, assignment: Any, node_id: Any, request: Any) -> bool:  # noqa: ANN401 - the same
        has_found: bool = await super()._proc_fetch_request(assignment, node_id, request)
        if has_found:
            for waiter in self._fetch_waiters:
                self._notify(waiter)
            with suppress(asyncio.CancelledError):  # as aiokafka does: the assignment has ended, or the fetcher
                await asyncio.sleep(PAUSE_S)
        return has_found

    def _get_actions_per_node(self, assignment: Any) -> Any:  # noqa: ANN401 - the same
        return super()._get_actions_per_node(Sources(assignment, self.topics))


class Place(NamedTuple):
    """How far a source partition was fetched."""

    handed_out: int
    """Where the records end that were handed out."""
    looked_to: int
    answered_ms: int
    """When the broker answered last, by the wall clock; 0 if it has not yet."""
    is_buffered: bool
    """Whether records wait to be handed out: meanwhile no more are asked for."""
    is_held: bool
    """Whether it is left alone on purpose."""
    end: int
    """Where the partition ended then, as far as a reader of what is committed sees it; 0 where nobody has said."""


class Listener(driver.ConsumerRebalanceListener):
    """Hears of an assignment before anything is asked of its partitions."""

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Let nothing be fetched before the rows say from where on."""
        cast("BatchThread", self._thread).wait_for_rows()
        await super().on_partitions_assigned(assigned)


class BatchThread(driver.AIOKafkaConsumerThread):
    """The thread that runs aiokafka's consumer."""

    membership: Membership | None = None

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:  # noqa: ANN401 - Faust's
        fetcher.MemoryRecords = FetchedBatches  # aiokafka offers no setting for these
        fetcher.PartitionRecords = LeanRecords
        fetcher.FetchResult = SliceResult
        SourceFetcher.topics = frozenset(cast("Any", self.app).engine.options.source_topics)
        consumer_module.Fetcher = SourceFetcher
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS_MAX  # noqa: SLF001 - Faust sets it and offers no setting
        consumer._fetch_max_bytes = RESPONSE_BYTES_MAX  # noqa: SLF001 - the same
        conf = self.app.conf
        self.membership = Membership(consumer, conf.id, session_timeout_s=conf.broker_session_timeout)
        self.membership.keep_as(cast("Any", self.app).group_instance_id)
        return consumer

    @Service.task
    async def _watch_membership(self) -> None:
        if self.membership is not None:
            self._give_up(await self.membership.watch())

    def _give_up(self, error: EngineError) -> None:
        """Let the worker leave; not from this thread, which is needed to tell the group."""
        self.parent_loop.call_soon_threadsafe(cast("Any", self.app).engine.leave, error)

    def leave_group(self) -> None:
        """Tell the group that this worker is gone, if it can be told soon; called from another thread."""
        if self.membership is None or not self.thread_loop.is_running():
            return
        try:
            asyncio.run_coroutine_threadsafe(self.membership.leave(), self.thread_loop).result(LEAVE_GROUP_S)
        except (KafkaError, OSError) as error:  # a TimeoutError is an OSError
            log.warning("group_not_told", reason=repr(error))

    def wait_for_rows(self) -> None:
        """Fetch nothing of what is assigned, and ask for no offsets of it, until `seek_to_committed`.

        aiokafka would ask for the group's offsets with a request for each partition, one after another, and fetch from
        there what is fetched once more after the seek; and the first part of each changelog, which nobody reads here.
        """
        consumer: Any = self._ensure_consumer()
        assigned = consumer.assignment()
        consumer.pause(*assigned)
        for tp in assigned:
            consumer.seek(tp, 0)  # any valid position: without one it is asked for

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Read on where the rows stand, which Faust calls the committed offsets; called from the main thread.

        The group's offsets may be a second behind, and aiokafka takes a coordinator that is still loading for one
        without offsets.
        """
        positions: dict[TP, int] = cast("Any", self.app).engine.positions
        await self.call_thread(self._seek_to, positions)
        return positions

    async def _seek_to(self, positions: Mapping[TP, int]) -> None:
        consumer: Any = self._ensure_consumer()
        for tp, offset in positions.items():
            consumer.seek(tp, offset)
        consumer.resume(*(TopicPartition(*tp) for tp in positions))

    async def follow(self, positions: Mapping[TP, int]) -> bool:
        """Commit the group's offsets, as a member; False if that cannot be done now. Called from the main thread."""
        if not self.thread_loop.is_running():
            return False
        committing = asyncio.run_coroutine_threadsafe(self._follow(positions), self.thread_loop)
        return await asyncio.wrap_future(committing)

    async def _follow(self, positions: Mapping[TP, int]) -> bool:
        offsets = {TopicPartition(*tp): (offset, OFFSETS_MARK) for tp, offset in positions.items()}
        try:
            async with asyncio.timeout(FOLLOW_S):
                await cast("Any", self._ensure_consumer()).commit(offsets)
        except (KafkaError, OSError, ValueError) as error:  # given away meanwhile, or its coordinator is away
            log.info("offsets_not_followed", reason=repr(error))
            return False
        return True

    def seek_back(self, positions: Mapping[TP, int]) -> None:
        """Fetch again from these offsets on; called from another thread."""
        self.thread_loop.call_soon_threadsafe(self._seek_back, positions)

    def _seek_back(self, positions: Mapping[TP, int]) -> None:
        for tp, offset in positions.items():
            try:
                cast("Any", self._consumer).seek(tp, offset)
            except IllegalStateError:  # not ours any more: its new owner begins where the rows stand
                continue

    def covered(self, topics: Collection[str]) -> dict[TP, tuple[int, int]]:
        """Return where records end in what is no record: markers, aborted ones. From the custody, see SliceResult."""
        found = {}
        consumer: Any = self._consumer
        for tp in consumer.assignment() if consumer is not None else ():
            if tp.topic in topics:
                state = consumer._subscription.subscription.assignment.state_value(tp)  # noqa: SLF001 - no other way
                covers_from, covers_to = getattr(state, "custody", (0, 0))
                if covers_from < covers_to:
                    found[TP(tp.topic, tp.partition)] = (covers_from, covers_to)
        return found

    def places(self) -> dict[TP, Place]:
        """Return how far the source partitions were fetched; called from other threads too."""
        consumer: Any = self._consumer
        subscription = None if consumer is None else consumer._subscription.subscription  # noqa: SLF001 - no other way
        assignment = None if subscription is None else subscription.assignment
        if assignment is None:
            return {}
        held = {TP(tp.topic, tp.partition) for tp in cast("Any", self.consumer).held}
        topics = cast("Any", self.app).engine.options.source_topics
        buffered = consumer._fetcher._records.copy()  # noqa: SLF001 - the same
        found = {}
        for tp in assignment.tps:
            state = assignment.state_value(tp)
            if state is None or tp.topic not in topics:
                continue
            handed_out, looked_to = getattr(state, "custody", (0, 0))
            found[TP(tp.topic, tp.partition)] = Place(
                handed_out,
                looked_to,
                state.timestamp or 0,
                tp in buffered,
                TP(tp.topic, tp.partition) in held,
                state.lso or 0,
            )
        return found

    async def _fetch_records(self, consumer: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - Faust's
        try:
            records = cast("dict[Any, Slice]", await super()._fetch_records(consumer, *arguments, **options))
        except TopicAuthorizationFailedError as error:
            self._give_up(explained(error, self.app.conf.id, self.app.conf.broker_session_timeout))
            return {}
        if self.consumer.flow_active:
            return records
        for tp, fetched in records.items():
            try:
                consumer.seek(tp, fetched.covers_from)
            except IllegalStateError:  # not ours any more: its new owner begins where the rows stand
                continue
        return {}
