"""Erasures: what a pair counts as stands still, no row names its member, and later events of it say nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from msgspec import Struct, msgpack, structs

from models.attribution import Rules
from models.changes import MEMBERS, WAITING
from models.counted import RECORDS
from models.erasures import erasure_of, pair_name, pseudonym
from models.errors import BadCode, BadEvent
from models.events import Erasure, Registration, decode_registration, encode_event
from models.members import pack_pair, pair_key, unpack_pair
from models.outgoing import ERASED
from models.records import StoredRecord
from tests.factories import (
    CLICKS_TOPIC,
    CODE,
    OTHER_ORG,
    REGISTRATIONS_TOPIC,
    encode,
    make_code_issued,
    make_erasure,
    make_record,
    make_registration,
    uuid,
)
from tests.unit.models.stream import Stream, headers_of

MEMBER = UUID(uuid(1))
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def names_the_member(stream: Stream) -> bool:
    """Tell whether anything in the rows names member 1, as text or in 16 bytes."""
    needles = MEMBER.bytes, str(MEMBER).encode(), MEMBER.hex.encode()
    held = [part for rows in stream.rows for table in rows.values() for row in table.items() for part in row]
    return any(needle in part for needle in needles for part in held)


def issued(*, rules: Rules | None = None) -> Stream:
    """Return a stream in which the code is issued."""
    stream = Stream(rules)
    stream.take(make_code_issued())
    return stream


def test_a_count_stays_and_the_row_names_nobody() -> None:
    """The pair's row stands under a pseudonym, as it was."""
    stream = issued()
    stream.take(make_registration(1, "confirmed", 3), make_registration(2, "pending_signup"))
    assert names_the_member(stream)
    counts, milestones = stream.counts, stream.thresholds

    changes = stream.take(make_erasure(1))

    assert not names_the_member(stream)
    assert (stream.counts, stream.thresholds, stream.dead_letters) == (counts, milestones, [])
    assert changes.counted == {(RECORDS, REGISTRATIONS_TOPIC, "counted"): 1}
    assert not changes.latest
    rows = stream.rows[0][MEMBERS]
    assert unpack_pair(rows[CODE.encode() + b"/" + pseudonym(CODE, uuid(1))]).state == 1
    assert pair_key(CODE, uuid(2)) in rows


@pytest.mark.parametrize("as_one", [True, False])
@pytest.mark.parametrize("status", ["pending_signup", "confirmed", "withdrawn"])
def test_later_events_say_nothing(status: str, *, as_one: bool) -> None:
    """Neither count nor the time of the latest event follows them, in the same fold or a later one."""
    stream = issued()
    stream.take(make_registration(1, "confirmed", 3))
    counts = stream.counts
    later = [make_record(make_erasure(1)), make_record(make_registration(1, status, 5))]
    if as_one:
        stream.take_as_one(later)
    else:
        stream.take_each(later)

    assert stream.counts == counts
    assert not names_the_member(stream)
    assert stream.dead_letters == []


def test_an_erasure_before_any_event_holds_too() -> None:
    """Retention may have removed the events before it, or they come late."""
    stream = issued()
    stream.take(make_erasure(1))
    stream.take(make_registration(1, "confirmed"), make_registration(2, "confirmed"))
    assert stream.totals == (0, 0, 1)
    assert not names_the_member(stream)


def test_the_same_member_under_another_code_counts() -> None:
    """A pair is erased, and nobody is kept from coming again with another mentor."""
    stream = issued()
    stream.take(make_code_issued("BERT000001", mentor_id=uuid(801)))
    stream.take(make_erasure(1))
    stream.take(make_registration(1, "confirmed", referral_code="BERT000001"))
    assert stream.all_counts["BERT000001"]["confirmed_attributions"] == 1


def test_a_second_erasure_changes_nothing() -> None:
    """It may be sent as often as somebody likes, in any spelling of the code."""
    stream = issued()
    stream.take(make_registration(1, "confirmed"), make_erasure(1))
    changes = stream.take(make_erasure(1) | {"referral_code": "anna-oooooi"})
    assert changes.rows == {}
    assert changes.counted == {(RECORDS, REGISTRATIONS_TOPIC, "unchanged"): 1}


def test_what_an_older_worker_has_counted_since_goes_with_a_second_erasure() -> None:
    """It did not know what the row means, and made one that names the member; the row of the erasure stays."""
    stream = issued()
    stream.take(make_registration(1, "confirmed", 3), make_erasure(1))
    erased = dict(stream.rows[0][MEMBERS])
    stream.rows[0][MEMBERS][pair_key(CODE, uuid(1))] = pack_pair(unpack_pair(erased[max(erased)]))

    stream.take(make_erasure(1))

    assert stream.rows[0][MEMBERS] == erased


def test_what_waits_keeps_its_place_and_loses_the_id() -> None:
    """A code that is issued after the erasure gets the count that it would have had before."""
    stream = Stream()
    headers = [("id", str(MEMBER).encode()), ("traceparent", TRACE)]
    stream.take(make_record(make_registration(1, "confirmed", 3), key=str(MEMBER).encode(), headers=headers))
    stream.take(make_registration(2, "pending_signup"))
    stream.take(make_erasure(1))
    assert not names_the_member(stream)
    assert stream.waiting_total().records == 2
    stream.take(make_registration(1, "withdrawn", 9))  # it says nothing, so it does not wait
    assert stream.waiting_total().records == 2

    stream.take(make_code_issued())

    assert stream.totals == (0, 1, 1)
    assert stream.thresholds == [1]
    assert stream.milestones[0]["attribution_id"] == uuid(1_003)
    assert headers_of(stream.outgoing[0])["traceparent"] == TRACE
    assert stream.waiting_total() == type(stream.waiting_total())(0, 0)
    assert not names_the_member(stream)


def test_a_dead_letter_of_what_waited_names_the_pseudonym() -> None:
    """And says so: of the record that it is of, the bytes are others now."""
    stream = Stream(Rules(waiting_age_ms=0))
    stream.take(make_registration(1, "confirmed", 3), make_erasure(1))
    stream.now_ms += 1
    stream.expire()

    (letter,) = stream.dead_letters
    assert headers_of(letter)[ERASED] == b"1"
    assert letter.key == CODE.encode()
    said = json.loads(letter.value or b"")
    assert said["new_member_id"] == pair_name(pseudonym(CODE, uuid(1)))
    assert said["attribution_id"] == uuid(1_003)
    assert {key for key in stream.rows[0][WAITING] if key} == set()


def test_an_erased_members_event_is_no_dead_letter() -> None:
    """It names another organisation, and would hold the id for ten years."""
    stream = issued()
    stream.take(make_erasure(1))
    stream.take(
        make_registration(1, "confirmed", org_id=OTHER_ORG), make_registration(2, "confirmed", org_id=OTHER_ORG)
    )
    assert stream.reasons == ["OtherOrganisation"]


def test_a_header_of_a_producer_makes_nobody_erased() -> None:
    """Only the stream app says so, and not in a header."""
    stream = Stream()
    stream.take(make_record(make_registration(1, "confirmed"), headers=[(ERASED, b"1")]))
    stream.take(make_code_issued())
    stream.take(make_registration(1, "confirmed"))
    assert stream.totals == (0, 0, 1)


def test_an_erasure_in_a_wrong_partition_is_moved() -> None:
    """As any other record."""
    stream = Stream(partitions=3)
    home = make_record(make_code_issued(), partitions=3).partition
    stream.take(make_record(make_code_issued(), partition=home))
    stream.take(make_record(make_registration(1), partition=home))
    stream.take(make_record(make_erasure(1), partition=(home + 1) % 3, offset=7))
    assert names_the_member(stream)
    stream.take_moved()
    assert not names_the_member(stream)


def test_what_is_made_is_what_is_read() -> None:
    """An erasure names no member, and is the same each time."""
    at = datetime(2026, 11, 29, tzinfo=UTC)
    made = erasure_of(CODE, str(MEMBER).upper(), at=at)
    assert made == erasure_of(CODE, str(MEMBER), at=at)
    value = encode_event(made)
    assert decode_registration(value) == made
    assert str(MEMBER).encode() not in value
    assert made.erased_pair == make_erasure(1)["erased_pair"]


def test_what_is_neither_says_what_a_registration_misses() -> None:
    """Nobody who sends registrations has heard of erasures."""
    assert isinstance(decode_registration(encode(make_registration())), Registration)
    assert isinstance(decode_registration(encode(make_erasure())), Erasure)
    with pytest.raises(BadEvent, match=r"Registration: .*attribution_id"):
        decode_registration(b"{}")
    with pytest.raises(BadEvent, match="Erasure: erased_pair"):
        decode_registration(encode(make_erasure(erased_pair="somebody")))
    with pytest.raises(BadCode):
        decode_registration(encode(make_erasure(referral_code="no")))


def test_an_erasure_among_clicks_is_a_bad_click() -> None:
    """It belongs to the registrations topic alone."""
    stream = issued()
    stream.take(make_record(encode(make_erasure()), topic=CLICKS_TOPIC))
    assert stream.reasons == ["BadEvent"]


def test_a_row_of_before_there_were_erasures_is_read_and_one_of_now_by_an_older_program() -> None:
    """What waits may have been written by either, and none of it is dropped."""

    class Before(Struct, array_like=True):
        topic: str
        partition: int
        offset: int
        timestamp: int
        key: bytes | None
        value: bytes
        headers: list[tuple[str, bytes | None]]
        arrived_ms: int

    before = Before("t", 1, 2, 3, b"k", b"v", [("h", None)], 4)
    read = msgpack.decode(msgpack.encode(before), type=StoredRecord)
    assert read == StoredRecord("t", 1, 2, 3, b"k", b"v", [("h", None)], 4)
    assert msgpack.decode(msgpack.encode(structs.replace(read, is_erased=True)), type=Before) == before
