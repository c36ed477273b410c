"""Kills stream workers while the traffic runs: what `demo --chaos` shows to change nothing."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from itertools import cycle
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.installation import Installation

KILL_INTERVAL_S: Final = 8.0
"""Longer than the session timeout of 6 s, after which the other worker goes on: in between, work is done."""


@contextmanager
def killing(
    installation: Installation, *, is_ready: Callable[[], bool], announce: Callable[[str], None]
) -> Iterator[None]:
    """Send SIGKILL to one stream worker after the other while the body runs, once they are ready for the first time."""
    workers = [name for name, component in installation.processes.items() if component == "stream"]
    is_over = threading.Event()

    def kill_in_turn() -> None:
        for name in cycle(workers):
            if is_over.wait(KILL_INTERVAL_S):
                return
            if is_ready() and name in installation.supervisor.pids:
                announce(f"chaos: SIGKILL for {name}")
                installation.supervisor.kill(name, signal.SIGKILL)

    thread = threading.Thread(target=kill_in_turn, name="chaos", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
