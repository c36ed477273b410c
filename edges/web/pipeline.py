"""The state of the pipeline for those who look at it: what waits for each component, dead letters, whether it keeps up.

Kafka is asked every `LOOK_INTERVAL_S`, and only while somebody looks: a page that is open, a request, a scrape.

Failure handling: Kafka away is a state, `unreachable`, with what was known last; it is asked again with the next look.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

import structlog
from confluent_kafka import KafkaException
from prometheus_client import CollectorRegistry, Gauge

from edges.web.answers.running import ComponentLag, PipelineState
from edges.web.offsets import COMPONENTS, Offsets, Progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from operations.lag import Place
    from process.settings import Settings

LOOK_INTERVAL_S: Final = 2.0
LOOK_AGAIN_S: Final = 0.2
STALE_AFTER_S: Final = 5.0
IDLE_S: Final = 60.0
"""After so long without a look the connections are closed."""
BEHIND_AFTER_S: Final = 10.0
"""A record that waits longer says that a component is behind, or does not run."""
BEHIND_RECORDS: Final = 10_000
"""So many that wait for a component say so at once."""

log = structlog.get_logger("web")


class Pipeline:
    """Looks at Kafka; a context manager."""

    def __init__(self, settings: Settings, registry: CollectorRegistry) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pipeline")
        self._offsets = Offsets(settings)
        self._patience = Patience()
        self._looking = asyncio.Lock()
        self._looked_s = -STALE_AFTER_S
        self._state: PipelineState | None = None
        self._watchers = 0
        self._watching: asyncio.Task[None] | None = None
        self._closing: asyncio.TimerHandle | None = None
        self._lag = Gauge(
            "referrals_consumer_lag_records",
            "Records that wait for a component, when it was last looked at.",
            ["component"],
            registry=registry,
        )
        self._dead_letters = Gauge(
            "referrals_dead_letter_records", "Records in the dead letters topic, the same.", registry=registry
        )

    async def __aenter__(self) -> Self:
        """Connect to nothing yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        if self._closing is not None:
            self._closing.cancel()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._offsets.close)
        self._thread.shutdown(wait=False)

    @property
    def last(self) -> PipelineState | None:
        """What the last look found; None where it was long ago."""
        return self._state if time.monotonic() - self._looked_s < STALE_AFTER_S else None

    async def look(self) -> PipelineState:
        """Return the state, at most `LOOK_INTERVAL_S` old."""
        async with self._looking:
            if self._state is None or time.monotonic() - self._looked_s >= LOOK_INTERVAL_S:
                loop = asyncio.get_running_loop()
                self._state = await loop.run_in_executor(self._thread, self._look)
                self._looked_s = time.monotonic()
                if self._closing is not None:
                    self._closing.cancel()
                self._closing = loop.call_later(IDLE_S, self._thread.submit, self._offsets.close)
            return self._state

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Keep looking, so that `last` stays fresh, while the body runs."""
        self._watchers += 1
        if self._watching is None:
            self._watching = asyncio.create_task(self._keep_looking())
        try:
            yield
        finally:
            self._watchers -= 1
            if self._watchers == 0:
                self._watching.cancel()
                self._watching = None

    async def _keep_looking(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_INTERVAL_S)

    def _look(self) -> PipelineState:
        """Ask Kafka; in the thread."""
        try:
            progress = self._look_twice()
        except KafkaException as error:
            return self._unreachable(error)
        waiting = {name: sum(progress.waiting[name].values()) for name in COMPONENTS}
        for name, records in waiting.items():
            self._lag.labels(name).set(records)
        self._dead_letters.set(progress.dead_letters)
        return PipelineState(
            components=[ComponentLag(name=name, lag=records) for name, records in waiting.items()],
            dead_letters=progress.dead_letters,
            state="behind" if self._patience.is_over(progress, time.monotonic()) else "ok",
            checked_at=datetime.now(UTC),
        )

    def _look_twice(self) -> Progress:
        """Look; once more where Kafka does not say: a partition may just have moved, a group's broker just be found."""
        try:
            return self._offsets.look()
        except KafkaException:
            time.sleep(LOOK_AGAIN_S)
            return self._offsets.look()

    def _unreachable(self, error: KafkaException) -> PipelineState:
        known = self._state
        if known is None or known.state != "unreachable":
            log.warning("pipeline_unreachable", reason=str(error.args[0]))
        return PipelineState(
            components=known.components if known else [ComponentLag(name=name, lag=0) for name in COMPONENTS],
            dead_letters=known.dead_letters if known else 0,
            state="unreachable",
            checked_at=datetime.now(UTC),
        )


class Patience:
    """Tells a component that is working from one that is behind, from one look to the next.

    While records come there is always one that waits, so a number alone says little. Of each partition the end is noted
    with its time; it must have been reached `BEHIND_AFTER_S` later, and then the next one is noted.
    """

    def __init__(self) -> None:
        self._goals: dict[tuple[str, Place], tuple[int, float]] = {}

    def is_over(self, progress: Progress, now_s: float) -> bool:
        """Tell whether any component is behind."""
        goals = {}
        for name, places in progress.waiting.items():
            for place in places:
                goal = self._goals.get((name, place))
                if goal is None or progress.committed[name][place] >= goal[0]:
                    goal = (progress.ends[place], now_s)
                goals[name, place] = goal
        self._goals = goals
        return any(now_s - since_s > BEHIND_AFTER_S for _, since_s in goals.values()) or any(
            sum(places.values()) > BEHIND_RECORDS for places in progress.waiting.values()
        )
