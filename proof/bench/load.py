"""The records that benchmarks measure with, generated from a seed: the same seed gives the same bytes.

Codes first, then events: 80 % clicks, 20 % registrations (of these 45 % pending, 40 % confirmed, 5 % withdrawn, 10 %
sent a second time; pending as long as there is nobody for the others). An event has about 240 bytes. No
mentor or member exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Final, NamedTuple

import orjson

from models.codes import ALPHABET, CODE_LENGTH
from models.topics import CLICKS, CODES, REGISTRATIONS, Topic

ORGANISATIONS: Final = 5
CHANNELS: Final = ("whatsapp", "sms", "email")

CLICK_SHARE: Final = 0.8
NAMES_ORGANISATION_SHARE: Final = 0.3
PENDING_UP_TO: Final = 0.45
CONFIRMED_UP_TO: Final = 0.85
WITHDRAWN_UP_TO: Final = 0.90

START: Final = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
EVENT_INTERVAL: Final = timedelta(milliseconds=2)
CHUNK_EVENTS: Final = 10_000
"""Mentors are drawn for so many events at a time."""


@dataclass(frozen=True, kw_only=True)
class Population:
    """How many mentors there are, and how unevenly the events fall on them."""

    name: str
    mentors: int
    zipf_exponent: float
    """The mentor of rank r is drawn with a weight of r to the power of minus this; 0 is uniform."""


UNIFORM: Final = Population(name="uniform", mentors=100_000, zipf_exponent=0.0)
"""Hardly any two events of a batch are of the same mentor: each changes a row that must be written."""
ZIPF: Final = Population(name="zipf", mentors=1_000, zipf_exponent=1.0)
"""The first mentor has 13 % of the events: rows change many times between two commits."""
POPULATIONS: Final = {population.name: population for population in (UNIFORM, ZIPF)}


class LoadRecord(NamedTuple):
    """A record for a source topic; its partition follows from the key."""

    topic: Topic
    key: bytes
    value: bytes


class Mentor(NamedTuple):
    """Somebody with a referral code; his ids and code as they stand in events."""

    org_id: str
    mentor_id: str
    code: str


class _Member(NamedTuple):
    mentor: Mentor
    member_id: str
    channel: str


@dataclass
class Load:
    """A population's records; codes and events can be taken once."""

    population: Population
    seed: int = 1
    mentors: list[Mentor] = field(init=False)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)
        self.mentors = list(_mentors(self._random, self.population.mentors))
        self._weights = [*accumulate((rank + 1) ** -self.population.zipf_exponent for rank in range(len(self.mentors)))]
        self._pending: list[_Member] = []
        self._confirmed: list[_Member] = []
        self._sent: list[LoadRecord] = []

    def codes(self) -> Iterator[LoadRecord]:
        """Yield a CodeIssued for each mentor."""
        for mentor in self.mentors:
            yield code_issued(mentor)

    def events(self, count: int) -> Iterator[LoadRecord]:
        """Yield so many clicks and registrations, one `EVENT_INTERVAL` apart."""
        for first in range(0, count, CHUNK_EVENTS):
            numbers = range(first, min(first + CHUNK_EVENTS, count))
            drawn = self._random.choices(self.mentors, cum_weights=self._weights, k=len(numbers))
            for number, mentor in zip(numbers, drawn, strict=True):
                occurred_at = occurs_at(number)
                if self._random.random() < CLICK_SHARE:
                    yield click(self._random, mentor, self._random.choice(CHANNELS), occurred_at=occurred_at)
                else:
                    yield self._registration(mentor, occurred_at)

    def _registration(self, mentor: Mentor, occurred_at: str) -> LoadRecord:
        """Return one more step of some member's way, or an earlier registration a second time."""
        random = self._random
        chance = random.random()
        if PENDING_UP_TO <= chance < CONFIRMED_UP_TO and self._pending:
            member, status = _take(random, self._pending), "confirmed"
            self._confirmed.append(member)
        elif CONFIRMED_UP_TO <= chance < WITHDRAWN_UP_TO and self._confirmed:
            member, status = _take(random, self._confirmed), "withdrawn"
        elif chance >= WITHDRAWN_UP_TO and self._sent:
            return random.choice(self._sent)
        else:
            member, status = _Member(mentor, make_uuid(random), random.choice(CHANNELS)), "pending_signup"
            self._pending.append(member)
        record = registration(random, *member, status=status, occurred_at=occurred_at)
        self._sent.append(record)
        return record


def code_issued(mentor: Mentor) -> LoadRecord:
    """Return the record by which a mentor's code is issued."""
    value = {
        "referral_code": mentor.code,
        "org_id": mentor.org_id,
        "mentor_id": mentor.mentor_id,
        "issued_at": START.isoformat(),
    }
    return LoadRecord(CODES, mentor.code.encode(), orjson.dumps(value))


def click(random: Random, mentor: Mentor, channel: str, *, occurred_at: str) -> LoadRecord:
    """Return a click on a mentor's link."""
    value = f'{{"click_id":"{make_uuid(random)}",{_common(random, mentor, channel, occurred_at)}}}'
    return LoadRecord(CLICKS, mentor.code.encode(), value.encode())


def registration(
    random: Random, mentor: Mentor, member_id: str, channel: str, *, status: str, occurred_at: str
) -> LoadRecord:
    """Return a registration event of a member."""
    value = (
        f'{{"attribution_id":"{make_uuid(random)}","new_member_id":"{member_id}","status":"{status}",'
        f"{_common(random, mentor, channel, occurred_at)}}}"
    )
    return LoadRecord(REGISTRATIONS, mentor.code.encode(), value.encode())


def occurs_at(number: int) -> str:
    """Return the time of the event of this number, RFC 3339, always of the same length."""
    return (START + number * EVENT_INTERVAL).isoformat(timespec="microseconds")


def make_uuid(random: Random) -> str:
    """Return a UUID as text."""
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _common(random: Random, mentor: Mentor, channel: str, occurred_at: str) -> str:
    """Return the fields that clicks and registrations share, as JSON without braces.

    Written by hand: a benchmark of a million events waits for them.
    """
    organisation = f'"org_id":"{mentor.org_id}",' if random.random() < NAMES_ORGANISATION_SHARE else ""
    return (
        f'"referral_code":"{mentor.code}","occurred_at":"{occurred_at}",{organisation}'
        f'"device_metadata":{{"share_channel":"{channel}","os":"android","app_version":"7.4.1"}}'
    )


def _mentors(random: Random, count: int) -> Iterator[Mentor]:
    organisations = [make_uuid(random) for _ in range(ORGANISATIONS)]
    taken: set[str] = set()
    while len(taken) < count:
        code = "".join(random.choices(ALPHABET, k=CODE_LENGTH))
        if code not in taken:
            taken.add(code)
            yield Mentor(random.choice(organisations), make_uuid(random), code)


def _take(random: Random, members: list[_Member]) -> _Member:
    """Remove a random member in constant time."""
    at = random.randrange(len(members))
    members[at], members[-1] = members[-1], members[at]
    return members.pop()
