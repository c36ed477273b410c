"""Expected against found: what the sinks wrote into Postgres."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import product
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import class_row, dict_row, tuple_row

from process.postgres import session
from proof.verify import report
from proof.verify.compare import compare_counts, milestone_id
from proof.verify.records import Milestone, Owner, Tally
from proof.verify.report import Difference
from proof.verify.sums import KeptSums, read_sums

CODES_SQL = "SELECT referral_code, org_id::text, mentor_id::text FROM referral_codes"

OUTBOX_SQL = "SELECT referral_code FROM codes_outbox"

COUNTS_SQL = """
    SELECT org_id::text, mentor_id::text, referral_code, total_clicks, pending_attributions, confirmed_attributions,
           conversion_rate, by_channel, milestones, last_event_at
    FROM mentor_counts
"""

DEFINITIONS_SQL = """
    SELECT badge_id::text, org_id::text, threshold, off_since IS NOT NULL AS is_off
    FROM badge_definitions WHERE type = 'recruitment'
"""

AWARDS_SQL = """
    SELECT org_id::text, mentor_id::text, badge_id::text, milestone_id::text, confirmed_count,
           back_filled AS is_back_filled
    FROM badge_awards
"""

DECISIONS_SQL = """
    SELECT milestone_id::text, badge_id::text, count(*) AS rows,
           bool_and(reason IN ('awarded', 'already_held')) AS is_held
    FROM badge_decisions WHERE badge_id IS NOT NULL
    GROUP BY milestone_id, badge_id
"""


class Definition(NamedTuple):
    """A recruitment badge."""

    badge_id: str
    org_id: str | None
    """None: every organisation has it."""
    threshold: int
    is_off: bool = False
    """Nobody is awarded it any more, and who was keeps it: neither an award of it nor a decision is ever missing."""


class Award(NamedTuple):
    """A row of badge_awards."""

    org_id: str
    mentor_id: str
    badge_id: str
    milestone_id: str
    confirmed_count: int
    is_back_filled: bool = False
    """By the mentor's count: his milestone may be announced later, with his next confirmation (rule 7)."""


class Decision(NamedTuple):
    """What badge_decisions says of one milestone and one badge."""

    milestone_id: str
    badge_id: str
    rows: int
    is_held: bool


class Tables(NamedTuple):
    """The rows to be compared, read in one snapshot."""

    codes: dict[str, Owner]
    unpublished: set[str]
    """Codes that the registry has stored and not yet seen in the topic."""
    counts: dict[Owner, dict[str, Any]]
    definitions: list[Definition]
    awards: list[Award]
    decisions: list[Decision]
    sums: KeptSums


def read_tables(database_url: str) -> Tables:
    """Read what the sinks wrote; raises psycopg.Error."""
    with (
        psycopg.connect(database_url, **session(database_url, "referrals verify", connect_timeout_s=10)) as connection,
        connection.transaction(),
    ):
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        codes = connection.cursor(row_factory=tuple_row).execute(CODES_SQL).fetchall()
        counts = connection.cursor(row_factory=dict_row).execute(COUNTS_SQL).fetchall()
        return Tables(
            codes={code: Owner(org_id, mentor_id) for code, org_id, mentor_id in codes},
            unpublished={code for (code,) in connection.execute(OUTBOX_SQL)},
            counts={Owner(row["org_id"], row["mentor_id"]): row for row in counts},
            definitions=connection.cursor(row_factory=class_row(Definition)).execute(DEFINITIONS_SQL).fetchall(),
            awards=connection.cursor(row_factory=class_row(Award)).execute(AWARDS_SQL).fetchall(),
            decisions=connection.cursor(row_factory=class_row(Decision)).execute(DECISIONS_SQL).fetchall(),
            sums=read_sums(connection),
        )


def compare_codes(
    tallies: Iterable[Tally], found: Mapping[str, Owner], unpublished: Collection[str]
) -> list[Difference]:
    """Compare the issued codes with the table: each once, with its owner, and no other but the unpublished."""
    wanted = {tally.code: tally.owner for tally in tallies}
    return [
        Difference(report.CODES_TABLE, f"code {code}", _owner(found.get(code)), _owner(wanted.get(code)))
        for code in sorted(wanted.keys() | found.keys())
        if found.get(code) != wanted.get(code) and (code in wanted or code not in unpublished)
    ]


def compare_projected_counts(
    tallies: Iterable[Tally], found: Mapping[Owner, Mapping[str, Any]], milestones: Mapping[Owner, list[int]]
) -> list[Difference]:
    """Compare the projected counts with the tallies, and find rows of nobody (tenancy)."""
    differences = []
    left = dict(found)
    for tally in tallies:
        row = left.pop(tally.owner, None)
        differences += compare_counts(report.COUNTS_TABLE, tally, row, milestones.get(tally.owner, []))
    for owner in left:
        differences.append(Difference(report.COUNTS_TABLE, f"mentor {_owner(owner)}", "a row", "none: no code is his"))
    return differences


def compare_awards(
    milestones: Mapping[Owner, list[Milestone]],
    definitions: Iterable[Definition],
    found: Iterable[Award],
    peaks: Mapping[Owner, int],
) -> list[Difference]:
    """Compare the awards with those due: exactly one where a milestone of the mentor reaches the badge's threshold.

    `milestones` are those that are due themselves, by mentor; so a forged one earns nothing. `peaks` are the most that
    each mentor can ever have had confirmed: a back-fill awards by that.
    """
    definitions, found = list(definitions), list(found)
    due = {
        (owner, definition.badge_id): definition
        for owner, reached in milestones.items()
        for definition in definitions
        if definition.org_id in (None, owner.org_id)
        and any(milestone.confirmed_count >= definition.threshold for milestone in reached)
    }
    thresholds = {definition.badge_id: definition.threshold for definition in definitions}
    counted = awarded_by_count(definitions, found, peaks)
    differences = []
    for award in found:
        owner = Owner(award.org_id, award.mentor_id)
        subject = f"mentor {_owner(owner)} badge {award.badge_id}"
        if (award.milestone_id, award.badge_id) in counted:
            due.pop((owner, award.badge_id), None)
            counted.remove((award.milestone_id, award.badge_id))  # a second one is one too many
            continue
        definition = due.pop((owner, award.badge_id), None)
        reached = milestones.get(owner, [])
        if definition is None and _is_earned(award, thresholds.get(award.badge_id), reached, only_gone=True):
            continue
        if definition is None:
            differences.append(
                Difference(report.AWARDS_TABLE, subject, "an award", "none: it is not due, or not again")
            )
            continue
        if not _is_earned(award, definition.threshold, reached):
            found_text = f"milestone {award.milestone_id}, confirmed_count {award.confirmed_count}"
            wanted = f"a milestone of the mentor that reaches {definition.threshold}, and its confirmed_count"
            differences.append(Difference(report.AWARDS_TABLE, subject, found_text, wanted))
    for (owner, badge_id), definition in due.items():
        if definition.is_off:
            continue
        subject = f"mentor {_owner(owner)} badge {badge_id}"
        differences.append(Difference(report.AWARDS_TABLE, subject, "no award", f"one: {definition.threshold} reached"))
    return differences


def awarded_by_count(
    definitions: Iterable[Definition], found: Iterable[Award], peaks: Mapping[Owner, int]
) -> set[tuple[str, str]]:
    """Return milestone and badge of the awards that a back-fill was right to make by the mentor's count alone."""
    known = {definition.badge_id: definition for definition in definitions}
    right = set()
    for award in found:
        owner, definition = Owner(award.org_id, award.mentor_id), known.get(award.badge_id)
        if (
            award.is_back_filled
            and definition is not None
            and definition.org_id in (None, owner.org_id)
            and award.milestone_id == milestone_id(owner, definition.threshold)
            and definition.threshold <= award.confirmed_count <= peaks.get(owner, 0)
        ):
            right.add((award.milestone_id, award.badge_id))
    return right


def _is_earned(award: Award, threshold: int | None, reached: Iterable[Milestone], *, only_gone: bool = False) -> bool:
    """Tell whether a milestone earns an award: of one whose record is gone, only the least count is known.

    `only_gone`: only those can.
    """
    if threshold is None or award.confirmed_count < threshold:
        return False
    return any(
        milestone.milestone_id == award.milestone_id
        and (
            award.confirmed_count >= milestone.threshold
            if milestone.is_gone
            else award.confirmed_count == milestone.confirmed_count and not only_gone
        )
        for milestone in reached
    )


def compare_decisions(
    milestones: Mapping[Owner, list[Milestone]],
    definitions: Iterable[Definition],
    found: Iterable[Decision],
    counted: Collection[tuple[str, str]] = (),
) -> list[Difference]:
    """Compare the audit with what had to be decided: one row for each milestone and badge of its organisation.

    `counted` are milestone and badge of the awards that a back-fill made before the milestone was announced.
    """
    definitions = list(definitions)
    decided = {(decision.milestone_id, decision.badge_id): decision for decision in found}
    differences = []
    for owner, reached in milestones.items():
        for milestone, definition in product(reached, definitions):
            if definition.org_id not in (None, owner.org_id):
                continue
            subject = f"mentor {_owner(owner)} threshold {milestone.threshold} badge {definition.badge_id}"
            is_due = milestone.confirmed_count >= definition.threshold
            wanted = "one: awarded or already held" if is_due else "one: not awarded"
            decision = decided.pop((milestone_id(owner, milestone.threshold), definition.badge_id), None)
            if decision is None and definition.is_off:
                continue
            if decision is None or decision.rows != 1:
                rows = 0 if decision is None else decision.rows
                differences.append(Difference(report.DECISIONS_TABLE, subject, f"{rows} decisions", wanted))
            elif decision.is_held != is_due and not (milestone.is_gone and decision.is_held):
                is_held = "awarded or already held" if decision.is_held else "not awarded"
                differences.append(Difference(report.DECISIONS_TABLE, subject, is_held, wanted))
    for (identity, badge_id), decision in decided.items():
        if decision.is_held and (identity, badge_id) not in counted:
            subject = f"milestone {identity} badge {badge_id}"
            found_text = "a decision to award"
            differences.append(Difference(report.DECISIONS_TABLE, subject, found_text, "none: it is not due"))
    return differences


def _owner(owner: Owner | None) -> str:
    return "none" if owner is None else f"{owner.org_id}:{owner.mentor_id}"
