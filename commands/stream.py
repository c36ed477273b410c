"""`referrals stream`: one worker of the stream app, which starts itself afresh when it had to leave.

A worker leaves at once when its work was fenced or could not be committed (another worker took over while it
was asleep, the broker was away), or when its watchdog saw it stand still. Its state is then worth nothing; starting
afresh is always right, and takes a second or two. It does so in the same process (exec), so whoever started it, started
it once, and signals find it. What no start would put right ends it: a missing right, a setting that the broker refuses.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING, Any, Final, NoReturn

import rich_click as click
import structlog

from process import afresh, logs
from process.faults import named
from process.running import find_settings

if TYPE_CHECKING:
    from process.renewal import Renewal
    from process.tracing import Tracer

EXIT_FAILED: Final = 1
EXIT_SETTINGS: Final = 2
EXIT_SIGNALLED: Final = 128
"""And the signal's number, as shells say it."""

QUIET_S: Final = 30.0
"""A worker that lived this long begins again with the first pause."""

log = structlog.get_logger("stream")


@click.command()
def command() -> None:
    """Run one worker of the stream app; start as many as you like, on as many machines.

    It joins the consumer group REFERRALS_APP_ID. Ctrl-C and SIGTERM commit what is done and leave the group. At
    REFERRALS_RECONCILE_AT one of the workers runs `referrals reconcile`, in a process of its own, if
    REFERRALS_DATABASE_URL is given; for organisations with an interval of their own, when that is over.

    It starts itself afresh, in the same process, where that puts things right, and where its certificate, its key or
    the authority's certificate was renewed. Exit codes: 1 where it does not, for
    example a missing right; 2 where the cluster refuses a setting; 75 where it was to stop and could not commit first.
    """
    start = Start()
    worker: Any = None

    def stop() -> None:
        """Let the worker stop as its own signal handler would, or end while there is none; called by a thread."""
        if worker is None:
            os._exit(EXIT_SIGNALLED + (start.stopping.by or signal.SIGTERM))
        if not worker.loop.is_closed():
            worker.loop.call_soon_threadsafe(worker._on_sigterm)  # noqa: SLF001 - Faust has no other way

    # From here on: an exception that a signal handler raises is lost where it comes while a module is being imported.
    start.stopping.listen(stop)
    settings = find_settings()
    logs.configure(settings)
    from process.reaching import warn_without_kafka  # noqa: PLC0415  `--help` needs no Kafka

    warn_without_kafka(settings)
    # Imported here: half a second that `--help` need not wait for.
    import faust  # noqa: PLC0415
    from confluent_kafka import KafkaException  # noqa: PLC0415

    from commands.daily import reconcile_due, reconcile_in_process  # noqa: PLC0415
    from process.monitoring import start_monitoring  # noqa: PLC0415
    from process.renewal import Renewal  # noqa: PLC0415  the same
    from process.tracing import open_tracer  # noqa: PLC0415
    from streams.app import create_app  # noqa: PLC0415
    from streams.engine.errors import CannotWork, NotCoPartitioned  # noqa: PLC0415
    from streams.engine.health import EngineHealth  # noqa: PLC0415
    from streams.engine.metrics import EngineMetrics  # noqa: PLC0415

    # A worker that was not told of a database has nobody to ask.

    async def minutely() -> None:
        await reconcile_due(settings.database_url)

    is_told = settings.is_given("database_url")
    tracer = open_tracer("stream", settings)
    app = create_app(
        settings,
        on_leave=start.leave,
        daily=reconcile_in_process if is_told else None,
        minutely=minutely if is_told else None,
        tracer=tracer,
    )
    start_monitoring(
        "stream", settings, health=EngineHealth(app), collectors=[EngineMetrics(app, afresh.restarts()), app.metrics]
    )
    try:
        app.engine.cluster.check_topics()
        app.engine.cluster.check_changelogs()
    except (CannotWork, NotCoPartitioned) as fault:
        raise click.ClickException(with_remedy(fault)) from fault
    except (KafkaException, TimeoutError) as error:  # the latter by an answer that never came
        app.engine.leave(error)
    app.finalize()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    worker = faust.Worker(
        app, loglevel=settings.log_level, loop=loop, quiet=True, redirect_stdouts=False, override_logging=False
    )
    worker.spinner = None  # it writes its terminal codes wherever standard output goes, between lines of JSON too
    start.work(worker, Renewal(settings, stop), tracer)


class Start:
    """One start of the worker, which may be followed by another."""

    def __init__(self) -> None:
        """Begin, after the pause that is owed if starts before have failed."""
        self._failed = afresh.begin()
        self._began_s = time.monotonic()
        self.stopping = afresh.Stopping()

    def work(self, worker: Any, renewal: Renewal, tracer: Tracer | None) -> None:  # noqa: ANN401 - Faust has no types
        """Let the worker work until it stops; then end, or start afresh where it did not stop for somebody."""
        from process.renewal import REASON  # noqa: PLC0415  `--help` needs none of it

        renewal.start()
        try:
            worker.execute_from_commandline()
        except SystemExit as stopped:
            if tracer is not None:
                tracer.close()
            if renewal.has_come and not stopped.code:  # what is done is committed, and the group was told
                self.stopping.start_afresh(failed=0, reason=REASON)
            if not stopped.code or self.stopping.by is not None:
                raise
            self.leave(worker.app.crash_reason or stopped)
        except Exception as error:  # noqa: BLE001 - for example no broker: try again until there is one
            self.leave(error)

    def leave(self, error: BaseException) -> NoReturn:
        """Start afresh, or end where that is vain or not wanted; may be called from any thread."""
        from confluent_kafka import KafkaException  # noqa: PLC0415

        from streams.engine.errors import BadSessionTimeout, CannotWork, EngineError  # noqa: PLC0415
        from streams.engine.options import EXIT_LEFT  # noqa: PLC0415

        if isinstance(error, CannotWork):
            log.error("worker_ends", reason=with_remedy(error))
            os._exit(EXIT_SETTINGS if isinstance(error, BadSessionTimeout) else EXIT_FAILED)
        reason = type(error).__name__
        failed = 0 if time.monotonic() - self._began_s > QUIET_S else self._failed
        is_foreseen = isinstance(error, EngineError | KafkaException) and str(error)
        log.warning(
            "worker_starts_afresh",
            reason=str(error) if is_foreseen else named(error),
            kind=reason,
            pause_s=afresh.pause_s(failed + 1),
        )
        try:
            self.stopping.start_afresh(failed=failed, reason=reason)
        except OSError as fault:
            log.exception("worker_cannot_start_afresh", reason=str(fault))
        os._exit(EXIT_LEFT)  # was asked to stop, and what was not committed is done by the next worker


def with_remedy(error: Exception) -> str:
    """Say what keeps the worker from its work, and which of our settings or commands puts it right."""
    from streams.engine.errors import BadSessionTimeout, NotCoPartitioned  # noqa: PLC0415

    if isinstance(error, NotCoPartitioned):
        return (
            f"{error}; create the topics with `referrals topics create`, or set REFERRALS_PARTITIONS and "
            "REFERRALS_TOPIC_PREFIX to what they are"
        )
    return f"{error}: set REFERRALS_SESSION_TIMEOUT_S" if isinstance(error, BadSessionTimeout) else str(error)
