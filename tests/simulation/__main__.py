"""`python -m tests.simulation`: run schedules, or one again."""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import time
import traceback

from tests.simulation.schedule import Schedule
from tests.simulation.substitutes import VIRTUAL, silence


def main() -> int:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int)
    arguments = parser.parse_args()
    silence()
    VIRTUAL.install()
    gc.disable()
    gc.collect()
    gc.freeze()
    sys.unraisablehook = lambda _: None
    seeds = [arguments.seed] if arguments.seed is not None else range(arguments.first, arguments.first + arguments.seeds)
    started = time.process_time()
    turns = bad = 0
    for at, seed in enumerate(seeds):
        schedule = Schedule(seed, traced=arguments.seed is not None)
        asyncio._set_running_loop(schedule.loop)
        try:
            schedule.run()
        except Exception:
            if arguments.seed is not None:
                print("\n".join(schedule.loop.trace or ()))
            print("seed", seed)
            traceback.print_exc()
            for left in schedule.shared.left[-3:]: print("left:", repr(left))
            bad += 1
            if bad > 2: break
        finally:
            asyncio._set_running_loop(None)
        turns += schedule.loop.turns
        if at % 50 == 49:
            gc.collect()
    took = time.process_time() - started
    n = at + 1
    print(f"{n} schedules, {took:.1f} s, {took / n * 1000:.2f} ms each, {turns / n:.0f} turns, {bad} bad")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
