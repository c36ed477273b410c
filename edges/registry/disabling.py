"""Share links that lead nowhere any more: a mentor has left, or a link is misused.

Only the link stops: it leads to the neutral page and counts no clicks. The code stays the mentor's, with all that it
has counted, and what the membership system confirms later still counts for him (contract, rule 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from edges.registry.database import rows_of
from edges.registry.errors import NoSuchCode

if TYPE_CHECKING:
    from datetime import datetime

    from edges.registry.database import OwnerDatabase

_SET: Final = """
UPDATE referral_codes
SET disabled_at = CASE WHEN %(is_disabled)s THEN coalesce(disabled_at, now()) END
WHERE referral_code = %(code)s OR (org_id = %(org_id)s AND mentor_id = %(mentor_id)s)
RETURNING referral_code, org_id::text, mentor_id::text, disabled_at
"""


class ShareLink(NamedTuple):
    """A code, and since when its link leads nowhere."""

    code: str
    org_id: UUID
    mentor_id: UUID
    disabled_at: datetime | None
    """None: the link works."""


async def set_disabled(
    database: OwnerDatabase,
    *,
    code: str | None = None,
    org_id: UUID | None = None,
    mentor_id: UUID | None = None,
    is_disabled: bool,
) -> ShareLink:
    """Stop the link of a code, or let it work again; the code by itself, or by its organisation and mentor.

    Raises:
        NoSuchCode: there is none; nothing was changed.

    """
    values = {"code": code, "org_id": org_id, "mentor_id": mentor_id, "is_disabled": is_disabled}
    async with database.for_all() as connection:
        rows = await rows_of(connection, _SET, values)
    if not rows:
        whose = code or f"of mentor {mentor_id} in organisation {org_id}"
        raise NoSuchCode(f"there is no code {whose} here; `referrals codes issue` prints a mentor's")
    code, organisation, mentor, disabled_at = rows[0]
    return ShareLink(code, UUID(organisation), UUID(mentor), disabled_at)
