"""The record of what runs, from which the next start finds and stops what a crash left behind.

Each owner (a process that started parts) keeps one file in the cache directory. It names the owner, its processes and,
where the data is temporary, its directory. The file is written after each start of a process and removed last.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil

_FOLDER = "running"
_GRACE_S = 5.0
_POLL_S = 0.01


class Identity(NamedTuple):
    """A process told apart from a later one with the same number."""

    pid: int
    created_at: float

    @classmethod
    def of(cls, pid: int) -> Identity:
        """Return the identity of a process that runs now."""
        return cls(pid, psutil.Process(pid).create_time())

    def find(self) -> psutil.Process | None:
        """Return the process, None where it has ended."""
        try:
            process = psutil.Process(self.pid)
            is_same = abs(process.create_time() - self.created_at) < 1.0  # clocks of two readings differ a little
        except psutil.NoSuchProcess:
            return None
        return process if is_same and _runs(process) else None


class Record(msgspec.Struct):
    """What one owner has started."""

    owner: Identity
    namespace: str
    processes: list[Identity] = []
    temporary_dir: Path | None = None


def cache_dir() -> Path:
    """Return the user's cache directory for this program, made if need be."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(base) / "referral-streams"
    try:
        path.mkdir(parents=True, exist_ok=True)
        if os.access(path, os.W_OK):
            return path
    except OSError:
        pass
    path = Path(tempfile.gettempdir()) / f"referral-streams-{os.getuid()}"  # a user without a home
    path.mkdir(mode=0o700, exist_ok=True)
    if path.stat().st_uid != os.getuid():
        message = f"{path} belongs to somebody else; set XDG_CACHE_HOME to a directory of yours"
        raise PermissionError(message)
    return path


class Running:
    """The record of this owner."""

    def __init__(self, *, temporary_dir: Path | None) -> None:
        folder = cache_dir() / _FOLDER
        folder.mkdir(exist_ok=True)
        owner = Identity.of(os.getpid())
        self._path = folder / f"{owner.pid}-{uuid.uuid4().hex}.json"
        self._record = Record(owner, _namespace(), temporary_dir=temporary_dir)
        self._lock = threading.Lock()
        self._write()

    def add(self, pid: int) -> None:
        """Note a process that was just started; those that have ended are forgotten."""
        with self._lock:
            kept = [process for process in self._record.processes if process.find()]
            with contextlib.suppress(psutil.NoSuchProcess):
                kept.append(Identity.of(pid))
            self._record.processes = kept
            self._write()

    def close(self) -> None:
        """Remove the record, after everything it names has been stopped."""
        self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        new = self._path.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(self._record, enc_hook=str))
        new.replace(self._path)


def clean_up() -> int:
    """Stop what owners left that are no more, remove their temporary data, and return how many owners that were."""
    cleaned = 0
    for path in (cache_dir() / _FOLDER).glob("*.json"):
        try:
            record = msgspec.json.decode(path.read_bytes(), type=Record, dec_hook=lambda cls, value: cls(value))
        except (OSError, msgspec.DecodeError):
            continue  # another start has just removed it, or it is of another version of this program
        if record.namespace != _namespace() or record.owner.find():
            continue
        _stop([process for identity in record.processes if (process := identity.find())])
        if record.temporary_dir is not None:
            shutil.rmtree(record.temporary_dir, ignore_errors=True)
        path.unlink(missing_ok=True)
        cleaned += 1
    return cleaned


def wait_until_ended(processes: list[psutil.Process], *, timeout_s: float) -> list[psutil.Process]:
    """Wait for processes that are not our children, and return those that still run after the time.

    One that has ended but was not reaped by its new parent counts as ended; `psutil.wait_procs` waits for the reaping.
    """
    deadline = time.monotonic() + timeout_s
    while alive := [process for process in processes if _runs(process)]:
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL_S)
    return alive


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _stop(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGINT)  # Postgres: disconnect everybody and stop; Kafka and ours: stop
    alive = wait_until_ended(processes, timeout_s=_GRACE_S)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    wait_until_ended(alive, timeout_s=_GRACE_S)


def _namespace() -> str:
    """Name the set of process numbers that a record speaks of: two containers may share a home directory."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return "host"
