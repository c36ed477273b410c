"""What a worker counts of its own work: plain numbers, added on the event loop, read by whoever is asked for them.

Of records, what became of them as they were taken; of commits, how long they took and what was in them; and what the
application wants counted (`Changes.counted`), from the moment at which it is committed and not before.
"""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from process.histogram import Histogram

if TYPE_CHECKING:
    from streams.engine.batch import RecordBatch
    from streams.engine.epoch import Epoch

COMMIT_S_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
COMMIT_BYTES_BOUNDS: Final = tuple(4.0**power for power in range(5, 13))
"""1 KiB to 16 MiB."""


class Taken(StrEnum):
    """What became of records that were fetched."""

    FOLDED = "folded"
    """Taken by the fold; again where a record in the same work fails later, and they are read again."""
    SET_ASIDE = "set_aside"
    """The fold fails at them each time."""
    READ_AGAIN = "read_again"
    """Dropped, because they come again behind others that do."""
    NOT_OURS = "not_ours"
    """Of an assignment that has ended: whoever owns the partition reads them."""


class Counters:
    """The counters of one worker, from its start on."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, Taken], int] = {}
        """By source topic."""
        self.counted: dict[tuple[str, ...], int] = {}
        """What the application counts."""
        self.commit_s = Histogram(COMMIT_S_BOUNDS)
        self.commit_bytes = Histogram(COMMIT_BYTES_BOUNDS)
        self.rows = 0
        """Rows that were written to changelogs."""
        self.committed_at = 0.0
        """When the last commit ended, in seconds since 1970; 0 before the first."""
        self.rebalances = 0

    def take(self, batch: RecordBatch, taken: Taken) -> None:
        """Count the records of a batch."""
        place = (batch.topic, taken)
        self.records[place] = self.records.get(place, 0) + len(batch)

    def commit(self, epoch: Epoch, took_s: float) -> None:
        """Count an epoch that is committed."""
        self.commit_s.observe(took_s)
        self.commit_bytes.observe(epoch.bytes)
        self.rows += sum(map(len, epoch.rows.values()))
        self.committed_at = time.time()
        counted = self.counted
        for name, number in epoch.counted.items():
            counted[name] = counted.get(name, 0) + number
