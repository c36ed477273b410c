"""What the fold counts for whoever looks at the stream: what became of records, dead letters by reason, milestones.

    ("records", topic, disposition)     each record of a source topic, once
    ("dead_letters", reason)            each dead letter, by the class of its fault
    ("milestones", threshold)           each milestone

Nothing here names an organisation, a mentor, a member or a code: there are as many names as rules, whatever comes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

Name = tuple[str, ...]

RECORDS: Final = "records"
DEAD_LETTERS: Final = "dead_letters"
MILESTONES: Final = "milestones"


class Disposition(StrEnum):
    """What became of a record."""

    COUNTED = "counted"
    """It is in the counts; of a code, it is issued or was."""
    UNCHANGED = "unchanged"
    """A registration that says nothing new: a duplicate, or late."""
    WAITING = "waiting"
    """Its code is not issued yet; it counts when that comes."""
    MOVED = "moved"
    """Sent on to the partition where its code belongs."""
    MOVED_BEFORE = "moved_before"
    """It came once more from a wrong partition."""
    DEAD_LETTER = "dead_letter"


class Counted:
    """Counts by name."""

    __slots__ = ("by_name",)

    def __init__(self) -> None:
        self.by_name: dict[Name, int] = {}

    def add(self, *name: str, number: int = 1) -> None:
        """Count so many more."""
        self.by_name[name] = self.by_name.get(name, 0) + number
