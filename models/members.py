"""The state of a pair (referral code, member): rule 1 of the contract, in one row of about 20 bytes.

The state follows from the pair's events, not from their order or number: of `confirmed` and `withdrawn`
the one with the latest `occurred_at` wins, at the same instant `withdrawn`; `pending_signup` counts while
there is neither.
"""

from __future__ import annotations

from datetime import UTC, datetime
from struct import Struct as Layout
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

PENDING: Final = 0
CONFIRMED: Final = 1
WITHDRAWN: Final = 2

STATE_OF_STATUS: Final = {"pending_signup": PENDING, "confirmed": CONFIRMED, "withdrawn": WITHDRAWN}

ID_BYTES: Final = 16
_LAYOUT: Final = Layout("<Bq")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_S: Final = 86_400


class Pair(Struct, frozen=True, gc=False):
    """What is known of a member under a code."""

    state: int
    """PENDING, CONFIRMED or WITHDRAWN: what its events say so far."""
    decided_us: int
    """`occurred_at` of the event that decided, in microseconds since 1970; 0 while pending."""
    channel: str
    """The channel the pair counts in: the one its first event named, and it stays there (rule 6)."""


def pair_key(code: str, member_id: str) -> bytes:
    """Return the row's key: the code, then the member's id as 16 bytes (equal for either case of the text)."""
    return code.encode() + bytes.fromhex(member_id.replace("-", ""))


def pair_keys(pairs: Sequence[tuple[str, str]]) -> list[bytes]:
    """Return the keys of many pairs of a code and a member's id, which are checked: a quarter of the time for each."""
    ids = bytes.fromhex("".join([member_id for _, member_id in pairs]).replace("-", ""))
    places = range(0, len(ids), ID_BYTES)
    return [code.encode() + ids[place : place + ID_BYTES] for (code, _), place in zip(pairs, places, strict=True)]


def pack_pair(pair: Pair) -> bytes:
    """Return the pair as the row that is kept and written to the changelog."""
    return _LAYOUT.pack(pair.state, pair.decided_us) + pair.channel.encode()


def unpack_pair(row: bytes) -> Pair:
    """Return the pair that a row holds."""
    state, decided_us = _LAYOUT.unpack_from(row)
    return Pair(state, decided_us, row[_LAYOUT.size :].decode())


def microseconds(instant: datetime) -> int:
    """Return a time with offset as microseconds since 1970, exactly."""
    since = instant - _EPOCH
    return (since.days * _DAY_S + since.seconds) * 1_000_000 + since.microseconds  # half of what a division takes


def pair_after(pair: Pair, status: str, occurred_at: datetime) -> Pair:
    """Return the pair after one more of its events, in any order, any number of times; itself where nothing changes."""
    state = STATE_OF_STATUS[status]
    if state == PENDING:
        return pair
    at_us = microseconds(occurred_at)
    if pair.state == PENDING or (at_us, state) > (pair.decided_us, pair.state):
        return Pair(state, at_us, pair.channel)
    return pair
