"""`python -m tests.simulation`: run schedules of the simulation, or some again.

python -m tests.simulation --seeds 100000 --processes 2     so many, from seed 0 on
python -m tests.simulation --seed 4711                      one again, with everything that happened in it
python -m tests.simulation --bug unfenced-producer          with a bug planted, until it is found; or with each
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable

from tests.simulation.bugs import BUGS, plant
from tests.simulation.running import run_here, run_one, run_side_by_side
from tests.simulation.substitutes import VIRTUAL, silence

EACH = "each"


def main() -> int:
    """Do what the command line says; 1 where a schedule went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20_000, help="how many schedules")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, nargs="+", help="run these, and say everything that happens")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--bug", choices=[*sorted(BUGS), EACH], help="plant this bug first")
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    if arguments.seed is not None:
        return _replay(arguments.seed, arguments.bug)
    if arguments.bug == EACH:
        return _run_with_each_bug(seeds)
    if arguments.processes > 1:
        started_s = time.monotonic()
        ran, failed = run_side_by_side(arguments.first, arguments.seeds, arguments.processes)
        print("\n".join(failed) or f"{ran} schedules, {time.monotonic() - started_s:.1f} s: all as they must be")
        return bool(failed)
    return _run(seeds, arguments.bug)


def _run(seeds: Iterable[int], bug: str | None) -> int:
    result = run_here(seeds, bug=bug)
    print(f"{result.schedules} schedules, {1000 * result.cpu_s / max(result.schedules, 1):.1f} ms of CPU each")
    if result.failure is None:
        return 0
    seed, more = result.failure.seed, "" if bug is None else f" --bug {bug}"
    print(f"seed {seed} went wrong; again: python -m tests.simulation --seed {seed}{more}\n{result.failure.text}")
    return 1


def _run_with_each_bug(seeds: Iterable[int]) -> int:
    """Run with one bug after the other, each in a process of its own, which begins quickly because it is forked."""
    for bug in sorted(BUGS):
        sys.stdout.flush()
        if (child := os.fork()) == 0:
            _run(seeds, bug)
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(child, 0)
    return 0


def _replay(seeds: Iterable[int], bug: str | None) -> int:
    silence()
    VIRTUAL.install()
    sys.unraisablehook = lambda _: None
    if bug is not None:
        plant(bug)
    failures = []
    for seed in seeds:
        trace: list[str] = []
        failure = run_one(seed, trace=trace)
        print("\n".join(trace))
        print(f"seed {seed}: {'as it must be' if failure is None else failure.text}")
        failures.append(failure)
    return any(failures)


if __name__ == "__main__":
    sys.exit(main())
