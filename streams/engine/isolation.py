"""One record never stops a partition: what fails again and again is found, folded alone, and set aside.

A fold is pure and a batch is noted whole or not at all, so a batch that fails can be tried again in parts: each record
alone, in its place, seeing what the ones before it changed. One that fails alone too, twice, is given to the
application, which sends it where records go that cannot be used; its position is passed in the same epoch.

Where records fail one after the other it is not them: the program is broken, or something that it needs. Then the
worker leaves, nothing of that batch is committed, and nothing is lost when a version comes that works.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from process.faults import named, where
from streams.engine.errors import NothingFolds

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.engine.batch import RecordBatch

IN_A_ROW_MAX: Final = 100
"""Records set aside one after the other, beyond which the worker leaves."""

TRIES_ALONE: Final = 2
"""The first try was with its batch, so a record that is set aside has failed three times."""

log = structlog.get_logger("engine")


class Isolation:
    """Takes batches, and what fails in them apart."""

    def __init__(self, set_aside: Callable[[RecordBatch, Exception], None]) -> None:
        """Begin with nothing set aside; `set_aside` takes a batch of one record, and why it failed."""
        self._set_aside = set_aside
        self._in_a_row = 0

    def take(self, batch: RecordBatch, take: Callable[[RecordBatch], None]) -> None:
        """Take the batch whole, or where that fails record by record.

        Raises:
            NothingFolds: records fail one after the other.
            MemoryError: there is none left; a record set aside for that would be counted by a fresh worker.
            Exception: whatever setting a record aside raises.

        """
        try:
            take(batch)
        except MemoryError:  # no record's fault
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the partition
            log.warning("batch_failed", **_place(batch), records=len(batch), reason=named(error), where=where(error))
        else:
            self._in_a_row = 0
            return
        for part in batch.alone():
            self._take_alone(part, take)

    def _take_alone(self, part: RecordBatch, take: Callable[[RecordBatch], None]) -> None:
        for attempt in range(TRIES_ALONE):
            try:
                take(part)
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - the same
                if attempt + 1 == TRIES_ALONE:
                    self._give_up(part, error)
            else:
                self._in_a_row = 0
                return

    def _give_up(self, part: RecordBatch, error: Exception) -> None:
        self._in_a_row += 1
        if self._in_a_row > IN_A_ROW_MAX:
            raise NothingFolds(f"{self._in_a_row} records in a row failed, the last with {named(error)}") from error
        self._set_aside(part, error)
        log.error("record_set_aside", **_place(part), reason=named(error))


def _place(batch: RecordBatch) -> dict[str, object]:
    return {"topic": batch.topic, "partition": batch.partition, "offset": batch.first_offset}
