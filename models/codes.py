"""Referral codes: made from mentor and organisation, normalised when typed by hand.

A code is the first `CODE_LENGTH` characters of the Crockford base32 form of the first eight bytes of
HMAC-SHA256(organisation's secret, mentor id + organisation id). Eight bytes are 13 characters; ten of
them (50 bits) leave room for a collision suffix of up to two digits inside the twelve that the contract
allows. Two of a million codes meet with a probability of about 1 in 2,250; the registry then asks for
the next candidate: the same code followed by '2', '3', ... '99'.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Final

from models.errors import BadCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: no I, L, O (look like digits) and no U."""

CODE_LENGTH: Final = 10
"""Characters of a code without suffix: 10 x 5 = 50 of the digest's first 64 bits."""

LAST_SUFFIX: Final = 99
"""The highest collision suffix: two digits, so that 10 + 2 = 12 characters at most."""

CODE_PATTERN: Final = f"^[{ALPHABET}]{{8,12}}$"
"""A code, as JSON Schema's `pattern` says it."""
TYPED_CODE_PATTERN: Final = "^-*([0-9A-TV-Za-tv-z]-*){8,12}$"
"""What `normalise_code` takes: either case, O for 0, I and L for 1, hyphens anywhere."""

_DIGEST_BYTES: Final = 8
_BITS_PER_CHARACTER: Final = 5
CANONICAL_CODE: Final = re.compile(rf"[{ALPHABET}]{{8,12}}")

# Only ASCII is mapped: str.upper() would turn a dotless i into an I and let a foreign letter pass.
_TYPED_BY_HAND: Final = str.maketrans(
    {
        **{letter: letter.upper() for letter in "abcdefghijklmnopqrstuvwxyz"},
        **dict.fromkeys("oO", "0"),
        **dict.fromkeys("iIlL", "1"),
        "-": None,
    }
)


def normalise_code(typed: str) -> str:
    """Return the code that a person meant: upper case, O as 0, I and L as 1, no hyphens.

    Raises:
        BadCode: what is left is not 8 to 12 characters of the alphabet.

    """
    if CANONICAL_CODE.fullmatch(typed) is not None:
        return typed  # nearly always, and translating costs a microsecond
    code = typed.translate(_TYPED_BY_HAND)
    if CANONICAL_CODE.fullmatch(code) is None:
        shown = typed if len(typed) <= 40 else f"{typed[:40]}..."  # noqa: PLR2004 - a message, not a rule
        msg = f"referral_code {shown!r} is not 8 to 12 characters of Crockford's base32 alphabet"
        raise BadCode(msg)
    return code


def is_code(typed: str) -> bool:
    """Tell whether a text is a code as it was typed by hand."""
    try:
        normalise_code(typed)
    except BadCode:
        return False
    return True


def code_candidates(mentor_id: UUID, org_id: UUID, secret: bytes) -> Iterator[str]:
    """Yield the mentor's code and then its collision suffixes, in the order to be tried.

    Args:
        mentor_id: the mentor, in the organisation.
        org_id: the organisation.
        secret: the organisation's secret, at least one byte.

    """
    if not secret:
        msg = "an organisation's secret must not be empty"
        raise ValueError(msg)
    digest = hmac.new(secret, f"{mentor_id}{org_id}".encode(), hashlib.sha256).digest()
    number = int.from_bytes(digest[:_DIGEST_BYTES])
    top = _DIGEST_BYTES * 8 - _BITS_PER_CHARACTER
    code = "".join(ALPHABET[number >> (top - _BITS_PER_CHARACTER * i) & 31] for i in range(CODE_LENGTH))
    yield code
    for suffix in range(2, LAST_SUFFIX + 1):
        yield f"{code}{suffix}"
