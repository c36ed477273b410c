"""Bytes as text that is safe in addresses, cookies and queries: base64url without padding (RFC 7515, section 2)."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode


def to_text(content: bytes) -> str:
    """Return bytes as letters, digits, `-` and `_`."""
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def from_text(text: str) -> bytes:
    """Return the bytes of a text; raise ValueError where it is of none."""
    return b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
