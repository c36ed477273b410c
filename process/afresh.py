"""A process that starts itself afresh, as the same process, and is told to stop without a gap.

Signals that stop are blocked in every thread and taken by one thread, which does nothing else: it works while the main
thread is stuck, and what comes between its last look and the new start stays pending, because exec keeps blocked
signals. The new start waits out the pause before anything else, as an ordinary process with ordinary signals.

Descriptors that the libraries opened end with the old start; those that the process was given by whoever started it
(standard ones, a lock that a shell holds) stay.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

STOPS: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
"""Signals that ask a process to stop."""

STARTS_VARIABLE: Final = "REFERRALS_STARTS"
"""Counts the starts in short succession, from one to the next."""
RESTARTS_VARIABLE: Final = "REFERRALS_RESTARTS"
"""Counts all starts afresh since the first, by reason: Fenced=3,StandsStill=1."""
LISTENING_VARIABLE: Final = "REFERRALS_LISTENING"
"""The descriptor that one start hands on to the next, and that listens."""
GIVEN_VARIABLE: Final = "REFERRALS_GIVEN_DESCRIPTORS"
"""The descriptors that the first start was given, separated by commas."""

PAUSE_S_FIRST: Final = 0.2
PAUSE_S_MAX: Final = 5.0
LOOK_S: Final = 0.1

_DESCRIPTORS: Final = Path("/dev/fd")


class Stopping:
    """Whether this process was asked to stop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by: signal.Signals | None = None

    @property
    def by(self) -> signal.Signals | None:
        """The signal that asked; None before one has."""
        return self._by

    def listen(self, tell: Callable[[], None]) -> None:
        """Take the signals that stop from now on, and tell of each, from a thread; called before others are started."""
        is_under_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        listened = STOPS - {signal.SIGHUP} if is_under_nohup else STOPS
        signal.pthread_sigmask(signal.SIG_BLOCK, listened)

        def take() -> None:
            while True:
                with self._lock:
                    taken = signal.sigtimedwait(listened, 0)
                    if taken is not None:
                        self._by = signal.Signals(taken.si_signo)
                if taken is not None:
                    tell()
                time.sleep(LOOK_S)

        threading.Thread(target=take, name="signals", daemon=True).start()

    def start_afresh(self, *, failed: int, reason: str) -> None:
        """Replace this process by a new start of itself, `failed` starts after the first; returns if asked to stop.

        The reason is a word, to be counted. May be called from any thread. Raises OSError where the system refuses.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        with self._lock:  # what is not taken by now is the new start's
            if self._by is not None:
                return
            _replace(failed=failed, reason=reason)


def replace_this_process(*, reason: str, listening: int | None = None) -> None:
    """Replace this process by a new start of itself, when its work is done; for who takes signals by handlers.

    A signal that stops and comes from now on is the new start's. A descriptor that listens is handed on: who connects
    meanwhile waits, and is not refused (`listening`). Raises OSError where the system refuses.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    if listening is not None:
        os.environ[LISTENING_VARIABLE] = str(listening)
        os.set_inheritable(listening, True)  # noqa: FBT003 - its signature
    _replace(failed=0, reason=reason)


def listening() -> int | None:
    """Return the descriptor that the start before has handed on; None: there is none."""
    number = os.environ.pop(LISTENING_VARIABLE, "")
    return int(number) if number.isdecimal() else None


def begin() -> int:
    """Wait out the pause that a new start owes, and return how many starts have failed before it; called first.

    The pause doubles from start to start.
    """
    os.environ.setdefault(GIVEN_VARIABLE, ",".join(map(str, sorted(_descriptors()))))
    failed = int(os.environ.get(STARTS_VARIABLE, "0"))
    if failed:
        for number in _descriptors() - _given() - _handed_on():  # opened by a library's thread in the moment of exec
            os.close(number)
        time.sleep(pause_s(failed))
    return failed


def restarts() -> dict[str, int]:
    """Return how often this process has started afresh since its first start, by reason."""
    pairs = (each.partition("=") for each in os.environ.get(RESTARTS_VARIABLE, "").split(","))
    return {reason: int(count) for reason, _, count in pairs if count.isdecimal()}


def pause_s(failed: int) -> float:
    """Return the seconds to wait after so many failed starts, of which there was at least one."""
    return float(min(PAUSE_S_FIRST * 2.0 ** (min(failed, 30) - 1), PAUSE_S_MAX))


def unblock() -> None:
    """Let the signals that stop reach this process: it may have been started by one that blocks them."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


def _replace(*, failed: int, reason: str) -> None:
    """Start again, and count it."""
    os.environ[STARTS_VARIABLE] = str(failed + 1)
    counts = restarts()
    counts[reason] = counts.get(reason, 0) + 1
    os.environ[RESTARTS_VARIABLE] = ",".join(f"{name}={count}" for name, count in counts.items())
    for number in _descriptors() - _given() - _handed_on():
        _close_on_exec(number)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - ourselves


def _handed_on() -> set[int]:
    number = os.environ.get(LISTENING_VARIABLE, "")
    return {int(number)} if number.isdecimal() else set()


def _given() -> set[int]:
    return {int(number) for number in os.environ[GIVEN_VARIABLE].split(",")}


def _descriptors() -> set[int]:
    """Return the open descriptors of this process."""
    return {number for entry in _DESCRIPTORS.iterdir() if _is_open(number := int(entry.name))}


def _is_open(number: int) -> bool:
    try:
        fcntl.fcntl(number, fcntl.F_GETFD)
    except OSError:  # the one with which the directory was read
        return False
    return True


def _close_on_exec(number: int) -> None:
    try:
        os.set_inheritable(number, False)  # noqa: FBT003 - its signature
    except OSError:  # another thread has closed it meanwhile
        return
