"""Whether a worker lives, and whether its work is up to date, for who asks from outside.

It lives while its watchdog looks and sees everything move. What only a start afresh cures counts from half the
watchdog's bound on: so it is seen before the watchdog acts. What may be the cluster's counts only when the watchdog has
asked the cluster: starting afresh would not bring that back.

It is ready when the state of all its partitions is loaded, and what it folds is committed soon; one with nothing to
commit, when it looks for more.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from streams.engine.engine import Phase
from streams.engine.watchdog import RESTART_CURES

if TYPE_CHECKING:
    from streams.engine.app import EngineApp
    from streams.engine.watchdog import StageView

SILENT_S: Final = 90.0
"""A watchdog that has not looked for so long is not well itself. It looks each second; after a fault of its own, which
is no reason to end the worker, after a minute."""
YOUNG_S: Final = 30.0
"""A commit takes milliseconds; one that is tried again while a broker starts, seconds."""


class EngineHealth:
    """The health of one worker."""

    def __init__(self, app: EngineApp) -> None:
        self._app = app

    def live(self) -> dict[str, str]:
        """Return what stands still that a start afresh would cure; empty where nothing does."""
        dog = self._app.watchdog
        standing = {
            _name(stage): f"no progress for {stage.stands_s:.0f} s"
            for stage in dog.view.stages
            if stage.waits_for is None
            and stage.stands_s >= (stage.bound_s / 2 if stage.kind in RESTART_CURES else stage.bound_s)
        }
        if dog.silent_s > SILENT_S:
            standing["watchdog"] = f"has not looked for {dog.silent_s:.0f} s"
        return standing

    def ready(self) -> dict[str, str]:
        """Return what is missing; empty where nothing is."""
        view = self._app.watchdog.view
        missing = self.live()
        if view.waits_for is not None:
            missing["group"] = view.waits_for
        if view.phase != Phase.RUNNING.value:
            missing["state"] = f"the worker is {view.phase}"
        if view.refused:
            missing["partitions"] = (
                f"{', '.join(map(str, view.refused))}: refused; {self._app.engine.options.decide_with} shows why"
            )
        for stage in view.stages:
            if stage.stands_s >= YOUNG_S:
                missing.setdefault(_name(stage), stage.waits_for or f"no progress for {stage.stands_s:.0f} s")
        now_s = time.monotonic()
        age_s = max((each.age_s(now_s) for each in self._app.engine.partitions.copy().values()), default=0.0)
        if age_s >= YOUNG_S:
            missing["commit"] = f"the oldest change has waited for {age_s:.0f} s"
        return missing


def _name(stage: StageView) -> str:
    return stage.kind if stage.partition is None else f"{stage.kind} {stage.partition}"
