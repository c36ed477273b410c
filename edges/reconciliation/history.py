"""The runs that were: what each found, what it left, and whether it saw everything; and when the next ones are due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import dict_row

from edges.reconciliation.configuring import as_owner
from edges.reconciliation.runs import COUNTS, Schedule

_LAST: Final = """
SELECT run.* FROM organisations
JOIN LATERAL (
    SELECT * FROM reconciliation_runs WHERE reconciliation_runs.org_id = organisations.org_id
    ORDER BY started_at DESC LIMIT %(last)s
) AS run ON true
WHERE %(org_id)s::uuid IS NULL OR organisations.org_id = %(org_id)s::uuid
ORDER BY run.org_id, run.started_at DESC
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class PastRun:
    """A run as it is kept."""

    org_id: str
    run_id: str
    source: str
    started_at: datetime
    finished_at: datetime | None
    since: datetime | None
    until: datetime | None
    error: str | None
    incomplete: str | None
    rows_left: list[tuple[str, str]]
    ask_again_at: datetime | None
    counts: dict[str, int]

    @property
    def left(self) -> int:
        """Return how many rows are left for somebody to look at."""
        return self.counts["unclear"] + self.counts["bad_rows"]

    @property
    def is_done(self) -> bool:
        """Whether everything was seen, and nothing is left."""
        return self.finished_at is not None and not (self.error or self.incomplete or self.left)

    @property
    def state(self) -> str:
        """Return how it ended, in a word."""
        if self.error is not None:
            return "failed"
        if self.finished_at is None:
            return "not at its end"
        if self.incomplete is not None:
            return "not complete"
        return "complete, and rows are left" if self.left else "complete"

    def as_json(self) -> dict[str, Any]:
        """Return what a machine is told of it."""
        return {
            "org_id": self.org_id,
            "run_id": self.run_id,
            "source": self.source,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "since": self.since,
            "until": self.until,
            **self.counts,
            "complete": self.finished_at is not None and self.error is None and self.incomplete is None,
            "incomplete": self.incomplete,
            "left": self.left,
            "rows_left": [{"place": place, "reason": reason} for place, reason in self.rows_left],
            "ask_again_at": self.ask_again_at,
            "error": self.error,
        }


def last_runs(database_url: str, org_id: str | None, last: int) -> list[PastRun]:
    """Return the last runs of each organisation, or of one, the latest first. Raises StoreFailed."""
    with as_owner(database_url) as connection, connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_LAST, {"org_id": org_id, "last": last}).fetchall()
    return [_past(row) for row in rows]


def schedules(database_url: str, org_id: str | None) -> list[Schedule]:
    """Return when each organisation that has a source is reconciled, or one of them. Raises StoreFailed."""
    with as_owner(database_url) as connection:
        rows = connection.execute("SELECT org_id::text, run_every, last_at, due_at FROM reconciliation_schedule()")
        return [each for each in map(Schedule._make, rows.fetchall()) if org_id in (None, each.org_id)]


def _past(row: dict[str, Any]) -> PastRun:
    return PastRun(
        org_id=str(row["org_id"]),
        run_id=str(row["run_id"]),
        rows_left=[(place, reason) for place, reason in row["rows_left"]],
        counts={name: row[name] for name in COUNTS},
        **{
            name: row[name]
            for name in ("source", "started_at", "finished_at", "since", "until", "error", "incomplete", "ask_again_at")
        },
    )
