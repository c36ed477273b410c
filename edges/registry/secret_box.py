"""Encrypts the secrets of organisations with AES-256-GCM, with keys that Postgres never sees.

The keys are the setting `secret_keys`: `VERSION:BASE64,VERSION:BASE64`. The highest version encrypts, each of them
decrypts, and what was encrypted is kept with the version it needs. So a key is replaced by adding one, running
`referrals orgs reseal`, and removing the old one.

What is encrypted is bound to its organisation, id and purpose: in another row it cannot be decrypted.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from edges.registry.errors import SecretUnreadable
from process.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from process.settings import Settings

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
VERSION_MAX: Final = 2**31 - 1
"""The column's type is integer."""

_VERSION: Final = re.compile("[0-9]{1,10}")
_REMEDY: Final = "make a key with: openssl rand -base64 32"


class Sealed(NamedTuple):
    """An encrypted secret."""

    key_version: int
    data: bytes
    """Nonce, then ciphertext with its tag."""


class SecretBox:
    """Seals and opens secrets with the keys it was given."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        """Make it of keys of 32 bytes by version, at least one."""
        self._ciphers = {version: AESGCM(key) for version, key in keys.items()}
        self.newest = max(keys)
        """The version that seals."""

    def __repr__(self) -> str:
        """Show the versions alone."""
        return f"SecretBox(versions {sorted(self._ciphers)})"

    def seal(self, secret: bytes, *, org_id: UUID, secret_id: UUID, purpose: str) -> Sealed:
        """Encrypt a secret for its row."""
        nonce = os.urandom(NONCE_BYTES)
        cipher = self._ciphers[self.newest]
        return Sealed(self.newest, nonce + cipher.encrypt(nonce, secret, _row(org_id, secret_id, purpose)))

    def open(self, sealed: Sealed, *, org_id: UUID, secret_id: UUID, purpose: str) -> bytes:
        """Decrypt a row's secret.

        Raises:
            SecretUnreadable: its key is not among ours, or the row is not what was written.

        """
        cipher = self._ciphers.get(sealed.key_version)
        if cipher is None:
            raise SecretUnreadable(
                f"the {purpose} secret {secret_id} of organisation {org_id} needs key version {sealed.key_version}; "
                f"REFERRALS_SECRET_KEYS has {', '.join(map(str, sorted(self._ciphers)))}: add it there"
            )
        nonce, ciphertext = sealed.data[:NONCE_BYTES], sealed.data[NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, ciphertext, _row(org_id, secret_id, purpose))
        except (InvalidTag, ValueError):  # ValueError: too short to be a nonce
            raise SecretUnreadable(
                f"the {purpose} secret {secret_id} of organisation {org_id} was not encrypted with key version "
                f"{sealed.key_version} of REFERRALS_SECRET_KEYS, or its row was changed: give the key it was encrypted "
                f"with, or make a new secret with: referrals orgs rotate-secret {org_id} --purpose {purpose}"
            ) from None


def secret_box(settings: Settings) -> SecretBox:
    """Return the box with the keys of the settings; raise SettingsError where there are none, or bad ones."""
    if settings.secret_keys is None:
        raise SettingsError(
            "REFERRALS_SECRET_KEYS: not set, so the organisations' secrets cannot be read or written; give "
            f"VERSION:BASE64 of 32 bytes, for example 1:..., {_REMEDY}. Beside `referrals up` its keys.json is used "
            f"(none in {settings.data_dir})"
        )
    return SecretBox(parse_keys(settings.secret_keys.get_secret_value()))


def parse_keys(text: str) -> dict[int, bytes]:
    """Return the keys of `VERSION:BASE64,...` by version; raise SettingsError, which never quotes a key."""
    keys: dict[int, bytes] = {}
    parts = text.split(",")
    for number, part in enumerate(parts, start=1):
        place = f"REFERRALS_SECRET_KEYS: key {number} of {len(parts)}"
        version, colon, encoded = part.strip().partition(":")
        if not (colon and _VERSION.fullmatch(version) and 0 < int(version) <= VERSION_MAX):
            raise SettingsError(
                f"{place} does not begin with its version, a number, and a colon; give 1:BASE64,2:BASE64"
            )
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise SettingsError(f"{place} (version {version}) is not base64; {_REMEDY}") from None
        if len(key) != KEY_BYTES:
            raise SettingsError(f"{place} (version {version}) has {len(key)} bytes instead of {KEY_BYTES}; {_REMEDY}")
        if int(version) in keys:
            raise SettingsError(f"{place} has version {version}, like one before it; give each its own number")
        keys[int(version)] = key
    return keys


def _row(org_id: UUID, secret_id: UUID, purpose: str) -> bytes:
    return f"{org_id}/{secret_id}/{purpose}".encode()
