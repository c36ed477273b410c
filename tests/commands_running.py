"""A command that starts servers and components, run as a user runs it, and everything that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil

ROOT = Path(__file__).resolve().parents[1]
DEADLINE_S = 120.0


class RunningCommand:
    """`referrals ...` with its output in hand."""

    def __init__(self, process: subprocess.Popen[str], errors: IO[str]) -> None:
        self.process = process
        self._errors = errors
        self.started: set[psutil.Process] = set()
        """Every process that it was seen to have started."""

    @property
    def stdout(self) -> IO[str]:
        """Its standard output."""
        assert self.process.stdout is not None
        return self.process.stdout

    def line_with(self, text: str) -> str:
        """Read until a line of its standard output has the text in it, and look what it has started by then."""
        for line in self.stdout:
            if text in line:
                self.look()
                return line
        self._errors.seek(0)
        raise AssertionError(f"ended without a line with {text!r}: {self._errors.read()}")

    def look(self) -> None:
        """Note what it has started."""
        self.started.update(psutil.Process(self.process.pid).children(recursive=True))

    def component(self, name: str) -> psutil.Process:
        """Return the process of a component."""
        self.look()
        return next(each for each in self.started if runs(each) and each.cmdline()[-2:] == ["commands", name])

    def kafka(self) -> psutil.Process:
        """Return the process of its Kafka."""
        self.look()
        return next(each for each in self.started if runs(each) and "kafka.Kafka" in each.cmdline())

    def send(self, number: signal.Signals) -> tuple[int, str]:
        """Send it a signal, wait for its end, and return its exit code and the rest of its standard output."""
        self.look()
        self.process.send_signal(number)
        return self.end()

    def end(self) -> tuple[int, str]:
        """Wait for its end and return its exit code and the rest of its standard output."""
        rest, _ = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, rest

    def left_running(self) -> list[psutil.Process]:
        """Return what it has started and what still runs."""
        assert self.started
        return [process for process in self.started if runs(process)]


@contextmanager
def command(*arguments: str, **settings: object) -> Iterator[RunningCommand]:
    """Run a command on servers of its own, whatever the environment names; at the end it is killed if need be."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("REFERRALS_")}
    env |= {f"REFERRALS_{name.upper()}": str(value) for name, value in settings.items() if value is not None}
    with (
        tempfile.TemporaryFile("w+") as errors,  # not a pipe: one that nobody reads holds up who writes into it
        subprocess.Popen(
            [sys.executable, "-P", "-m", "commands", *arguments],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        running = RunningCommand(process, errors)
        try:
            yield running
        finally:
            process.kill()


def runs(process: psutil.Process) -> bool:
    """Tell whether a process has not ended; one that was not reaped yet has."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for something that other processes do."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline_s, f"did not happen within {DEADLINE_S:.0f} s"
        time.sleep(0.05)
