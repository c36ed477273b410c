"""Whose events are not to come into the topic again: members who were erased, by organisation.

The projection marks their pairs (migration 0028), and here they are remembered for a few seconds, so a webhook costs no
statement of its own. What is posted of such a pair is answered as ever and published nowhere: its sender can do nothing
about it, and would send it again.

Failure handling: without Postgres what was known stands, and where nothing was known the event is published. That
costs the id another stay in the topic, where it counts nothing (contract, rule 11); refusing would cost others' events.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from edges.web.database import DatabaseUnavailable
from models.erasures import pseudonym

if TYPE_CHECKING:
    from edges.web.database import Database
    from models.events import Registration

REMEMBERED_S: Final = 10.0

_ERASED: Final = "SELECT pair FROM registration_pairs WHERE org_id = %s AND erased_at IS NOT NULL"


async def erased_pairs_of(database: Database, org_id: str) -> frozenset[bytes]:
    """Return the pseudonyms of an organisation's erased pairs; raises DatabaseUnavailable."""
    return frozenset(UUID(pair).bytes for (pair,) in await database.rows(org_id, _ERASED, [org_id]))


class _Known(NamedTuple):
    """What is known of one organisation."""

    pairs: frozenset[bytes]
    until_s: float
    """By the monotonic clock."""


class ErasedMembers:
    """The erased pairs of organisations that post."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, _Known] = {}

    async def is_erased(self, registration: Registration) -> bool:
        """Tell whether an event that names its organisation is of a member who was erased."""
        org_id = registration.org_id
        if org_id is None:
            return False
        known = self._known.get(org_id)
        if known is None or known.until_s < time.monotonic():
            known = await self._look(org_id, known)
        return bool(known.pairs) and pseudonym(registration.referral_code, registration.new_member_id) in known.pairs

    async def _look(self, org_id: str, before: _Known | None) -> _Known:
        pairs = frozenset[bytes]() if before is None else before.pairs
        # Noted first: of many that come at once, one asks, and the others go by what was known.
        self._known[org_id] = _Known(pairs, time.monotonic() + REMEMBERED_S)
        with suppress(DatabaseUnavailable):
            pairs = await erased_pairs_of(self._database, org_id)
        self._known[org_id] = known = _Known(pairs, time.monotonic() + REMEMBERED_S)
        return known
