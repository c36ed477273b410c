"""The fold: what each kind of record does, one fact at a time."""

from __future__ import annotations

import bisect
import copy
import json
from itertools import permutations

import pytest

from models.attribution import Attribution, Rules
from models.changes import MEMBERS, MENTORS
from models.mentors import CHANNELS_MAX
from models.outgoing import MOVED_FROM, TRUNCATED
from models.partitioning import partition_of
from streams.engine.batch import SourceRecord
from tests.factories import (
    CLICKS_TOPIC,
    CODE,
    CODES_TOPIC,
    MENTOR,
    ORG,
    OTHER_MENTOR,
    OTHER_ORG,
    REGISTRATIONS_TOPIC,
    Event,
    at,
    by_channel,
    encode,
    make_click,
    make_code_issued,
    make_record,
    make_registration,
    uuid,
)
from tests.unit.models.stream import REASON, Stream, everything, headers_of

TWELVE = 12
HOME = partition_of(CODE.encode(), TWELVE)
ELSEWHERE = (HOME + 1) % TWELVE


def issued(rules: Rules | None = None) -> Stream:
    """Return a stream that knows the code."""
    stream = Stream(rules)
    stream.take(make_code_issued())
    return stream


def test_counts_are_what_the_contract_lists() -> None:
    """Every field of MentorCounts, with the values of a small programme."""
    stream = issued()
    stream.take_each(
        [
            make_click(**by_channel("SMS ")),
            make_click(),
            make_registration(1, "pending_signup", 2, **by_channel("sms")),
            make_registration(1, "confirmed", 3, **by_channel("email")),
            make_registration(2, "pending_signup", 1),
            make_registration(3, "withdrawn", 1, **by_channel("email")),
        ]
    )

    assert stream.counts == {
        "org_id": ORG,
        "mentor_id": MENTOR,
        "referral_code": CODE,
        "total_clicks": 2,
        "pending_attributions": 1,
        "confirmed_attributions": 1,
        "conversion_rate": 0.5,
        "by_channel": {
            "sms": {"clicks": 1, "pending": 0, "confirmed": 1},
            "unknown": {"clicks": 1, "pending": 1, "confirmed": 0},
            "email": {"clicks": 0, "pending": 0, "confirmed": 0},
        },
        "milestones": [1],
        "last_event_at": at(3),
    }


def test_a_milestone_is_what_the_contract_lists() -> None:
    """Every field of MilestoneReached, keyed by organisation and mentor."""
    stream = issued()
    at_four = "2026-11-20T12:04:00+02:00"
    stream.take(make_registration(7, occurred_at=at_four, attribution_id="0c000000-0000-4000-8000-000000000ABC"))

    (sent,) = stream.outgoing
    assert (sent.topic, sent.key) == ("referrals.milestones.v1", f"{ORG}:{MENTOR}".encode())
    (milestone,) = stream.milestones
    assert milestone.pop("milestone_id") == headers_of(sent)["ce_id"].decode()
    assert milestone == {
        "event_type": "recruitment_milestone_reached",
        "org_id": ORG,
        "mentor_id": MENTOR,
        "milestone_threshold": 1,
        "confirmed_count": 1,
        "attribution_id": "0c000000-0000-4000-8000-000000000abc",
        "reached_at": at(4),
    }


def test_a_mentor_without_activity_is_not_published() -> None:
    """A code alone makes a row but no counts."""
    stream = issued()

    assert list(stream.rows[0][MENTORS]) == [CODE.encode()]
    assert stream.published == {}


def test_counts_are_keyed_by_organisation_and_mentor() -> None:
    """As the contract says, in lower case however the ids were written."""
    stream = Stream()
    stream.take_each([make_code_issued(org_id=ORG.upper(), mentor_id=MENTOR.upper()), make_click(org_id=ORG)])

    assert list(stream.published) == [f"{ORG}:{MENTOR}".encode()]
    assert stream.counts["org_id"] == ORG


def test_no_member_and_no_raw_event_is_published() -> None:
    """Of members, attributions, clicks and devices nothing is in the counts; of members nothing anywhere."""
    stream = issued()
    stream.take_each(
        [
            make_click(click_id=uuid(111), device_metadata={"share_channel": "sms", "model": "secret phone"}),
            make_registration(222, attribution_id=uuid(333)),
        ]
    )

    published = b"".join(value for _, value in stream.publications)
    sent = b"".join(each.value or b"" for each in stream.outgoing)
    assert stream.milestones
    for private in (uuid(111), uuid(222), uuid(333), "secret phone"):
        assert private.encode() not in published
    assert uuid(222).encode() not in sent
    assert b"secret phone" not in sent


def test_a_record_that_changes_nothing_publishes_nothing() -> None:
    """A replayed registration leaves rows and topics alone."""
    stream = issued()
    stream.take(make_registration(1))
    again = stream.take(make_registration(1))

    assert (again.rows, again.latest, again.outgoing) == ({}, {}, [])


def test_a_click_counts_once_for_each_record() -> None:
    """Twice the same click_id is twice a click (rule 7)."""
    stream = issued()
    stream.take_each([make_click(click_id=uuid(1)), make_click(click_id=uuid(1))])

    assert stream.totals == (2, 0, 0)


def test_a_pair_is_of_code_and_member() -> None:
    """The same member under two codes is two registrations."""
    stream = issued()
    stream.take(make_code_issued("BERT000001", mentor_id=OTHER_MENTOR))
    stream.take_each([make_registration(1), make_registration(1, referral_code="BERT000001")])

    assert {code: counts["confirmed_attributions"] for code, counts in stream.all_counts.items()} == {
        CODE: 1,
        "BERT000001": 1,
    }


def test_a_member_in_capitals_is_the_same_member() -> None:
    """A UUID has no case."""
    stream = issued()
    member = "0c000000-0000-4000-8000-00000000abcd"
    stream.take_each([make_registration(new_member_id=member), make_registration(new_member_id=member.upper())])

    assert stream.totals == (0, 0, 1)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_pair_stays_in_the_channel_of_its_first_event(order: tuple[int, ...]) -> None:
    """The first to be processed names it; what later events name, or an earlier occurred_at, changes nothing."""
    events = [
        make_registration(1, "pending_signup", 1, **by_channel("sms")),
        make_registration(1, "confirmed", 2, **by_channel("email")),
        make_registration(1, "confirmed", 3),
    ]
    stream = issued()
    stream.take_each(events[index] for index in order)

    channel = ("sms", "email", "unknown")[order[0]]
    assert stream.counts["by_channel"] == {channel: {"clicks": 0, "pending": 0, "confirmed": 1}}


def test_past_sixteen_channels_the_rest_is_other() -> None:
    """Seventeen entries at most, whatever comes, and they sum to the totals."""
    stream = issued()
    stream.take_each(make_click(**by_channel(f"channel-{number % 20}")) for number in range(40))
    stream.take_each(make_registration(number, **by_channel(f"channel-{number}")) for number in range(20))

    channels = stream.counts["by_channel"]
    assert len(channels) == 17
    assert channels["other"] == {"clicks": 8, "pending": 0, "confirmed": 4}
    assert channels["channel-3"] == {"clicks": 2, "pending": 0, "confirmed": 1}


def test_the_last_event_is_the_latest_that_occurred() -> None:
    """The maximum of `occurred_at` of clicks and registrations, in UTC; the order of arrival is nothing."""
    stream = issued()
    stream.take_each([make_click(occurred_at="2026-11-20T13:00:00+01:00"), make_registration(1, minute=30)])
    stream.take_each([make_click(occurred_at="2026-11-20T09:00:00-02:00"), make_click(occurred_at=at(5))])

    assert stream.counts["last_event_at"] == "2026-11-20T12:00:00Z"


@pytest.mark.parametrize("extreme", ["0001-01-01T00:00:00+12:00", "9999-12-31T23:59:59.999999-12:00"])
@pytest.mark.parametrize("known", [True, False])
def test_an_instant_at_the_end_of_time_is_counted(extreme: str, *, known: bool) -> None:
    """It has no form in UTC and is kept with its own offset; nothing overflows."""
    stream = issued() if known else Stream()
    stream.take_each([make_click(occurred_at=extreme), make_registration(1, occurred_at=extreme)])
    stream.take_each([make_registration(1, "withdrawn", occurred_at=extreme), make_code_issued()])

    assert stream.totals == (1, 0, 0)
    assert stream.thresholds == [1]
    assert stream.milestones[0]["reached_at"] == extreme == stream.counts["last_event_at"]


def test_thresholds_are_emitted_once_each() -> None:
    """Falling below and crossing again emits nothing (rule 2)."""
    stream = issued(Rules(thresholds=(1, 2)))
    stream.take_each(
        [
            make_registration(1, minute=1),
            make_registration(2, minute=2),
            make_registration(2, "withdrawn", 3),
            make_registration(1, "withdrawn", 4),
            make_registration(1, minute=5),
            make_registration(2, minute=6),
            make_registration(3, minute=7),
        ]
    )

    assert stream.thresholds == [1, 2]
    assert stream.counts["milestones"] == [1, 2]


def test_thresholds_added_later_come_with_the_next_confirmation() -> None:
    """Not with a click, a pending one or a replay; then all that the count has passed at once (rule 7)."""
    stream = issued(Rules(thresholds=(10,)))
    stream.take_each(make_registration(member) for member in range(4))
    more = Stream(Rules(thresholds=(1, 3, 5, 10)))
    more.rows = stream.rows
    more.take_each([make_click(), make_registration(9, "pending_signup"), make_registration(1)])
    before = more.thresholds
    more.take(make_registration(5, minute=9))

    assert before == []
    assert more.thresholds == [1, 3, 5]
    assert {each["confirmed_count"] for each in more.milestones} == {5}
    assert {each["attribution_id"] for each in more.milestones} == {uuid(5_009)}


@pytest.mark.parametrize("event", [make_click(org_id=OTHER_ORG), make_registration(1, org_id=OTHER_ORG)])
def test_another_organisation_is_a_dead_letter(event: Event) -> None:
    """Each record that names an organisation which is not the code's, and nothing is counted (rule 4)."""
    stream = issued()
    stream.take_each([event, event])

    assert stream.reasons == ["OtherOrganisation"] * 2
    assert stream.published == {}


@pytest.mark.parametrize("event", [make_click(org_id=ORG.upper()), make_registration(1, org_id=ORG.upper())])
def test_the_codes_organisation_may_be_named(event: Event) -> None:
    """In either case of its letters."""
    stream = issued()
    stream.take(event)

    assert stream.dead_letters == []
    assert sum(stream.totals) == 1


def test_a_pair_that_named_another_organisation_first_is_not_begun() -> None:
    """Its refused event does not give the pair its channel."""
    stream = issued()
    stream.take_each(
        [make_registration(1, org_id=OTHER_ORG, **by_channel("sms")), make_registration(1, **by_channel("email"))]
    )

    assert list(stream.counts["by_channel"]) == ["email"]


@pytest.mark.parametrize("claim", [{"mentor_id": OTHER_MENTOR}, {"org_id": OTHER_ORG}])
def test_a_code_that_is_taken_stays_with_its_mentor(claim: dict[str, str]) -> None:
    """The first issue stands, the other is a dead letter."""
    stream = issued()
    stream.take_each([make_click(), make_code_issued(**claim), make_click()])

    assert stream.reasons == ["CodeTaken"]
    assert (stream.counts["org_id"], stream.counts["mentor_id"]) == (ORG, MENTOR)
    assert stream.totals == (2, 0, 0)


def test_a_code_issued_again_to_the_same_mentor_changes_nothing() -> None:
    """A second request finds the stored one; ids in capitals are the same ids."""
    stream = issued()
    stream.take(make_click())
    again = stream.take(make_code_issued(org_id=ORG.upper(), issued_at=at(59)))

    assert (again.rows, again.latest, again.outgoing) == ({}, {}, [])


def test_a_dead_letter_is_the_record_as_received() -> None:
    """Key, value and headers untouched; more headers say where it came from and why it is here (rule 5)."""
    record = make_record(b"\xff not JSON", offset=42, key=b"\0key", partition=0, headers=[("a", b"1"), ("a", b"2")])
    stream = issued()
    stream.take(record)

    (letter,) = stream.outgoing
    assert letter.topic == "referrals.dead-letters.v1"
    assert (letter.key, letter.value) == (record.key, record.value)
    assert letter.headers[:2] == [("a", b"1"), ("a", b"2")]
    said = headers_of(letter)
    assert said.pop("a") == b"2"
    assert said.pop("__connect.errors.exception.message")
    assert said == {
        "__connect.errors.topic": CLICKS_TOPIC.encode(),
        "__connect.errors.partition": b"0",
        "__connect.errors.offset": b"42",
        REASON: b"BadEvent",
        "__connect.errors.stage": b"attribution",
    }


@pytest.mark.parametrize("topic", [CODES_TOPIC, CLICKS_TOPIC, REGISTRATIONS_TOPIC])
@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"[]",
        b"\xff",
        b'{"referral_code":"\xff"}',
        b"[" * 60_000,
        b'{"extra":' + b"[" * 60_000,
        b"x" * 1_000_000,
    ],
)
def test_bad_input_of_any_topic_is_a_dead_letter(topic: str, value: bytes | None) -> None:
    """A deletion marker of the compacted topic of codes too: it takes no code back."""
    stream = issued()
    before = copy.deepcopy(stream.rows)
    stream.take(make_record(value, topic=topic) if value is not None else _null(topic))

    assert stream.reasons == ["BadEvent"]
    assert stream.dead_letters[0].value == value
    assert stream.rows == before


def _null(topic: str) -> SourceRecord:
    return SourceRecord(topic, 0, 0, 0, CODE.encode(), None, ())


def test_a_bad_code_is_a_dead_letter() -> None:
    """In all three topics, and the reason is its own."""
    stream = issued()
    stream.take_each(
        [make_code_issued("BAD"), make_click("ANNA00000U"), make_registration(referral_code="x" * 13), make_click()]
    )

    assert stream.reasons == ["BadCode"] * 3
    assert stream.totals == (1, 0, 0)


@pytest.mark.parametrize("key", [None, b"", b"anna-00000i", b"another key", b"\xff"])
@pytest.mark.parametrize("typed", [CODE, "anna-00000i"])
def test_in_the_right_partition_the_key_does_not_matter(key: bytes | None, typed: str) -> None:
    """No key, a code typed by hand, anything: the value's code decides, and the record is counted where it is."""
    stream = Stream(partitions=TWELVE)
    stream.take(make_record(make_code_issued(), partition=HOME))
    stream.take(make_record(make_click(typed), partition=HOME, key=key))
    stream.take(make_record(make_registration(referral_code=typed), partition=HOME, key=key))

    assert stream.totals == (1, 0, 1)
    assert stream.sent_to_sources() == []


@pytest.mark.parametrize("event", [make_code_issued("anna-00000i"), make_click("anna-00000i"), make_registration()])
def test_a_record_in_the_wrong_partition_is_moved(event: Event) -> None:
    """To its own topic, keyed by the normal code, value and time untouched, with a header that says from where."""
    record = make_record(event, partition=ELSEWHERE, key=b"anna-00000i", offset=9, headers=[("trace", b"1")])
    stream = Stream(partitions=TWELVE)
    changes = stream.take(record)

    (copied,) = changes.outgoing
    assert (copied.topic, copied.key, copied.value) == (record.topic, CODE.encode(), record.value)
    assert copied.timestamp_ms == record.timestamp
    assert copied.headers == [("trace", b"1"), (MOVED_FROM, f"{record.topic}/{ELSEWHERE}/9".encode())]
    assert (changes.rows, changes.latest) == ({}, {})


def test_a_moved_record_is_counted_once() -> None:
    """Where it belongs; it is moved no further."""
    stream = Stream(partitions=TWELVE)
    for event in (make_code_issued(), make_click("anna-00000i"), make_registration(1)):
        stream.take(make_record(event, partition=ELSEWHERE, key=None))
    before = dict(stream.published)
    stream.take_moved()

    assert before == {}
    assert stream.totals == (1, 0, 1)
    assert stream.dead_letters == []


def test_a_moved_record_of_unknown_time_gets_a_new_one() -> None:
    """-1 is no time to produce with; 0 stands for that of producing."""
    stream = Stream(partitions=TWELVE)
    stream.take(make_record(partition=ELSEWHERE, timestamp=-1))

    assert stream.outgoing[0].timestamp_ms == 0


def test_bad_input_in_the_wrong_partition_is_not_moved() -> None:
    """It belongs nowhere."""
    stream = Stream(partitions=TWELVE)
    stream.take(make_record(b"{}", partition=ELSEWHERE))

    assert (stream.reasons, stream.sent_to_sources()) == (["BadEvent"], [])


def test_another_prefix_is_another_installation() -> None:
    """All topics are named by it."""
    stream = Stream(Rules(topic_prefix="test."))
    for event, name in (
        (make_code_issued(), "codes"),
        (make_registration(), "registrations"),
        (make_click(), "clicks"),
    ):
        stream.take(make_record(event, topic=f"test.{name}.v1"))
    stream.take(make_record(b"", topic="test.clicks.v1"))

    assert [each.topic for each in stream.outgoing] == ["test.milestones.v1", "test.dead-letters.v1"]


def test_a_record_is_judged_the_same_whatever_else_is_in_its_batch() -> None:
    """Alone or beside a corrupt one: one nested nearly too deep too, however deep the call stack is."""

    def counted(depth: int, *neighbours: SourceRecord) -> bool:
        stream = issued()
        value = encode(make_click())[:-1] + b',"extra":' + b"[" * depth + b"]" * depth + b"}"
        stream.take(make_record(value), *neighbours)
        return bool(stream.published)

    too_deep = bisect.bisect_left(range(30_000), x=True, key=lambda depth: not counted(depth))
    depths = range(too_deep - 20, too_deep + 20)

    assert [depth for depth in depths if counted(depth) != counted(depth, make_record(b"corrupt"))] == []


def test_the_rows_of_a_pair_hold_no_name() -> None:
    """A member's row is small: code and id in the key, state, instant and channel in the row."""
    stream = issued()
    stream.take(make_registration(1, **by_channel("whatsapp")))

    ((key, row),) = stream.rows[0][MEMBERS].items()
    assert (len(key), len(row)) == (len(CODE) + 16, 9 + len("whatsapp"))


@pytest.mark.parametrize("order", ["code first", "code last", "elsewhere"])
@pytest.mark.parametrize("event", [make_click(), make_registration()], ids=["click", "registration"])
def test_large_headers_and_keys_decide_nothing(order: str, event: Event) -> None:
    """The value decides: whatever comes first, and wherever, the counts are the same (rule 3)."""
    stream = Stream(partitions=TWELVE)
    place = ELSEWHERE if order == "elsewhere" else HOME
    record = make_record(event, key=b"k" * 70_000, headers=[("noise", b"x" * 140_000)], partition=place)
    issued_there = make_record(make_code_issued(), partition=HOME)
    for each in [record, issued_there] if order == "code last" else [issued_there, record]:
        stream.take(each)
    moved_on = [len(copy.headers) for copy in stream.sent_to_sources()]
    stream.take_moved()
    assert (sum(stream.totals), stream.dead_letters) == (1, [])
    assert moved_on == ([2] if order == "elsewhere" else []), "its size, and where it came from"


def test_a_dead_letter_fits_whatever_it_repeats() -> None:
    """The text of a fault may quote 65 KB, and headers without a value take room too."""
    many: list[tuple[str, bytes | None]] = [(f"{number}", b"") for number in range(100_000)]
    stream = issued()
    stream.take(make_record(make_registration(status="x" * 65_000), headers=[("noise", b"x" * 980_000)]))
    stream.take(make_record(b"bad", headers=many))
    whole, shortened = stream.dead_letters
    assert len(headers_of(whole)["noise"]) == 980_000
    assert headers_of(shortened)[TRUNCATED] == b"%d" % (
        len(CODE) + len(b"bad") + sum(len(name) + 6 for name, _ in many)
    )
    assert all(len(value or b"") < 5_000 for letter in (whole, shortened) for name, value in letter.headers[1:])


def test_a_record_that_fails_is_set_aside_with_its_coordinates() -> None:
    """The reason names the program's fault, and the record is whole."""
    record = make_record(make_click(), offset=42)
    (letter,) = Attribution(Rules(), partitions=1).set_aside(record, ZeroDivisionError("division")).outgoing
    said = headers_of(letter)
    assert (letter.key, letter.value) == (record.key, record.value)
    assert (said[REASON], said["__connect.errors.offset"]) == (b"Unprocessable", b"42")
    assert b"ZeroDivisionError: division" in said["__connect.errors.exception.message"]


def test_a_large_batch_is_folded_as_its_records_one_by_one() -> None:
    """Known and unknown codes, typed by hand, corrupt, of other organisations, in one batch of each topic."""
    clicks = [
        make_record(make_click(), offset=0),
        make_record(b"corrupt", offset=1),
        make_record(make_click("UNKNOWN001"), offset=2),  # a U: no code
        make_record(make_click("VERA000001"), offset=3),
        make_record(make_click("anna-000001"), offset=4),
        make_record(make_click(click_id="no uuid"), offset=5),
        make_record(make_click(org_id="no uuid"), offset=6),
        make_record(make_click(org_id=OTHER_ORG), offset=7),
        make_record(make_click(org_id=ORG), offset=8),
        make_record(make_click(extra="x" * 70_000), offset=9),
        make_record(make_click(**by_channel("SMS")), offset=10),
    ]
    at_once, one_by_one = issued(), issued()
    at_once.take(*clicks)
    one_by_one.take_each(clicks)

    assert everything(at_once) == everything(one_by_one)
    assert at_once.totals == (4, 0, 0)
    assert at_once.reasons == ["BadEvent", "BadCode", "BadEvent", "BadEvent", "OtherOrganisation", "BadEvent"]
    assert json.loads(at_once.publications[-1][1])["total_clicks"] == 4


def test_more_channels_than_columns_are_counted_too() -> None:
    """Strangers name channels, and some hundred in one batch must cost nobody his clicks."""
    clicks = [make_record(make_click(**by_channel(f"channel-{number}")), offset=number) for number in range(300)]
    stream = issued()
    stream.take(*clicks)

    assert stream.totals == (300, 0, 0)
    assert len(stream.counts["by_channel"]) == CHANNELS_MAX + 1


def test_clicks_of_the_first_instant_there_is_count() -> None:
    """And of two that come in one batch the later one is the mentor's last event, whichever comes first."""
    stream = issued()
    stream.take(
        make_record(make_click(occurred_at="0001-01-01T00:00:00+14:00"), offset=0),
        make_record(make_click(occurred_at="0001-01-01T00:00:00Z"), offset=1),
    )

    assert stream.totals == (2, 0, 0)
    assert stream.counts["last_event_at"] == "0001-01-01T00:00:00Z"
