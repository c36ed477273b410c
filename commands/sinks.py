"""How `badges` and `counts` run: until a signal, then to the end of the batch in hand."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

from process.logs import configure
from process.reaching import warn_without_kafka
from process.running import find_settings
from process.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from sinks.sink_task import SinkTask


def run_until_stopped(component: str, make_task: Callable[[Settings], SinkTask]) -> None:
    """Run a sink until SIGTERM or Ctrl-C; the batch in hand is committed first. A second signal ends it at once."""
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of signal handlers
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    settings = find_settings()
    configure(settings)
    warn_without_kafka(settings)
    from process.monitoring import start_monitoring  # noqa: PLC0415  `--help` needs none of it
    from sinks.components import metrics_of  # noqa: PLC0415  the same
    from sinks.metrics import SinkHealth  # noqa: PLC0415  the same
    from sinks.watchdog import Watchdog  # noqa: PLC0415  the same

    task = make_task(settings)
    watchdog = Watchdog()
    watchdog.start()
    health = SinkHealth(task.state, task.source, watchdog)
    start_monitoring(component, settings, health=health, collectors=metrics_of(task))
    task.run(stop)
