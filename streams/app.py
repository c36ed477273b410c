"""The stream app of the referral programme, wired: `faust -A streams.app worker` and `referrals stream`.

Consumes: codes, clicks, registrations (key: referral code; the same number of partitions).
Keeps:    the tables mentors, members, waiting, moves.
Emits:    mentor-counts, milestones, dead letters, records moved to their partition.

The rules are `models.attribution`; exactness and speed are `streams.engine`. Nothing happens at import:
`app` is made when Faust asks for it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from models.attribution import Attribution, Rules
from models.changes import MOVES, TABLES
from models.moves import forgotten
from models.outgoing import AGAIN
from models.topics import CODES, DEAD_LETTERS, SOURCES, TOPICS
from process import logs
from process.fault_points import fault_point
from process.settings import Settings
from process.tracing import open_tracer
from streams.beginning import Beginnings
from streams.engine.app import EngineApp
from streams.engine.clients import Clients, LibrdkafkaClients, WorkerClients
from streams.engine.options import EngineOptions, leave_process
from streams.metrics import AttributionMetrics
from streams.names import check_name
from streams.tracing import MilestoneSpans

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from models.changes import Changes
    from process.tracing import Tracer
    from streams.engine.batch import Rows

LOG_CRITICAL: Final = "2"
"""librdkafka's own lines on standard error: what it tries again is nobody's concern, what fails is raised."""

PARTITIONS_HINT: Final = (
    ": set REFERRALS_PARTITIONS to what the source topics have; where `referrals state reshard` was begun and has not "
    "come to its end, run it again"
)
EACH_MINUTE: Final = "* * * * *"
EXPIRY_INTERVAL_S: Final = 60.0
"""How often records that wait for their code are looked at for their age: days, so a minute is exact enough."""


class StreamApp(EngineApp):
    """The engine's app, with what the referral programme shows of it."""

    metrics: AttributionMetrics


def create_app(
    settings: Settings,
    *,
    on_leave: Callable[[Exception], None] = leave_process,
    daily: Callable[[], Awaitable[None]] | None = None,
    minutely: Callable[[], Awaitable[None]] | None = None,
    tracer: Tracer | None = None,
) -> StreamApp:
    """Return the stream app under these settings.

    Args:
        settings: the installation's.
        on_leave: what this worker does when it must not go on; see `EngineOptions.on_leave`.
        daily: what one of the workers does at `reconcile_at`; it must raise nothing, and ends when it is cancelled.
        minutely: what one of them does each minute, unless `reconcile_at` is off; the same.
        tracer: shows how registrations become milestones; None: nobody does.

    """
    attribution = attribution_of(settings, settings.partitions, traces=tracer is not None)
    options = replace(
        engine_options(settings, on_leave=on_leave, clients=WorkerClients()),
        begin_work=attribution.begin,
        set_aside=attribution.set_aside,
    )
    if tracer is not None:
        options = replace(options, on_sent=MilestoneSpans(tracer, group=settings.app_id))
    app = StreamApp.create(
        options, session_timeout_s=settings.session_timeout_s, group_instance_id=settings.group_instance_id
    )

    app.metrics = AttributionMetrics(app, settings.thresholds)

    def expire(rows: Rows, partition: int) -> Changes:
        work = attribution.expire(rows, partition=partition, now_ms=options.now_ms())
        app.metrics.note_oldest(partition, work.oldest_waiting_ms)
        return work.changes()

    async def expire_waiting() -> None:
        await app.engine.revise(expire)

    app.timer(EXPIRY_INTERVAL_S)(expire_waiting)
    for at, done in ((settings.reconcile_at, daily), (EACH_MINUTE, minutely)):
        if done is not None and settings.reconcile_at != "off":
            app.crontab(at, timezone=UTC, on_leader=True)(done)
    return app


def engine_options(
    settings: Settings, *, on_leave: Callable[[Exception], None] = leave_process, clients: Clients | None = None
) -> EngineOptions:
    """Return the engine's wiring under these settings."""

    def begin(numbers: Collection[int]) -> Mapping[int, Rows]:
        return Beginnings(options, settings.topic_prefix)(numbers)

    options = EngineOptions(
        app_id=settings.app_id,
        source_topics=tuple(topic.full_name(settings.topic_prefix) for topic in SOURCES),
        read_first=CODES.full_name(settings.topic_prefix),
        tables=TABLES,
        partitions=settings.partitions,
        client_config={**settings.kafka_client_config(), "log_level": LOG_CRITICAL},
        output_topics=tuple(topic.full_name(settings.topic_prefix) for topic in TOPICS if topic not in SOURCES),
        record_bytes_max={DEAD_LETTERS.full_name(settings.topic_prefix): DEAD_LETTERS.message_bytes_max},
        check_name=lambda cluster: check_name(settings, options, cluster),
        begin=begin,
        publish=attribution_of(settings, settings.partitions).publish,
        again_header=AGAIN,
        forget=lambda rows, topic: {MOVES: forgotten(rows[MOVES], topic)},
        decide_with="referrals state",
        partitions_hint=PARTITIONS_HINT,
        on_leave=on_leave,
        clients=clients or LibrdkafkaClients(),
        fault_point=fault_point,
    )
    return options


def attribution_of(settings: Settings, partitions: int, *, traces: bool = False) -> Attribution:
    """Return the fold under these settings, for a number of partitions of each source."""
    rules = Rules(
        topic_prefix=settings.topic_prefix,
        thresholds=settings.thresholds,
        waiting_records_max=settings.waiting_records_max,
        waiting_age_ms=int(settings.waiting_age_s * 1000),
        traces=traces,
    )
    return Attribution(rules, partitions=partitions)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute
    """Make `app` when it is asked for: `faust -A streams.app worker` looks it up by name."""
    if name == "app":
        settings = Settings()
        logs.configure(settings)
        app = globals()["app"] = create_app(settings, tracer=open_tracer("stream", settings))
        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
