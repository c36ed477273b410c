"""What is fetched, on its way to the engine: asked for, handed out, folded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from faust.types import TP

from streams.engine import fetching
from streams.engine.batch import RecordBatch
from streams.engine.fetching import RECORDS_PER_BATCH_MAX, Slice, SourceFetcher, Sources
from streams.engine.transport import BatchConsumer
from tests.factories import Fetched

FIRST, SECOND = TP("orders", 0), TP("orders", 1)


class FakeEngine:
    """Takes batches, and does something after one of them."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, int, int]] = []
        """Partition, first offset, number of records."""
        self.positions: dict[TP, int] = {}
        self.after_first: Callable[[], None] = lambda: None

    def position(self, topic: str, number: int) -> int:
        """Return the offset of the next record to be folded."""
        return self.positions.get(TP(topic, number), 0)

    async def apply(self, batch: RecordBatch) -> None:
        """Note a batch."""
        self.taken.append((batch.partition, batch.first_offset, len(batch)))
        if len(self.taken) == 1:
            self.after_first()


def consumer_of(engine: FakeEngine) -> BatchConsumer:
    """Return a consumer without a Faust app around it."""
    consumer: BatchConsumer = object.__new__(BatchConsumer)
    the: Any = consumer
    the.app = SimpleNamespace(engine=engine, consumer_generation_id=1)
    the.flow_active = True
    return consumer


def sliced(first: int, count: int) -> Slice:
    """Return so many records as they are fetched."""
    records: list[Any] = [Fetched(offset, 0, None, b"value", ()) for offset in range(first, first + count)]
    return Slice.of(records, first, first + count, end=first + count, chain=1)


def fold(consumer: BatchConsumer, *, second_from: int = 0) -> None:
    """Have more than a batch of one partition folded, and a record of another."""
    asyncio.run(consumer.fold({FIRST: sliced(0, RECORDS_PER_BATCH_MAX + 1), SECOND: sliced(second_from, 1)}))


def test_what_was_fetched_is_folded_in_batches() -> None:
    """Of each partition in order, none larger than a fold may take."""
    engine = FakeEngine()
    fold(consumer_of(engine))
    assert engine.taken == [(0, 0, RECORDS_PER_BATCH_MAX), (0, RECORDS_PER_BATCH_MAX, 1), (1, 0, 1)]


def test_what_was_folded_before_is_passed() -> None:
    """A fetch that was under way before a seek may bring records again."""
    engine = FakeEngine()
    engine.positions = {FIRST: RECORDS_PER_BATCH_MAX, SECOND: 8}
    fold(consumer_of(engine), second_from=7)
    assert engine.taken == [(0, RECORDS_PER_BATCH_MAX, 1)]


@pytest.mark.parametrize("what", ["the flow stops", "another assignment"])
def test_the_rest_is_left_when_partitions_move(what: str) -> None:
    """It is fetched again from where the rows stand, by whoever has the partitions then."""
    engine = FakeEngine()
    consumer: Any = consumer_of(engine)

    def move() -> None:
        if what == "the flow stops":
            consumer.flow_active = False
        else:
            consumer.app.consumer_generation_id = 2

    engine.after_first = move
    fold(consumer)
    assert engine.taken == [(0, 0, RECORDS_PER_BATCH_MAX)]


def test_only_sources_are_asked_for() -> None:
    """Changelogs are assigned with them, and read by the recovery alone."""
    tps = [TopicPartition(topic, number) for topic in ("orders", "shop-stock-changelog") for number in (0, 1)]
    assignment = SimpleNamespace(tps=frozenset(tps), state_value={}.get)
    assert sorted(Sources(assignment, {"orders"}).tps) == tps[:2]


@pytest.mark.parametrize("has_found", [True, False])
@pytest.mark.parametrize("ends", [True, False])
def test_what_was_found_is_handed_out_before_the_pause(
    monkeypatch: pytest.MonkeyPatch, *, has_found: bool, ends: bool
) -> None:
    """Whoever waits for records has them at once; who found nothing makes no pause; one ends with the assignment."""

    async def found(*_: object) -> bool:
        return has_found

    monkeypatch.setattr(fetcher.Fetcher, "_proc_fetch_request", found)
    monkeypatch.setattr(fetching, "PAUSE_S", 3_600.0 if ends else 0.001)

    async def fetch() -> tuple[bool, bool]:
        asked: Any = object.__new__(SourceFetcher)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asked._fetch_waiters = {waiter}  # noqa: SLF001 - aiokafka's name
        fetching_ = asyncio.ensure_future(asked._proc_fetch_request(None, 1, None))  # noqa: SLF001 - the same
        if has_found:
            await waiter
        if ends:
            await asyncio.sleep(0)
            fetching_.cancel()
        return await fetching_, waiter.done()

    assert asyncio.run(fetch()) == (has_found, has_found)


def test_a_fetch_that_is_cancelled_at_the_end_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread has stopped already. Raised while partitions move, Faust would end the worker with a traceback."""

    async def cancelled(_consumer: BatchConsumer, _timeout: float) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(BatchConsumer, "_wait_next_records", cancelled)
    monkeypatch.setattr(BatchConsumer, "should_stop", False)
    consumer: Any = consumer_of(FakeEngine())
    fetching_service: Any = SimpleNamespace(should_stop=False)

    consumer.app.should_stop = True
    drain = consumer._drain_messages  # noqa: SLF001 - Faust's fetcher calls it
    asyncio.run(drain(fetching_service))
    consumer.app.should_stop = False
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(drain(fetching_service))
