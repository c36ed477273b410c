"""Activity of codes not issued yet: kept whole, bounded in number, bytes and age (rule 3)."""

from __future__ import annotations

import pytest

from models.attribution import Rules
from models.changes import WAITING
from models.outgoing import RECORDS
from models.waiting import WaitingRoom
from streams.engine.batch import SourceRecord
from tests.factories import (
    CODE,
    OTHER_ORG,
    UNKNOWN_CODE,
    Event,
    make_click,
    make_code_issued,
    make_record,
    make_registration,
    uuid,
)
from tests.unit.models.stream import Stream, headers_of

DAY_MS = 86_400_000


def clicks(number: int, code: str = CODE) -> list[Event]:
    """Return clicks, each with an id of its own."""
    return [make_click(code, click_id=uuid(each)) for each in range(number)]


def test_what_waited_counts_when_the_code_comes() -> None:
    """Clicks and registrations of a code not issued yet are in no count, and then in it."""
    stream = Stream()
    stream.take_each([*clicks(3), make_registration(1), make_registration(2, "pending_signup")])
    before = dict(stream.published)

    stream.take(make_code_issued())

    assert before == {}
    assert stream.totals == (3, 1, 1)
    assert stream.dead_letters == []


def test_a_threshold_reached_before_the_code_came_is_emitted_when_it_comes() -> None:
    """Also one that the count has fallen below again meanwhile; the event that crossed it is named."""
    stream = Stream(Rules(thresholds=(1, 2, 3)))
    stream.take_each([make_registration(1), make_registration(2, minute=2), make_registration(2, "withdrawn", 3)])

    stream.take(make_code_issued())

    assert stream.totals == (0, 0, 1)
    assert stream.thresholds == [1, 2]
    assert stream.milestones[1]["attribution_id"] == make_registration(2, minute=2)["attribution_id"]
    assert stream.milestones[1]["confirmed_count"] == 2


def test_taking_leaves_nothing_behind() -> None:
    """The rows of a code that came are deleted, those of other codes stay, and the total is theirs."""
    stream = Stream()
    stream.take_each([*clicks(2), *clicks(1, UNKNOWN_CODE), *clicks(2)])
    stream.take(make_code_issued())
    left = stream.waiting_total()
    stream.take(make_code_issued(UNKNOWN_CODE, mentor_id=uuid(7)))

    assert left.records == 1
    assert stream.waiting_keys() == set()
    assert (stream.waiting_total().records, stream.waiting_total().bytes) == (0, 0)


def test_a_code_typed_by_hand_waits_for_the_normal_one() -> None:
    """Every spelling waits in the queue of the code that is meant."""
    stream = Stream()
    stream.take_each([make_click("anna-00000i"), make_click("ANNA00000L"), make_click("AnnaoOooo1")])

    stream.take(make_code_issued())

    assert stream.totals == (3, 0, 0)


def test_a_record_waits_whole() -> None:
    """Key, headers, place and time come back in the dead letter of one that waited too long."""
    record = make_record(
        partition=0, offset=77, key=None, headers=[("trace", b"\xff\0"), ("trace", b""), ("trace", None)]
    )
    stream = Stream(Rules(waiting_age_ms=0))
    stream.take(record)
    stream.now_ms = 1
    stream.expire()

    (letter,) = stream.dead_letters
    assert (letter.key, letter.value) == (record.key, record.value)
    assert letter.headers[:3] == list(record.headers)
    assert headers_of(letter)["__connect.errors.offset"] == b"77"


def test_a_header_without_a_value_waits_as_well() -> None:
    """Kafka's headers may be null; such a record is kept and counted as any other."""
    stream = Stream()
    stream.take(make_record(headers=[("trace", None)]))

    stream.take(make_code_issued())

    assert stream.totals == (1, 0, 0)


def test_what_is_no_event_any_more_is_a_dead_letter_of_its_own() -> None:
    """Kept by a version that read it, refused by one that is stricter: the code is issued and the rest counts."""
    stream = Stream()
    stream.take(make_click())
    room = WaitingRoom(stream.rows[0][WAITING], records_max=100)
    room.add(CODE, make_record(b"an event of old"), now_ms=0)
    stream.rows[0][WAITING].update({key: row for key, row in room.changed.items() if row is not None})
    stream.take(make_click())

    stream.take(make_code_issued())

    assert [letter.value for letter in stream.dead_letters] == [b"an event of old"]
    assert stream.totals == (2, 0, 0)
    assert stream.waiting_keys() == set()


def test_the_number_of_waiting_records_is_bounded() -> None:
    """One more than the setting allows becomes a dead letter that names the code and the setting."""
    stream = Stream(Rules(waiting_records_max=2))
    stream.take_each([*clicks(1), *clicks(1, UNKNOWN_CODE), make_registration(1)])

    assert stream.reasons == ["WaitingFull"]
    assert stream.waiting_total().records == 2
    message = headers_of(stream.dead_letters[0])["__connect.errors.exception.message"].decode()
    assert CODE in message
    assert "REFERRALS_WAITING_RECORDS_MAX" in message


def test_the_bytes_of_waiting_records_are_bounded() -> None:
    """Large records fill the place before their number does."""
    stream = Stream(Rules(waiting_records_max=100))
    stream.take_each(make_click(click_id=uuid(each), extra="x" * 40_000) for each in range(10))

    kept = stream.waiting_total()
    assert set(stream.reasons) == {"WaitingFull"}
    assert 0 < kept.records < 10
    assert sum(len(row) for row in stream.rows[0][WAITING].values()) <= kept.bytes <= 100 * 1_024


def test_a_bound_of_none_keeps_nothing() -> None:
    """With the setting 0 activity of an unknown code is a dead letter at once."""
    stream = Stream(Rules(waiting_records_max=0))
    stream.take(make_click())

    assert stream.reasons == ["WaitingFull"]
    assert stream.rows[0][WAITING] == {}


def test_a_place_that_becomes_free_is_used_again() -> None:
    """The bound is on what waits, not on what ever waited."""
    stream = Stream(Rules(waiting_records_max=1))
    stream.take_each([make_click(), make_code_issued(), make_click(UNKNOWN_CODE)])

    assert stream.dead_letters == []
    assert stream.waiting_total().records == 1


def test_known_codes_never_wait() -> None:
    """A full waiting room is nothing to a code that is issued."""
    stream = Stream(Rules(waiting_records_max=0))
    stream.take_each([make_code_issued(), make_click()])

    assert stream.totals == (1, 0, 0)


def test_what_waited_too_long_is_a_dead_letter() -> None:
    """Longer than the setting, not exactly as long; each record is one, in the order they came."""
    stream = Stream(Rules(waiting_age_ms=DAY_MS))
    stream.take_each([make_record(offset=1), make_record(offset=2)])
    stream.now_ms = DAY_MS
    stream.expire()
    in_time = list(stream.dead_letters)
    stream.now_ms = DAY_MS + 1
    stream.expire()

    assert in_time == []
    assert stream.reasons == ["WaitedTooLong", "WaitedTooLong"]
    offsets = [headers_of(letter)["__connect.errors.offset"] for letter in stream.dead_letters]
    assert offsets == [b"1", b"2"]
    assert RECORDS not in headers_of(stream.dead_letters[0])


@pytest.mark.parametrize(
    ("age_ms", "said"), [(30 * DAY_MS, "30 days"), (DAY_MS, "1 day"), (20_000, "20 s"), (DAY_MS + 500, "86,400.5 s")]
)
def test_a_dead_letter_says_how_long_it_waited_and_by_which_setting(age_ms: int, said: str) -> None:
    """As it is set, with what to do: nobody works out 0.000231481 days."""
    stream = Stream(Rules(waiting_age_ms=age_ms))
    stream.take_each([make_record(offset=1)])
    stream.now_ms = age_ms + 1
    stream.expire()

    message = headers_of(stream.dead_letters[0])["__connect.errors.exception.message"]
    assert f"was not issued within {said} (REFERRALS_WAITING_AGE_S); replay".encode() in (message or b"")


def test_the_age_is_by_the_streams_own_clock() -> None:
    """A producer's clock that is decades off neither shortens nor prolongs the wait."""
    stream = Stream(Rules(waiting_age_ms=DAY_MS))
    stream.now_ms = 100 * DAY_MS
    stream.take_each([make_record(timestamp=0), make_record(timestamp=200 * DAY_MS), make_record(timestamp=-1)])
    stream.now_ms += DAY_MS
    stream.expire()
    in_time = stream.waiting_total().records
    stream.now_ms += 1
    stream.expire()

    assert (in_time, stream.waiting_total().records) == (3, 0)


def test_expiring_leaves_nothing_behind() -> None:
    """When all is gone no row is left but the totals row, at zero."""
    stream = Stream(Rules(waiting_age_ms=1))
    stream.take_each([*clicks(2), *clicks(3, UNKNOWN_CODE)])
    stream.now_ms = 2
    stream.expire()

    assert stream.waiting_keys() == set()
    assert (stream.waiting_total().records, stream.waiting_total().bytes) == (0, 0)


def test_only_what_is_too_old_goes() -> None:
    """What came later waits on, counts when the code comes, and leaves nothing behind."""
    stream = Stream(Rules(waiting_age_ms=10))
    stream.take_each(clicks(2))
    stream.now_ms = 8
    stream.take_each(clicks(3))
    stream.now_ms = 11
    stream.expire()
    stream.take_each(clicks(1))
    stream.take(make_code_issued())

    assert stream.reasons == ["WaitedTooLong"] * 2
    assert stream.totals == (4, 0, 0)
    assert stream.waiting_keys() == set()
    assert stream.waiting_total().bytes == 0


def test_a_code_whose_activity_expired_can_wait_again() -> None:
    """After its queue has gone a new one begins."""
    stream = Stream(Rules(waiting_age_ms=1))
    stream.take_each(clicks(2))
    stream.now_ms = 2
    stream.expire()
    stream.take_each([*clicks(1), make_code_issued()])

    assert stream.totals == (1, 0, 0)


def test_expiring_nothing_changes_nothing() -> None:
    """No row is written while all that waits is young enough."""
    stream = Stream()
    stream.take_each(clicks(2))
    changes = stream.expired()

    assert (changes.rows, changes.latest, changes.outgoing) == ({}, {}, [])


@pytest.mark.parametrize("topic_first", ["clicks", "registrations"])
def test_what_named_another_organisation_is_left_out(topic_first: str) -> None:
    """One dead letter says for how many: it carries the first of them, whole (rule 4)."""
    wrong: list[SourceRecord] = [
        make_record(make_click(org_id=OTHER_ORG), offset=3, key=b"as received"),
        make_record(make_registration(1, org_id=OTHER_ORG.upper()), offset=4, key=b"as received"),
    ]
    stream = Stream()
    stream.take_each([make_click(), *(wrong if topic_first == "clicks" else reversed(wrong)), make_registration(2)])

    stream.take(make_code_issued())

    (letter,) = stream.dead_letters
    first = wrong[0] if topic_first == "clicks" else wrong[1]
    assert stream.totals == (1, 0, 1)
    assert stream.reasons == ["OtherOrganisation"]
    assert (letter.key, letter.value) == (b"as received", first.value)
    assert headers_of(letter)["__connect.errors.topic"] == first.topic.encode()
    assert headers_of(letter)[RECORDS] == b"2"
    assert stream.waiting_keys() == set()


def test_one_record_left_out_stands_for_itself() -> None:
    """The header with the number is only there where it is more than one."""
    stream = Stream()
    stream.take_each([make_click(org_id=OTHER_ORG), make_code_issued()])

    assert stream.reasons == ["OtherOrganisation"]
    assert RECORDS not in headers_of(stream.dead_letters[0])
    assert stream.published == {}
