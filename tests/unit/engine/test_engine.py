"""The engine without a broker: what is folded, what is dropped, and when the worker leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from confluent_kafka import KafkaError, KafkaException
from faust.types import TP
from msgspec import structs

from streams.engine.batch import RecordBatch, Rows
from streams.engine.counters import Taken
from streams.engine.engine import Engine
from streams.engine.errors import CommitFailed, OutOfOrder
from streams.engine.partition import SourcePartition
from tests.factories import make_batch, make_record
from tests.folding import Changed, Fold, FunctionWork, Sent, begins
from tests.unit.engine.changes import OTHER_TOPIC, TOPIC, make_found, make_options

GENERATION = 0
"""The first: an engine begins before it."""


class Worker:
    """An engine that owns partitions 0 and 1, none of which can commit, and what became of it."""

    def __init__(self) -> None:
        self.left: list[Exception] = []
        self.folded: list[int] = []
        self.sought: dict[TP, int] = {}
        self.does: Fold = self.count
        options = replace(make_options(self.left.append), begin_work=begins(self.do))
        self.engine = Engine(options, seek=self.sought.update)
        self.engine.assign({0, 1}, GENERATION)
        for number in (0, 1):
            partition = SourcePartition(self.engine.options, number)
            at = {TOPIC: 10, OTHER_TOPIC: 0}
            partition.take_over({"stock": {}, "totals": {}}, at, structs.replace(make_found(10), committed=at))
            self.engine.partitions[number] = partition
        self.engine.resume(GENERATION)

    async def apply(self, *, offset: int = 10, partition: int = 0, generation: int = GENERATION) -> None:
        """Let the engine fold a batch of one record into a row that counts records."""
        record = make_record(b"{}", topic=TOPIC, partition=partition, offset=offset)
        await self.engine.apply(make_batch(record, generation=generation))

    def rows(self, number: int = 0) -> dict[bytes, bytes]:
        """Return the rows of a partition with what is folded."""
        self.engine.partitions[number].end_work()
        return self.engine.partitions[number].rows["stock"]

    def do(self, rows: Rows, batch: RecordBatch) -> Changed:
        """Fold as it is said now."""
        return self.does(rows, batch)

    def count(self, rows: Rows, batch: RecordBatch) -> Changed:
        """Count the batch's records."""
        self.folded.append(batch.first_offset)
        count = int(rows["stock"].get(b"count", b"0")) + len(batch)
        return Changed(rows={"stock": {b"count": b"%d" % count}})


def orders(*offsets: int) -> RecordBatch:
    """Return a batch of the first partition."""
    return make_batch(*[make_record(b"{}", topic=TOPIC, partition=0, offset=offset) for offset in offsets])


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    """Give a worker, and close its producers."""
    made = Worker()
    producers = [partition.producer for partition in made.engine.partitions.values()]
    yield made
    for partition in made.engine.partitions.values():
        if partition.committing is not None:
            await partition.committing
    for producer in producers:
        producer.close()


async def test_a_fold_sees_what_the_one_before_changed(worker: Worker) -> None:
    """Before anything is committed, and in its own partition only."""
    await worker.apply(offset=10)
    await worker.apply(offset=11)
    await worker.apply(offset=10, partition=1)

    assert [worker.rows(number) for number in (0, 1)] == [{b"count": b"2"}, {b"count": b"1"}]
    assert worker.engine.position(TOPIC, 0) == 12


async def test_a_topic_never_read_is_at_its_beginning(worker: Worker) -> None:
    """And so is a partition of another worker."""
    assert (worker.engine.position(OTHER_TOPIC, 0), worker.engine.position(TOPIC, 3)) == (0, 0)


@pytest.mark.parametrize("generation", [GENERATION - 1, GENERATION + 1])
async def test_a_batch_of_another_generation_is_dropped(worker: Worker, generation: int) -> None:
    """Whoever owns the partition now reads it again."""
    await worker.apply(generation=generation)

    assert (worker.folded, worker.left) == ([], [])


async def test_a_batch_of_a_partition_not_owned_is_dropped(worker: Worker) -> None:
    """It came with an assignment that has ended."""
    await worker.apply(partition=3)

    assert (worker.folded, worker.left) == ([], [])


async def test_a_batch_is_dropped_while_partitions_are_given_away(worker: Worker) -> None:
    """Until the engine resumes; then the same batch is folded."""
    await worker.engine.settle()
    await worker.apply()
    dropped = list(worker.folded)
    worker.engine.assign({0, 1}, GENERATION + 1)
    worker.engine.resume(GENERATION + 1)
    await worker.apply(generation=GENERATION + 1)

    assert (dropped, worker.folded) == ([], [10])


async def test_partitions_given_away_are_not_resumed(worker: Worker) -> None:
    """A takeover that ends after they were given away opens nothing: what is folded then could not be committed."""
    worker.engine.assign({0, 1}, GENERATION + 1)  # it is taken over ...
    await worker.engine.settle()  # ... and given away before that is done
    resumed = worker.engine.resume(GENERATION + 1)
    await worker.apply(generation=GENERATION + 1)

    assert (resumed, worker.folded) == (False, [])


async def test_a_takeover_of_an_assignment_before_resumes_nothing(worker: Worker) -> None:
    """The partitions of the present one are not loaded yet."""
    worker.engine.assign({0, 1}, GENERATION + 1)
    await worker.engine.settle()
    worker.engine.assign({1, 2}, GENERATION + 2)

    assert not worker.engine.resume(GENERATION + 1)
    assert not worker.engine.is_accepting


async def test_a_batch_that_came_before_makes_the_worker_leave(worker: Worker) -> None:
    """It is not folded: its records would count twice."""
    await worker.apply(offset=9)

    assert [type(error) for error in worker.left] == [OutOfOrder]
    assert worker.folded == []


async def test_a_record_that_fails_is_set_aside(worker: Worker) -> None:
    """The ones beside it are folded, the position passes it, and what the application wants of it is sent."""

    def fails_at_12(rows: Rows, batch: RecordBatch) -> Changed:
        if any(batch.record(index).offset == 12 for index in range(len(batch))):
            raise ZeroDivisionError
        return worker.count(rows, batch)

    worker.does = fails_at_12
    letters = [Sent(value=b"12")]
    worker.engine.options = replace(worker.engine.options, set_aside=lambda _record, _error: Changed(outgoing=letters))
    first, failing, stale = orders(10), orders(11, 12, 13), orders(14)
    for batch in (first, failing, stale):
        await worker.engine.apply(batch)
    assert (worker.sought, worker.engine.position(TOPIC, 0)) == ({TP(TOPIC, 0): 10}, 10)
    for batch in (first, failing, stale):  # as they are fetched again
        await worker.engine.apply(replace(batch, chain=2))

    partition = worker.engine.partitions[0]
    assert worker.left == []
    assert (worker.rows(), partition.epoch.outgoing) == ({b"count": b"4"}, letters)
    assert worker.engine.position(TOPIC, 0) == 15
    # Of the first fetch 10 was folded and thrown away with 11 to 13; then all came again, and 12 was set aside.
    taken = {Taken.FOLDED: 5, Taken.READ_AGAIN: 4, Taken.SET_ASIDE: 1}
    assert worker.engine.counters.records == {(TOPIC, what): count for what, count in taken.items()}


async def test_other_topics_are_read_again_only_where_they_were_folded(worker: Worker) -> None:
    """A batch of one that nothing was thrown away of is folded where it is, whenever it was fetched."""

    def fails(_rows: Rows, _batch: RecordBatch) -> Changed:
        raise ZeroDivisionError

    worker.does = fails
    worker.engine.options = replace(worker.engine.options, set_aside=lambda _record, _error: Changed())
    await worker.apply()
    worker.does = worker.count
    await worker.engine.apply(make_batch(make_record(b"{}", topic=OTHER_TOPIC, partition=0, offset=0)))

    assert (worker.sought, worker.left) == ({TP(TOPIC, 0): 10}, [])
    assert (worker.engine.position(TOPIC, 0), worker.engine.position(OTHER_TOPIC, 0)) == (10, 1)


async def test_a_fold_that_fails_makes_a_worker_without_another_place_leave(worker: Worker) -> None:
    """Going on would lose the batch; the position stays where it was, and nothing is folded any more."""

    def fails(_rows: Rows, _batch: RecordBatch) -> Changed:
        raise ZeroDivisionError

    worker.does = fails
    await worker.apply(offset=10)
    await worker.engine.apply(replace(orders(10), chain=2))
    worker.does = worker.count
    await worker.apply(offset=10)

    assert [type(error) for error in worker.left] == [ZeroDivisionError]
    assert worker.engine.position(TOPIC, 0) == 10
    assert worker.folded == []


async def test_an_epoch_that_cannot_be_committed_makes_the_worker_leave(worker: Worker) -> None:
    """Once, though both partitions fail; here no producer was ever started."""
    await worker.apply(partition=0)
    await worker.apply(partition=1)
    await worker.engine.settle()

    assert [type(error) for error in worker.left] == [CommitFailed]
    assert worker.engine.counters.committed_at == 0


async def test_a_full_bound_closes_every_epoch(worker: Worker) -> None:
    """Else those that may still grow would sleep out their time, and the one that waits for room with them."""
    worker.engine.options = replace(worker.engine.options, uncommitted_bytes_max=0)
    await worker.engine.apply(replace(orders(10), behind=100_000))
    waits = asyncio.create_task(worker.apply(partition=1))
    await asyncio.sleep(0)

    assert all(partition.ripe.is_set() for partition in worker.engine.partitions.values())
    assert not waits.done()
    waits.cancel()


class EndsInTurns(FunctionWork):
    """Needs three turns to end."""

    turns = 3

    def encode(self, rows_max: int) -> bool:
        """Take a turn."""
        del rows_max
        self.turns -= 1
        return self.turns > 0


class EndsBadly(EndsInTurns):
    """And fails at its end."""

    def changes(self) -> Changed:
        """Fail."""
        raise ZeroDivisionError


@pytest.mark.parametrize(("made", "sought"), [(EndsInTurns, {}), (EndsBadly, {TP(TOPIC, 0): 10})])
async def test_a_batch_that_comes_while_a_large_work_ends_waits(
    worker: Worker, made: type[FunctionWork], sought: dict[TP, int]
) -> None:
    """It is folded into the next one; and if the end fails, it comes once more behind what is read again."""
    partition = worker.engine.partitions[0]
    partition.work = made(worker.do, partition.rows)
    await worker.apply(offset=10)
    await asyncio.sleep(0)  # now it is ending
    await worker.apply(offset=11)
    folded_meanwhile = list(worker.folded)
    for _ in range(EndsInTurns.turns):
        await asyncio.sleep(0)

    assert (folded_meanwhile, worker.sought) == ([10], sought)
    assert (worker.folded, partition.positions[TOPIC]) == (([10], 10) if sought else ([10, 11], 12))


@pytest.mark.parametrize(
    ("numbers", "generation", "kept"),
    [
        ({0, 1}, GENERATION + 1, {0, 1}),
        ({1, 2}, GENERATION + 1, {1}),
        (set(), GENERATION + 1, set()),
        ({0, 1}, GENERATION + 2, set()),
    ],
)
async def test_rows_are_kept_only_from_one_generation_to_the_next(
    worker: Worker, numbers: set[int], generation: int, kept: set[int]
) -> None:
    """Who missed a generation does not know who owned his partitions in it."""
    worker.engine.assign(numbers, generation)

    assert set(worker.engine.partitions) == kept


async def test_a_revision_changes_every_partition(worker: Worker) -> None:
    """A step that no record caused is given each partition's rows and its number."""
    await worker.engine.revise(lambda _rows, number: Changed(rows={"totals": {b"number": b"%d" % number}}))

    assert [worker.engine.partitions[number].rows["totals"] for number in (0, 1)] == [
        {b"number": b"0"},
        {b"number": b"1"},
    ]
    assert worker.engine.position(TOPIC, 0) == 10


async def test_nothing_is_revised_while_partitions_are_given_away(worker: Worker) -> None:
    """What is changed then would not be committed before they are gone."""
    asked: list[int] = []

    def step(_rows: Rows, number: int) -> Changed:
        asked.append(number)
        return Changed()

    await worker.engine.settle()
    await worker.engine.revise(step)

    assert asked == []


async def test_a_revision_that_fails_makes_the_worker_leave(worker: Worker) -> None:
    """As a fold that fails: Faust would end the timer, and nothing would be revised any more."""

    def fails(_rows: Rows, _number: int) -> Changed:
        raise ZeroDivisionError

    await worker.engine.revise(fails)

    assert [type(error) for error in worker.left] == [ZeroDivisionError]


@pytest.mark.parametrize(
    ("fault", "leaves"),
    [
        (KafkaException(KafkaError(KafkaError.UNKNOWN_LEADER_EPOCH)), False),
        (KafkaException(KafkaError(KafkaError.FENCED_LEADER_EPOCH)), False),
        (KafkaException(KafkaError(KafkaError._TIMED_OUT)), False),  # noqa: SLF001  librdkafka's public name begins so
        (TimeoutError(), False),
        (KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)), True),
    ],
)
async def test_a_cluster_whose_leaders_change_is_asked_again(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, *, fault: Exception, leaves: bool
) -> None:
    """What is looked at now and then is no reason to start afresh, unless it is refused."""
    answers: list[Exception | dict[int, int]] = [fault, {0: 5}]

    def ends(_: object) -> dict[int, int]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(worker.engine.cluster, "ends_of_standings", ends)
    if leaves:
        with pytest.raises(KafkaException):
            await worker.engine.look_after_decisions()
        return
    for _ in range(2):
        await worker.engine.look_after_decisions()
    assert (answers, worker.left) == ([], [])
