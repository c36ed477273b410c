"""How `badges` and `counts` run: until a signal, then to the end of the batch in hand."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Final

import structlog

from process import afresh
from process.logs import configure
from process.reaching import warn_without_kafka
from process.reaching_postgres import warn_without_postgres
from process.running import find_settings
from process.settings import Settings
from process.stacks import main_thread_is

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from sinks.sink_task import SinkTask


STOP_S: Final = 9.0
"""Container engines kill after 10 s what has not ended."""

log = structlog.get_logger("sinks")


def run_until_stopped(component: str, *make_tasks: Callable[[Settings], SinkTask]) -> None:
    """Run sinks until SIGTERM or Ctrl-C; the batch in hand is committed first. A second signal ends them at once.

    One that is not done within `STOP_S` is ended, with exit code 75.

    Where a certificate was renewed the process does as after SIGTERM, and then starts itself afresh. The first runs in
    the main thread, each other in one of its own; one that fails ends all.
    """
    afresh.begin()
    stop, asked = threading.Event(), threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of signal handlers
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        stop.set()

    threading.Thread(target=_cut_short, args=[asked], name="stopping", daemon=True).start()
    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    settings = find_settings()
    configure(settings)
    warn_without_kafka(settings)
    warn_without_postgres(settings, "database_url")
    from process.monitoring import start_monitoring  # noqa: PLC0415  `--help` needs none of it
    from process.renewal import REASON, Renewal  # noqa: PLC0415  the same
    from sinks.components import metrics_of  # noqa: PLC0415  the same
    from sinks.metrics import AllHealth, SinkHealth  # noqa: PLC0415  the same
    from sinks.watchdog import Watchdog  # noqa: PLC0415  the same

    tasks = [make_task(settings) for make_task in make_tasks]
    first, *others = tasks
    watchdog = Watchdog()
    watchdog.start()
    health = AllHealth({task.sink.name: SinkHealth(task.state, task.source, watchdog) for task in tasks})
    start_monitoring(component, settings, health=health, collectors=metrics_of(tasks))
    renewal = Renewal(settings, stop.set)
    renewal.start()
    beside = [_Beside(task, stop) for task in others]
    for each in beside:
        each.start()
    try:
        first.run(stop)
    finally:
        stop.set()
    for each in beside:
        each.join()
        if each.fault is not None:
            raise each.fault
    if renewal.has_come and not asked.is_set():
        afresh.replace_this_process(reason=REASON)


def _cut_short(asked: threading.Event) -> None:
    """End the process where it has not ended in time by itself: what was not committed is done again by the next one.

    A Postgres that is stopped keeps its connections, and psycopg waits on them as long as it takes.
    """
    asked.wait()
    time.sleep(STOP_S)
    log.warning("stop_cut_short", after_s=STOP_S, reason=f"the main thread is {main_thread_is()}")
    os._exit(os.EX_TEMPFAIL)


class _Beside(threading.Thread):
    """A sink beside the first; it ends with the process where that is ended at once."""

    def __init__(self, task: SinkTask, stop: threading.Event) -> None:
        super().__init__(name=task.sink.name, daemon=True)
        self._task = task
        self._stop_all = stop
        self.fault: Exception | None = None

    def run(self) -> None:
        """Run until all are stopped; stop all where it fails."""
        from sinks.watchdog import SIGNS  # noqa: PLC0415  `--help` needs none of it

        SIGNS.count_apart()
        try:
            self._task.run(self._stop_all)
        except Exception as fault:  # noqa: BLE001  raised by the main thread
            self.fault = fault
        finally:
            self._stop_all.set()
