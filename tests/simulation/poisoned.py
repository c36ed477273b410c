"""A fold that fails: at some records each time, at once or when it ends, and in some schedules now and then."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from models.attribution import Attribution
from models.changes import Changes
from models.records import Batch
from models.work import Work

AT_ONCE = b" "
AT_THE_END = b"  "
"""What stands before a value that is right otherwise."""


class PoisonedRecord(ArithmeticError):
    """The fold fails, for a reason that no rule knows."""


def is_poisoned(value: bytes | None) -> bool:
    """Tell whether the fold fails at a record with this value, each time."""
    return value is not None and value[:1] == AT_ONCE


class PoisonedWork(Work):
    """The real fold; it fails where the records that it has taken make it."""

    def __init__(
        self,
        fold: Attribution,
        rows: Mapping[str, Mapping[bytes, bytes]],
        *,
        partition: int,
        fails: Callable[[], bool],
    ) -> None:
        """Begin; `fails` is asked whether it fails just now, where it has taken several records."""
        super().__init__(fold, rows, partition=partition)
        self._fails = fails
        self._taken = 0
        self._ends_badly = False

    def fold(self, batch: Batch, *, now_ms: int) -> None:
        """Take a batch."""
        super().fold(batch, now_ms=now_ms)
        self._taken += len(batch)
        poisoned = [value for value in batch.values() if is_poisoned(value)]
        self._ends_badly |= bool(poisoned)
        if any((value or b"")[:2] != AT_THE_END for value in poisoned) or (len(batch) > 1 and self._fails()):
            raise PoisonedRecord

    def encode(self, mentors_max: int) -> bool:
        """Make rows beforehand."""
        if self._taken > 1 and self._fails():
            raise PoisonedRecord
        return super().encode(mentors_max)

    def changes(self) -> Changes:
        """Return what has come of all."""
        if self._ends_badly or (self._taken > 1 and self._fails()):
            raise PoisonedRecord
        return super().changes()
