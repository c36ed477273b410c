"""The clock, and what else of Python's library a simulated process must not have, replaced in our modules by name.

In the modules of the program, and nowhere else: `time` and `monotonic` are the scheduler's, the garbage collector is
left alone (it would walk and freeze all schedules that ran before), at fault points a process can be met. What costs
time and is not under test is not done twice, or not at all: see `QUICK`.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from types import SimpleNamespace
from typing import Any, Final, cast

import structlog

from models.identifiers import milestone_id
from models.partitioning import partition_of
from process import fault_points
from streams.engine.cluster import Cluster

OURS: Final = ("streams.", "sinks.", "models.", "process.", "tests.simulation.")


NOT_OURS: Final = (__name__, "tests.simulation.running", "tests.simulation.__main__")

QUICK: Final[list[tuple[object, Callable[..., Any]]]] = [
    (milestone_id, cache(milestone_id)),  # pure, and there are few mentors and keys
    (partition_of, cache(partition_of)),
    (ThreadPoolExecutor, lambda *_, **__: None),  # the loop has jobs instead
]


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
        Cluster.check_changelogs = _check_once(Cluster.check_changelogs)  # type: ignore[assignment, method-assign]
        replaced: list[tuple[object, Callable[..., Any] | SimpleNamespace]] = [
            *QUICK,
            (time, self.time),
            (time.monotonic, self.monotonic),
            (gc, self.gc),
            (fault_points.fault_point, self.fault_point),
        ]
        for name, module in list(sys.modules.items()):
            if name.startswith(OURS) and name not in NOT_OURS:
                for attribute, value in list(vars(module).items()):
                    for old, new in replaced:
                        if value is old:
                            setattr(module, attribute, new)


def _check_once(check: Callable[[Cluster], None]) -> Callable[[Cluster], None]:
    """Remember that topics were found to be right, until one changes."""
    right: dict[str, object] = {}

    def check_once(self: Cluster) -> None:
        app_id, topics = self._options.app_id, cast("Any", self._options.clients).list_topics()
        if right.get(app_id) is not topics:
            check(self)
            right[app_id] = topics

    return check_once


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
