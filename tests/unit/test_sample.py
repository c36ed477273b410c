"""The sample programme and its faults: the same for the same seed, believable, and with every fault."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from commands import demo
from local.demo.running import PAST_CLICKS, PAST_DAYS
from local.sample.faults import AWKWARD, SPOILT, Faults
from local.sample.programme import Programme, SampleRecord
from models.errors import BadInput
from models.events import Click, CodeIssued, Registration, decode_event
from models.topics import CLICKS, CODES, REGISTRATIONS, SOURCES, Topic


def decode(topic: Topic, value: bytes | None) -> CodeIssued | Click | Registration:
    """Decode a value as its topic's event."""
    if topic is CODES:
        return decode_event(CodeIssued, value)
    return decode_event(Click, value) if topic is CLICKS else decode_event(Registration, value)


@pytest.fixture(scope="module")
def records() -> list[SampleRecord]:
    """Give the beginning of a programme."""
    return list(islice(Programme(seed=3).events(), 30_000))


def test_the_same_seed_gives_the_same_records(records: list[SampleRecord]) -> None:
    """Byte for byte; another seed gives others."""
    assert list(islice(Programme(seed=3).events(), 5_000)) == records[:5_000]
    assert list(islice(Programme(seed=4).events(), 100)) != records[:100]


def test_every_record_of_the_programme_is_usable(records: list[SampleRecord]) -> None:
    """Each is an event of its topic, under its code."""
    for topic, key, value, partition in records:
        event = decode(topic, value)
        assert (key or b"").decode() == event.referral_code
        assert partition is None


def test_the_programme_has_what_life_has(records: list[SampleRecord]) -> None:
    """Late confirmations, withdrawals, duplicates, early confirmations, late codes, organisations named and not."""
    registrations = [record.value or b"" for record in records if record.topic is REGISTRATIONS]
    events = [decode_event(Registration, value) for value in registrations]
    first_status: dict[str, str] = {}
    for event in events:
        first_status.setdefault(event.new_member_id, event.status)
    codes_at = {record.key: at for at, record in enumerate(records) if record.topic is CODES}
    first_click_at = {record.key: at for at, record in reversed(list(enumerate(records))) if record.topic is CLICKS}

    assert {event.status for event in events} == {"pending_signup", "confirmed", "withdrawn"}
    assert max(Counter(registrations).values()) > 1
    assert Counter(first_status.values())["confirmed"] > 0
    assert any(codes_at[code] > at for code, at in first_click_at.items() if code in codes_at)
    assert {event.org_id is None for event in events} == {True, False}
    assert (
        len({decode_event(CodeIssued, r.value).org_id for r in records if r.topic is CODES}) == Programme.organisations
    )


def test_a_programme_that_has_been_going_on() -> None:
    """What was before comes first and occurred before the start, in all of its days and most of it lately."""
    programme = Programme(seed=3, past_days=90, past_clicks=3_600)
    past, present = programme.past_and_present()
    before = list(past)
    occurred = [decode_event(Click, record.value).occurred_at for record in before if record.topic is CLICKS]
    first = decode_event(Click, next(record.value for record in present if record.topic is CLICKS)).occurred_at
    assert len(occurred) == programme.past_clicks
    assert sorted(occurred) == occurred
    assert occurred[-1] < programme.start <= first
    by_day = Counter((programme.start - at).days for at in occurred)
    assert set(by_day) == set(range(90))
    assert sum(by_day[day] for day in range(30)) > 1.3 * sum(by_day[day] for day in range(60, 90))
    assert {record.topic for record in before} == {CODES, CLICKS, REGISTRATIONS}
    assert list(islice(programme.events(), 5_000))[: len(before)] == before


def test_in_the_demo_today_is_a_day_among_others() -> None:
    """Its charts have more to show than one bar: today's usual traffic is what a few days of before had."""
    usual = demo.command.make_context("demo", []).params
    past, _ = Programme(past_days=PAST_DAYS, past_clicks=PAST_CLICKS).past_and_present()
    occurred = (decode_event(Click, record.value).occurred_at for record in past if record.topic is CLICKS)
    by_day = Counter((Programme.start - at).days for at in occurred)
    assert len(by_day) == PAST_DAYS
    assert usual["seconds"] * usual["events_per_second"] < 5 * max(by_day.values())


def test_every_fault_occurs(records: list[SampleRecord]) -> None:
    """Each fault of both kinds is in a short run, and the same seed injects the same."""
    first, second = Faults(seed=5, partitions=12), Faults(seed=5, partitions=12)

    assert list(first.among(records)) == list(second.among(records))
    assert set(first.injected) == set(SPOILT) | set(AWKWARD)


@pytest.mark.parametrize("name", sorted(set(SPOILT) - {"unknown_code", "other_organisation", "code_taken"}))
def test_spoilt_input_is_refused(records: list[SampleRecord], name: str) -> None:
    """What must become a dead letter by itself is no event of its topic."""
    faults = Faults(seed=1, partitions=12)
    for topic in SOURCES:
        good = next(record for record in records if record.topic is topic)
        spoilt = SPOILT[name](faults, good)
        if spoilt is not None:
            with pytest.raises(BadInput):
                decode(topic, spoilt.value)


@pytest.mark.parametrize("name", sorted(AWKWARD))
def test_awkward_input_stays_usable(records: list[SampleRecord], name: str) -> None:
    """What must count all the same is still an event."""
    faults = Faults(seed=1, partitions=12)
    for topic in SOURCES:
        good = next(record for record in records if record.topic is topic)
        awkward = AWKWARD[name](faults, good)
        if awkward is not None:
            decode(topic, awkward.value)
