"""What comes in: codes, clicks and registrations of a few mentors, with what goes wrong with such."""

from __future__ import annotations

import random
from functools import cache
from typing import Final, NamedTuple

from models.partitioning import partition_of
from tests.factories import (
    CLICKS_TOPIC,
    CODES_TOPIC,
    REGISTRATIONS_TOPIC,
    by_channel,
    encode,
    make_click,
    make_code_issued,
    make_erasure,
    make_registration,
    uuid,
)
from tests.simulation.kafka import Data, Place
from tests.simulation.poisoned import AT_ONCE, AT_THE_END

CODES: Final = tuple(f"KAT{number:05}" for number in range(6))
STATUSES: Final = ("confirmed", "confirmed", "confirmed", "pending", "rejected")
MEMBERS: Final = 6
MINUTES: Final = 4
CHANNELS: Final = ("email", "whatsapp")
LASTS_S: Final = 1.2

_ISSUES: Final = {code: encode(make_code_issued(code, mentor_id=uuid(900 + at))) for at, code in enumerate(CODES)}
_TAKEN: Final = {code: encode(make_code_issued(code, mentor_id=uuid(950 + at))) for at, code in enumerate(CODES)}
_CLICKS: Final = {
    (code, channel): encode(make_click(code) | by_channel(channel)) for code in CODES for channel in CHANNELS
}
_REGISTRATIONS: Final = {
    (code, member, status, minute): encode(make_registration(member, status, minute, referral_code=code))
    for code in CODES
    for member in range(MEMBERS)
    for status in set(STATUSES)
    for minute in range(MINUTES)
}
_ERASURES: Final = {(code, member): encode(make_erasure(member, code)) for code in CODES for member in range(MEMBERS)}
_RIGHT: Final = (
    (CODES_TOPIC, _ISSUES),
    (CLICKS_TOPIC, {code: _CLICKS[code, CHANNELS[0]] for code in CODES}),
    (REGISTRATIONS_TOPIC, {code: _REGISTRATIONS[code, 0, "confirmed", 0] for code in CODES}),
)


class Arrival(NamedTuple):
    """A record on its way into a source topic."""

    at_s: float
    place: Place
    data: Data


def draw_arrivals(randomness: random.Random, partitions: int) -> list[Arrival]:
    """Return the records of a schedule, by the time of their coming."""
    codes = randomness.sample(CODES, randomness.randint(1, 3))
    values: list[tuple[str, str, bytes | None]] = [(CODES_TOPIC, code, _ISSUES[code]) for code in codes]
    for _ in range(randomness.randint(2, 12)):
        code = codes[int(randomness.random() * len(codes))]
        kind = randomness.random()
        if kind < 0.5:
            member = int(randomness.random() * MEMBERS)
            status, minute = randomness.choice(STATUSES), int(randomness.random() * MINUTES)
            values.append((REGISTRATIONS_TOPIC, code, _REGISTRATIONS[code, member, status, minute]))
        elif kind < 0.55:
            values.append((REGISTRATIONS_TOPIC, code, _ERASURES[code, int(randomness.random() * MEMBERS)]))
        elif kind < 0.9:
            values.append((CLICKS_TOPIC, code, _CLICKS[code, randomness.choice(CHANNELS)]))
        elif kind < 0.94:
            values.append((randomness.choice((CLICKS_TOPIC, REGISTRATIONS_TOPIC)), code, b"{"))
        elif kind < 0.96:
            topic, right = randomness.choice(_RIGHT)
            values.append((topic, code, randomness.choice((AT_ONCE, AT_THE_END)) + right[code]))
        else:
            values.append((CODES_TOPIC, code, _TAKEN[code]))
    arrivals = []
    for topic, code, value in values:
        key = code.encode()
        number = _home(code, partitions)
        if randomness.random() < 0.08:
            number = (number + 1) % partitions  # a producer with another partitioner
        at_s = randomness.random() * LASTS_S
        arrivals.append(Arrival(at_s, (topic, number), Data(key, value, [], 1_700_000_000_000)))
    return sorted(arrivals, key=lambda each: each.at_s)


@cache
def _home(code: str, partitions: int) -> int:
    return partition_of(code.encode(), partitions)
