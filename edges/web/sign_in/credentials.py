"""What a session's cookie and a sign-in link carry: whose it is, which one, and a secret.

The organisation is in it, so that it is looked up under row-level security like everything else. The database has a
digest of the secret: 32 random bytes need no slow hash, nobody can go through them.
"""

from __future__ import annotations

import re
import secrets
from hashlib import sha256
from typing import Final, NamedTuple
from uuid import UUID, uuid4

from edges.web.base64url import from_text, to_text

_SECRET_BYTES: Final = 32
_UUID_BYTES: Final = 16
_TEXT: Final = re.compile(r"[A-Za-z0-9_-]{85}[AQgw]")
"""64 bytes in base64; the last character has two bits that count."""


class Credential(NamedTuple):
    """Opens one session, or is good for one sign-in."""

    org_id: str
    credential_id: str
    """Which one; no secret, so that it can be shown and revoked."""
    secret: bytes

    def __repr__(self) -> str:
        """Show no secret."""
        return f"Credential({self.credential_id})"

    @property
    def digest(self) -> bytes:
        """What is stored."""
        return sha256(self.secret).digest()

    @property
    def text(self) -> str:
        """As a cookie or a link carries it: 86 characters."""
        packed = UUID(self.org_id).bytes + UUID(self.credential_id).bytes + self.secret
        return to_text(packed)


def new_credential(org_id: str) -> Credential:
    """Return one that nobody has."""
    return Credential(org_id, str(uuid4()), secrets.token_bytes(_SECRET_BYTES))


def read_credential(text: str) -> Credential | None:
    """Return what a text carries; None where it is none."""
    if _TEXT.fullmatch(text) is None:
        return None
    packed = from_text(text)
    org_id, credential_id = packed[:_UUID_BYTES], packed[_UUID_BYTES : 2 * _UUID_BYTES]
    return Credential(str(UUID(bytes=org_id)), str(UUID(bytes=credential_id)), packed[2 * _UUID_BYTES :])
