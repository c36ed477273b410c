"""What can go wrong in the registry.

RegistryError
├── NotMigrated          the tables are not there, or older than this program
├── NotAllowed           the database's user may not do this
├── UnknownOrganisation  nobody has heard of the organisation
├── OrganisationExists   it stands already, with secrets
├── BadOrganisation      its name or its landing page's address cannot be one
├── BadSubject           who is to sign in is not named as he has to be
├── NoSecret             the organisation has no secret for this purpose
├── SecretUnreadable     a stored secret cannot be decrypted
├── BadSecret            a secret that was handed in cannot be one
├── NoCodeLeft           every candidate code of a mentor is taken
├── NoSuchCode           the code was not issued, or the mentor has none
├── BadBadge             what a badge is to be called, to look like or to need cannot be
├── BadgeStands          the badge is not to be changed so, or awarded now
├── NoSuchBadge          the organisation has no such badge
└── NotPublished         codes are stored, but Kafka has not got them yet

A message names the culprit and the remedy and never holds a secret. The command line prints it as one line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.errors import ReferralError

if TYPE_CHECKING:
    from uuid import UUID


class RegistryError(ReferralError):
    """Anything that the registry cannot do, and why."""


class NotMigrated(RegistryError):  # noqa: N818 - named like its siblings
    """The database is older than this program."""


class NotAllowed(RegistryError):  # noqa: N818 - the same
    """The database's user lacks a right."""


class UnknownOrganisation(RegistryError):  # noqa: N818 - the same
    """There is no such organisation."""


class OrganisationExists(RegistryError):  # noqa: N818 - the same
    """The organisation was made before."""


class BadOrganisation(RegistryError):  # noqa: N818 - the same
    """What an organisation is to be called, or where its links are to lead, cannot be used."""


class BadSubject(RegistryError):  # noqa: N818 - the same
    """Who is to sign in cannot be called so."""


class NoSecret(RegistryError):  # noqa: N818 - the same
    """The organisation has no secret of a purpose."""


class SecretUnreadable(RegistryError):  # noqa: N818 - the same
    """A stored secret cannot be decrypted: its key is not among ours, or the row is not what was written."""


class BadSecret(RegistryError):  # noqa: N818 - the same
    """A secret that was handed in does not have the form that its purpose asks for."""


class NoCodeLeft(RegistryError):  # noqa: N818 - the same
    """A mentor's code and all its suffixes are issued to others."""


class NoSuchCode(RegistryError):  # noqa: N818 - the same
    """There is no such code."""


class BadBadge(RegistryError):  # noqa: N818 - the same
    """A badge cannot be so; the message begins with the field."""

    def __init__(self, field: str, fault: str) -> None:
        """Take the field and what is wrong with it."""
        super().__init__(f"{field}: {fault}")
        self.field = field
        self.fault = fault


class BadgeStands(RegistryError):  # noqa: N818 - the same
    """A badge is not to be changed so, or awarded now."""


class NoSuchBadge(RegistryError):  # noqa: N818 - the same
    """The organisation has no such badge."""


class NotPublished(RegistryError):  # noqa: N818 - the same
    """Kafka did not take codes; they stay in the outbox."""


def unknown_organisation(org_id: UUID) -> UnknownOrganisation:
    """Return the error that an organisation is not there, with how it is made."""
    return UnknownOrganisation(
        f"there is no organisation {org_id}; `referrals orgs list` lists them, and this makes one: "
        f"referrals orgs create NAME --org-id {org_id}"
    )
