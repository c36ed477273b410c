"""The topics of the contract as one table: name, key, value, partitions, clean-up, who writes.

| topic            | key             | value            | clean-up        | written by                        |
|------------------|-----------------|------------------|-----------------|-----------------------------------|
| codes.v1         | referral code   | CodeIssued       | compact         | the code registry                 |
| clicks.v1        | referral code   | Click            | delete          | upstream, the redirect endpoint   |
|registrations.v1|referral code|Registration, Erasure|delete, long|upstream, webhook, reconciliation, erase-member|
| mentor-counts.v1 | org_id:mentor_id| MentorCounts     | compact         | the stream app                    |
| milestones.v1    | org_id:mentor_id| MilestoneReached | unlimited       | the stream app                    |
| dead-letters.v1  | as received     | as received      | delete, long    | the stream app, the badge consumer|
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HOUR_MS: Final = 60 * 60 * 1000
DAY_MS: Final = 24 * HOUR_MS
UNLIMITED_MS: Final = -1

SEGMENT_BYTES_MAX: Final = 64 * 1024 * 1024
"""Of topics whose older versions are bounded. The broker never compacts the segment that it writes to, and by default
that holds up to 1 GiB."""

DIRTY_RATIO_MAX: Final = 0.1
"""The share of older versions from which on the broker compacts before their time. A reader from the beginning then
reads a ninth too much, and the last segment; compacting more often costs the broker little, the topic is small."""

SOURCE_MESSAGE_BYTES_MAX: Final = 1_048_588
"""Kafka's own default for the largest record batch of a topic."""

DEAD_LETTER_MESSAGE_BYTES_MAX: Final = SOURCE_MESSAGE_BYTES_MAX + 65_536
"""The largest record of a source topic must fit with the headers that say why it is here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Topic:
    """One topic of the contract, without the installation's prefix."""

    name: str
    """For example `clicks.v1`; the full name is the prefix followed by this."""
    compacted: bool = False
    """True: the last value of each key is kept for ever; False: records go after `retention_ms`."""
    older_kept_ms: int | None = None
    """Compacted: for how long older versions of a key may stay; None: as the broker's defaults have it."""
    retention_ms: int = UNLIMITED_MS
    message_bytes_max: int = SOURCE_MESSAGE_BYTES_MAX

    def full_name(self, prefix: str) -> str:
        """Return the name on the cluster: the setting `topic_prefix`, then the topic's own name."""
        return prefix + self.name

    def config(self) -> dict[str, str]:
        """Return the topic's configuration for the broker."""
        return {
            "cleanup.policy": "compact" if self.compacted else "delete",
            "retention.ms": str(self.retention_ms),
            "max.message.bytes": str(self.message_bytes_max),
        }

    def bounds(self) -> dict[str, float]:
        """Return figures of the broker's configuration that must not be larger; none where nothing is bounded.

        A segment is closed by the next record after `segment.ms`, and compacted once its oldest record that was not
        is as old as `max.compaction.lag.ms`. Tombstones stay a day longer, for readers that are at work meanwhile.
        """
        if self.older_kept_ms is None:
            return {}
        return {
            "segment.bytes": SEGMENT_BYTES_MAX,
            "segment.ms": self.older_kept_ms,
            "min.compaction.lag.ms": 0,
            "max.compaction.lag.ms": self.older_kept_ms,
            "min.cleanable.dirty.ratio": DIRTY_RATIO_MAX,
            "delete.retention.ms": DAY_MS,
        }


CODES: Final = Topic(name="codes.v1", compacted=True)
CLICKS: Final = Topic(name="clicks.v1", retention_ms=400 * DAY_MS)
REGISTRATIONS: Final = Topic(name="registrations.v1", retention_ms=3_650 * DAY_MS)
MENTOR_COUNTS: Final = Topic(name="mentor-counts.v1", compacted=True, older_kept_ms=HOUR_MS)
MILESTONES: Final = Topic(name="milestones.v1")
DEAD_LETTERS: Final = Topic(
    name="dead-letters.v1", retention_ms=3_650 * DAY_MS, message_bytes_max=DEAD_LETTER_MESSAGE_BYTES_MAX
)

REPLAYS: Final = Topic(name="dead-letter-replays.v1", compacted=True)
"""Which dead letters were sent again: the program's own, and no part of the contract. Made by the first replay."""

PARTITION_CHANGES: Final = Topic(name="partition-changes.v1", compacted=True)
"""How many partitions the source topics had, and up to which records: the program's own, and no part of the contract.
Made by the first change (models/partition_changes.py)."""

SOURCES: Final = (CODES, CLICKS, REGISTRATIONS)
"""Joined by referral code: the same number of partitions, the same partitioner (murmur2)."""

WRITTEN_PARTITIONS_MAX: Final = 12
"""A topic that the program writes is made with as many partitions as the sources have, and no more than these. What one
source partition writes lies in all partitions of such a topic, so their product is what a broker has to take in turn;
and nobody joins them."""

TOPICS: Final = (*SOURCES, MENTOR_COUNTS, MILESTONES, DEAD_LETTERS)
