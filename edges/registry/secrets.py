"""The secrets of organisations: made, replaced, read, and encrypted again with a newer key.

Of each purpose one secret is in use. One that was replaced stays good for a while, so that who signs with it can change
over without haste; the next replacement deletes what has expired. Codes that were issued do not change with the secret:
they are stored.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, get_args
from uuid import UUID, uuid4

from edges.registry.database import rows_of
from edges.registry.errors import BadSecret, NoSecret, unknown_organisation
from edges.registry.secret_box import Sealed, SecretBox

if TYPE_CHECKING:
    from edges.registry.database import Connection, Organisations, OwnerDatabase

Purpose = Literal["code", "webhook", "membership", "credential"]
"""What a secret does: makes codes, signs what is posted to us, opens the membership system, signs badges."""

PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)
REPLACED_GOOD_FOR: Final = timedelta(days=7)
"""How long a secret is good after it was replaced, unless said otherwise."""
SIGNED_GOOD_FOR: Final = timedelta(days=36_525)
"""The same of a key of credentials: what it has signed is good as long as it is, and a badge stays."""

WEBHOOK_PREFIX: Final = "whsec_"
WEBHOOK_BYTES: Final = range(24, 65)
"""What Standard Webhooks allows."""

_MADE_BYTES: Final = 32
_GOOD: Final = """
SELECT secret.secret_id::text, secret.key_version, secret.sealed
FROM organisations
LEFT JOIN organisation_secrets AS secret
    ON secret.org_id = organisations.org_id
    AND secret.purpose = %s
    AND (secret.expires_at IS NULL OR secret.expires_at > now())
WHERE organisations.org_id = %s
ORDER BY secret.expires_at DESC NULLS FIRST
"""

_LOCK: Final = "SELECT 1 FROM organisations WHERE org_id = %s FOR UPDATE"

_FORGET_EXPIRED: Final = "DELETE FROM organisation_secrets WHERE org_id = %s AND expires_at <= now()"

_REPLACE: Final = """
UPDATE organisation_secrets SET expires_at = now() + %s
WHERE org_id = %s AND purpose = %s AND expires_at IS NULL
RETURNING expires_at
"""

_BOUND_EARLIER: Final = """
UPDATE organisation_secrets SET expires_at = now() + %s
WHERE org_id = %s AND purpose = %s AND expires_at > now() + %s
"""

_INSERT: Final = """
INSERT INTO organisation_secrets (org_id, secret_id, purpose, key_version, sealed) VALUES (%s, %s, %s, %s, %s)
"""

_OTHERWISE_SEALED: Final = """
SELECT org_id::text, secret_id::text, purpose, key_version, sealed
FROM organisation_secrets
WHERE key_version <> %s
ORDER BY org_id, secret_id
FOR UPDATE
"""

_RESEAL: Final = "UPDATE organisation_secrets SET key_version = %s, sealed = %s WHERE org_id = %s AND secret_id = %s"


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret that has just been put in use."""

    secret_id: UUID
    purpose: Purpose
    secret: bytes = field(repr=False)
    replaced_good_until: datetime | None = None
    """Until when the one before is good; None: there was none."""


class SecretStore:
    """The secrets of one organisation at a time; reading them is the HTTP side's as well, the rest is for commands."""

    def __init__(self, organisations: Organisations, box: SecretBox) -> None:
        self._organisations = organisations
        self._box = box

    async def good(self, org_id: UUID, purpose: Purpose) -> list[bytes]:
        """Return the secrets that are good now, the one in use first; empty where there are none.

        A webhook's are the bytes to sign with.

        Raises:
            SecretUnreadable: one of them cannot be decrypted.

        """
        return await self._read(org_id, purpose) or []

    async def in_use(self, org_id: UUID, purpose: Purpose) -> bytes:
        """Return the secret to make something with.

        Raises:
            UnknownOrganisation, NoSecret: there is none; the message says how it is made.
            SecretUnreadable: it cannot be decrypted.

        """
        secrets = await self._read(org_id, purpose)
        if secrets is None:
            raise unknown_organisation(org_id)
        if not secrets:
            raise NoSecret(
                f"organisation {org_id} has no {purpose} secret; make one with: "
                f"referrals orgs rotate-secret {org_id} --purpose {purpose}"
            )
        return secrets[0]

    async def replace(
        self,
        org_id: UUID,
        purpose: Purpose,
        secret: bytes | None = None,
        *,
        replaced_good_for: timedelta | None = None,
    ) -> NewSecret:
        """Put a secret in use, a new one unless it is given; the one before stays good for a while, or as long as said.

        What is said holds for those that were replaced earlier, too: who ends what got into wrong hands may have
        replaced it before, without haste. Not for keys of credentials: what they have signed would end with them.

        Raises:
            UnknownOrganisation: there is nobody to have it.

        """
        is_said = replaced_good_for is not None
        if replaced_good_for is None:
            replaced_good_for = SIGNED_GOOD_FOR if purpose == "credential" else REPLACED_GOOD_FOR
        async with self._organisations.acting_for(str(org_id)) as connection:
            if not await rows_of(connection, _LOCK, [org_id]):
                raise unknown_organisation(org_id)
            await connection.execute(_FORGET_EXPIRED, [org_id])
            if is_said and purpose != "credential":
                await connection.execute(_BOUND_EARLIER, [replaced_good_for, org_id, purpose, replaced_good_for])
            replaced = await rows_of(connection, _REPLACE, [replaced_good_for, org_id, purpose])
            made = await self.add(connection, org_id, purpose, secret)
        return replace(made, replaced_good_until=replaced[0][0]) if replaced else made

    async def add(
        self, connection: Connection, org_id: UUID, purpose: Purpose, secret: bytes | None = None
    ) -> NewSecret:
        """Put the first secret of a purpose in use, within a transaction; a new one unless it is given."""
        secret = os.urandom(_MADE_BYTES) if secret is None else secret
        secret_id = uuid4()
        sealed = self._box.seal(secret, org_id=org_id, secret_id=secret_id, purpose=purpose)
        await connection.execute(_INSERT, [org_id, secret_id, purpose, sealed.key_version, sealed.data])
        return NewSecret(secret_id, purpose, secret)

    async def _read(self, org_id: UUID, purpose: Purpose) -> list[bytes] | None:
        """Return the secrets that are good, the one in use first; None: there is no such organisation."""
        async with self._organisations.acting_for(str(org_id)) as connection:
            rows = await rows_of(connection, _GOOD, [purpose, org_id])
        if not rows:
            return None
        return [
            self._box.open(Sealed(version, data), org_id=org_id, secret_id=UUID(secret_id), purpose=purpose)
            for secret_id, version, data in rows
            if secret_id is not None
        ]


async def reseal(database: OwnerDatabase, box: SecretBox) -> int:
    """Encrypt with the newest key whatever is encrypted with another, all or nothing; return how many secrets.

    Raises:
        SecretUnreadable: one of them cannot be decrypted.

    """
    async with database.for_all() as connection:
        rows = await rows_of(connection, _OTHERWISE_SEALED, [box.newest])
        for org_text, secret_text, purpose, version, data in rows:
            org_id, secret_id = UUID(org_text), UUID(secret_text)
            secret = box.open(Sealed(version, data), org_id=org_id, secret_id=secret_id, purpose=purpose)
            sealed = box.seal(secret, org_id=org_id, secret_id=secret_id, purpose=purpose)
            await connection.execute(_RESEAL, [sealed.key_version, sealed.data, org_id, secret_id])
        return len(rows)


def webhook_text(secret: bytes) -> str:
    """Return a webhook's secret in the form that Standard Webhooks gives it: `whsec_` and base64."""
    return WEBHOOK_PREFIX + base64.b64encode(secret).decode()


def parse_secret(purpose: Purpose, text: str) -> bytes:
    """Return a secret that was handed in as text; raise BadSecret, which never quotes it."""
    text = text.strip()
    if purpose != "webhook":
        if not text:
            raise BadSecret(f"the {purpose} secret is empty")
        return text.encode()
    try:
        secret = base64.b64decode(text.removeprefix(WEBHOOK_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not (text.startswith(WEBHOOK_PREFIX) and len(secret) in WEBHOOK_BYTES):
        raise BadSecret(
            f"a webhook secret is {WEBHOOK_PREFIX} and base64 of {WEBHOOK_BYTES.start} to {WEBHOOK_BYTES.stop - 1} "
            "bytes, as Standard Webhooks has it"
        )
    return secret
