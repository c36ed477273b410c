"""Links that sign somebody in once: made by a command, or sent by mail (edges/mail/). They are used up in sessions.py.

The secret stands behind `#`, so it is in no request, log or referrer; the page that the link opens posts it when
somebody presses its button. So a mail scanner that follows the link uses nothing up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from edges.registry.database import rows_of
from edges.registry.errors import BadSubject, unknown_organisation
from edges.web.sign_in.claims import SUBJECT_LENGTH_MAX
from edges.web.sign_in.credentials import new_credential
from models.identifiers import canonical_uuid, is_uuid

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from edges.registry.database import Organisations
    from edges.registry.tokens import Role

PAGE: Final = "/sign-in"

_EXISTS: Final = "SELECT 1 FROM organisations WHERE org_id = %s"
_MAKE: Final = """
WITH forgotten AS (
    DELETE FROM sign_in_links WHERE org_id = %(org_id)s AND expires_at < now() - interval '1 day'
)
INSERT INTO sign_in_links (org_id, link_id, secret_digest, subject, role, expires_at)
VALUES (%(org_id)s, %(link_id)s, %(digest)s, %(subject)s, %(role)s, now() + %(good_for)s)
RETURNING expires_at
"""


class SignInLink(NamedTuple):
    """A link that was just made."""

    secret: str
    """What stands behind `#link=`."""
    expires_at: datetime

    def url(self, web_url: str) -> str:
        """Return the link, for people who reach the HTTP side at an address."""
        return f"{web_url.rstrip('/')}{PAGE}#link={self.secret}"


async def make_link(
    database: Organisations, *, org_id: UUID, role: Role, subject: str, good_for: timedelta
) -> SignInLink:
    """Make a link for somebody of an organisation.

    Raises:
        UnknownOrganisation: there is none.
        BadSubject: a mentor is named by his id, others by 1 to 255 printable characters.

    """
    credential = new_credential(str(org_id))
    values = {
        "org_id": org_id,
        "link_id": credential.credential_id,
        "digest": credential.digest,
        "subject": checked_subject(subject, role),
        "role": role,
        "good_for": good_for,
    }
    async with database.acting_for(str(org_id)) as connection:
        if not await rows_of(connection, _EXISTS, [org_id]):
            raise unknown_organisation(org_id)
        ((expires_at,),) = await rows_of(connection, _MAKE, values)
    return SignInLink(credential.text, expires_at)


def checked_subject(subject: str, role: Role) -> str:
    """Return who somebody is, as sessions have it; raise BadSubject."""
    subject = subject.strip()
    if role == "mentor":
        if not is_uuid(subject):
            raise BadSubject(f"{subject[:100]!r} is no mentor id; a mentor signs in as his UUID")
        return canonical_uuid(subject)
    if not (1 <= len(subject) <= SUBJECT_LENGTH_MAX and subject.isprintable()):
        raise BadSubject(f"who signs in is named by 1 to {SUBJECT_LENGTH_MAX} printable characters")
    return canonical_uuid(subject) if is_uuid(subject) else subject
