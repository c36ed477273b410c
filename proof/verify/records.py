"""What the oracle reads, as plain values. Topics are named without the installation's prefix: `clicks.v1`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

Place = tuple[str, int, int]
"""Topic, partition, offset: one record."""


def place_text(place: Place) -> str:
    """Return a place as people and the header `referrals.moved-from` write it."""
    topic, partition, offset = place
    return f"{topic}/{partition}/{offset}"


def place_of(text: str) -> Place | None:
    """Return the place that a text names; None where it is none."""
    topic_and_partition, _, offset = text.rpartition("/")
    topic, _, partition = topic_and_partition.rpartition("/")
    return (topic, int(partition), int(offset)) if partition.isdecimal() and offset.isdecimal() else None


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
    stands: bool = False
    """An issue that was written once more because it stands, whatever came since and may have outlived it."""

    @property
    def place(self) -> Place:
        """Return where the record stands."""
        return self.topic, self.partition, self.offset


WHOLE_BYTES = 131_072
"""A record up to this size, key and headers included, goes whole into any other."""

TRUNCATED_TO = 65_536


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
    erased: bool = False
    """It says that its member was erased while the record waited: a pseudonym stands in his place."""
    truncated_from: int = 0
    """The size in bytes of a record that was too large to be sent whole; 0: it was sent whole."""

    def is_of(self, record: Record) -> bool:
        """Tell whether it has the record's bytes, or of one that is too large what the contract leaves of it."""
        if self.digest == digest(record.key, record.value):
            return True
        value = record.value or b""
        is_too_large = self.truncated_from > max(WHOLE_BYTES, len(record.key or b"") + len(value) - 1)
        return is_too_large and self.digest == digest(None, value[:TRUNCATED_TO])


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
    is_gone: bool = False
    """Its record is gone: count and confirmation are not known, the threshold is."""


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
    has_known_clicks: bool = False
    """The clicks that are gone are known from an earlier check."""
    partition: int = 0
    """Where the code belongs."""
    gone: int = 0
    """How many records of registrations are gone that may have counted here."""
    published: int = 0
    """The confirmed count that is published, where `gone` makes it unknown."""


class Before(NamedTuple):
    """What an earlier check has found right in one partition: the clicks before an offset."""

    offset: int
    """Of the first click that is not among them."""
    clicks: Mapping[str, Mapping[str, int]]
    """Of each code, by channel."""
    last_event_at: Mapping[str, datetime]
    """Of each code with an event."""
    waiting: frozenset[str]
    """Codes of which activity waited; of these it is not known what counted later."""
    unproven: int = 0
    """How many of the clicks were gone already, and taken as they were published."""
    offsets: Mapping[int, int] | None = None
    """Of each partition of a class the same as `offset`; None: there is one partition."""

    def up_to(self, partition: int) -> int:
        """Return the offset of the first click of a partition that is not among them."""
        return self.offset if self.offsets is None else self.offsets.get(partition, 0)


NOTHING_BEFORE = Before(0, {}, {}, frozenset())
