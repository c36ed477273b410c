"""An award as an OpenBadgeCredential (1EdTech Open Badges 3.0, on W3C's Verifiable Credentials 2.0), unsigned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edges.open_badges.contexts import CREDENTIALS, OPEN_BADGES
from edges.open_badges.proof import written
from models.identifiers import derived_uuid

if TYPE_CHECKING:
    from datetime import datetime

MEDIA_TYPE: Final = "application/vc"


class Held(NamedTuple):
    """A badge that a mentor holds, with what a credential says of it."""

    org_id: str
    mentor_id: str
    badge_id: str
    badge_name: str
    criteria: str
    """What it takes, in words."""
    awarded_at: datetime
    """In UTC."""
    organisation: str | None
    """What the issuer is called; None: nobody has said so."""
    holder: str | None
    """What the organisation calls him; None: he is known by his pseudonym alone."""


def credential_of(held: Held, *, issuer: str, language: str) -> dict[str, Any]:
    """Return the credential of an award, without a proof; its id is the same whenever it is made."""
    profile: dict[str, Any] = {"id": issuer, "type": ["Profile"]}
    if held.organisation is not None:
        profile["name"] = held.organisation
    subject: dict[str, Any] = {
        "id": f"urn:uuid:{held.mentor_id}",
        "type": ["AchievementSubject"],
        "achievement": {
            "id": f"urn:uuid:{derived_uuid(f'{held.org_id}:achievement:{held.badge_id}')}",
            "type": ["Achievement"],
            "achievementType": "Badge",
            "inLanguage": language,
            "name": held.badge_name,
            "description": held.criteria,
            "criteria": {"narrative": held.criteria},
        },
    }
    if held.holder is not None:
        subject["identifier"] = [
            {"type": "IdentityObject", "hashed": False, "identityHash": held.holder, "identityType": "name"}
        ]
    return {
        "@context": [CREDENTIALS, OPEN_BADGES],
        "id": f"urn:uuid:{derived_uuid(f'{held.org_id}:{held.mentor_id}:award:{held.badge_id}')}",
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "issuer": profile,
        "validFrom": written(held.awarded_at),
        "awardedDate": written(held.awarded_at),
        "name": held.badge_name,
        "credentialSubject": subject,
    }
