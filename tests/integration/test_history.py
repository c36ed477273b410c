"""What `referrals counts` keeps of when things happened: in days of the organisation, whatever order and repetition."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final, LiteralString
from zoneinfo import ZoneInfo

import psycopg
import pytest

from models.erasures import erasure_of, pair_name, pseudonym
from models.events import Click, DeviceMetadata, Erasure, Registration, Status, encode_event
from models.partition_changes import Homes
from sinks import postgres_history
from sinks.history import History
from sinks.positions import Finding, Start
from sinks.postgres_history import CHANNELS_MAX, PostgresHistory
from sinks.records import Record
from tests.milestones import ORG, OTHER_ORG, new_id

pytestmark = pytest.mark.integration

AS_SINKS: Final = "?options=-c%20role%3Dreferrals_sinks"
CODE: Final = "ABCDEFGH12"
OTHER_CODE: Final = "ABCDEFGH34"
CLICKS: Final = ("clicks", 0)
REGISTRATIONS: Final = ("registrations", 0)
OSLO: Final = ZoneInfo("Europe/Oslo")
NOON: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def opened(url: str) -> History:
    """Return the sink alone, as the role that it needs and no more; it begins where the database says."""
    sink = History(
        PostgresHistory(url + AS_SINKS),
        clicks_topic="clicks",
        registrations_topic="registrations",
        homes=lambda partitions: Homes((), partitions),
    )
    positions = sink.positions.claim([CLICKS, REGISTRATIONS])
    sink.begin(
        {
            place: Start(
                next=positions[place].next if place in positions else 0,
                topic_id="",
                partitions=1,
                finding=Finding.AS_EXPECTED,
            )
            for place in (CLICKS, REGISTRATIONS)
        }
    )
    return sink


@pytest.fixture
def history(database_url: str) -> Iterator[History]:
    """Give the sink, and two codes of two organisations."""
    issue(database_url, CODE, ORG)
    issue(database_url, OTHER_CODE, OTHER_ORG)
    with closing(opened(database_url)) as sink:
        yield sink


def issue(url: str, code: str, org_id: str) -> None:
    """Make a code known, with its organisation."""
    rows(url, "INSERT INTO organisations (org_id) VALUES (%s) ON CONFLICT DO NOTHING", org_id)
    mentor_id = new_id()
    rows(url, "INSERT INTO mentors VALUES (%s, %s)", org_id, mentor_id)
    rows(url, "INSERT INTO referral_codes VALUES (%s, %s, %s, now())", code, org_id, mentor_id)


def rows(url: str, statement: LiteralString, *values: object) -> list[tuple[Any, ...]]:
    """Run a statement and return its rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def days_of(url: str, org_id: str = ORG, channel: str = "") -> dict[str, tuple[int, ...]]:
    """Return clicks, registered, confirmed and withdrawn by day, without days on which nothing is left."""
    found = rows(
        url,
        "SELECT day::text, clicks, registered, confirmed, withdrawn FROM organisation_history "
        "WHERE org_id = %s AND channel = %s ORDER BY day",
        org_id,
        channel,
    )
    return {day: tuple(numbers) for day, *numbers in found if any(numbers)}


def record(event: Click | Registration | Erasure, offset: int) -> Record:
    """Return an event as a record of its topic."""
    topic = "clicks" if isinstance(event, Click) else "registrations"
    return Record(topic=topic, partition=0, offset=offset, key=None, value=encode_event(event))


def click(at: datetime, *, code: str = CODE, org_id: str | None = None, channel: str | None = "sms") -> Click:
    """Return a click."""
    return Click(
        click_id=new_id(),
        referral_code=code,
        occurred_at=at,
        org_id=org_id,
        device_metadata=DeviceMetadata(share_channel=channel),
    )


def became(status: Status, at: datetime, member: str, *, code: str = CODE, channel: str = "sms") -> Registration:
    """Return an event of a pair."""
    return Registration(
        attribution_id=new_id(),
        referral_code=code,
        new_member_id=member,
        status=status,
        occurred_at=at,
        device_metadata=DeviceMetadata(share_channel=channel),
    )


def put(sink: History, *events: Click | Registration | Erasure, offset: int = 0) -> None:
    """Put events as one batch, whose first has this offset."""
    batch = [record(event, number) for number, event in enumerate(events, offset)]
    sink.put(batch, {(each.topic, each.partition): each.offset + 1 for each in batch})


def test_days_are_the_organisations_of_23_and_25_hours_too(history: History, database_url: str) -> None:
    """A day begins and ends where its clocks say: in Oslo one of March has 23 hours, one of October 25.

    A click each half hour is put while days are UTC's; the time zone is changed later, and days are made anew.
    """
    begins = datetime(2026, 3, 28, tzinfo=OSLO).astimezone(UTC)
    half_hours = [begins + timedelta(minutes=30 * number) for number in range(4 * 48)]
    half_hours += [at.replace(month=10, day=at.day - 4) for at in half_hours if at.day < 31]
    put(history, *map(click, half_hours[:100]))
    rows(database_url, "UPDATE organisations SET time_zone = 'Europe/Oslo' WHERE org_id = %s", ORG)
    put(history, *map(click, half_hours[100:]), offset=100)

    expected = Counter(at.astimezone(OSLO).date().isoformat() for at in half_hours)
    assert (expected["2026-03-29"], expected["2026-10-25"]) == (46, 50)
    assert {day: clicks for day, (clicks, *_) in days_of(database_url).items()} == expected
    rows(database_url, "UPDATE organisations SET time_zone = 'Asia/Kathmandu' WHERE org_id = %s", ORG)
    expected = Counter(at.astimezone(ZoneInfo("Asia/Kathmandu")).date().isoformat() for at in half_hours)
    assert {day: clicks for day, (clicks, *_) in days_of(database_url).items()} == expected


def test_registered_confirmed_and_withdrawn_on_their_days(history: History, database_url: str) -> None:
    """A pair is registered at its earliest event, confirmed at its first confirmation, withdrawn if that stands."""
    at = [NOON + timedelta(days=number) for number in range(6)]
    steady, back, gone, unseen = new_id(), new_id(), new_id(), new_id()
    put(
        history,
        became("pending_signup", at[0], steady),
        became("confirmed", at[2], steady),
        became("confirmed", at[4], steady),
        became("confirmed", at[1], back),  # never pending
        became("withdrawn", at[2], back),
        became("confirmed", at[3], back),
        became("withdrawn", at[3], gone),
        became("pending_signup", at[0], gone),  # late
        became("withdrawn", at[5], unseen),  # nobody has heard of him
    )
    days = days_of(database_url)
    assert days == {
        "2026-11-20": (0, 2, 0, 0),
        "2026-11-21": (0, 1, 1, 0),
        "2026-11-22": (0, 0, 1, 0),
        "2026-11-23": (0, 0, 0, 1),
    }
    assert rows(database_url, "SELECT day::text, hours, confirmed FROM organisation_confirmation_times") == [
        ("2026-11-22", 48, 1)
    ]


def test_order_and_repetition_change_nothing(history: History, database_url: str) -> None:
    """However events are ordered, cut into batches and read again after a restart, the same days come of them."""
    dice = random.Random(7)
    members = [new_id() for _ in range(8)]
    statuses: list[Status] = ["pending_signup", "confirmed", "withdrawn"]
    events: list[Click | Registration] = [
        became(dice.choice(statuses), NOON + timedelta(hours=dice.randrange(300)), dice.choice(members))
        for _ in range(60)
    ]
    put(history, *events)
    expected = days_of(database_url)
    times = "SELECT day, hours, confirmed FROM organisation_confirmation_times WHERE confirmed <> 0 ORDER BY 1, 2"
    waits = rows(database_url, times)
    assert waits
    dice.shuffle(events)
    offset = 60
    for cut in range(0, 60, 7):
        put(history, *events[cut : cut + 7], offset=offset + cut)
    assert (days_of(database_url), rows(database_url, times)) == (expected, waits)

    clicks = [record(click(NOON), number) for number in range(5)]
    history.put(clicks[:3], {CLICKS: 3})
    history.put(clicks[:4])  # as where a batch fails and its records are put one by one
    with closing(opened(database_url)) as after:
        after.put(clicks, {CLICKS: 5})
        assert days_of(database_url, channel="sms")["2026-11-20"][0] == 5
    assert rows(database_url, "SELECT clicks FROM organisation_history_totals") == [(5,)]


def test_what_does_not_count_is_left_out_and_what_waits_counts_later(history: History, database_url: str) -> None:
    """Other organisations' events, bad ones, and those of no code count nowhere; a code that comes brings its own."""
    late = "ABCDEFGH56"
    member = new_id()
    put(
        history,
        click(NOON, org_id=OTHER_ORG),
        click(NOON, code=late),
        click(NOON, code=late, org_id=OTHER_ORG),
        click(NOON, code="no code"),
        click(NOON, code="abcd-efgh-12", org_id=ORG.upper()),
    )
    put(history, became("pending_signup", NOON, member, code=late))
    history.put([Record(topic="clicks", partition=0, offset=5, key=None, value=b"{")])
    assert days_of(database_url) == {"2026-11-20": (1, 0, 0, 0)}
    issue(database_url, late, ORG)
    history.tend()
    assert days_of(database_url) == {"2026-11-20": (2, 1, 0, 0)}
    assert rows(database_url, "SELECT count(*) FROM history_waiting") == [(0,)]


def test_what_has_waited_too_long_is_forgotten(
    history: History, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that has just started too, whose clock begins with it."""
    monkeypatch.setattr(postgres_history, "time", SimpleNamespace(monotonic=lambda: 5.0))
    late = "ABCDEFGH56"
    put(history, click(NOON, code=late))
    rows(database_url, "UPDATE history_waiting SET since = since - interval '31 days'")
    put(history, click(NOON, code=late), offset=1)
    history.tend()
    assert rows(database_url, "SELECT count(*) FROM history_waiting") == [(1,)]


@pytest.mark.parametrize("waits", [False, True])
def test_which_registration_confirmed_is_kept(history: History, database_url: str, *, waits: bool) -> None:
    """The first in the topic, with where it stands, whatever the batches; none where an older version has read it."""
    code = "ABCDEFGH56" if waits else CODE
    member, old = new_id(), new_id()
    first, again = became("confirmed", NOON, member, code=code), became("confirmed", NOON, member, code=code)
    put(history, became("pending_signup", NOON, member, code=code), first, offset=7)
    put(history, again, became("confirmed", NOON, old, code=code), offset=9)
    if waits:
        issue(database_url, code, ORG)
        history.tend()
    kept = "SELECT confirmed_partition, confirmed_offset, confirmed_by::text FROM registration_pairs WHERE pair = %s"
    pair = pair_name(pseudonym(code, member))
    assert rows(database_url, kept, pair) == [(0, 8, pair_name(pseudonym(code, first.attribution_id)))]
    forgotten = pair_name(pseudonym(code, old))
    rows(
        database_url,
        "UPDATE registration_pairs SET confirmed_partition = NULL, confirmed_offset = NULL, confirmed_by = NULL "
        "WHERE pair = %s",
        forgotten,
    )
    put(history, became("confirmed", NOON - timedelta(days=1), old, code=code), offset=11)
    assert rows(database_url, kept, forgotten) == [(None, None, None)]


def test_channels_are_bounded(history: History, database_url: str) -> None:
    """Links name channels, so there may be any number: past the first the rest is one."""
    put(history, *(click(NOON, channel=f"c{number}") for number in range(CHANNELS_MAX + 9)), click(NOON, channel=None))
    named = dict(rows(database_url, "SELECT channel, clicks FROM organisation_history WHERE org_id = %s", ORG))
    assert named.pop("") == CHANNELS_MAX + 10
    assert len(named) == CHANNELS_MAX + 1
    assert named["other"] == 10


def test_a_made_up_pair_can_be_tried(history: History, database_url: str) -> None:
    """The probe, by which a fault of the store is told from a record's, leaves nothing."""
    history.probe()
    assert days_of(database_url) == {}


@pytest.mark.parametrize("cuts", [(), (1,), (2,), (1, 2, 3, 4)])
@pytest.mark.parametrize("waits", [False, True])
def test_an_erased_pair_changes_no_more(
    history: History, database_url: str, cuts: tuple[int, ...], *, waits: bool
) -> None:
    """What came before the erasure is counted, nothing after it, whatever the batches and whenever the code comes."""
    code = "ABCDEFGH56" if waits else CODE
    member, other, unheard = new_id(), new_id(), new_id()
    events: list[Click | Registration | Erasure] = [
        became("confirmed", NOON, member, code=code),
        erasure_of(code, member, at=NOON),
        became("withdrawn", NOON + timedelta(days=1), member, code=code),
        erasure_of(code, unheard, at=NOON),
        became("confirmed", NOON, unheard, code=code),
        became("confirmed", NOON - timedelta(days=1), other, code=code),
    ]
    for start, end in itertools.pairwise([0, *cuts, len(events)]):
        put(history, *events[start:end], offset=start)
    if waits:
        issue(database_url, code, ORG)
        history.tend()

    assert days_of(database_url) == {"2026-11-19": (0, 1, 1, 0), "2026-11-20": (0, 1, 1, 0)}
    erased = rows(
        database_url, "SELECT confirmed_at FROM registration_pairs WHERE erased_at = %s ORDER BY confirmed_at", NOON
    )
    assert erased == [(NOON,), (None,)]
    put(history, *events, offset=len(events))
    assert days_of(database_url)["2026-11-20"] == (0, 1, 1, 0)
