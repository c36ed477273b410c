"""Sessions as an operator sees them: listed, and revoked, as who owns the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

from edges.registry.database import rows_of
from models.identifiers import canonical_uuid, is_uuid

if TYPE_CHECKING:
    from datetime import datetime

    from edges.registry.database import OwnerDatabase

_LIST: Final = """
SELECT org_id::text, session_id::text, subject, role, signed_in_by, signed_in_at, last_seen_at, expires_at
FROM sessions
WHERE expires_at > now() AND (%(org_id)s::uuid IS NULL OR org_id = %(org_id)s)
ORDER BY org_id, signed_in_at DESC, session_id
"""
_REVOKE: Final = """
WITH told AS (
    DELETE FROM mail_subscriptions
    WHERE org_id = %(org_id)s AND subject = %(subject)s
),
links AS (
    DELETE FROM sign_in_links
    WHERE org_id = %(org_id)s AND %(session_id)s::uuid IS NULL AND (%(subject)s::text IS NULL OR subject = %(subject)s)
)
DELETE FROM sessions
WHERE org_id = %(org_id)s
AND (%(session_id)s::uuid IS NULL OR session_id = %(session_id)s)
AND (%(subject)s::text IS NULL OR subject = %(subject)s)
RETURNING expires_at > now()
"""


class ListedSession(NamedTuple):
    """A session, without what opens it."""

    org_id: UUID
    session_id: UUID
    subject: str
    role: str
    signed_in_by: str
    """`provider`, `link` or `token`."""
    signed_in_at: datetime
    last_seen_at: datetime
    """To the hour."""
    expires_at: datetime


async def list_sessions(database: OwnerDatabase, org_id: UUID | None = None) -> list[ListedSession]:
    """Return the sessions that have not ended, the latest of each organisation first."""
    async with database.for_all() as connection:
        rows = await rows_of(connection, _LIST, {"org_id": org_id})
    return [ListedSession(UUID(org), UUID(session), *rest) for org, session, *rest in rows]


async def revoke_sessions(
    database: OwnerDatabase, org_id: UUID, *, session_id: UUID | None = None, subject: str | None = None
) -> int:
    """End an organisation's sessions: one, a person's, or all; return how many had not ended.

    With a person's, or all, go the links that were not used yet: they would sign him in again. With a person's goes his
    mail address too, for the same reason, and because he is written to about an organisation that he may have left.
    """
    if subject is not None and is_uuid(subject):
        subject = canonical_uuid(subject)
    values: dict[str, Any] = {"org_id": org_id, "session_id": session_id, "subject": subject}
    async with database.acting_for(str(org_id)) as connection:
        rows = await rows_of(connection, _REVOKE, values)
    return sum(had_not_ended for (had_not_ended,) in rows)
