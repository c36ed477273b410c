"""An older version of this program, from the history of the checkout, run beside today's."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

from process.settings import Settings
from tests.component import DEADLINE_S, ROOT, environment


def unpack(commit: str, folder: Path) -> str | None:
    """Write the checkout as it was at a commit into a folder; return why that cannot be done here, None: it is done."""
    git = shutil.which("git")
    if git is None:
        return "there is no git here"
    done = subprocess.run([git, "archive", "--format=tar", commit], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        return f"the history has no {commit} here (a shallow clone): {done.stderr.decode().strip()}"
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as files:
        files.extractall(folder, filter="data")
    return None


class Version:
    """A version's commands and components; its packages are those of the environment that runs the test."""

    def __init__(self, root: Path, settings: Settings, logs: Path) -> None:
        self._root = root
        # PYTHONPATH and not the current directory: the interpreter of a virtual environment may know today's checkout.
        self._environment = environment(settings) | {"PYTHONPATH": str(root)}
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, *arguments: str) -> None:
        """Run a command that ends well."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "commands", *arguments],
            cwd=self._root, env=self._environment, capture_output=True, text=True, check=False, timeout=DEADLINE_S,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, name: str, component: str) -> None:
        """Start a component."""
        with self._file(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-P", "-m", "commands", component],
                cwd=self._root, env=self._environment, stdout=log, stderr=log,
            )  # fmt: skip

    def end(self, name: str) -> None:
        """Stop a component as a service manager does; it must end well."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGTERM)
        code = process.wait(DEADLINE_S)
        assert code in {os.EX_OK, 128 + signal.SIGTERM}, f"{name} ended with {code}: {self.log(name)[-2000:]}"

    def end_all(self) -> None:
        """Stop everything that runs."""
        for name in [*self._running]:
            self.end(name)

    def kill(self) -> None:
        """Kill what is left, at the end of a test that failed."""
        for process in self._running.values():
            process.kill()
            process.wait()

    def log(self, name: str) -> str:
        """Return what a component has logged."""
        return self._file(name).read_text(errors="replace")

    def _file(self, name: str) -> Path:
        return self._logs / f"{name}.log"
