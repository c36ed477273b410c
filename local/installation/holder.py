"""Who uses a data directory: the process that holds the lock file which `parts` takes."""

from __future__ import annotations

import fcntl
import os
from datetime import datetime
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from pathlib import Path

LOCK = "lock"


def is_held(data_dir: Path) -> bool:
    """Tell whether somebody holds the directory's lock; quick, where finding out who takes a look at every process."""
    try:
        with (data_dir / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # nobody has used it yet, or it cannot be used, which is said by who takes the lock
        return False
    return False


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
