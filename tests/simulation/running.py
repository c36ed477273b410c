"""Many schedules, in one process after the other or side by side, until one goes wrong."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import pickle
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from tests.simulation import bugs
from tests.simulation.schedule import Schedule
from tests.simulation.sink_schedule import SinkSchedule
from tests.simulation.substitutes import VIRTUAL, silence

ROOT: Final = Path(__file__).resolve().parent.parent.parent
SINKS_EACH: Final = 3
"""Each third schedule is one of the sinks, the others are the engine's."""

AT_ONCE: Final = 250
"""Schedules of one forked process. What dead processes leave is full of cycles, and finding them would cost a fifth of
everything: it goes with the process, some 80 KB of each schedule."""


class Failure(NamedTuple):
    """A schedule that went wrong."""

    seed: int
    text: str


class Result(NamedTuple):
    """What came of a range of seeds."""

    schedules: int
    cpu_s: float
    failure: Failure | None


def run_here(seeds: Iterable[int], *, bug: str | None = None) -> Result:
    """Run schedules in this process, which is good for nothing else afterwards; stop at the first that goes wrong."""
    silence()
    VIRTUAL.install()
    if bug is not None:
        bugs.plant(bug)
    sys.unraisablehook = lambda _: None  # what was under way in a process that was killed
    gc.disable()
    gc.freeze()
    seeds = list(seeds)
    count, cpu_s = 0, 0.0
    for at in range(0, len(seeds), AT_ONCE):
        result = _run_forked(seeds[at : at + AT_ONCE])
        count, cpu_s = count + result.schedules, cpu_s + result.cpu_s
        if result.failure is not None:
            return Result(count, cpu_s, result.failure)
    return Result(count, cpu_s, None)


def _run_forked(seeds: Sequence[int]) -> Result:
    """Run schedules in a process that ends without clearing away what they have left."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(_run_in_a_row(seeds), pipe)
        except BaseException:  # noqa: BLE001 - nothing of the parent's may be run here
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    if not said:
        raise RuntimeError(f"the process of seeds {seeds[0]} to {seeds[-1]} has died")
    return cast("Result", pickle.loads(said))  # noqa: S301 - it is our own


def _run_in_a_row(seeds: Sequence[int]) -> Result:
    started_s = time.process_time()
    for count, seed in enumerate(seeds, start=1):
        if (failure := run_one(seed)) is not None:
            return Result(count, time.process_time() - started_s, failure)
    return Result(len(seeds), time.process_time() - started_s, None)


def run_one(seed: int, *, trace: list[str] | None = None) -> Failure | None:
    """Run one schedule; with a list for its trace it says what happened when."""
    schedule = (SinkSchedule if seed % SINKS_EACH == 0 else Schedule)(seed, trace=trace)
    asyncio._set_running_loop(cast("Any", schedule.loop))
    try:
        schedule.run()
    except Exception:  # noqa: BLE001 - whatever it is, it is the verdict
        report = io.StringIO()
        traceback.print_exc(file=report)
        return Failure(seed, report.getvalue())
    finally:
        asyncio._set_running_loop(None)
    return None


def command(*arguments: str) -> list[str]:
    """Return the command that runs the simulation with these arguments."""
    return [sys.executable, "-W", "ignore", "-m", "tests.simulation", *arguments]


def run_side_by_side(first: int, count: int, processes: int) -> tuple[int, Sequence[str]]:
    """Run a range of seeds in several processes; return how many schedules ran, and the output of those that failed."""
    share = -(-count // processes)
    running = [
        subprocess.Popen(
            command("--first", str(first + at * share), "--seeds", str(min(share, count - at * share))),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for at in range(processes)
        if at * share < count
    ]
    ran, failed = 0, []
    for process in running:
        output, _ = process.communicate()
        ran += int(output.partition(" schedules")[0].rpartition("\n")[2] or 0)
        if process.returncode:
            failed.append(output)
    return ran, failed


def output_of(*arguments: str) -> str:
    """Run the simulation with these arguments, and return what it says."""
    return subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True, check=False).stdout
