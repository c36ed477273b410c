"""Fault points kill the process where the environment asks for it, and nowhere else."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VISITS = """
from process.fault_points import fault_point
for point in ("a", "b", "a"):
    fault_point(point)
    print(point, flush=True)
"""


def visit(asked: str) -> subprocess.CompletedProcess[str]:
    """Run a process that comes to the points a, b and a, and prints each that it passed."""
    return subprocess.run(
        [sys.executable, "-c", VISITS],
        cwd=ROOT,
        env={"REFERRALS_FAULT_POINT": asked},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("asked", "passed", "status"),
    [
        ("", ["a", "b", "a"], 0),
        ("c", ["a", "b", "a"], 0),
        ("a", [], -signal.SIGKILL),
        ("b", ["a"], -signal.SIGKILL),
        ("a:2", ["a", "b"], -signal.SIGKILL),
        ("a:3", ["a", "b", "a"], 0),
    ],
)
def test_fault_point(asked: str, passed: list[str], status: int) -> None:
    """The process dies at the visit asked for and comes through all the others."""
    done = visit(asked)
    assert (done.stdout.split(), done.returncode) == (passed, status)


def test_bad_count_is_refused() -> None:
    """A count that is none ends the process with a message that names the variable."""
    done = visit("a:x")
    assert "REFERRALS_FAULT_POINT='a:x'" in done.stderr
