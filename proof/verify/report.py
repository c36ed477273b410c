"""What was compared, and what differs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from proof.verify.records import Place, place_text


class Difference(NamedTuple):
    """One thing that is not as it must be."""

    check: str
    """What was compared: one of the names in CHECKS."""
    subject: str
    """What it is about: a record, a mentor, a milestone."""
    found: str
    wanted: str

    def __str__(self) -> str:
        """Return the difference as one line."""
        return f"{self.check}: {self.subject}: found {self.found}, wanted {self.wanted}"


DEAD_LETTERS = "dead letters"
MOVED = "moved records"
WAITING = "waiting records"
COUNTS = "counts topic"
MILESTONES = "milestones topic"
CODES_TABLE = "Postgres referral_codes"
COUNTS_TABLE = "Postgres mentor_counts"
AWARDS_TABLE = "Postgres badge_awards"
DECISIONS_TABLE = "Postgres badge_decisions"
SUMS_TABLE = "Postgres organisation sums"
HISTORY_TABLE = "Postgres history"
CONSERVATION = "conservation"

CHECKS = (CONSERVATION, DEAD_LETTERS, MOVED, WAITING, COUNTS, MILESTONES)
TABLE_CHECKS = (CODES_TABLE, COUNTS_TABLE, AWARDS_TABLE, DECISIONS_TABLE, SUMS_TABLE, HISTORY_TABLE)

DISPOSITIONS = ("applied", "duplicate", "waiting", "moved", "dead letter")
APPLIED, DUPLICATE, WAITS, IS_MOVED, DEAD_LETTER = DISPOSITIONS


@dataclass(slots=True)
class SourceTable:
    """Conservation of one source topic: where each of its records went."""

    records: int = 0
    """Records read."""
    offsets: int = 0
    """Offsets from the first to the end; more than the records by `gaps`."""
    dispositions: Counter[str] = field(default_factory=Counter)
    unprocessed: int = 0
    """Records at or after the offset that the stream app has committed."""
    to_be_counted: int = 0
    """Of those the ones that are not issues written once more, which say nothing new."""

    @property
    def gaps(self) -> int:
        """Return the offsets without a record: transaction markers, aborted or compacted records."""
        return self.offsets - self.records


@dataclass(slots=True)
class Report:
    """The outcome of a check."""

    sources: dict[str, SourceTable] = field(default_factory=dict)
    """By topic."""
    compared: Counter[str] = field(default_factory=Counter)
    """How many things each check compared."""
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What a reader should know, and what is no difference."""
    removed: Counter[str] = field(default_factory=Counter)
    """How many records are gone from each topic, at most."""
    beyond_proof: dict[str, int] = field(default_factory=dict)
    """What cannot be proven, because records are gone: how many things of each kind."""
    seconds: float = 0.0
    """How long the topics took, without the wait for the program to catch up."""
    with_database: bool = True

    @property
    def unprocessed(self) -> int:
        """Return how many source records the stream app has not processed."""
        return sum(table.unprocessed for table in self.sources.values())

    @property
    def to_be_counted(self) -> int:
        """Return how many of these may change something."""
        return sum(table.to_be_counted for table in self.sources.values())

    @property
    def records(self) -> int:
        """Return how many source records were read."""
        return sum(table.records for table in self.sources.values())

    @property
    def is_clean(self) -> bool:
        """Tell whether everything is as it must be."""
        return not self.differences and not self.unprocessed

    def as_json(self) -> dict[str, Any]:
        """Return the report for machines."""
        return {
            "clean": self.is_clean,
            "unprocessed": self.unprocessed,
            "records": self.records,
            "seconds": round(self.seconds, 3),
            "with_database": self.with_database,
            "sources": {
                topic: {
                    "records": table.records,
                    "offsets": table.offsets,
                    "gaps": table.gaps,
                    "removed": self.removed[topic],
                    "unprocessed": table.unprocessed,
                    **{name: table.dispositions[name] for name in DISPOSITIONS},
                }
                for topic, table in self.sources.items()
            },
            "removed": {topic: count for topic, count in self.removed.items() if count},
            "beyond_proof": self.beyond_proof,
            "compared": dict(self.compared),
            "differences": [difference._asdict() for difference in self.differences],
            "notes": self.notes,
        }


def at(place: Place) -> str:
    """Return a record's place as the subject of a difference."""
    return place_text(place)
