"""The state of a pair (referral code, member): rule 1 of the contract, in one row of about 20 bytes.

The state follows from the pair's events, not from their order or number: of `confirmed` and `withdrawn`
the one with the latest `occurred_at` wins, at the same instant `withdrawn`; `pending_signup` counts while
there is neither.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from struct import Struct as Layout
from typing import Final

from msgspec import Struct

PENDING: Final = 0
CONFIRMED: Final = 1
WITHDRAWN: Final = 2

STATE_OF_STATUS: Final = {"pending_signup": PENDING, "confirmed": CONFIRMED, "withdrawn": WITHDRAWN}

_LAYOUT: Final = Layout("<Bq")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


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


def pack_pair(pair: Pair) -> bytes:
    """Return the pair as the row that is kept and written to the changelog."""
    return _LAYOUT.pack(pair.state, pair.decided_us) + pair.channel.encode()


def unpack_pair(row: bytes) -> Pair:
    """Return the pair that a row holds."""
    state, decided_us = _LAYOUT.unpack_from(row)
    return Pair(state, decided_us, row[_LAYOUT.size :].decode())


def microseconds(instant: datetime) -> int:
    """Return a time with offset as microseconds since 1970, exactly."""
    return (instant - _EPOCH) // _MICROSECOND


def next_state(pair: Pair, status: str, occurred_at: datetime) -> tuple[int, int]:
    """Return state and deciding instant after one more event of the pair, in any order, any number of times."""
    state = STATE_OF_STATUS[status]
    if state == PENDING:
        return pair.state, pair.decided_us
    at_us = microseconds(occurred_at)
    if pair.state == PENDING or (at_us, state) > (pair.decided_us, pair.state):
        return state, at_us
    return pair.state, pair.decided_us
