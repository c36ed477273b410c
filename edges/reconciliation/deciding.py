"""Which of the membership system's words are missing in the registrations topic: pure.

A word is missing if the pair (code, member) would be in another state with it than without, by the contract's first
rule: there is neither `confirmed` nor `withdrawn`, or the other one from an earlier time. So what is published does not
depend on the order or the number of the rows, and once it is published nothing is missing.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from msgspec import Struct, json

from edges.reconciliation.reasons import Why
from models.identifiers import derived_uuid
from models.members import PENDING, STATE_OF_STATUS, Pair, microseconds, pair_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edges.reconciliation.members import Member

CONTRADICTED: Final = Why("contradicted")
TWO_CODES: Final = Why("two-codes")

_encode = json.Encoder().encode


class Decision(NamedTuple):
    """What is to be done about the members of one organisation."""

    missing: list[Member]
    """To be published, in the order of their times."""
    matched: int
    """Their state is in the topic."""
    superseded: int
    """The topic has the other state, from a later time."""


class _Published(Struct, frozen=True):
    """A Registration of ours: no device told anything."""

    attribution_id: str
    referral_code: str
    new_member_id: str
    status: Literal["confirmed", "withdrawn"]
    occurred_at: datetime
    org_id: str


def latest_words(members: Iterable[Member]) -> dict[bytes, Member]:
    """Return the latest word on each pair, by the pair's key; at the same instant `withdrawn`.

    Where one row says that a member is confirmed and another that he has withdrawn, and not when, nobody knows which is
    the later: the word says so (`unclear`). Every member has a code.
    """
    latest: dict[bytes, Member] = {}
    for member in members:
        key = pair_key(member.code or "", member.member_id)
        known = latest.get(key)
        if known is None:
            latest[key] = member
        elif known.status != member.status and not (known.is_dated and member.is_dated):
            latest[key] = member._replace(unclear=CONTRADICTED)
        elif known.unclear is None and _rank(member) > _rank(known):
            latest[key] = member
    return latest


def under_two_codes(words: Mapping[bytes, Member]) -> list[bytes]:
    """Return the keys of the words that confirm a member whom another word confirms under another code.

    He came once, so at most one of them is right, and each would count for another mentor.
    """
    keys: dict[str, list[bytes]] = {}
    for key, member in words.items():
        if member.status == "confirmed":
            keys.setdefault(member.member_id, []).append(key)
    return [key for found in keys.values() if len(found) > 1 for key in found]


def decide(words: Mapping[bytes, Member], found: Mapping[bytes, Pair]) -> Decision:
    """Compare the words with what the topic says of the same pairs; a pair without an event is not in `found`."""
    missing: list[Member] = []
    matched = superseded = 0
    for key, member in words.items():
        pair = found.get(key)
        if pair is None or pair.state == PENDING:
            missing.append(member)
        elif pair.state == STATE_OF_STATUS[member.status]:
            matched += 1
        elif _rank(member) > (pair.decided_us, pair.state):
            missing.append(member)
        else:
            superseded += 1
    missing.sort(key=lambda member: (member.at, member.code or "", member.member_id))
    return Decision(missing, matched, superseded)


def registration(member: Member, org_id: str) -> bytes:
    """Return the Registration to be published; the same word of the same member has the same `attribution_id`."""
    named = f"{org_id}:{member.code}:{member.member_id}:{member.status}:{member.at.isoformat()}"
    return _encode(
        _Published(derived_uuid(named), member.code or "", member.member_id, member.status, member.at, org_id)
    )


def _rank(member: Member) -> tuple[int, int]:
    return microseconds(member.at), STATE_OF_STATUS[member.status]
