"""Lines of a file that cannot be used: named on standard error, and bounded where the whole file is wrong."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

COMPLAINTS_SHOWN = 50
SHOWN_OF_A_WRONG_FILE = 5
"""While no line was good: it may be another file that was meant, and a terminal has 24 lines."""


class Complaints:
    """Says what is wrong with a line, for the first of them, and at the end how many were not shown.

    `has_good` tells whether any line was good so far.
    """

    def __init__(self, console: Console, has_good: Callable[[], bool] = lambda: True) -> None:
        self._console = console
        self._has_good = has_good
        self._count = 0
        self._shown = 0

    def __call__(self, place: str, why: str) -> None:
        """Say what is wrong at a place."""
        self._count += 1
        if self._shown < (COMPLAINTS_SHOWN if self._has_good() else SHOWN_OF_A_WRONG_FILE):
            self._shown += 1
            self._console.print(f"{place}: {why}", markup=False)

    def close(self) -> None:
        """Say how many were not shown."""
        if self._count > self._shown:
            self._console.print(f"... and {self._count - self._shown:,} more; {self._count:,} in all", markup=False)
