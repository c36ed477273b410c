"""Small programs in Go, compiled where they are needed: others' own types, of which Python has none."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from local.parts.running import cache_dir


def compiled(source: Path, *, of: str) -> Path:
    """Return the program of a folder; compiled once for each state of its source. Skips the test where Go is missing.

    Args:
        source: the folder.
        of: whose types it compiles, as the folder of the cache and for the reason.

    """
    go = shutil.which("go")
    if go is None:
        pytest.skip(f"Go is not installed, with which {of}'s own types are compiled")
    state = hashlib.sha256(b"".join(each.read_bytes() for each in sorted(source.iterdir()))).hexdigest()[:16]
    program = cache_dir() / of.lower() / state
    if not program.exists():
        environment = os.environ | {"CGO_ENABLED": "0"}
        subprocess.run([go, "build", "-buildvcs=false", "-o", program, "."], cwd=source, env=environment, check=True)
    return program
