"""The Faust app of an application that folds batches exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import faust
from yarl import URL

from process.backlog import Backlog
from streams.engine.credentials import broker_credentials
from streams.engine.engine import Engine
from streams.engine.recovery import RowTable, RowTables
from streams.engine.transport import EpochTransport
from streams.engine.watchdog import BOUNDS, Bounds, Watchdog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from faust.types import TP

    from streams.engine.fetching import BatchThread
    from streams.engine.options import EngineOptions

HEARTBEATS_PER_SESSION: Final = 3
"""A worker is dead after the session timeout; two heartbeats may be lost before that (Kafka's advice)."""

HEARTBEAT_S_MAX: Final = 3.0
"""Kafka's default: by its answer a worker hears that another has come or gone."""

REQUEST_TIMEOUT_S: Final = 90.0
"""Faust's default."""

FETCH_BYTES_MAX: Final = 2 * 1024 * 1024
"""Of one partition at a time: some 8,000 records of 250 bytes."""


class EngineApp(faust.App):
    """A Faust app whose consumer has the joined topics folded batch by batch."""

    engine: Engine
    watchdog: Watchdog
    consumer_thread: BatchThread | None = None
    """Where aiokafka's consumer runs; None before there is one."""
    group_instance_id: str | None = None
    """Its name as a static member of the group; None where it is a member as long as the process lives."""
    backlog: Backlog
    """What of the source topics is not folded yet; looked at by the watchdog."""

    def _create_directories(self) -> None:
        """Make none: rows live in memory and in changelogs, and a container's disk is read-only."""

    async def on_first_start(self) -> None:
        """Begin to watch before anything can stand; have the source topics subscribed to."""
        await super().on_first_start()
        # Without acks: Faust would note each batch's until a commit of its own, which never comes.
        self.topics.add(self.topic(*self.engine.options.source_topics, acks=False))
        self.watchdog.start()

    def leave_group(self) -> None:
        """Tell the group that this worker is gone."""
        if self.consumer_thread is not None:
            self.consumer_thread.leave_group()

    def seek(self, positions: Mapping[TP, int]) -> None:
        """Let source partitions be fetched again from these offsets on."""
        if self.consumer_thread is not None:
            self.consumer_thread.seek_back(positions)

    async def follow(self, positions: Mapping[TP, int]) -> bool:
        """Commit the group's offsets; False if they are as they were."""
        return self.consumer_thread is not None and await self.consumer_thread.follow(positions)

    @classmethod
    def create(
        cls,
        options: EngineOptions,
        *,
        session_timeout_s: float,
        group_instance_id: str | None = None,
        bounds: Bounds = BOUNDS,
        **settings: Any,  # noqa: ANN401 - Faust's
    ) -> Self:
        """Return the app, its engine in place; Faust's own settings may be added.

        Args:
            options: the engine's wiring.
            session_timeout_s: silence after which a worker's partitions go to another.
            group_instance_id: a name of this worker that outlives its process (static membership), or None.
            bounds: how long the watchdog lets things stand.
            settings: more of Faust's settings.

        """
        if credentials := broker_credentials(options.client_config):
            settings["broker_credentials"] = credentials
        brokers = [URL(f"kafka://{address}") for address in options.client_config["bootstrap.servers"].split(",")]
        app = cls(
            options.app_id,
            broker=brokers,
            store="memory://",
            processing_guarantee="exactly_once",
            topic_partitions=options.partitions,
            topic_allow_declare=False,  # the changelogs are made by cluster.py, and nothing by accident
            consumer_auto_offset_reset="earliest",
            consumer_max_fetch_size=FETCH_BYTES_MAX,
            broker_max_poll_records=100_000,
            broker_session_timeout=session_timeout_s,
            broker_request_timeout=max(REQUEST_TIMEOUT_S, session_timeout_s),  # Faust refuses one below the session's
            broker_heartbeat_interval=min(session_timeout_s / HEARTBEATS_PER_SESSION, HEARTBEAT_S_MAX),
            broker_commit_interval=60.0,  # Faust's commit timer: epochs commit by themselves
            stream_wait_empty=False,
            stream_recovery_delay=0.0,
            table_standby_replicas=0,
            web_enabled=False,  # Faust's server binds every interface and serves tables to anybody
            Table=RowTable,
            TableManager=RowTables,
            **settings,
        )
        app.group_instance_id = group_instance_id
        app.transport = EpochTransport(brokers, app)
        app.engine = Engine(options, depart=app.leave_group, seek=app.seek, follow=app.follow)
        app.backlog = Backlog()
        app.watchdog = Watchdog(app, bounds)
        for table in options.tables:
            app.Table(table, partitions=options.partitions)
        return app
