"""A terminal as a reader has it, in which what stands in the documentation is pasted."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.contract import ROOT

DEADLINE_S: Final = 120.0


class Terminal:
    """A shell in a directory of its own, in which `./referrals` is the checkout's."""

    def __init__(self, directory: Path, **env: str) -> None:
        self.directory = directory
        (directory / "referrals").symlink_to(ROOT / "referrals")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("REFERRALS_")} | env

    def paste(self, *lines: str) -> str:
        """Run lines in one shell and return what they print; the first command that fails is named."""
        done = subprocess.run(
            ["/bin/bash", "-xeuo", "pipefail", "-c", "\n".join(lines)],
            cwd=self.directory,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def running(self, line: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
        """Run a command that goes on until it is stopped, for the body, and then stop it as a service manager does.

        It gives the process and the file of all that it prints.
        """
        log = self.directory / f"{line.split()[1]}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["/bin/bash", "-euc", f"exec {line}"], cwd=self.directory, env=self.env, stdout=output, stderr=output
            )
        try:
            yield process, log
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE_S) == 0, log.read_text()
        finally:
            process.kill()
            process.wait()
