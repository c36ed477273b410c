"""A component under test: `referrals ...` as a process, with its log."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from process.fault_points import VARIABLE
from process.settings import Settings

ROOT: Final = Path(__file__).resolve().parents[1]
DEADLINE_S: Final = 90.0


class Component:
    """A started component.

    Its log is a file: into a pipe that nobody reads a process writes 64 KiB and then stands still, which looks like a
    fault of the program, and only on a machine that is quick enough to log so much.
    """

    def __init__(self, name: str, settings: Settings, log: Path, *, fault: str = "") -> None:
        """Start `referrals NAME`; its log goes to the end of a file. `fault` names a point at which it kills itself."""
        self.name = name
        self._log = log
        with log.open("ab") as output:
            self._log_begins = output.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "commands", name],
                cwd=ROOT,
                env=environment(settings) | {VARIABLE: fault},
                stderr=output,
                stdout=output,
            )

    @property
    def is_running(self) -> bool:
        """Tell whether the process lives."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def log(self) -> str:
        """Everything that it has logged so far, and what others have to the same file."""
        return self._log.read_text(errors="replace")

    @property
    def has_logged(self) -> bool:
        """Tell whether it has come as far as its first line."""
        return self._log.stat().st_size > self._log_begins

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end and return its exit code."""
        return self._process.wait(DEADLINE_S)

    def kill(self) -> None:
        """Kill it as a crash would."""
        self._process.kill()
        self._process.wait()

    def tail(self, lines: int = 8) -> str:
        """Say how it is and what it has logged last, for the message of a test that fails."""
        state = "runs" if self.is_running else f"ended with {self._process.returncode}"
        return "\n".join((f"--- {self.name}, process {self._process.pid}, {state}:", *self.log.splitlines()[-lines:]))


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment by which a component finds an installation."""
    return {
        **os.environ,
        "REFERRALS_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "REFERRALS_DATABASE_URL": settings.database_url,
        "REFERRALS_TOPIC_PREFIX": settings.topic_prefix,
        "REFERRALS_PARTITIONS": str(settings.partitions),
        "REFERRALS_APP_ID": settings.app_id,
        "REFERRALS_LOG_FORMAT": "json",
    }


def run(
    settings: Settings, *arguments: str, fault: str = "", timeout_s: float = 180.0
) -> subprocess.CompletedProcess[str]:
    """Run a command that ends: `referrals ...`. `fault` names a point at which it kills itself."""
    variables = environment(settings) | ({VARIABLE: fault} if fault else {})
    return subprocess.run(
        [sys.executable, "-P", "-m", "commands", *arguments],
        cwd=ROOT, env=variables, capture_output=True, text=True, check=False, timeout=timeout_s,
    )  # fmt: skip
