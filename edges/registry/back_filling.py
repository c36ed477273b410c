"""A badge for those who had reached it before: the back-fill, and the look at who would get it.

The badge consumer awards by milestones as they come, and compares those it has recorded with a badge that is made. Who
passed a threshold before it was one has no such milestone until his next confirmation (rule 7); a back-fill awards
him by his count, under the id that his milestone will have.

One transaction: killed, nothing was awarded. Done again, by a request that is sent again or beside the badge consumer,
it awards nobody twice: an award is its organisation, mentor and badge (migration 0026).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from edges.registry.badges import note_change
from edges.registry.database import rows_of
from edges.registry.errors import BadgeStands, NoSuchBadge
from models.badges import RECRUITMENT
from models.identifiers import milestone_id
from process.fault_points import fault_point

if TYPE_CHECKING:
    from datetime import datetime

    from edges.registry.database import Organisations

_BADGE: Final = """
SELECT
    threshold,
    name,
    picture,
    off_since IS NOT NULL,
    EXISTS (SELECT FROM milestone_thresholds WHERE milestone_thresholds.threshold = definition.threshold)
FROM badge_definitions AS definition
WHERE badge_id = %(badge_id)s AND type = %(type)s AND (org_id = %(org_id)s OR org_id IS NULL)
"""
_COUNTED: Final = "SELECT mentor_id::text FROM mentors_due(%(threshold)s, %(badge_id)s) WHERE milestone_id IS NULL"
_AWARD: Final = "SELECT award_reached(%(badge_id)s, %(mentors)s::uuid[], %(milestones)s::uuid[])"
_FILLED: Final = """
SELECT max(changed_at) FROM badge_changes
WHERE org_id = %(org_id)s AND badge_id = %(badge_id)s AND change = 'back_filled'
"""
_HELD: Final = "SELECT count(*) FROM badge_awards WHERE org_id = %(org_id)s AND badge_id = %(badge_id)s"
_IS_ANNOUNCED: Final = "SELECT EXISTS (SELECT FROM milestone_thresholds WHERE threshold = %(threshold)s)"
_DUE: Final = "SELECT count(*) FROM mentors_due(%(threshold)s, %(badge_id)s)"
_FIRST: Final = """
SELECT
    due.mentor_id::text,
    referral_codes.referral_code,
    display_name,
    coalesce(confirmed_attributions, confirmed_count) AS confirmed
FROM mentors_due(%(threshold)s, %(badge_id)s) AS due
LEFT JOIN mentor_counts ON mentor_counts.org_id = %(org_id)s AND mentor_counts.mentor_id = due.mentor_id
LEFT JOIN referral_codes ON referral_codes.org_id = %(org_id)s AND referral_codes.mentor_id = due.mentor_id
LEFT JOIN mentor_names ON mentor_names.org_id = %(org_id)s AND mentor_names.mentor_id = due.mentor_id
ORDER BY confirmed DESC, due.mentor_id
LIMIT %(limit)s
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class BackFilled:
    """What a back-fill did."""

    awarded: int
    """How many it awarded the badge; 0: everybody who has reached it held it already."""
    at: datetime
    """When it was last done so that somebody was awarded it, or first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MentorDue:
    """A mentor who would be awarded a badge."""

    mentor_id: str
    referral_code: str | None
    display_name: str | None
    confirmed: int
    """As it is counted now: fewer than the badge needs where members have withdrawn since."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """Who would be awarded a badge by a back-fill."""

    is_announced: bool
    """Milestones are announced at this count; else no badge can be made at it, nor one awarded."""
    due: int
    held: int
    """How many hold it already."""
    mentors: list[MentorDue]
    """The first of those, who has most confirmed first."""


async def back_fill(database: Organisations, org_id: UUID, badge_id: UUID, *, by: str) -> BackFilled:
    """Award a badge to every mentor of the organisation who has reached it and does not hold it.

    Args:
        database: gives transactions for the organisation.
        org_id: whose mentors they are.
        badge_id: its badge, or one that every organisation has.
        by: who does it, for the audit.

    Raises:
        NoSuchBadge: the organisation has none of this id.
        BadgeStands: it is switched off, or no milestone is announced at its count.

    """
    values = {"org_id": str(org_id), "badge_id": str(badge_id), "type": RECRUITMENT}
    async with database.acting_for(str(org_id)) as connection:
        rows = await rows_of(connection, _BADGE, values)
        if not rows:
            raise NoSuchBadge(f"the organisation has no badge {badge_id}")
        threshold, name, picture, is_off, is_announced = rows[0]
        if is_off:
            raise BadgeStands("the badge is switched off, and is awarded to nobody; switch it on first")
        if not is_announced:
            raise BadgeStands(
                f"no milestone is announced at {threshold:,}, so the badge can be promised to nobody: add the count to "
                "REFERRALS_THRESHOLDS for every component, start them again, and run `referrals db migrate`"
            )
        counted = [mentor for (mentor,) in await rows_of(connection, _COUNTED, values | {"threshold": threshold})]
        milestones = await asyncio.to_thread(_milestones, str(org_id), counted, threshold)
        ((awarded,),) = await rows_of(connection, _AWARD, values | {"mentors": counted, "milestones": milestones})
        if awarded is None:
            raise BadgeStands("the badge was switched off just now, and is awarded to nobody")
        ((at,),) = await rows_of(connection, _FILLED, values)
        if awarded or at is None:
            described = {"threshold": threshold, "name": name, "picture": picture, "by": by, "awarded": awarded}
            at = await note_change(connection, values | described, "back_filled")
        fault_point("badges.back_filled")
    return BackFilled(awarded=awarded, at=at)


async def preview_badge(
    database: Organisations, org_id: UUID, *, threshold: int, badge_id: UUID | None = None, named: int = 20
) -> Due:
    """Return who would be awarded a badge at a count, before it is made; or of one that is there, who lacks it.

    Args:
        database: gives transactions for the organisation.
        org_id: whose mentors they are.
        threshold: confirmed registrations at which it is earned.
        badge_id: the badge, if it is there.
        named: how many mentors are named, at most.

    """
    values = {
        "org_id": str(org_id),
        "badge_id": None if badge_id is None else str(badge_id),
        "threshold": threshold,
        "limit": named,
    }
    async with database.acting_for(str(org_id)) as connection:
        ((is_announced,),) = await rows_of(connection, _IS_ANNOUNCED, values)
        ((due,),) = await rows_of(connection, _DUE, values)
        ((held,),) = await rows_of(connection, _HELD, values)
        rows = await rows_of(connection, _FIRST, values)
    mentors = [
        MentorDue(mentor_id=mentor, referral_code=code, display_name=name, confirmed=confirmed)
        for mentor, code, name, confirmed in rows
    ]
    return Due(is_announced=is_announced, due=due, held=held, mentors=mentors)


def _milestones(org_id: str, mentors: list[str], threshold: int) -> list[str]:
    return [milestone_id(org_id, mentor, threshold) for mentor in mentors]
