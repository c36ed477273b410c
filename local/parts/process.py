"""A child process that does not outlive this one, with its output in a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Literal

Identity = Literal["same", "namespace", "nobody"]

_LAUNCH = Path(__file__).with_name("launch.py")
_LOG_TAIL_LINES = 15
_LAST_WORDS_BYTES_MAX = 2_000


def launch(
    command: Sequence[str | Path],
    *,
    log: Path,
    on_owner_death: signal.Signals = signal.SIGKILL,
    identity: Identity = "same",
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, so that Ctrl-C reaches only us, its output appended to `log`.

    The kernel counts the death of the thread that starts a process as its parent's death, so one thread, which lives
    as long as this process, starts them all: this may be called from any thread.
    """
    full = [sys.executable, "-I", "-S", _LAUNCH, str(int(on_owner_death)), str(os.getpid()), identity, *command]

    def start() -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                full, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=env, start_new_session=True
            )

    return _starter(os.getpid()).submit(start).result()


@cache
def _starter(pid: int) -> ThreadPoolExecutor:  # noqa: ARG001  a forked child needs a thread of its own
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="parts-launch")


def stop(process: subprocess.Popen[bytes], *, with_signal: signal.Signals, grace_s: float) -> None:
    """End a process: politely, and after `grace_s` seconds by force. One that has ended stays so."""
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)  # one that was stopped could not obey
        process.send_signal(with_signal)
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def last_words(log: Path, since: int) -> str:
    """Return the last line of a log from the byte `since` on, where it is a sentence; empty where it is JSON, or none.

    Programs log in lines of JSON, and what ends one is said to whoever started it.
    """
    try:
        with log.open("rb") as file:
            file.seek(max(since, log.stat().st_size - _LAST_WORDS_BYTES_MAX))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    line = lines[-1].strip() if lines else ""
    return "" if line.startswith("{") else line


def tail(log: Path) -> str:
    """Return the last lines of a log, for an error message."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(f"  {line}" for line in lines[-_LOG_TAIL_LINES:])
