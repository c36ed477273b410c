"""When a webhook was first sent: the time of an event that does not say its own (contract, rule 8).

A webhook that is sent again has the same id and another time (Standard Webhooks). If each attempt had its own, a
confirmation sent again would outlive the withdrawal behind it. So the first one's is kept in Postgres, for each
organisation and webhook, and whoever comes at the same time, in this process or another, gets the same.

Failure handling: without Postgres the time is not known, so the answer is 503 and the sender tries again. A webhook
that says when it happened does not need it.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from edges.web.database import DatabaseUnavailable

if TYPE_CHECKING:
    from edges.web.database import Database

KEPT: Final = timedelta(days=400)
"""How long the time is kept; senders give up within days."""
AT_ONCE_MAX: Final = 4
"""Statements at the same time: a burst of webhooks waits here, and leaves connections for the others."""

# Each one that comes takes two along that are too old, so the table is bounded by what comes in that time.
_FIRST: Final = """
WITH forgotten AS (
    DELETE FROM first_attempts WHERE org_id = %(org_id)s AND event_id = ANY (ARRAY(
        SELECT event_id FROM first_attempts
        WHERE org_id = %(org_id)s AND sent_at < %(oldest)s AND event_id <> %(event_id)s
        ORDER BY sent_at LIMIT 2 FOR UPDATE SKIP LOCKED
    ))
)
INSERT INTO first_attempts AS first (org_id, event_id, sent_at) VALUES (%(org_id)s, %(event_id)s, %(sent_at)s)
ON CONFLICT (org_id, event_id) DO UPDATE SET sent_at = first.sent_at
RETURNING sent_at
"""


class FirstAttempts:
    """The times of first attempts, of one organisation at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._places = asyncio.Semaphore(AT_ONCE_MAX)

    async def sent_at(self, org_id: str, event_id: str, sent_s: int) -> datetime:
        """Return when a webhook was first sent: `sent_s`, in seconds of Unix time, if it is the first.

        Args:
            org_id: the organisation.
            event_id: the attribution id that follows from the webhook's id.
            sent_s: what this attempt says, verified.

        Raises:
            DatabaseUnavailable: it is not known now.

        """
        sent_at = datetime.fromtimestamp(sent_s, UTC)
        values = {"org_id": org_id, "event_id": event_id, "sent_at": sent_at, "oldest": sent_at - KEPT}
        try:
            async with self._places:
                ((first,),) = await self._database.rows(org_id, _FIRST, values)
        except DatabaseUnavailable as error:
            msg = f"{error}; a webhook with occurred_at is taken meanwhile"
            raise DatabaseUnavailable(msg) from error
        assert isinstance(first, datetime)  # noqa: S101  the column's type
        return first.astimezone(UTC)
