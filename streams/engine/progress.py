"""How far what threads do has come: counted for the watchdog, which asks whether anything moves.

One count for the process: what reads a topic or calls the cluster need not know for whom.
"""

from __future__ import annotations

from typing import Final


class Reading:
    """How much of what is being read to its end is still to be read: partitions, each of which takes its time."""

    __slots__ = ("records", "unfinished")

    def __init__(self) -> None:
        self.records = 0
        """Read since the process began."""
        self.unfinished = 0
        """Partitions that are not at their end yet; 0 where nothing is being read."""


class Tally:
    """A count that only grows; lost additions of threads that meet do no harm."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def add(self, number: int = 1) -> None:
        """Count so many more."""
        self.count += number


READING: Final = Reading()
"""Of changelogs, and other topics that a takeover reads."""

TALLY: Final = Tally()
"""Reads of changelogs and other topics that gave records, and calls of a takeover that have returned."""

CALLS: Final[dict[int, int]] = {}
"""Source partition -> how many calls of its producer had returned when the one began that is under way."""
