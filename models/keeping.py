"""When a record is gone from its topic at the latest, by the topic's settings: pure.

Kafka deletes and compacts whole segments, and never the one that it writes to. A segment is closed by the first record
that comes `segment.ms` after its first one. Then:

    deleted    `retention.ms` after the latest record in it
    compacted  once one of its records is as old as `max.compaction.lag.ms`; tombstones stay `delete.retention.ms` more,
               and go with the compaction after that

So all of it takes a partition that is written to, and producers whose clocks are right: a record dated into the future
keeps its segment that much longer. The broker looks every few minutes, and deletes files a minute later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

SLACK: Final = timedelta(minutes=10)
"""The broker's own intervals, by its defaults: it looks every 5 min for segments to delete, and a minute later deletes
the files. (For segments to compact it looks every 15 s.)"""

FOR_EVER_MS: Final = 2**62
"""So many milliseconds are a way of saying never."""

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Keeping:
    """What a topic's settings say about how long its records stay, in milliseconds."""

    is_compacted: bool
    is_deleted: bool
    segment_ms: int
    retention_ms: int
    """Negative: for ever."""
    compaction_lag_ms: int
    delete_retention_ms: int

    @classmethod
    def of(cls, config: Mapping[str, str]) -> Keeping:
        """Return what a configuration says; where the broker does not tell, it is for ever."""
        policies = config.get("cleanup.policy", "").split(",")

        def figure(name: str) -> int:
            return int(config.get(name) or FOR_EVER_MS)

        return cls(
            is_compacted="compact" in policies,
            is_deleted="delete" in policies,
            segment_ms=figure("segment.ms"),
            retention_ms=figure("retention.ms"),
            compaction_lag_ms=figure("max.compaction.lag.ms"),
            delete_retention_ms=figure("delete.retention.ms"),
        )

    def record_gone_by(self, at: datetime) -> datetime | None:
        """Return when a record written then is deleted for its age; None: never."""
        if not self.is_deleted or self.retention_ms < 0:
            return None
        return _after(at, self.segment_ms + self.retention_ms)

    def superseded_gone_by(self, since: datetime) -> datetime | None:
        """Return when a record is compacted away whose key has a newer one since then; None: nobody can say."""
        return _after(since, self._turn_ms) if self.is_compacted else None

    def tombstone_gone_by(self, at: datetime) -> datetime | None:
        """Return when a tombstone written then is gone; None: nobody can say."""
        return _after(at, 2 * self._turn_ms + self.delete_retention_ms) if self.is_compacted else None

    @property
    def _turn_ms(self) -> int:
        """From a record to the compaction that looks at it, at most."""
        return max(self.segment_ms, self.compaction_lag_ms)


def _after(at: datetime, milliseconds: int) -> datetime | None:
    if milliseconds >= FOR_EVER_MS:
        return None
    try:
        return at + timedelta(milliseconds=milliseconds) + SLACK
    except OverflowError:
        return _NEVER
