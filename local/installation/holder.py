"""Who uses a data directory: the process that holds the lock file which `parts` takes."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from pathlib import Path

LOCK = "lock"


def find_holder(data_dir: Path) -> str | None:
    """Return who else has the directory's lock file open, in words; None where nobody of this user's has."""
    lock = str((data_dir / LOCK).resolve())
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and any(file.path == lock for file in process.open_files()):
                since = datetime.fromtimestamp(process.create_time()).astimezone()
                return f"process {process.pid} ({_command(process)}, since {since:%H:%M:%S on %d %B})"
        except psutil.Error:  # it has just ended, or is somebody else's
            continue
    return None


def _command(process: psutil.Process) -> str:
    """Return the command line as the user knows it."""
    arguments = process.cmdline()
    if "commands" in arguments:  # python -P -m commands up
        return " ".join(["referrals", *arguments[arguments.index("commands") + 1 :]])
    return " ".join(arguments[:3])
