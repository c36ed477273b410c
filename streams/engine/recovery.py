"""Tables and their recovery, as Faust is given them: rows are the engine's, loaded by it from the changelogs.

RowTable            declares a changelog, co-partitioned with the sources
ChangelogRecovery   Faust's recovery service: prepares the engine, then resumes the streams
RowTables           Faust's table manager, with this recovery
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Final, cast

import faust
import structlog
from aiokafka.errors import IllegalStateError
from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from mode import Service

from streams.engine.transport import engine_of

if TYPE_CHECKING:
    from faust.types import TP

    from streams.engine.transport import BatchConsumer

READ_FIRST_POLL_S: Final = 0.02
LOOK_AFTER_S: Final = 3.0
"""How often what no record tells of is looked at: markers at the end of a log, and partitions that are refused."""
READ_FIRST_STALLED_S: Final = 10.0
"""What is left may be in somebody's open transaction: without progress for this long the topic counts as read."""

log = structlog.get_logger("engine")


class RowTable(faust.Table):  # type: ignore[type-arg]  # generic for type checkers only
    """A table whose rows are the engine's: here it only declares its changelog."""


class ChangelogRecovery(Recovery):
    """Lets the engine take over the partitions, then resumes the streams."""

    @Service.task
    async def _restart_recovery(self) -> None:
        engine = engine_of(self.app)
        while not self.should_stop:
            if await self.wait_for_stopped(self.signal_recovery_start.wait()):
                return
            self.signal_recovery_start.clear()
            generation = self._generation_id
            try:
                if not await engine.prepare(generation):
                    continue
                held = self.hold()
                if not engine.resume(generation):
                    continue
                await self._resume_streams(generation_id=generation)
                await self.read_first(held)
            except (RebalanceAgain, IllegalStateError):
                continue
            except ServiceStopped:
                return
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - without rows nothing may be folded
                engine.leave(error)

    def hold(self) -> set[int]:
        """Hold refused partitions, and of those that have one topic to read first the others; return the latter."""
        engine, consumer = engine_of(self.app), self._batch_consumer()
        refused = {tp for tp in consumer.assignment() if tp.partition in engine.refusals}
        unread = engine.unread_first
        consumer.hold(self._other_sources(unread) | refused)
        return unread

    async def read_first(self, held: set[int]) -> None:
        """Release a partition's other topics once the first one is read to where it ended."""
        engine, consumer = engine_of(self.app), self._batch_consumer()
        progressed_s, seen = monotonic(), -1
        while held and not self.should_stop and not self.signal_recovery_start.is_set():
            await self.sleep(READ_FIRST_POLL_S)
            self._cover()  # the end may be control records, which are never delivered
            left = engine.unread_first
            positions = sum(engine.position(engine.options.read_first, number) for number in held)
            if positions != seen:
                progressed_s, seen = monotonic(), positions
            if monotonic() - progressed_s > READ_FIRST_STALLED_S:
                log.warning("not_read_to_its_end", topic=engine.options.read_first, partitions=sorted(left))
                left = set()
            if done := held - left:
                consumer.release(self._other_sources(done))
                held = held & left

    @Service.task
    async def _look_after(self) -> None:
        engine = engine_of(self.app)
        while not self.should_stop:
            await self.sleep(LOOK_AFTER_S)
            try:
                self._cover()
                await engine.look_after_decisions()
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - Faust would end the task without a word
                engine.leave(error)

    def _cover(self) -> None:
        """Move positions over what was fetched and is no record."""
        for tp, (covers_from, covers_to) in self._batch_consumer().covered().items():
            engine_of(self.app).cover(tp.topic, tp.partition, covers_from, covers_to)

    @Service.task
    async def _follow(self) -> None:
        engine = engine_of(self.app)
        while not self.should_stop:
            await self.sleep(engine.options.follow_s)
            try:
                if engine.is_accepting:
                    await engine.follow()
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - the same
                engine.leave(error)

    def _other_sources(self, numbers: set[int]) -> set[TP]:
        options = engine_of(self.app).options
        others = set(options.source_topics) - {options.read_first}
        return {tp for tp in self.app.consumer.assignment() if tp.partition in numbers and tp.topic in others}

    def _batch_consumer(self) -> BatchConsumer:
        return cast("BatchConsumer", self.app.consumer)

    @Service.task
    async def _slurp_changelogs(self) -> None:
        """Do nothing: changelogs are not read through Faust's consumer."""

    @Service.task
    async def _publish_stats(self) -> None:
        """Do nothing: there are no changelog offsets to report."""


class RowTables(TableManager):
    """Puts the recovery in place."""

    @property
    def recovery(self) -> ChangelogRecovery:
        """The service that Faust tells of rebalances."""
        if self._recovery is None:
            self._recovery = ChangelogRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return cast("ChangelogRecovery", self._recovery)
