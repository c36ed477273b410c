"""Schedules of the simulation: always the same ones, and others each day. How it works: DESIGN.md, "The simulation"."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.simulation.bugs import BUGS
from tests.simulation.running import output_of, run_side_by_side

pytestmark = pytest.mark.timeout(600)

FIXED = 2_000
OF_THE_DAY = 3_000
PROCESSES = 2
BUDGET = 5_000
"""Schedules within which a planted bug must be found; most are in the first hundred."""

REPLAYED = (1, 99, 276, 2_994, 12_279)


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


@pytest.fixture(scope="module")
def found() -> str:
    """Give what the simulation says with one bug planted after the other."""
    return output_of("--bug", "each", "--seeds", str(BUDGET))


@pytest.mark.parametrize("bug", sorted(BUGS))
def test_a_planted_bug_is_found(bug: str, found: str) -> None:
    """The simulation is worth what it finds: each of these takes one step of the protocol away."""
    assert f" --bug {bug}\n" in found


def test_a_seed_is_replayed_exactly() -> None:
    """The same seed says the same, turn by turn, in another process and whatever ran there before."""
    one, other = (replayed(seeds) for seeds in (REPLAYED, REPLAYED[::-1]))

    assert one == other
    assert all(len(said.splitlines()) > 50 for said in one.values())


def replayed(seeds: tuple[int, ...]) -> dict[int, str]:
    """Return what is said of each seed, run one after the other in one process."""
    said, rest = {}, output_of("--seed", *map(str, seeds))
    for seed in seeds:
        said[seed], _, rest = rest.partition(f"seed {seed}: as it must be\n")
    return said
