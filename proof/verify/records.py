"""What the oracle reads, as plain values. Topics are named without the installation's prefix: `clicks.v1`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

Place = tuple[str, int, int]
"""Topic, partition, offset: one record."""


def place_text(place: Place) -> str:
    """Return a place as people and the header `referrals.moved-from` write it."""
    topic, partition, offset = place
    return f"{topic}/{partition}/{offset}"


class Record(NamedTuple):
    """A record of a source topic."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    moved_from: str | None = None
    """The header of a moved copy: `topic/partition/offset` of the record it is a copy of; None: not a copy."""
    again: bool = False
    """Moved once more, because a state was rebuilt."""

    @property
    def place(self) -> Place:
        """Return where the record stands."""
        return self.topic, self.partition, self.offset


def digest(key: bytes | None, value: bytes | None) -> bytes:
    """Return what tells whether the bytes of two records are the same; none and empty differ."""
    hashed = hashlib.blake2b(digest_size=12)
    for part in (key, value):
        hashed.update(b"none" if part is None else b"%d:" % len(part))
        hashed.update(part or b"")
    return hashed.digest()


class DeadLetter(NamedTuple):
    """What a dead letter says of the record that it is made of."""

    error: str
    """The class name: one of models/errors.py."""
    records: int
    """How many records it stands for; more than one only for activity left out when its code came."""
    digest: bytes
    """Of its own key and value, which must be the record's."""
    again: bool = False
    """Sent once more, because a state was rebuilt."""


class Owner(NamedTuple):
    """Whose code it is."""

    org_id: str
    mentor_id: str


class Milestone(NamedTuple):
    """A record of the milestones topic that could be read."""

    place: Place
    milestone_id: str
    org_id: str
    mentor_id: str
    threshold: int
    confirmed_count: int
    attribution_id: str
    reached_at: datetime


@dataclass(slots=True)
class ChannelTally:
    """One channel's share of a mentor's counts."""

    clicks: int = 0
    pending: int = 0
    confirmed: int = 0


@dataclass(slots=True)
class Tally:
    """What the counts of one code's mentor must be."""

    code: str
    owner: Owner
    clicks: int = 0
    pending: int = 0
    confirmed: int = 0
    peak: int = 0
    """The most registrations that were confirmed at a time."""
    channels: dict[str, ChannelTally] = field(default_factory=dict)
    """By the channel of each click, and of the first event of each registration; as if there were no limit of 16."""
    confirmations: set[tuple[str, datetime]] = field(default_factory=set)
    """`attribution_id` and `occurred_at` of each confirmation that counts."""
    last_event_at: datetime | None = None
    """None: there was no event that counts."""
