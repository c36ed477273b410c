"""The keys that credentials are signed with: Ed25519, written as Multikey (W3C Controlled Identifiers 1.0)."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SEED_BYTES: Final = 32
"""What an organisation's secret of the purpose `credential` is (RFC 8032)."""

_ED25519_PUBLIC: Final = b"\xed\x01"
"""What comes before an Ed25519 public key in a Multikey."""
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
"""Bitcoin's alphabet, as Multibase has it."""


class SigningKey:
    """A key pair, made of its seed."""

    def __init__(self, seed: bytes) -> None:
        """Make it of `SEED_BYTES` bytes; raise ValueError for any other number."""
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = multibase(_ED25519_PUBLIC + self._private.public_key().public_bytes_raw())
        """The public key, which is also its name."""

    def __repr__(self) -> str:
        """Show the public half alone."""
        return f"SigningKey({self.public})"

    def sign(self, data: bytes) -> bytes:
        """Return the signature, 64 bytes; the same for the same data."""
        return self._private.sign(data)


def multibase(data: bytes) -> str:
    """Return bytes as base58btc, with the `z` that says so."""
    number = int.from_bytes(data)
    digits = []
    while number:
        number, digit = divmod(number, len(_BASE58))
        digits.append(_BASE58[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "z" + _BASE58[0] * zeros + "".join(reversed(digits))
