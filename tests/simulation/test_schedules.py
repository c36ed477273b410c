"""Schedules of the simulation: always the same ones, and others each day. How it works: DESIGN.md, "The simulation"."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.simulation.bugs import BUGS
from tests.simulation.running import run_one_aside, run_side_by_side

FIXED = 4_000
OF_THE_DAY = 4_000
PROCESSES = 2
BUDGET = 20_000
"""Schedules within which a planted bug must be found; most are in the first hundred."""


def test_the_same_schedules_each_time() -> None:
    """Whatever is killed, falls asleep or is lost: what comes out is what a plain fold says."""
    ran, failed = run_side_by_side(0, FIXED, PROCESSES)

    assert failed == []
    assert ran == FIXED


def test_schedules_of_the_day() -> None:
    """Others each day, so that the simulation goes on looking; a seed that fails can be run again on any day."""
    first = 1_000_000 + datetime.now(UTC).toordinal() * OF_THE_DAY
    ran, failed = run_side_by_side(first, OF_THE_DAY, PROCESSES)

    assert failed == []
    assert ran == OF_THE_DAY


@pytest.mark.parametrize("bug", sorted(BUGS))
def test_a_planted_bug_is_found(bug: str) -> None:
    """The simulation is worth what it finds: each of these takes one step of the protocol away."""
    _, failed = run_side_by_side(0, BUDGET, 1, bug=bug)

    assert len(failed) == 1
    assert f"--bug {bug}" in failed[0]


@pytest.mark.parametrize("seed", [1, 99, 276, 2_994, 12_279])
def test_a_seed_is_replayed_exactly(seed: int) -> None:
    """The same seed says the same, turn by turn, in another process."""
    assert run_one_aside(seed) == run_one_aside(seed)
