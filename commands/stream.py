"""`referrals stream`: one worker of the stream app, which starts itself afresh when it had to leave.

A worker leaves at once when its work was fenced or could not be committed (another worker took over while it
was asleep, the broker was away). Its state is then worth nothing; starting afresh is always right, and takes a
second or two. It does so in the same process (exec), so whoever started it, started it once.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any, Final, NoReturn

import rich_click as click
import structlog

from process import logs
from process.settings import load_settings

STARTS_VARIABLE: Final = "REFERRALS_STREAM_STARTS"
"""Counts the starts in short succession, from one to the next."""

PAUSE_S_FIRST: Final = 0.2
PAUSE_S_MAX: Final = 5.0
QUIET_S: Final = 30.0
"""A worker that lived this long begins again with the first pause."""

log = structlog.get_logger("stream")


@click.command()
def command() -> None:
    """Run one worker of the stream app; start as many as you like, on as many machines.

    It joins the consumer group REFERRALS_APP_ID. Ctrl-C and SIGTERM commit what is done and leave the group. At
    REFERRALS_RECONCILE_AT one of the workers runs `referrals reconcile`, in a process of its own, if
    REFERRALS_DATABASE_URL is given.
    """
    settings = load_settings()
    logs.configure(settings)
    # Imported here: half a second that `--help` need not wait for.
    import faust  # noqa: PLC0415
    from confluent_kafka import KafkaException  # noqa: PLC0415

    from commands.daily import reconcile_in_process  # noqa: PLC0415
    from streams.app import create_app  # noqa: PLC0415
    from streams.engine.errors import BadTopic, NameTaken, NotCoPartitioned  # noqa: PLC0415
    from streams.engine.options import leave_process  # noqa: PLC0415

    started_s = time.monotonic()
    worker: faust.Worker | None = None

    def leave(error: Exception) -> None:
        if worker is not None and is_stopping(worker):
            leave_process(error)  # what was not committed is done by the next worker
        start_afresh(error, lived_s=time.monotonic() - started_s)

    # A worker that was not told of a database has nobody to ask.
    daily = reconcile_in_process if settings.is_given("database_url") else None
    app = create_app(settings, on_leave=leave, daily=daily)
    try:
        app.engine.cluster.check_topics()
        app.engine.cluster.check_changelogs()
    except (BadTopic, NameTaken) as fault:
        raise click.ClickException(str(fault)) from fault
    except NotCoPartitioned as fault:
        raise click.ClickException(
            f"{fault}; create the topics with `referrals topics create`, or set REFERRALS_PARTITIONS and "
            "REFERRALS_TOPIC_PREFIX to what they are"
        ) from fault
    except KafkaException as error:
        leave(error)
    app.finalize()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    worker = faust.Worker(
        app, loglevel=settings.log_level, loop=loop, quiet=True, redirect_stdouts=False, override_logging=False
    )
    try:
        worker.execute_from_commandline()
    except SystemExit as stopped:
        if not stopped.code or is_stopping(worker):
            raise
        leave(RuntimeError(f"the worker ended with exit code {stopped.code}"))
    except Exception as error:  # noqa: BLE001 - for example no broker: try again until there is one
        leave(error)


def is_stopping(worker: Any) -> bool:  # noqa: ANN401 - Faust's worker, imported late
    """Tell whether the worker was asked to stop by a signal."""
    return bool(worker._signal_stop_time)  # noqa: SLF001 - Faust tells it in no other way


def start_afresh(error: Exception, *, lived_s: float) -> NoReturn:
    """Replace this process by a new start of itself, after a pause that doubles while starts fail quickly."""
    failed = 0 if lived_s > QUIET_S else int(os.environ.get(STARTS_VARIABLE, "0"))
    pause_s = min(PAUSE_S_FIRST * 2**failed, PAUSE_S_MAX)
    log.warning("worker_starts_afresh", reason=str(error), pause_s=pause_s)
    time.sleep(pause_s)
    os.environ[STARTS_VARIABLE] = str(failed + 1)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "commands", *sys.argv[1:]])  # noqa: S606 - ourselves
