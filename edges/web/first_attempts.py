"""When something was first posted: the time of an event that does not say its own (contract, rule 8).

A webhook that is sent again has the same id and another time (Standard Webhooks). If each attempt had its own, a
confirmation sent again would outlive the withdrawal behind it. So the first one's is kept in Postgres, for each
organisation and event, and whoever comes at the same time, in this process or another, gets the same.

One statement asks for all that came while the ones before it were under way. A statement each would need a connection
each: of 200 webhooks at once most would wait for one longer than the pool waits, and be 503.

Failure handling: without Postgres the time is not known, so the answer is 503 and the sender tries again. What says
when it happened does not need it.
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
AT_ONCE_MAX: Final = 2
"""Statements at the same time; the connections are for the others too."""
BATCH_MAX: Final = 500
"""Events of one statement."""
FORGOTTEN_FOR_EACH: Final = 2
"""Each one that comes takes so many along that are too old: the table is bounded by what comes in that time."""

# In the order of the ids, so that two processes with the same events wait for each other and not both.
_FIRST: Final = """
WITH forgotten AS (
    DELETE FROM first_attempts WHERE org_id = %(org_id)s AND event_id = ANY (ARRAY(
        SELECT event_id FROM first_attempts
        WHERE org_id = %(org_id)s AND sent_at < now() - %(kept)s AND event_id <> ALL (%(event_ids)s::uuid[])
        ORDER BY sent_at LIMIT %(forgotten)s FOR UPDATE SKIP LOCKED
    ))
)
INSERT INTO first_attempts AS first (org_id, event_id, sent_at)
SELECT %(org_id)s::uuid, event_id, sent_at
FROM unnest(%(event_ids)s::uuid[], %(sent_at)s::timestamptz[]) AS came (event_id, sent_at) ORDER BY event_id
ON CONFLICT (org_id, event_id) DO UPDATE SET sent_at = first.sent_at
RETURNING event_id, sent_at
"""


class _Batch:
    """Events that are asked for together."""

    def __init__(self) -> None:
        self.sent_at: dict[str, datetime] = {}
        self.found: asyncio.Task[dict[str, datetime]]


class FirstAttempts:
    """The times of first attempts."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._places = asyncio.Semaphore(AT_ONCE_MAX)
        self._filling: dict[str, _Batch] = {}
        """The batch of each organisation that has not left yet."""

    async def sent_at(self, org_id: str, event_id: str, sent_s: float) -> datetime:
        """Return when an event was first posted: `sent_s`, in seconds of Unix time, if this is the first time.

        Args:
            org_id: the organisation.
            event_id: what is the same whenever it is posted again; a UUID in lower case.
            sent_s: what this attempt says, verified.

        Raises:
            DatabaseUnavailable: it is not known now.

        """
        batch = self._filling.get(org_id)
        if batch is None or len(batch.sent_at) >= BATCH_MAX:
            batch = self._filling[org_id] = _Batch()
            batch.found = asyncio.create_task(self._find(org_id, batch))
            batch.found.add_done_callback(_noticed)
        batch.sent_at.setdefault(event_id, datetime.fromtimestamp(sent_s, UTC))
        try:
            return (await asyncio.shield(batch.found))[event_id]
        except DatabaseUnavailable as error:
            msg = f"{error}; what says occurred_at itself is taken meanwhile"
            raise DatabaseUnavailable(msg) from error

    async def _find(self, org_id: str, batch: _Batch) -> dict[str, datetime]:
        """Ask for a batch, when there is a place; who comes after that is of the next."""
        async with self._places:
            if self._filling.get(org_id) is batch:
                del self._filling[org_id]
            values = {
                "org_id": org_id,
                "kept": KEPT,
                "forgotten": FORGOTTEN_FOR_EACH * len(batch.sent_at),
                "event_ids": list(batch.sent_at),
                "sent_at": list(batch.sent_at.values()),
            }
            rows = await self._database.rows(org_id, _FIRST, values)
        return {event_id: first.astimezone(UTC) for event_id, first in rows}


def _noticed(task: asyncio.Task[dict[str, datetime]]) -> None:
    """Take a failure that nobody waits for any more; asyncio would write it to the log."""
    if not task.cancelled():
        task.exception()
