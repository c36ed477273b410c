"""A worker: the real engine, recovery and epochs, with a stand-in for what Faust and aiokafka do around them.

The stand-in keeps Faust's order: revoked, joined, assigned, recovery, seek, flow; one agent folds what was fetched. A
fetch may return what a seek has made old, or be lost on its way to the agent: that is for the engine to notice.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, cast

from faust.types import TP
from mode.services import ServiceTask

from streams.engine.batch import OutgoingRecord, RecordBatch
from streams.engine.engine import Engine
from streams.engine.options import EngineOptions
from streams.engine.recovery import ChangelogRecovery
from streams.engine.standing import OFFSETS_MARK
from streams.engine.transport import Epochs
from tests.simulation.clients import Draw, FakeClients
from tests.simulation.kafka import Kafka
from tests.simulation.loop import Died, SimulatedLoop
from tests.simulation.membership import Coordinator

HEARTBEAT_S: Final = 0.2
POLL_S: Final = 0.1
RECORDS_MAX: Final = 8
QUEUE: Final = 4
UNFOLLOWED: Final = 0.1
"""Part of the offsets that are not committed, for whatever reason."""


class Cluster:
    """What the workers of an installation share, and none of them owns."""

    def __init__(self, loop: SimulatedLoop, kafka: Kafka, options: EngineOptions, coordinator: Coordinator) -> None:
        self.loop = loop
        self.kafka = kafka
        self.options = options
        self.coordinator = coordinator
        self.refused: set[int] = set()
        """Partitions that their last owner has refused."""
        self.left: list[Exception] = []
        """Why workers left."""
        self.told: list[OutgoingRecord] = []
        """What workers have told of as sent."""
        self.loses_fetches = 0
        """So many fetches are lost between their position and the agent."""
        self.begin: Any = None
        self.draw: Draw = lambda _point: None
        """Gives the fault of what is asked of Kafka at a point."""


class Recovery(ChangelogRecovery):
    """The real recovery service, without Faust's machinery of services around it."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.app: Any = worker
        self._start_signal = asyncio.Event()
        self._generation_id = 0

    @property
    def signal_recovery_start(self) -> asyncio.Event:
        """Set when partitions were assigned."""
        return self._start_signal

    @property
    def should_stop(self) -> bool:
        """The process ends otherwise."""
        return False

    async def wait_for_stopped(self, *coros: Any, **_: Any) -> bool:
        """Wait for something; the service is never stopped."""
        for each in coros:
            await each
        return False

    async def sleep(self, n: Any, **_: Any) -> None:
        """Wait."""
        await asyncio.sleep(n)

    def begin(self, generation: int) -> None:
        """Do what `Recovery.on_rebalance` does at its end."""
        self._start_signal.set()
        self._generation_id = generation

    async def _resume_streams(self, generation_id: int = 0) -> None:
        await asyncio.sleep(0)
        if self._worker.consumer_generation_id != generation_id:
            return
        await self._worker.consumer.perform_seek()
        self._worker.consumer.flow_active = True
        self._worker.consumer.look()


class ConsumerStandIn:
    """Faust's consumer: positions, what is paused, fetches."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._shared = worker.shared
        self.flow_active = False
        self.positions: dict[TP, int] = {}
        self._held: set[TP] = set()
        self._chains: dict[TP, int] = {}
        """Which seek a position comes from."""
        self._passed: dict[TP, int] = {}
        """Where a position has moved on over what is no record, and from where."""
        self._has_something = asyncio.Event()

    def assign(self, numbers: Iterable[int]) -> None:
        """Take an assignment; nothing is fetched before a seek."""
        topics = self._worker.engine.options.source_topics
        self.positions = {TP(topic, number): 0 for number in sorted(numbers) for topic in topics}
        self._held = set()
        self._passed = {}

    def assignment(self) -> set[TP]:
        """Return what is assigned."""
        return set(self.positions)

    def hold(self, tps: set[TP]) -> None:
        """Fetch nothing of these."""
        self._held = set(tps)

    def release(self, tps: set[TP]) -> None:
        """Fetch them again."""
        self._held -= tps
        self.look()

    def covered(self) -> dict[TP, tuple[int, int]]:
        """Return where records end in what is no record."""
        return {tp: (covers_from, self.positions[tp]) for tp, covers_from in self._passed.items()}

    async def perform_seek(self) -> None:
        """Seek to where the rows stand: what is refused is where it begins, and held."""
        await asyncio.sleep(0)
        self._passed = {}
        self.positions |= self._worker.engine.positions

    async def follow(self, positions: Mapping[TP, int]) -> bool:
        """Commit offsets, if the coordinator still knows this member."""
        await asyncio.sleep(0)
        if self._shared.loop.random.random() < UNFOLLOWED or not self._worker.is_member:
            return False  # its coordinator is away, or knows of another generation
        group = self._shared.kafka.group(self._worker.engine.options.app_id)
        group.offsets.update({(tp.topic, tp.partition): (at, OFFSETS_MARK) for tp, at in positions.items()})
        return True

    def seek(self, positions: Mapping[TP, int]) -> None:
        """Fetch again from these offsets on, a moment later: the consumer has a thread of its own."""
        self._worker.shared.loop.call_later(POLL_S, self._seek, positions)

    def _seek(self, positions: Mapping[TP, int]) -> None:
        for tp, offset in positions.items():
            if tp in self.positions:
                self.positions[tp] = offset
                self._passed.pop(tp, None)
                self._chains[tp] = self._chains.get(tp, 0) + 1
        self.look()

    def look(self) -> None:
        """Fetch where there is something to be fetched."""
        if self._ready():
            self._has_something.set()

    def _ready(self) -> list[TP]:
        if not self.flow_active or len(self._worker.queue) >= QUEUE:
            return []
        topics, held = self._shared.kafka.topics, self._held
        return [tp for tp, at in self.positions.items() if tp not in held and at != topics[tp[0]].logs[tp[1]].stable]

    async def fetch(self) -> None:
        """Fetch for ever, and hand on to the agent."""
        randomness = self._shared.loop.random
        while True:
            ready = self._ready()
            if not ready:
                self._has_something.clear()
                await self._has_something.wait()
                continue
            tp = ready[int(randomness.random() * len(ready))]
            log = self._shared.kafka.log(*tp)
            if not log.first <= self.positions[tp] <= log.end:
                self.positions[tp] = log.first  # out of range: as `auto.offset.reset` says
            position, generation = self.positions[tp], self._worker.consumer_generation_id
            entries, end = log.read(position, 1 + int(randomness.random() * RECORDS_MAX))
            await asyncio.sleep(0)
            is_old = generation != self._worker.consumer_generation_id or self.positions.get(tp) != position
            if is_old or not self.flow_active:
                continue  # put back
            self.positions[tp] = end
            if not entries:  # markers, aborted records
                self._passed.setdefault(tp, position)
                continue
            position = self._passed.pop(tp, position)
            if self._shared.loses_fetches and randomness.random() < 0.2 and log.read(end, 1)[0]:
                self._shared.loses_fetches -= 1
                continue
            generation = self._worker.consumer_generation_id
            self._worker.queue.append(
                RecordBatch(*tp, entries, position, end, generation, log.stable - end, chain=self._chains.get(tp, 0))
            )
            self._worker.has_batches.set()


class Worker:
    """One life of a worker's process."""

    def __init__(self, shared: Cluster) -> None:
        self.shared = shared
        self.consumer_generation_id = -1
        self._member: int | None = None
        loop = shared.loop
        self._process = loop.current
        pause = partial(loop.pause, loop.current)
        clients = FakeClients(shared.kafka, pause=pause, draw=shared.draw)
        options = replace(
            shared.options,
            clients=clients,
            on_leave=self._leave,
            on_sent=shared.told.extend,
            fault_point=partial(loop.pass_by, loop.current),
            begin=lambda numbers: shared.begin(self.engine.options, numbers),
        )
        self.consumer = ConsumerStandIn(self)
        self.engine = Engine(options, seek=self.consumer.seek, follow=self.consumer.follow)
        self.queue: deque[RecordBatch] = deque()
        self.has_batches = asyncio.Event()
        self._epochs = cast("Any", Epochs.__new__(Epochs))
        self._epochs.app = self
        self._recovery = Recovery(self)

    def run(self) -> None:
        """Begin."""
        loop = self.shared.loop
        for task in vars(ChangelogRecovery).values():
            if isinstance(task, ServiceTask):
                loop.create_task(cast("Any", task.fun(self._recovery)))
        loop.create_task(self._stay_in_group())
        loop.create_task(self.consumer.fetch())
        loop.create_task(self._agent())

    async def _agent(self) -> None:
        while True:
            while self.queue:
                await self.engine.apply(self.queue.popleft())
            self.has_batches.clear()
            self.consumer.look()
            await self.has_batches.wait()

    async def _stay_in_group(self) -> None:
        coordinator, loop = self.shared.coordinator, self.shared.loop
        while True:
            self.consumer.flow_active = False
            await self._epochs.on_partitions_revoked(self.consumer.assignment())
            self._member = member = coordinator.join(self._member, loop.now)
            while (found := coordinator.assigned(member, loop.now)) is None:
                await asyncio.sleep(POLL_S)
                if not coordinator.is_member(member):
                    self._member = member = coordinator.join(None, loop.now)
            self.consumer_generation_id, numbers = found
            self.consumer.assign(numbers)
            await self._epochs.on_rebalance(self.consumer.assignment(), set(), set())
            self._recovery.begin(self.consumer_generation_id)
            while coordinator.heartbeat(member, loop.now):
                self.consumer.look()
                await asyncio.sleep(HEARTBEAT_S)

    @property
    def is_member(self) -> bool:
        """Whether the coordinator takes offsets of this member: it knows it, and of no later generation."""
        coordinator = self.shared.coordinator
        is_known = self._member is not None and coordinator.is_member(self._member)
        return is_known and coordinator.generation == self.consumer_generation_id

    def note_refusals(self) -> None:
        """Say which partitions it has refused, and which it has."""
        if self.engine.is_accepting:
            self.shared.refused -= self.engine.partitions.keys()
            self.shared.refused.update(self.engine.refusals.numbers)

    def _leave(self, error: Exception) -> None:
        self.shared.left.append(error)
        if self.shared.loop.trace is not None:
            self.shared.loop.trace.append(f"{self.shared.loop.now:8.3f} {self._process.name} LEAVES {error!r}")
        self.shared.loop.kill(self._process)
        raise Died
