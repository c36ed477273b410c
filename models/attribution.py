"""The fold of the stream: rows and batches of records in, changed rows and outgoing records out.

Consumes: codes, clicks, registrations (by referral code, co-partitioned).
Keeps:    mentors (code -> counts), members (code, member -> state), waiting (activity of unknown codes), moves (what
          came from wrong partitions).
Emits:    mentor-counts (the changed rows), milestones, dead letters, moved records.

A fold is a pure function of rows and batches: it reads the rows and never changes them, knows no clock and no topic but
those of its rules, and returns what is to be changed and sent. However the same records are cut into batches, and the
batches into folds, the same comes of them. models/work.py does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models import counted
from models.changes import Changes
from models.errors import Unprocessable
from models.events import Click, CodeIssued, Registration
from models.mentors import published
from models.outgoing import dead_letter
from models.topics import CLICKS, CODES, DEAD_LETTERS, MENTOR_COUNTS, MILESTONES, REGISTRATIONS
from models.work import Work

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.records import Batch, Record


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What the settings decide about the fold."""

    topic_prefix: str = "referrals."
    thresholds: tuple[int, ...] = (1, 5, 10, 25)
    waiting_records_max: int = 100_000
    """Records of codes not issued yet, for each partition."""
    waiting_age_ms: int = 30 * 86_400_000
    traces: bool = False
    """Whether a milestone is a step of its own in the trace of the registration that crossed, for somebody to show."""


class Attribution:
    """The fold under given rules, for one number of partitions."""

    def __init__(self, rules: Rules, *, partitions: int) -> None:
        prefix = rules.topic_prefix
        self.rules = rules
        self.thresholds = sorted(rules.thresholds)
        self.partitions = partitions
        self.kinds: dict[str, type[CodeIssued | Click | Registration]] = {
            CODES.full_name(prefix): CodeIssued,
            CLICKS.full_name(prefix): Click,
            REGISTRATIONS.full_name(prefix): Registration,
        }
        self.mentor_counts = MENTOR_COUNTS.full_name(prefix)
        self.milestones = MILESTONES.full_name(prefix)
        self.dead_letters = DEAD_LETTERS.full_name(prefix)

    def begin(self, rows: Mapping[str, Mapping[bytes, bytes]], partition: int) -> Work:
        """Return a fold that begins: it takes batches of the partition, and ends with `changes`.

        Args:
            rows: the partition's rows, table -> key -> row; not changed, and not to be changed before it ends.
            partition: whose batches it will take.

        """
        return Work(self, rows, partition=partition)

    def fold(self, rows: Mapping[str, Mapping[bytes, bytes]], batch: Batch, *, now_ms: int) -> Changes:
        """Return what one batch changes and sends.

        Args:
            rows: as in `begin`.
            batch: consecutive records of one of the source topics.
            now_ms: the time, milliseconds since 1970, for the age of waiting records.

        """
        work = self.begin(rows, batch.partition)
        work.fold(batch, now_ms=now_ms)
        return work.changes()

    def expire(self, rows: Mapping[str, Mapping[bytes, bytes]], *, partition: int, now_ms: int) -> Work:
        """Return a work that makes dead letters of waiting records that are too old, and their rows go."""
        work = self.begin(rows, partition)
        work.expire(now_ms=now_ms)
        return work

    def publish(self, mentor_rows: Mapping[bytes, bytes]) -> dict[str, dict[bytes, bytes]]:
        """Return what rows of mentors publish, topic -> key -> value, as the changes that made them did."""
        return {self.mentor_counts: published(mentor_rows.values())}

    def set_aside(self, record: Record, fault: Exception) -> Changes:
        """Return what is to be sent of a record that cannot be processed, for a reason that no rule knows."""
        said = Unprocessable(f"processing it failed each time: {type(fault).__name__}: {fault}")
        return Changes(
            outgoing=[dead_letter(self.dead_letters, record, said)],
            counted={
                (counted.RECORDS, record.topic, counted.Disposition.DEAD_LETTER): 1,
                (counted.DEAD_LETTERS, type(said).__name__): 1,
            },
        )
