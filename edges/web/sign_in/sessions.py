"""Who is signed in: a row in Postgres for each browser, and its secret in a cookie.

Nothing is believed from memory: a session that was revoked opens nothing from the next request on, whoever revoked it
and wherever; an open page of live figures looks every few seconds. It costs a statement by primary key for a request.

Each sign-in makes a new session with a secret of its own, whatever cookie came with it; the one that the browser had is
ended. So nobody can plant a session and wait until somebody signs in to it.

Failure handling: while Postgres is away nobody is known, and requests get 503 as they would for what they ask.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from edges.web.identity import Identity
from edges.web.sign_in.credentials import Credential, new_credential

if TYPE_CHECKING:
    from edges.registry.tokens import Role
    from edges.web.database import Database

SignedInBy = Literal["provider", "link", "token"]

OF_A_PERSON_MAX: Final = 50
"""Sessions that one person has; the oldest goes for the next."""

# One statement each. Who begins also forgets what has ended, and what one person has too many of: links are made by an
# operator, and need no bound.
_BEGIN: Final = """
WITH forgotten AS (
    DELETE FROM sessions WHERE org_id = %(org_id)s AND session_id = ANY (ARRAY(
        SELECT session_id FROM sessions WHERE org_id = %(org_id)s AND expires_at < now() ORDER BY expires_at LIMIT 20
    ) || ARRAY(
        SELECT session_id FROM sessions WHERE org_id = %(org_id)s AND subject = %(subject)s
        ORDER BY signed_in_at DESC OFFSET %(others)s
    ))
)
INSERT INTO sessions (org_id, session_id, secret_digest, subject, role, signed_in_by, expires_at)
VALUES (
    %(org_id)s, %(session_id)s, %(digest)s, %(subject)s, %(role)s, %(signed_in_by)s, to_timestamp(%(expires_s)s)
)
"""
_BEGIN_BY_LINK: Final = """
WITH forgotten AS (
    DELETE FROM sessions WHERE org_id = %(org_id)s AND session_id = ANY (ARRAY(
        SELECT session_id FROM sessions WHERE org_id = %(org_id)s AND expires_at < now() ORDER BY expires_at LIMIT 20
    ))
), used AS (
    UPDATE sign_in_links SET used_at = now()
    WHERE org_id = %(org_id)s AND link_id = %(link_id)s AND secret_digest = %(link_digest)s
    AND used_at IS NULL AND expires_at > now()
    RETURNING subject, role
)
INSERT INTO sessions (org_id, session_id, secret_digest, subject, role, signed_in_by, expires_at)
SELECT %(org_id)s, %(session_id)s, %(digest)s, subject, role, 'link', to_timestamp(%(expires_s)s) FROM used
RETURNING subject, role
"""
_FIND: Final = """
WITH seen AS (
    UPDATE sessions SET last_seen_at = now()
    WHERE org_id = %(org_id)s AND session_id = %(session_id)s AND secret_digest = %(digest)s
    AND last_seen_at < now() - interval '1 hour'
)
SELECT subject, role, extract(epoch FROM expires_at)::float8 FROM sessions
WHERE org_id = %(org_id)s AND session_id = %(session_id)s AND secret_digest = %(digest)s AND expires_at > now()
"""
_IS_OPEN: Final = "SELECT 1 FROM sessions WHERE org_id = %s AND session_id = %s AND expires_at > now()"
_END: Final = "DELETE FROM sessions WHERE org_id = %s AND session_id = %s AND secret_digest = %s RETURNING 1"
_END_EVERYWHERE: Final = "DELETE FROM sessions WHERE org_id = %s AND subject = %s RETURNING 1"


class Begun(NamedTuple):
    """A session that has just begun."""

    credential: Credential
    """For the cookie."""
    identity: Identity


class Sessions:
    """The sessions of every organisation."""

    def __init__(self, database: Database, *, lasts_s: float) -> None:
        """Take where they are, and how long one lasts from the sign-in on, in seconds."""
        self._database = database
        self.lasts_s = lasts_s

    async def begin(
        self, org_id: str, subject: str, role: Role, *, signed_in_by: SignedInBy, until_s: float = math.inf
    ) -> Begun:
        """Begin a session for somebody who has shown who he is; `until_s`: no longer than that time of Unix.

        Raises DatabaseUnavailable.
        """
        credential, expires_s = new_credential(org_id), min(time.time() + self.lasts_s, until_s)
        values = {
            "org_id": org_id,
            "session_id": credential.credential_id,
            "digest": credential.digest,
            "subject": subject,
            "role": role,
            "signed_in_by": signed_in_by,
            "expires_s": expires_s,
            "others": OF_A_PERSON_MAX - 1,
        }
        async with self._database.acting_for(org_id) as connection:
            await connection.execute(_BEGIN, values)
        return Begun(credential, Identity(org_id, subject, role, expires_s, credential.credential_id))

    async def begin_by_link(self, link: Credential) -> Begun | None:
        """Begin a session by a link; None where it is used, has ended, or never was one.

        Link and session change in one transaction: of two who come at once one signs in, and a link is not used up by
        an attempt that failed. Raises DatabaseUnavailable.
        """
        credential, expires_s = new_credential(link.org_id), time.time() + self.lasts_s
        values = {
            "org_id": link.org_id,
            "link_id": link.credential_id,
            "link_digest": link.digest,
            "session_id": credential.credential_id,
            "digest": credential.digest,
            "expires_s": expires_s,
        }
        async with self._database.acting_for(link.org_id) as connection:
            rows = await (await connection.execute(_BEGIN_BY_LINK, values)).fetchall()
        if not rows:
            return None
        ((subject, role),) = rows
        return Begun(credential, Identity(link.org_id, subject, role, expires_s, credential.credential_id))

    async def find(self, credential: Credential) -> Identity | None:
        """Return whose session it is; None where there is none, or it has ended. Raises DatabaseUnavailable."""
        values = {
            "org_id": credential.org_id,
            "session_id": credential.credential_id,
            "digest": credential.digest,
        }
        rows = await self._database.rows(credential.org_id, _FIND, values)
        if not rows:
            return None
        ((subject, role, expires_s),) = rows
        return Identity(credential.org_id, subject, role, expires_s, credential.credential_id)

    async def has_ended(self, identity: Identity) -> bool:
        """Tell whether somebody's session is over; a token has none that could be. Raises DatabaseUnavailable."""
        if identity.session_id is None:
            return False
        return not await self._database.rows(identity.org_id, _IS_OPEN, [identity.org_id, identity.session_id])

    async def end(self, credential: Credential) -> None:
        """End a session, if there is one. Raises DatabaseUnavailable."""
        values = [credential.org_id, credential.credential_id, credential.digest]
        await self._database.rows(credential.org_id, _END, values)

    async def end_everywhere(self, identity: Identity) -> None:
        """End every session of a person. Raises DatabaseUnavailable."""
        await self._database.rows(identity.org_id, _END_EVERYWHERE, [identity.org_id, identity.subject])
