"""The clock, and what else of Python's library a simulated process must not have, replaced in our modules by name.

In the modules of the program, and nowhere else: `time` and `monotonic` are the scheduler's, the garbage collector is
left alone (it would walk and freeze all schedules that ran before), at fault points a process can be met.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final, cast

import structlog

from process import fault_points

OURS: Final = ("streams.", "sinks.")


class Virtual:
    """What the modules are given; `loop` is the scheduler of the schedule that runs."""

    def __init__(self) -> None:
        self.loop: Any = None
        self.time = SimpleNamespace(
            monotonic=self.monotonic, sleep=self.sleep, time=self.monotonic, time_ns=self.time_ns
        )
        self.gc = SimpleNamespace(collect=lambda: 0, freeze=lambda: None, set_threshold=lambda *_: None)

    def monotonic(self) -> float:
        """Return the virtual time."""
        return float(self.loop.now)

    def time_ns(self) -> int:
        """Return the virtual time since 1970."""
        return int(self.loop.now * 1e9)

    def sleep(self, seconds: float) -> None:
        """Let the job wait."""
        self.loop.block(seconds)

    def fault_point(self, name: str) -> None:
        """Let others have their turn."""
        self.loop.pass_by(self.loop.current, name)

    def install(self) -> None:
        """Give them to every module of ours that is imported."""
        replaced: list[tuple[object, Callable[..., Any] | SimpleNamespace]] = [
            (time, self.time),
            (time.monotonic, self.monotonic),
            (gc, self.gc),
            (fault_points.fault_point, self.fault_point),
        ]
        for name, module in list(sys.modules.items()):
            if name.startswith(OURS):
                for attribute, value in list(vars(module).items()):
                    for old, new in replaced:
                        if value is old:
                            setattr(module, attribute, new)


class _Silent:
    """A logger that says nothing, in no time."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def bind(self, **_: object) -> _Silent:
        return self

    new = bind

    def _say(self, *_: object, **__: object) -> None:
        pass

    debug = info = warning = error = exception = critical = _say


def silence() -> None:
    """Let structlog's loggers say nothing: a schedule's workers leave all the time."""
    structlog.configure(wrapper_class=cast("Any", _Silent), cache_logger_on_first_use=True)


VIRTUAL: Final = Virtual()
