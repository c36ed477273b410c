"""What Postgres says of one mentor in one organisation: code, counts, milestones, awards, and every decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from models.badges import RECRUITMENT, BadgeDefinition

if TYPE_CHECKING:
    from operations.tables import Row, Tables

_OWNERS: Final = """
    SELECT org_id::text, mentor_id::text FROM referral_codes WHERE referral_code = %(referral_code)s
"""
_ORGANISATIONS: Final = """
    SELECT org_id::text FROM mentors WHERE mentor_id = %(mentor_id)s
    UNION SELECT org_id::text FROM milestones WHERE mentor_id = %(mentor_id)s
    UNION SELECT org_id::text FROM mentor_counts WHERE mentor_id = %(mentor_id)s
    ORDER BY org_id
"""
_KNOWING: Final = "SELECT org_id::text FROM mentors WHERE mentor_id = %(mentor_id)s"

_NAME: Final = "SELECT name FROM organisations WHERE org_id = %(org_id)s"
_CODE: Final = """
    SELECT referral_code, issued_at, disabled_at FROM referral_codes
    WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s
"""
_COUNTS: Final = """
    SELECT total_clicks, pending_attributions, confirmed_attributions, counted_at FROM mentor_counts
    WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s
"""
_MILESTONES: Final = """
    SELECT milestone_threshold, milestone_id::text, confirmed_count, attribution_id::text, state, recorded_at,
           greatest(least(reached_at, '9999-12-30Z'), '0001-01-02Z') AS reached_at
    FROM milestones
    WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s ORDER BY milestone_threshold
"""
_AWARDS: Final = """
    SELECT badge_id::text, milestone_id::text, confirmed_count, awarded_at, back_filled FROM badge_awards
    WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s
"""
_DECISIONS: Final = """
    SELECT badge_id::text, milestone_threshold, reason, confirmed_count, decided_at FROM badge_decisions
    WHERE org_id = %(org_id)s AND mentor_id = %(mentor_id)s ORDER BY milestone_threshold, badge_id NULLS FIRST
"""
_DEFINITIONS: Final = """
    SELECT badge_id::text, org_id::text, type, threshold, name, picture, off_since IS NOT NULL AS is_off
    FROM badge_definitions
    WHERE type = %(type)s AND (org_id IS NULL OR org_id = %(org_id)s) ORDER BY threshold, badge_id
"""
_ANNOUNCED: Final = "SELECT threshold FROM milestone_thresholds ORDER BY threshold"


@dataclass(frozen=True, kw_only=True, slots=True)
class MentorRows:
    """The rows of one mentor in one organisation, as they were at one moment."""

    org_id: str
    org_name: str | None
    mentor_id: str
    code: Row | None
    counts: Row | None
    milestones: list[Row]
    awards: dict[str, Row]
    """By badge."""
    decisions: list[Row]
    definitions: list[BadgeDefinition]
    """The recruitment badges of the organisation, by threshold."""
    announced: list[int]
    """The counts at which milestones are announced, as `referrals badges` knew them last."""
    is_forged: bool
    """Other organisations know the mentor, this one does not."""


def owners_of_code(tables: Tables, code: str) -> list[Row]:
    """Return org_id and mentor_id of a code: one row, or none."""
    return tables.of_all(_OWNERS, {"referral_code": code})


def organisations_of(tables: Tables, mentor_id: str) -> list[str]:
    """Return the organisations that have anything of a mentor."""
    return [row["org_id"] for row in tables.of_all(_ORGANISATIONS, {"mentor_id": mentor_id})]


def read_mentor(tables: Tables, org_id: str, mentor_id: str) -> MentorRows:
    """Return a mentor's rows in an organisation, as it sees them itself."""
    knowing = {row["org_id"] for row in tables.of_all(_KNOWING, {"mentor_id": mentor_id})}
    values: dict[str, Any] = {"org_id": org_id, "mentor_id": mentor_id, "type": RECRUITMENT}
    with tables.acting_for(org_id) as connection:
        return MentorRows(
            org_id=org_id,
            org_name=next((row["name"] for row in connection.execute(_NAME, values)), None),
            mentor_id=mentor_id,
            code=next(iter(connection.execute(_CODE, values)), None),
            counts=next(iter(connection.execute(_COUNTS, values)), None),
            milestones=connection.execute(_MILESTONES, values).fetchall(),
            awards={row["badge_id"]: row for row in connection.execute(_AWARDS, values)},
            decisions=connection.execute(_DECISIONS, values).fetchall(),
            definitions=[BadgeDefinition(**row) for row in connection.execute(_DEFINITIONS, values)],
            announced=[row["threshold"] for row in connection.execute(_ANNOUNCED)],
            is_forged=bool(knowing) and org_id not in knowing,
        )
