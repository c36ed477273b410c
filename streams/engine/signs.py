"""Signs of progress: of everything in a worker that has something to do, a value that changes while it moves.

    event_loop   running            how often the loop came round to count
    group        with a consumer    the same of the consumer's own loop
    join         no assignment      generation and member id
    takeover     assigned           calls that returned, records that were read
    fetch p      running            when the broker answered last for the partition
    fold         fetched, unfolded  the positions
    commit p     open epoch         how many epochs were detached, and calls of the producer that have returned
    call p       in a call          how many have returned
    stop         asked to stop      epochs that were detached
    leave        leaving            nothing: it has its bound and no more

Taken by the watchdog's thread from values that others change: each is read once, as it is at that moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.engine.engine import Phase
from streams.engine.progress import CALLS, TALLY

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from streams.engine.app import EngineApp
    from streams.engine.engine import Engine
    from streams.engine.fetching import BatchThread

Sign = tuple[str, int | None]
"""Kind of work, and the source partition if it is one's."""


class Beats:
    """Counts how often an event loop comes round."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.count = 0
        self._loop = loop
        self._is_due = False

    def take(self) -> int:
        """Return the count, and ask the loop to count again."""
        if not self._is_due and not self._loop.is_closed():
            self._is_due = True
            self._loop.call_soon_threadsafe(self._beat)
        return self.count

    def _beat(self) -> None:
        self._is_due = False
        self.count += 1


class Signs:
    """The signs of one worker."""

    def __init__(self, app: EngineApp) -> None:
        self._app = app
        self._beats: dict[str, Beats] = {}

    def take(self) -> dict[Sign, object]:
        """Return the signs of everything that has something to do now."""
        return dict(self._all())

    def _all(self) -> Iterator[tuple[Sign, object]]:
        engine, thread = self._app.engine, self._app.consumer_thread
        if engine.phase is Phase.LEAVING:
            yield ("leave", None), True
            return
        if self._app.should_stop:
            yield ("stop", None), sum(partition.detached for partition in engine.partitions.copy().values())
            return
        yield ("event_loop", None), self._beat("event_loop", self._app.loop)
        if thread is not None:
            yield ("group", None), self._beat("group", thread.thread_loop)
        membership = None if thread is None else thread.membership
        if engine.phase is Phase.JOINING and (membership is None or membership.waits_for is None):
            yield ("join", None), None if membership is None else membership.progress
        if engine.phase is Phase.TAKING_OVER:
            yield ("takeover", None), (engine.generation, TALLY.count)
        for number, partition in engine.partitions.copy().items():
            if partition.is_pending or partition.committing is not None:
                yield ("commit", number), (partition.detached, partition.producer.calls)
        for number, returned in CALLS.copy().items():
            yield ("call", number), returned
        if engine.phase is Phase.RUNNING and thread is not None:
            yield from _of_fetching(engine, thread)

    def _beat(self, name: str, loop: asyncio.AbstractEventLoop) -> int:
        if name not in self._beats:
            self._beats[name] = Beats(loop)
        return self._beats[name].take()


def _of_fetching(engine: Engine, thread: BatchThread) -> Iterator[tuple[Sign, object]]:
    """Yield the signs of fetching, for each partition, and of folding.

    Folding has one for all: a partition may wait long for its turn among many, and a batch that is lost on the way is
    found by the next one of its partition.
    """
    answered: dict[int, int] = {}
    positions = []
    has_unfolded = False
    for tp, place in thread.places().items():
        if tp.partition not in engine.partitions or place.is_held:
            continue
        position = engine.position(tp.topic, tp.partition)
        positions.append((tp, position, place.looked_to))
        has_unfolded |= place.is_buffered or place.handed_out > position
        if not place.is_buffered:
            answered[tp.partition] = min(place.answered_ms, answered.get(tp.partition, place.answered_ms))
    for number, answered_ms in answered.items():
        yield ("fetch", number), answered_ms
    if has_unfolded and engine.has_room:
        yield ("fold", None), positions
