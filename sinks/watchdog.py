"""Ends a sink whose loop stands still, so that whoever runs it starts it again.

The loop gives a sign with each turn, with each look at what it waits for, and with each statement that has returned.
One that gives none for longer than any of these can take hangs where no timeout reaches. Only the watchdog's own
seconds count, at most two for each look: a machine that slept, or a process that was stopped and goes on, has not hung.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Final

import structlog

from process.stacks import main_thread_is, stacks

if TYPE_CHECKING:
    from collections.abc import Callable

STANDS_S: Final = 180.0
"""A statement gives up after 60 s, and so does what is asked of Kafka."""
LOOK_S: Final = 1.0
LAST_WORDS_S: Final = 5.0
"""Longest wait for a log that nobody reads, before the process ends."""

FIRST: Final = 0
"""No thread's number: the first sink's, whose thread need not say who it is."""

log = structlog.stdlib.get_logger("sinks.watchdog")


class Signs:
    """Counts the signs of progress of this process's sinks: of the first, and apart of each that says so."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts = {FIRST: 0}

    @property
    def count(self) -> int:
        """All of them together."""
        return sum(self.counts().values())

    def counts(self) -> dict[int, int]:
        """Return them by who is counted apart."""
        return self._counts.copy()

    def count_apart(self) -> None:
        """Count the signs of this thread apart from now on: it has a sink of its own, which may hang alone."""
        self._counts[threading.get_ident()] = 0

    def give(self) -> None:
        """Count one more."""
        who = threading.get_ident()
        self._counts[who if who in self._counts else FIRST] += 1


SIGNS: Final = Signs()


class Watchdog:
    """Watches from a thread of its own, once it is started."""

    def __init__(
        self, signs: Signs = SIGNS, *, bound_s: float = STANDS_S, end: Callable[[int], object] = os._exit
    ) -> None:
        self._signs = signs
        self._seen: dict[int, int] = {}
        self._stand_s: dict[int, float] = {}
        self._end = end
        self.bound_s = bound_s
        self.stands_s = 0.0
        """For how long there was no sign of the one that has given none for the longest."""

    def start(self) -> None:
        """Begin to watch."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def look(self, elapsed_s: float) -> bool:
        """Look after so many seconds; tell whether a loop has stood still for longer than its bound."""
        counts = self._signs.counts()
        self._stand_s = {
            who: self._stand_s[who] + elapsed_s if self._seen.get(who) == count else 0.0
            for who, count in counts.items()
        }
        self._seen = counts
        self.stands_s = max(self._stand_s.values())
        return self.stands_s >= self.bound_s

    def _watch(self) -> None:
        before_s = time.monotonic()
        while True:
            time.sleep(LOOK_S)
            now_s = time.monotonic()
            elapsed_s, before_s = min(now_s - before_s, 2 * LOOK_S), now_s
            if self.look(elapsed_s):
                last = threading.Thread(target=self._say, name="last-words", daemon=True)
                last.start()
                last.join(LAST_WORDS_S)
                self._end(os.EX_TEMPFAIL)
                return

    def _say(self) -> None:
        log.error(
            "sink.stands_still",
            reason=f"no progress for {self.stands_s:.0f} s; the main thread is {main_thread_is()}",
            threads=stacks(),
        )
