"""Lines of a file that cannot be used: named on standard error, and bounded where the whole file is wrong."""

from __future__ import annotations

from rich.console import Console

COMPLAINTS_SHOWN = 50


class Complaints:
    """Says what is wrong with a line, for the first of them, and at the end how many were not shown."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._count = 0

    def __call__(self, place: str, why: str) -> None:
        """Say what is wrong at a place."""
        self._count += 1
        if self._count <= COMPLAINTS_SHOWN:
            self._console.print(f"{place}: {why}", markup=False)

    def close(self) -> None:
        """Say how many were not shown."""
        if self._count > COMPLAINTS_SHOWN:
            self._console.print(
                f"... and {self._count - COMPLAINTS_SHOWN:,} more; {self._count:,} in all", markup=False
            )
