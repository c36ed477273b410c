"""Erases mail addresses, as who owns the tables; pages and links erase them too (`edges/web/mail_subscriptions.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edges.registry.database import rows_of
from models.identifiers import canonical_uuid, is_uuid

if TYPE_CHECKING:
    from uuid import UUID

    from edges.registry.database import OwnerDatabase

_ERASE: Final = """
WITH erased AS (
    DELETE FROM mail_subscriptions
    WHERE org_id = %(org_id)s
    AND (%(address)s::text IS NULL OR lower(address) = lower(%(address)s))
    AND (%(subject)s::text IS NULL OR subject = %(subject)s)
    RETURNING org_id, subscription_id
),
forgotten AS (
    DELETE FROM mail_outbox USING erased
    WHERE mail_outbox.org_id = erased.org_id AND mail_outbox.subscription_id = erased.subscription_id
)
SELECT count(*) FROM erased
"""


async def erase_addresses(
    database: OwnerDatabase, org_id: UUID, *, address: str | None = None, subject: str | None = None
) -> int:
    """Erase the addresses of an organisation that are this one, or this person's; return how many subscriptions ended.

    With them goes what the outbox has of them. A mail that a server is being given at this moment still goes out.
    """
    if subject is not None and is_uuid(subject):
        subject = canonical_uuid(subject)
    values = {"org_id": org_id, "address": None if address is None else address.strip(), "subject": subject}
    async with database.acting_for(str(org_id)) as connection:
        ((count,),) = await rows_of(connection, _ERASE, values)
    return int(count)
