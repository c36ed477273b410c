"""Where the threads of this process are in the code, for the log of one that stands still."""

from __future__ import annotations

import sys
import threading
import traceback
from typing import Any, Final

CALLS: Final = 6
"""Innermost calls of each thread."""


def main_thread_is() -> str:
    """Say where in the code the main thread is."""
    frame: Any = sys._current_frames().get(threading.main_thread().ident or 0)  # noqa: SLF001 - there is no other way
    if frame is None:
        return "gone"
    last = traceback.extract_stack(frame)[-1]
    return f"in {last.name} ({last.filename}:{last.lineno})"


def stacks() -> dict[str, list[str]]:
    """Return the innermost calls of each thread but the one that asks, by its name."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return {
        names.get(ident, str(ident)): [
            f"{call.filename}:{call.lineno} {call.name}" for call in traceback.extract_stack(frame)[-CALLS:]
        ]
        for ident, frame in sys._current_frames().items()  # noqa: SLF001 - the same
        if ident != threading.get_ident()
    }
