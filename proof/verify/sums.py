"""Expected against found: the sums that Postgres keeps of each organisation, recomputed from the rows they sum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import tuple_row

from proof.verify import report
from proof.verify.records import Owner
from proof.verify.report import Difference

# What is summed of counts: (organisation, in what) to a number for each of NAMES.
NAMES = ("clicks", "pending", "confirmed")
Sums = dict[tuple[str, str], tuple[int, ...]]

COUNTS_SQL = """
    SELECT org_id::text, 'all', total_clicks, pending_attributions, confirmed_attributions, active_mentors
    FROM organisation_counts
"""
CHANNELS_SQL = "SELECT org_id::text, 'channel ' || channel, clicks, pending, confirmed FROM organisation_channels"
DAYS_SQL = """
    SELECT org_id::text, 'days', sum(clicks)::bigint, sum(pending)::bigint, sum(confirmed)::bigint
    FROM organisation_days GROUP BY org_id
"""
TOTALS_SQL = "SELECT org_id::text, counted, total FROM organisation_totals"

MILESTONES_SQL = "SELECT org_id::text FROM milestones WHERE state <> 'awaiting_mentor'"


class KeptSums(NamedTuple):
    """What was found, and the one kind of rows that only sums are compared with."""

    sums: Sums
    """Of everything: counts, channels, days, totals."""
    milestones: Counter[str]
    """How many milestones of known mentors each organisation has."""


def read_sums(connection: psycopg.Connection[Any]) -> KeptSums:
    """Read them in the caller's transaction, so that they are of the same moment as the rows; raises psycopg.Error."""
    cursor = connection.cursor(row_factory=tuple_row)
    sums: Sums = {}
    for statement in (COUNTS_SQL, CHANNELS_SQL, DAYS_SQL, TOTALS_SQL):
        sums |= {(org_id, of): tuple(numbers) for org_id, of, *numbers in cursor.execute(statement)}
    return KeptSums(sums, Counter(org_id for (org_id,) in cursor.execute(MILESTONES_SQL)))


def compare_sums(
    kept: KeptSums, counts: Iterable[Mapping[str, Any]], codes: Iterable[Owner], awards: Iterable[str]
) -> tuple[list[Difference], int]:
    """Compare the sums with the rows of mentor_counts, the owners of codes, and the organisation of each award.

    Returns the differences, and how many sums were compared. A sum of nothing needs no row.
    """
    wanted = _sums_of_counts(counts)
    for counted, organisations in (
        ("mentors", Counter(owner.org_id for owner in codes)),
        ("milestones", kept.milestones),
        ("awards", Counter(awards)),
    ):
        wanted |= {(org_id, counted): (total,) for org_id, total in organisations.items()}
    differences = []
    for org_id, of in sorted(wanted.keys() | kept.sums.keys()):
        found, right = kept.sums.get((org_id, of), ()), wanted.get((org_id, of), ())
        if any(found) != any(right) or (any(right) and found != right):
            subject = f"organisation {org_id} {of}"
            differences.append(Difference(report.SUMS_TABLE, subject, _text(found), _text(right)))
    return differences, len(wanted.keys() | kept.sums.keys())


def _sums_of_counts(rows: Iterable[Mapping[str, Any]]) -> Sums:
    totals: dict[tuple[str, str], list[int]] = {}

    def add(org_id: str, of: str, *numbers: int) -> None:
        sums = totals.setdefault((org_id, of), [0] * len(numbers))
        for at, number in enumerate(numbers):
            sums[at] += number

    for row in rows:
        numbers = row["total_clicks"], row["pending_attributions"], row["confirmed_attributions"]
        add(row["org_id"], "all", *numbers, int(any(numbers)))
        add(row["org_id"], "days", *numbers)
        for channel, tally in row["by_channel"].items():
            add(row["org_id"], f"channel {channel}", *(tally.get(name, 0) for name in NAMES))
    return {key: tuple(sums) for key, sums in totals.items()}


def _text(numbers: tuple[int, ...]) -> str:
    if len(numbers) == 1:
        return f"{numbers[0]:,}"
    named = zip((*NAMES, "active mentors"), numbers, strict=False)
    return ", ".join(f"{number:,} {name}" for name, number in named) or "nothing"
