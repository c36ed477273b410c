"""A mentor's counts: channels, conversion rate, thresholds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.events import ChannelCounts, MentorCounts, clean_channel
from models.members import CONFIRMED, PENDING, WITHDRAWN
from models.mentors import (
    decode_mentor,
    encode_mentor,
    mentor_key,
    move_pair,
    newly_reached,
    org_of,
    place_of_channel,
    saw_event,
)
from tests.factories import CODE, MENTOR, ORG

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
THRESHOLDS = [1, 5, 10, 25]


def make_counts(*, confirmed: int = 0, clicks: int = 0, milestones: tuple[int, ...] = ()) -> MentorCounts:
    """Return a mentor's counts, all in one channel if there are any."""
    channels = {"sms": ChannelCounts(clicks=clicks, confirmed=confirmed)} if confirmed or clicks else {}
    return MentorCounts(
        org_id=ORG,
        mentor_id=MENTOR,
        referral_code=CODE,
        confirmed_attributions=confirmed,
        by_channel=channels,
        milestones=list(milestones),
    )


def named(count: int) -> MentorCounts:
    """Return the counts of a mentor with this many channels: `channel-0`, ..."""
    counts = make_counts()
    for number in range(count):
        place_of_channel(counts, f"channel-{number}")
    return counts


@pytest.mark.parametrize(
    ("clicks", "confirmed", "rate"), [(0, 0, 0.0), (0, 3, 0.0), (4, 1, 0.25), (3, 3, 1.0), (1, 5, 1.0)]
)
def test_the_conversion_rate_is_between_0_and_1(clicks: int, confirmed: int, rate: float) -> None:
    """Confirmed by clicks, 0.0 without clicks, 1.0 at most."""
    assert json.loads(encode_mentor(make_counts(clicks=clicks, confirmed=confirmed)))["conversion_rate"] == rate


def test_a_row_tells_its_organisation_without_being_opened() -> None:
    """Also one that somebody else has written, with its fields in another order or spaces between them."""
    row = encode_mentor(make_counts())
    assert org_of(row) == ORG
    assert org_of(json.dumps(json.loads(row)).encode()) == ORG
    assert org_of(json.dumps(dict(sorted(json.loads(row).items()))).encode()) == ORG


def test_a_row_is_read_as_it_was_written() -> None:
    """Row, changelog and published value are the same bytes, whoever wrote them last."""
    counts = make_counts(clicks=3, confirmed=1, milestones=(1,))
    saw_event(counts, NOON)
    row = encode_mentor(counts)

    assert encode_mentor(decode_mentor(row)) == row


def test_the_key_is_organisation_and_mentor() -> None:
    """As the contract keys counts and milestones."""
    assert mentor_key(make_counts()) == f"{ORG}:{MENTOR}".encode()


def test_the_latest_event_is_noted_in_utc() -> None:
    """The maximum, wherever it was told; an earlier one changes nothing."""
    counts = make_counts()
    saw_event(counts, NOON.astimezone(timezone(timedelta(hours=5))))
    saw_event(counts, NOON - timedelta(hours=1))

    assert json.loads(encode_mentor(counts))["last_event_at"] == "2026-11-20T12:00:00Z"


def test_sixteen_channels_have_a_name_of_their_own() -> None:
    """The seventeenth is `other`, and so is every one after it (rule 6)."""
    counts = named(16)

    assert place_of_channel(counts, "channel-16") == "other"
    assert place_of_channel(counts, "channel-17") == "other"
    assert sorted(counts.by_channel) == sorted(["other", *[f"channel-{number}" for number in range(16)]])


def test_a_known_channel_stays_when_all_are_taken() -> None:
    """Only new names are `other`."""
    assert place_of_channel(named(17), "CHANNEL-3 ") == "channel-3"


@given(st.text(max_size=80))
def test_a_channel_that_has_a_place_is_spelt_as_the_rules_spell_it(named_so: str) -> None:
    """So a name that is found among a mentor's channels needs no cleaning: it would stay as it is."""
    cleaned = clean_channel(named_so)

    assert clean_channel(cleaned) == cleaned
    counts = named(15)
    place = place_of_channel(counts, named_so)
    assert place == cleaned or (place == "other" and cleaned not in counts.by_channel)
    assert place_of_channel(counts, named_so) == place


def test_no_channel_is_unknown() -> None:
    """`unknown` is a channel as the others are: it takes one of the sixteen places."""
    assert place_of_channel(named(15), None) == "unknown"
    assert place_of_channel(named(16), None) == "other"


def test_a_channel_named_other_takes_no_place() -> None:
    """The name of the rest is not one of the sixteen, even if an event names it."""
    counts = named(15)

    assert place_of_channel(counts, "Other") == "other"
    assert place_of_channel(counts, "channel-15") == "channel-15"
    assert place_of_channel(counts, "channel-16") == "other"


@pytest.mark.parametrize(
    ("before", "after", "pending", "confirmed"),
    [
        (None, PENDING, 1, 0),
        (None, CONFIRMED, 0, 1),
        (None, WITHDRAWN, 0, 0),
        (PENDING, CONFIRMED, -1, 1),
        (PENDING, WITHDRAWN, -1, 0),
        (CONFIRMED, WITHDRAWN, 0, -1),
        (WITHDRAWN, CONFIRMED, 0, 1),
        (CONFIRMED, CONFIRMED, 0, 0),
    ],
)
def test_a_pair_is_in_one_count_at_most(before: int | None, after: int, pending: int, confirmed: int) -> None:
    """It leaves the count it was in and enters the one it is in, in its channel and in the totals."""
    counts = make_counts(confirmed=5)

    assert move_pair(counts, "sms", before, after) == 5 + confirmed
    assert (counts.by_channel["sms"].pending, counts.by_channel["sms"].confirmed) == (pending, 5 + confirmed)
    assert (counts.pending_attributions, counts.confirmed_attributions) == (pending, 5 + confirmed)


@pytest.mark.parametrize(
    ("confirmed", "already", "reached"),
    [
        (0, (), []),
        (1, (), [1]),
        (4, (1,), []),
        (5, (1,), [5]),
        (9, (1, 5), []),
        (10, (1, 5), [10]),
        (25, (), [1, 5, 10, 25]),
        (5, (1, 5), []),
        (11, (10,), [1, 5]),
    ],
)
def test_a_threshold_is_reached_once(confirmed: int, already: tuple[int, ...], reached: list[int]) -> None:
    """Exactly at it, not one below, several at once, never again; all are noted in ascending order (rule 2)."""
    counts = make_counts(confirmed=confirmed, milestones=already)

    assert newly_reached(counts, THRESHOLDS) == reached
    assert counts.milestones == sorted({*already, *reached})
    assert newly_reached(counts, THRESHOLDS) == []
