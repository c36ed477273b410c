"""Issues referral codes: one for each mentor of an organisation, for ever.

A mentor's code is computed (`models.codes`), but what counts is what is stored: a code that was issued stays when the
organisation's secret changes, and a collision's suffix depends on who came first. Mentor, code and the outbox row that
gets it published are inserted by one statement, in one transaction.

Concurrent requests for a mentor give one code because the tables have it so: a code is unique, and so is a mentor's. A
statement that was not the first inserts nothing, and what it looks up then is what the first has stored. Codes of other
organisations are not visible here, but taken all the same; then the next suffix is tried.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import psycopg

from edges.registry.database import rows_of
from edges.registry.errors import NoCodeLeft
from models.codes import code_candidates
from process.fault_points import fault_point

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edges.registry.database import Connection, Organisations
    from edges.registry.secrets import SecretStore

ATTEMPTS_MAX: Final = 5
"""The projection may insert the same mentors at once in another order, and Postgres then ends one of the two."""
GIVE_WAY_S: Final = 0.05
"""How long the other has, before we begin again, to take what it waited for."""

_STORED: Final = """
SELECT mentor_id::text, referral_code, issued_at, disabled_at
FROM referral_codes
WHERE org_id = %(org_id)s AND mentor_id = ANY(%(mentor_ids)s::uuid[])
"""

_INSERT: Final = """
WITH batch AS (
    SELECT * FROM unnest(%(codes)s::text[], %(mentor_ids)s::uuid[]) AS code (referral_code, mentor_id)
),
new_mentors AS (
    INSERT INTO mentors (org_id, mentor_id)
    SELECT %(org_id)s, mentor_id FROM batch ORDER BY mentor_id
    ON CONFLICT DO NOTHING
),
new_codes AS (
    INSERT INTO referral_codes (referral_code, org_id, mentor_id, issued_at)
    SELECT referral_code, %(org_id)s, mentor_id, now() FROM batch ORDER BY referral_code
    ON CONFLICT DO NOTHING
    RETURNING referral_code, mentor_id, issued_at
),
waiting AS (
    INSERT INTO codes_outbox (org_id, referral_code, mentor_id, issued_at)
    SELECT %(org_id)s, referral_code, mentor_id, issued_at FROM new_codes
)
SELECT mentor_id::text, referral_code, issued_at, NULL FROM new_codes
"""


@dataclass(frozen=True, slots=True)
class Issued:
    """A mentor's code."""

    mentor_id: UUID
    code: str
    issued_at: datetime
    is_new: bool
    """False: it had been stored before, and nothing was written."""
    disabled_at: datetime | None = None
    """Since when its link leads nowhere; None: it works."""


class CodeRegistry:
    """Finds codes and issues them."""

    def __init__(self, organisations: Organisations, secrets: SecretStore) -> None:
        self._organisations = organisations
        self._secrets = secrets

    async def issue(self, org_id: UUID, mentor_id: UUID) -> Issued:
        """Return a mentor's code, made and stored now if he has none.

        Raises:
            UnknownOrganisation, NoSecret, SecretUnreadable: no code can be made; nothing was written.

        """
        (issued,) = await self.issue_many(org_id, [mentor_id])
        return issued

    async def issue_many(self, org_id: UUID, mentor_ids: Sequence[UUID]) -> list[Issued]:
        """Return the codes of mentors, in their order; those that are missing are made in one transaction.

        Raises what `issue` does.
        """
        wanted = list(dict.fromkeys(mentor_ids))
        async with self._organisations.acting_for(str(org_id)) as connection:
            issued = await _find(connection, org_id, wanted)
        missing = [mentor_id for mentor_id in wanted if mentor_id not in issued]
        if missing:
            secret = await self._secrets.in_use(org_id, "code")
            async with self._organisations.acting_for(str(org_id)) as connection:
                issued |= await _make_patiently(connection, org_id, missing, secret)
            fault_point("registry.stored")
        return [issued[mentor_id] for mentor_id in mentor_ids]


async def _make_patiently(
    connection: Connection, org_id: UUID, mentor_ids: Sequence[UUID], secret: bytes
) -> Mapping[UUID, Issued]:
    """Make codes within a transaction, again where Postgres ended it for another's sake."""
    for attempts_left in reversed(range(ATTEMPTS_MAX)):
        try:
            async with connection.transaction():  # a savepoint, so that the organisation stays set
                return await _make(connection, org_id, mentor_ids, secret)
        except psycopg.errors.DeadlockDetected:
            if not attempts_left:
                raise
            await asyncio.sleep(GIVE_WAY_S)
    raise AssertionError


async def _make(
    connection: Connection, org_id: UUID, mentor_ids: Sequence[UUID], secret: bytes
) -> Mapping[UUID, Issued]:
    """Make the codes of mentors who had none a moment ago."""
    issued: dict[UUID, Issued] = {}
    candidates = {mentor_id: code_candidates(mentor_id, org_id, secret) for mentor_id in mentor_ids}
    while candidates:
        codes = {mentor_id: next(untried, None) for mentor_id, untried in candidates.items()}
        for mentor_id, code in codes.items():
            if code is None:
                raise NoCodeLeft(
                    f"every code that mentor {mentor_id} of organisation {org_id} could have is issued to others; "
                    f"a new secret gives others: referrals orgs rotate-secret {org_id} --purpose code"
                )
        values = {"org_id": org_id, "mentor_ids": list(codes), "codes": list(codes.values())}
        made = _by_mentor(await rows_of(connection, _INSERT, values), is_new=True)
        for mentor_id in made:
            del candidates[mentor_id]
        issued |= made
        if candidates:  # the code is another's, or the mentor has just got his from another request
            stored = await _find(connection, org_id, list(candidates))
            for mentor_id in stored:
                del candidates[mentor_id]
            issued |= stored
    return issued


async def _find(connection: Connection, org_id: UUID, mentor_ids: Sequence[UUID]) -> dict[UUID, Issued]:
    """Return the stored codes by mentor."""
    values = {"org_id": org_id, "mentor_ids": list(mentor_ids)}
    return _by_mentor(await rows_of(connection, _STORED, values), is_new=False)


def _by_mentor(rows: Iterable[tuple[Any, ...]], *, is_new: bool) -> dict[UUID, Issued]:
    return {
        UUID(mentor_id): Issued(UUID(mentor_id), code, issued_at, is_new, disabled_at)
        for mentor_id, code, issued_at, disabled_at in rows
    }
