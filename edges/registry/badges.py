"""An organisation's own badges: made, changed, switched off and on, each with who did it.

A badge has the id that who makes it chose, so that a request that is sent again finds it there and changes nothing. Its
threshold stands: awards were made by it. A badge is never deleted, because awards are for ever; it is switched off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import psycopg

from edges.registry.database import rows_of
from edges.registry.errors import BadBadge, BadgeStands, NoSuchBadge
from models.badges import PICTURES, RECRUITMENT, read_badge_name
from process.setting_groups.stream import THRESHOLD_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from edges.registry.database import Connection, Organisations

BADGES_MAX: Final = 50
"""Badges of an organisation's own; each is compared with each of its milestones."""
BY_OPERATOR: Final = "operator"
"""Who has changed what was changed at the command line."""

_LIST: Final = """
SELECT
    badge_id::text,
    org_id IS NOT NULL,
    threshold,
    name,
    picture,
    off_since,
    milestone_for(threshold),
    made.changed_by,
    made.changed_at,
    filled.changed_at,
    filled.awarded
FROM badge_definitions AS definition
LEFT JOIN LATERAL (
    SELECT changed_by, changed_at
    FROM badge_changes
    WHERE badge_changes.org_id = %(org_id)s AND badge_changes.badge_id = definition.badge_id AND change = 'made'
    ORDER BY change_id
    LIMIT 1
) AS made ON true
LEFT JOIN LATERAL (
    SELECT max(changed_at) AS changed_at, sum(awarded)::bigint AS awarded
    FROM badge_changes
    WHERE badge_changes.org_id = %(org_id)s AND badge_changes.badge_id = definition.badge_id AND change = 'back_filled'
) AS filled ON true
WHERE type = 'recruitment' AND (org_id = %(org_id)s OR org_id IS NULL)
ORDER BY threshold, org_id NULLS FIRST, name, badge_id
"""
_ANNOUNCED: Final = "SELECT threshold FROM milestone_thresholds ORDER BY threshold"
_COUNT: Final = "SELECT count(*) FROM badge_definitions WHERE org_id = %(org_id)s"
_INSERT: Final = """
INSERT INTO badge_definitions (badge_id, org_id, type, threshold, name, picture, off_since)
VALUES (
    %(badge_id)s, %(org_id)s, %(type)s, %(threshold)s, %(name)s, %(picture)s, CASE WHEN %(is_off)s THEN now() END
)
ON CONFLICT (badge_id) DO NOTHING
RETURNING badge_id
"""
_HOLD: Final = """
SELECT threshold, name, picture, off_since IS NOT NULL
FROM badge_definitions
WHERE badge_id = %(badge_id)s AND org_id = %(org_id)s
FOR NO KEY UPDATE
"""
_IS_EVERYBODYS: Final = "SELECT name FROM badge_definitions WHERE badge_id = %(badge_id)s AND org_id IS NULL"
_CHANGE: Final = """
UPDATE badge_definitions SET name = %(name)s, picture = %(picture)s
WHERE badge_id = %(badge_id)s AND org_id = %(org_id)s
RETURNING badge_id
"""
_SWITCH: Final = """
UPDATE badge_definitions SET off_since = CASE WHEN %(is_off)s THEN now() END
WHERE badge_id = %(badge_id)s AND org_id = %(org_id)s
RETURNING badge_id
"""
_NOTE: Final = """
INSERT INTO badge_changes (org_id, badge_id, change, changed_by, name, threshold, picture, awarded)
VALUES (%(org_id)s, %(badge_id)s, %(change)s, %(by)s, %(name)s, %(threshold)s, %(picture)s, %(awarded)s)
RETURNING changed_at
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Badge:
    """A badge as somebody would have it."""

    badge_id: UUID
    name: str
    threshold: int
    """Confirmed registrations at which it is earned: one of those at which milestones are announced."""
    picture: str = PICTURES[0]
    is_off: bool = False
    """It is awarded to nobody; who holds it keeps it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BadgeListed:
    """A badge that mentors of the organisation can earn, could, or will not."""

    badge_id: str
    is_own: bool
    """The organisation's; else every organisation has it, and only an operator changes it."""
    threshold: int
    name: str
    picture: str
    off_since: datetime | None
    comes_at: int | None
    """The count at which a milestone brings it, if it is on; None: none does."""
    made_by: str | None
    """None: it was there from the beginning, or was inserted by hand; so with the time."""
    made_at: datetime | None
    back_filled_at: datetime | None
    """When somebody last awarded it to those who had reached it before; None: nobody did."""
    back_filled: int | None
    """How many were awarded it then, all times together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Badges:
    """The badges of an organisation, and the counts at which one can be."""

    badges: list[BadgeListed]
    thresholds: list[int]


async def list_badges(database: Organisations, org_id: UUID) -> Badges:
    """Return the badges that an organisation has, its own and everybody's, and the counts at which one can be made."""
    values = {"org_id": str(org_id)}
    async with database.acting_for(str(org_id)) as connection:
        rows = await rows_of(connection, _LIST, values)
        thresholds = [at for (at,) in await rows_of(connection, _ANNOUNCED)]
    names = BadgeListed.__dataclass_fields__
    return Badges(badges=[BadgeListed(**dict(zip(names, row, strict=True))) for row in rows], thresholds=thresholds)


async def save_badge(database: Organisations, org_id: UUID, badge: Badge, *, by: str) -> bool:
    """Make a badge, or change the one of this id to what is given; tell whether it is new. Again it changes nothing.

    Args:
        database: gives transactions for the organisation.
        org_id: whose badge it is.
        badge: what it is to be.
        by: who does it, for the audit.

    Raises:
        BadBadge: name, picture or threshold cannot be; the message says why, `field` which.
        BadgeStands: the id is every organisation's badge, or the threshold would change, or there are too many.
        NoSuchBadge: the id is taken, and not by a badge of this organisation.

    """
    values = _checked(badge) | {"org_id": str(org_id), "by": by, "awarded": None}
    async with database.acting_for(str(org_id)) as connection:
        if await _made(connection, values):
            return True
        rows = await rows_of(connection, _HOLD, values)
        if not rows:
            raise await _not_ours(connection, values)
        threshold, *known = rows[0]
        if threshold != badge.threshold:
            raise BadgeStands(
                f"the badge needs {threshold:,} confirmed registrations, and awards were made by that: make another "
                "badge at the other count, and switch this one off"
            )
        if known[:2] != [values["name"], values["picture"]]:
            await rows_of(connection, _CHANGE, values)
            await note_change(connection, values, "changed")
        if known[2] != badge.is_off:
            await rows_of(connection, _SWITCH, values)
            await note_change(connection, values, "switched_off" if badge.is_off else "switched_on")
    return False


async def note_change(connection: Connection, values: Mapping[str, Any], change: str) -> datetime:
    """Add to the audit what is done in this transaction; return when it was."""
    ((at,),) = await rows_of(connection, _NOTE, {**values, "change": change})
    found: datetime = at
    return found


async def _made(connection: Connection, values: Mapping[str, Any]) -> bool:
    """Make the badge, if there is none of this id."""
    try:
        rows = await rows_of(connection, _INSERT, values)
    except psycopg.errors.CheckViolation as fault:  # the trigger of migration 0011 knows the thresholds and the remedy
        said = filter(None, (fault.diag.message_primary, fault.diag.message_hint))
        raise BadBadge("threshold", "; ".join(said)) from None
    if not rows:
        return False
    ((count,),) = await rows_of(connection, _COUNT, values)
    if count > BADGES_MAX:
        raise BadgeStands(f"the organisation has {BADGES_MAX} badges of its own already; change one of those")
    await note_change(connection, values, "made")
    return True


async def _not_ours(connection: Connection, values: Mapping[str, Any]) -> NoSuchBadge | BadgeStands:
    if await rows_of(connection, _IS_EVERYBODYS, values):
        return BadgeStands("the badge is every organisation's, and cannot be changed for one; make your own")
    return NoSuchBadge("the id is taken; make the badge under another")


def _checked(badge: Badge) -> dict[str, Any]:
    """Return the badge's values as they are stored."""
    name = read_badge_name(badge.name)
    if name.fault:
        raise BadBadge("name", name.fault)
    if badge.picture not in PICTURES:
        raise BadBadge("picture", f"is not one of {', '.join(PICTURES)}")
    if not 0 < badge.threshold <= THRESHOLD_MAX:
        raise BadBadge("threshold", "is no number of confirmed registrations: it is 1 or more")
    return {
        "badge_id": str(badge.badge_id),
        "type": RECRUITMENT,
        "threshold": badge.threshold,
        "name": name.text,
        "picture": badge.picture,
        "is_off": badge.is_off,
    }
