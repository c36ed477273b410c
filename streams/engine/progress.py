"""How far what threads do has come: counted for the watchdog, which asks whether anything moves.

One count for the process: what reads a topic or calls the cluster need not know for whom.
"""

from __future__ import annotations

from typing import Final


class Tally:
    """A count that only grows; lost additions of threads that meet do no harm."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def add(self, number: int = 1) -> None:
        """Count so many more."""
        self.count += number


TALLY: Final = Tally()
"""Reads of changelogs and other topics that gave records, and calls of a takeover that have returned."""
