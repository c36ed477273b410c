"""The watchdog's judgement: what stands still, what waits for the cluster, and what has nothing to do."""

from __future__ import annotations

from typing import Any, cast

import pytest

from streams.engine.app import EngineApp
from streams.engine.watchdog import RESTART_CURES, SAID_AGAIN_S, Bounds, Watchdog

BOUND_S = 10.0
JOIN = ("join", None)
COMMITS = [("commit", 0), ("commit", 1)]


class Scene:
    """A watchdog of nobody, and a cluster of which something may be missing."""

    def __init__(self) -> None:
        self.missing: str | None = None
        self.asked = 0
        self.dog = Watchdog(cast("EngineApp", None), Bounds(join=BOUND_S, commit=BOUND_S, stop=BOUND_S), ask=self._ask)

    def _ask(self) -> str | None:
        self.asked += 1
        return self.missing

    def look(self, signs: dict[Any, object], seconds: int) -> str | None:
        """Show the same signs for so many seconds; return why the worker must leave, if it must."""
        for _ in range(seconds):
            error = self.dog.look(signs, 1.0)
            if error is not None:
                return str(error)
        return None


@pytest.fixture
def scene() -> Scene:
    """Give a watchdog."""
    return Scene()


def test_what_stands_longer_than_its_bound_is_named(scene: Scene) -> None:
    """And not before; the first look only learns the sign."""
    assert scene.look({COMMITS[1]: 5}, 10) is None
    assert scene.look({COMMITS[1]: 5}, 1) == "commit of partition 1 has made no progress for 10 s"


def test_progress_begins_the_count_anew(scene: Scene) -> None:
    """However slow: a long recovery shows another number from time to time."""
    assert all(scene.look({JOIN: count}, 9) is None for count in range(100))
    assert scene.asked == 0


def test_another_partition_s_progress_is_not_its_own(scene: Scene) -> None:
    """Eleven partitions that commit do not hide the twelfth that hangs."""
    reasons = [scene.look({COMMITS[0]: count, COMMITS[1]: 5}, 1) for count in range(11)]

    assert reasons[-1] == "commit of partition 1 has made no progress for 10 s"


def test_what_has_nothing_to_do_does_not_stand(scene: Scene) -> None:
    """Work that ends with the sign with which it begins again later has not stood meanwhile."""
    assert scene.look({JOIN: 1}, 9) is None
    assert scene.look({}, 1) is None
    assert scene.look({JOIN: 1}, 9) is None


def test_a_cluster_that_is_away_is_waited_for(scene: Scene) -> None:
    """It is asked again each minute; once it is back, the work has its whole time."""
    scene.missing = "the cluster does not answer"
    assert scene.look({JOIN: 1}, 11 + 10 * int(SAID_AGAIN_S)) is None
    assert scene.asked == 11
    scene.missing = None
    assert scene.look({JOIN: 1}, int(SAID_AGAIN_S)) is None
    assert scene.look({JOIN: 1}, 9) is None
    assert scene.look({JOIN: 1}, 1) is not None


def test_the_cluster_is_asked_once_for_all_that_stand(scene: Scene) -> None:
    """It takes seconds not to answer, and there may be hundreds of partitions."""
    scene.missing = "the cluster does not answer"
    assert scene.look({("fetch", number): 1 for number in range(100)}, 61) is None
    assert scene.asked == 1


@pytest.mark.parametrize("kind", sorted(RESTART_CURES))
def test_what_stands_by_itself_does_not_wait_for_the_cluster(scene: Scene, kind: str) -> None:
    """A blocked event loop is no broker's fault."""
    scene.missing = "the cluster does not answer"
    bound_s = int(getattr(Bounds(join=BOUND_S, commit=BOUND_S, stop=BOUND_S), kind))
    assert scene.look({(kind, None): True}, bound_s) is None
    assert scene.look({(kind, None): True}, 1) is not None
    assert scene.asked == 0
