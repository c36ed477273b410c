"""A believable referral programme, generated from a seed: the same seed gives the same records, byte for byte.

A few organisations with a few hundred mentors, some far busier than others. People open links that came by different
channels; some of them register, most of those are confirmed after a while, a few withdraw and come back. As in life,
confirmations come late, come twice, overtake the registration they belong to, and some codes are issued after their
first click. No member, mentor or organisation exists.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, count
from random import Random
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from models.codes import code_candidates
from models.topics import CLICKS, CODES, REGISTRATIONS, Topic

CHANNELS: Final = {"whatsapp": 40, "WhatsApp": 4, "sms": 18, "email": 20, "qr": 8, "poster": 3, None: 7}
"""How a link was shared, by weight; one spelt in another way, and some that do not say."""

REGISTERS: Final = 0.15
"""Chance that a click is followed by a registration."""
CONFIRMED: Final = 0.75
"""Chance that a registration is confirmed at all."""
SKIPS_PENDING: Final = 0.08
"""Chance that a confirmation comes without its `pending_signup`."""
OVERTAKES: Final = 0.08
"""Chance that the confirmation is published before the `pending_signup`."""
WITHDRAWN: Final = 0.06
"""Chance that a confirmed member withdraws."""
RECONFIRMED: Final = 0.4
"""Chance that a member who withdrew is confirmed again."""
DUPLICATED: Final = 0.1
"""Chance that a registration event is published a second time, as it stands."""
NAMES_ORGANISATION: Final = 0.3
"""Chance that an event names its organisation."""
ISSUED_LATE: Final = 0.1
"""Share of mentors whose code is issued when their link is already in use."""

PENDING_WITHIN: Final = 200
CONFIRMED_WITHIN: Final = 2_000
LATE_CODE_WITHIN: Final = 3_000
"""How many events may pass until it happens."""


WEEKEND: Final = (5, 6)
AT_WEEKENDS: Final = 0.45
"""How busy a day at the weekend is, beside one in the week."""


class SampleRecord(NamedTuple):
    """A record for a source topic."""

    topic: Topic
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    """None: where the key belongs."""


class Mentor(NamedTuple):
    """Somebody with a referral code."""

    org_id: str
    mentor_id: str
    code: str


@dataclass(frozen=True, kw_only=True)
class Programme:
    """A programme's size and pace; `events()` is its life."""

    seed: int = 1
    organisations: int = 3
    mentors: int = 300
    start: datetime = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
    events_per_s: float = 200.0
    """The pace of the programme's own clock: an event occurs this much later than the one before."""
    past_days: int = 0
    """How long the programme has been going on before `start`: its first clicks occurred in these days."""
    past_clicks: int = 0
    """How many they are; more of them lately than at first, and fewer at weekends."""

    def people(self) -> list[Mentor]:
        """Return the mentors; their codes are made as the registry makes them."""
        random = Random(self.seed)
        organisations = [(_uuid(random), random.randbytes(32)) for _ in range(self.organisations)]
        taken: set[str] = set()
        mentors = []
        for number in range(self.mentors):
            org_id, secret = organisations[number % self.organisations]
            mentor_id = _uuid(random)
            candidates = code_candidates(UUID(mentor_id), UUID(org_id), secret)
            code = next(candidate for candidate in candidates if candidate not in taken)
            taken.add(code)
            mentors.append(Mentor(org_id, mentor_id, code))
        return mentors

    def events(self) -> Iterator[SampleRecord]:
        """Yield the programme's records, without end, in the order in which they are published."""
        past, present = self.past_and_present()
        yield from past
        yield from present

    def past_and_present(self) -> tuple[Iterator[SampleRecord], Iterator[SampleRecord]]:
        """Return the records of before the start, and those from then on, without end; read the first ones first."""
        life = _Life(self)
        return life.past(), life.present()


class _Life:
    """The running programme: what is due later waits in a heap, by the number of the event at which it happens."""

    def __init__(self, programme: Programme) -> None:
        self._random = Random(programme.seed + 1)
        self._mentors = programme.people()
        # The n-th mentor is about n times less busy than the first, as such programmes are (Zipf's law).
        self._busyness = list(accumulate(1 / (rank + 3) for rank in range(len(self._mentors))))
        self._start = programme.start
        self._past = _past_moments(programme)
        self._gap_s = 1 / programme.events_per_s
        self._due: list[tuple[int, int, SampleRecord]] = []
        self._numbers = count()
        self._channels = list(CHANNELS)
        self._channel_weights = list(accumulate(CHANNELS.values()))

    def past(self) -> Iterator[SampleRecord]:
        self._issue_codes()
        for step in range(len(self._past)):
            yield from self._step(step)

    def present(self) -> Iterator[SampleRecord]:
        for step in count(len(self._past)):
            yield from self._step(step)

    def _step(self, step: int) -> Iterator[SampleRecord]:
        while self._due and self._due[0][0] <= step:
            yield heapq.heappop(self._due)[2]
        yield self._click(step)

    def _issue_codes(self) -> None:
        for number, mentor in enumerate(self._mentors):
            step = number // 4
            if self._random.random() < ISSUED_LATE:
                step += self._random.randrange(LATE_CODE_WITHIN)
            value = {
                "referral_code": mentor.code,
                "org_id": mentor.org_id,
                "mentor_id": mentor.mentor_id,
                "issued_at": self._time(step),
            }
            self._at(step, CODES, mentor, value)

    def _click(self, step: int) -> SampleRecord:
        random = self._random
        mentor = random.choices(self._mentors, cum_weights=self._busyness)[0]
        channel = random.choices(self._channels, cum_weights=self._channel_weights)[0]
        value = {"click_id": _uuid(random), **self._common(mentor, channel, step)}
        if random.random() < REGISTERS:
            self._register(mentor, channel, step)
        return SampleRecord(CLICKS, mentor.code.encode(), orjson.dumps(value))

    def _register(self, mentor: Mentor, channel: str | None, step: int) -> None:
        """Plan one member's way: pending, mostly confirmed, seldom withdrawn, sometimes confirmed again."""
        random = self._random
        member = _uuid(random)
        pending_at = step + random.randrange(1, PENDING_WITHIN)
        confirmed_at = pending_at + random.randrange(1, CONFIRMED_WITHIN)
        is_confirmed = random.random() < CONFIRMED
        if not (is_confirmed and random.random() < SKIPS_PENDING):
            overtaken = is_confirmed and random.random() < OVERTAKES
            published_at = confirmed_at + random.randrange(1, PENDING_WITHIN) if overtaken else pending_at
            self._registration(published_at, mentor, member, "pending_signup", channel, occurred=pending_at)
        if not is_confirmed:
            return
        self._registration(confirmed_at, mentor, member, "confirmed", channel, occurred=confirmed_at)
        if random.random() < WITHDRAWN:
            withdrawn_at = confirmed_at + random.randrange(1, CONFIRMED_WITHIN)
            self._registration(withdrawn_at, mentor, member, "withdrawn", channel, occurred=withdrawn_at)
            if random.random() < RECONFIRMED:
                again_at = withdrawn_at + random.randrange(1, CONFIRMED_WITHIN)
                self._registration(again_at, mentor, member, "confirmed", channel, occurred=again_at)

    def _registration(
        self, published: int, mentor: Mentor, member: str, status: str, channel: str | None, *, occurred: int
    ) -> None:
        value = {
            "attribution_id": _uuid(self._random),
            "new_member_id": member,
            "status": status,
            **self._common(mentor, channel, occurred),
        }
        self._at(published, REGISTRATIONS, mentor, value)
        if self._random.random() < DUPLICATED:
            self._at(published + self._random.randrange(CONFIRMED_WITHIN), REGISTRATIONS, mentor, value)

    def _common(self, mentor: Mentor, channel: str | None, step: int) -> dict[str, Any]:
        """Return the fields that clicks and registrations share."""
        fields: dict[str, Any] = {"referral_code": mentor.code, "occurred_at": self._time(step)}
        if self._random.random() < NAMES_ORGANISATION:
            fields["org_id"] = mentor.org_id
        if channel is not None:
            fields["device_metadata"] = {"share_channel": channel, "os": "android"}
        return fields

    def _time(self, step: int) -> str:
        jitter_s = self._random.random() * self._gap_s
        if step < len(self._past):
            return (self._past[step] + timedelta(seconds=jitter_s)).isoformat()
        return (self._start + timedelta(seconds=(step - len(self._past)) * self._gap_s + jitter_s)).isoformat()

    def _at(self, step: int, topic: Topic, mentor: Mentor, value: dict[str, Any]) -> None:
        record = SampleRecord(topic, mentor.code.encode(), orjson.dumps(value))
        heapq.heappush(self._due, (step, next(self._numbers), record))


def _past_moments(programme: Programme) -> list[datetime]:
    """Return when each step of the past was, ascending, the last a moment before the start."""
    begin = programme.start - timedelta(days=programme.past_days)
    days = [begin + timedelta(days=number) for number in range(programme.past_days)]
    weights = [
        (1 + number / len(days)) * (AT_WEEKENDS if day.weekday() in WEEKEND else 1) for number, day in enumerate(days)
    ]
    reached = [0.0, *accumulate(weights)]
    moments = []
    for number in range(programme.past_clicks):
        wanted = reached[-1] * number / programme.past_clicks
        day = bisect_right(reached, wanted) - 1
        moments.append(days[day] + timedelta(days=(wanted - reached[day]) / weights[day]))
    return moments


def _uuid(random: Random) -> str:
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
