"""Idle partitions: a changelog that grows without its owner is noticed, and what the owner wrote is not."""

from __future__ import annotations

from typing import Any

import pytest

from streams.engine.idle import IdlePartitions
from streams.engine.standing import Standing


class Owned:
    """A partition, as far as it is looked at."""

    def __init__(self) -> None:
        self.detached = 0
        self.committing: object | None = None
        self.written: Standing | None = Standing(7, {}, {})


def look(idle: IdlePartitions, owned: dict[int, Owned], ends: dict[int, int], *, epoch: int = 7) -> list[int]:
    """Look once; `ends` is how far the changelogs go, `epoch` the one that stands at each of them."""
    partitions: Any = owned
    found = {number: ends[number] for number in idle.find(partitions)}
    return idle.grown(found, dict.fromkeys(idle.unseen(found), Standing(epoch, {}, {})), partitions)


def test_a_changelog_that_grows_while_its_owner_is_idle() -> None:
    """Of that partition alone, and each time."""
    idle, owned = IdlePartitions(), {0: Owned(), 1: Owned()}
    for _ in range(3):
        assert look(idle, owned, {0: 5, 1: 7}) == []
    assert look(idle, owned, {0: 9, 1: 7}) == [0]


def test_what_the_owner_writes_is_no_decision() -> None:
    """Nor the marker that comes a moment after his commit, nor a commit that is under way."""
    idle, owned = IdlePartitions(), {0: Owned()}
    for end in (5, 5):
        look(idle, owned, {0: end})
    owned[0].detached += 1
    assert look(idle, owned, {0: 8}) == [], "its records"
    assert look(idle, owned, {0: 9}) == [], "its marker"
    owned[0].committing = object()
    assert look(idle, owned, {0: 12}) == [], "a commit under way"
    owned[0].committing = None
    assert [look(idle, owned, {0: end}) for end in (13, 13, 13)] == [[], [], []]
    assert look(idle, owned, {0: 14}) == [0]


@pytest.mark.parametrize("is_over", [True, False])
def test_a_commit_while_the_cluster_is_asked_is_no_decision(*, is_over: bool) -> None:
    """A record comes between the look at the partitions and the answer, which has what its epoch wrote."""
    idle, owned = IdlePartitions(), {0: Owned()}
    partitions: Any = owned
    for _ in range(2):
        look(idle, owned, {0: 5})
    assert idle.find(partitions) == [0]
    owned[0].detached += 1
    owned[0].committing = None if is_over else object()
    assert idle.grown({0: 8}, {0: Standing(8, {}, {})}, partitions) == []
    owned[0].committing = None
    assert [look(idle, owned, {0: end}) for end in (9, 9, 9)] == [[], [], []]
    assert look(idle, owned, {0: 14}) == [0]


def test_a_partition_that_was_given_away_and_came_back() -> None:
    """Whoever had it meanwhile wrote to it, and it was loaded anew."""
    idle, owned = IdlePartitions(), {0: Owned()}
    for _ in range(2):
        look(idle, owned, {0: 5})
    assert look(idle, {}, {}) == []
    assert [look(idle, {0: Owned()}, {0: end}) for end in (50, 60, 60)] == [[], [], []]


def test_a_decision_before_the_first_look() -> None:
    """Seconds after the owner's last commit, or after he loaded it: what stands there is newer than what he has."""
    idle, owned = IdlePartitions(), {0: Owned()}
    assert look(idle, owned, {0: 5}, epoch=8) == []
    assert look(idle, owned, {0: 5}, epoch=8) == [0]
    assert look(idle, owned, {0: 5}, epoch=8) == [], "said once: who hears it begins anew"


@pytest.mark.parametrize(("epoch", "decided"), [(6, []), (7, []), (8, [0])])
def test_only_what_is_newer_is_a_decision(epoch: int, decided: list[int]) -> None:
    """Behind a transaction that is not marked yet stands what was before it."""
    idle, owned = IdlePartitions(), {0: Owned()}
    look(idle, owned, {0: 5})
    assert look(idle, owned, {0: 5}, epoch=epoch) == decided


def test_a_partition_without_rows_of_which_something_was_decided() -> None:
    """Its owner has written nothing yet."""
    idle, owned = IdlePartitions(), {0: Owned()}
    owned[0].written = None
    look(idle, owned, {0: 0})
    assert look(idle, owned, {0: 5}, epoch=1) == [0]
