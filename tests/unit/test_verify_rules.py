"""The oracle's reading of rules 1 to 7: records of one partition in, expectation out."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import UUID

import pytest

from models.partitioning import partition_of
from proof.verify.compaction import owners_compacted_away
from proof.verify.compare import due_thresholds
from proof.verify.events import normalise
from proof.verify.fold import DeadLetters, Expectation, PartitionFold
from proof.verify.partitioning import home_of
from proof.verify.records import ChannelTally, DeadLetter, Owner, Record, digest
from proof.verify.removed import Removed
from proof.verify.report import APPLIED, DEAD_LETTERS, DUPLICATE, WAITING

ORG = "00000000-0000-4000-8000-00000000000a"
OTHER_ORG = "00000000-0000-4000-8000-00000000000b"
MENTOR = "00000000-0000-4000-8000-000000000001"
CODE = "ANNA0000"


def uuid(number: int) -> str:
    """Return a UUID that can be told from others."""
    return f"00000000-0000-4000-9000-{number:012}"


def at(minute: int) -> str:
    """Return a minute of the scene."""
    return f"2026-11-20T10:{minute:02}:00Z"


def issue(**changed: object) -> dict[str, Any]:
    """Return a CodeIssued."""
    return {"referral_code": CODE, "org_id": ORG, "mentor_id": MENTOR, "issued_at": at(0)} | changed


def click(**changed: object) -> dict[str, Any]:
    """Return a Click."""
    return {"click_id": uuid(1), "referral_code": CODE, "occurred_at": at(0)} | changed


def registration(member: int, status: str, minute: int = 0, **changed: object) -> dict[str, Any]:
    """Return a Registration of a member."""
    return {
        "attribution_id": uuid(1000 + minute),
        "referral_code": CODE,
        "new_member_id": uuid(member),
        "status": status,
        "occurred_at": at(minute),
    } | changed


def records(topic: str, *values: dict[str, Any] | bytes | None) -> list[Record]:
    """Return the records of partition 0, offsets from 0."""
    return [
        Record(topic, 0, offset, b"k", json.dumps(value).encode() if isinstance(value, dict) else value)
        for offset, value in enumerate(values)
    ]


def fold(
    *,
    codes: list[Record] | None = None,
    clicks: tuple[dict[str, Any] | bytes | None, ...] = (),
    registrations: tuple[dict[str, Any] | bytes | None, ...] = (),
    dead_letters: DeadLetters | None = None,
    partitions: int = 1,
    waiting_records_max: int | None = None,
) -> Expectation:
    """Fold partition 0, in which the code is issued unless other codes are given."""
    a_fold = PartitionFold(
        0,
        partitions=partitions,
        dead_letters={} if dead_letters is None else dead_letters,
        waiting_records_max=waiting_records_max,
    )
    a_fold.codes(records("codes.v1", issue()) if codes is None else codes)
    a_fold.registrations(records("registrations.v1", *registrations))
    a_fold.clicks(records("clicks.v1", *clicks))
    return a_fold.finish()


def letter(record: Record, error: str, stands_for: int = 1) -> DeadLetter:
    """Return the dead letter of a record."""
    return DeadLetter(error, stands_for, digest(record.key, record.value))


@pytest.mark.parametrize(
    ("events", "pending", "confirmed"),
    [
        ([("pending_signup", 1)], 1, 0),
        ([("pending_signup", 1), ("confirmed", 2)], 0, 1),
        ([("confirmed", 2), ("pending_signup", 3)], 0, 1),
        ([("confirmed", 2), ("withdrawn", 3)], 0, 0),
        ([("withdrawn", 3), ("confirmed", 2)], 0, 0),
        ([("confirmed", 3), ("withdrawn", 3)], 0, 0),
        ([("withdrawn", 3), ("confirmed", 4)], 0, 1),
        ([("pending_signup", 1), ("withdrawn", 2)], 0, 0),
        ([("confirmed", 2), ("confirmed", 2), ("confirmed", 1)], 0, 1),
    ],
)
def test_a_pairs_state_follows_from_its_latest_event(
    events: list[tuple[str, int]], pending: int, confirmed: int
) -> None:
    """Of confirmed and withdrawn the later wins, withdrawn at the same instant; pending while there is neither."""
    tally = fold(registrations=tuple(registration(1, *event) for event in events)).tallies[CODE]

    assert (tally.pending, tally.confirmed) == (pending, confirmed)


def test_a_threshold_is_due_when_the_peak_reached_it() -> None:
    """A threshold reached stays reached, though the count fell again."""
    tally = fold(
        registrations=(
            registration(1, "confirmed", 1),
            registration(2, "confirmed", 2),
            registration(2, "withdrawn", 3),
            registration(3, "confirmed", 4),
        )
    ).tallies[CODE]

    assert due_thresholds(tally, (1, 2, 3)) == [1, 2]


def test_each_click_counts_once_and_the_latest_time_is_kept() -> None:
    """A click is a record, whatever its id; last_event_at is the latest occurred_at."""
    tally = fold(clicks=(click(occurred_at=at(7)), click(occurred_at=at(3))), registrations=()).tallies[CODE]

    assert tally.clicks == 2
    assert tally.last_event_at is not None
    assert tally.last_event_at.minute == 7


def test_a_duplicate_registration_changes_no_count() -> None:
    """The same event twice is applied once and a duplicate once."""
    expected = fold(registrations=(registration(1, "confirmed"), registration(1, "confirmed")))

    assert expected.tallies[CODE].confirmed == 1
    assert expected.sources["registrations.v1"].dispositions == {"applied": 1, "duplicate": 1}


def test_a_pair_stays_in_the_channel_of_its_first_event() -> None:
    """Channels are lower case and trimmed; a later event in another channel does not move the pair."""
    tally = fold(
        clicks=(click(), click(device_metadata={"share_channel": "  SMS "})),
        registrations=(
            registration(1, "pending_signup", 1, device_metadata={"share_channel": "WhatsApp"}),
            registration(1, "confirmed", 2, device_metadata={"share_channel": "email"}),
        ),
    ).tallies[CODE]

    assert tally.channels == {
        "unknown": ChannelTally(clicks=1),
        "sms": ChannelTally(clicks=1),
        "whatsapp": ChannelTally(confirmed=1),
    }


def test_the_first_issue_of_a_code_stands() -> None:
    """The same owner again is a duplicate, another one a dead letter."""
    codes = records("codes.v1", issue(), issue(), issue(mentor_id=uuid(9)))
    letters = {codes[2].place: [letter(codes[2], "CodeTaken")]}

    expected = fold(codes=codes, dead_letters=letters)

    assert expected.tallies[CODE].owner == Owner(ORG, MENTOR)
    assert expected.sources["codes.v1"].dispositions == {"applied": 1, "duplicate": 1, "dead letter": 1}
    assert expected.differences == []


def test_activity_of_an_unknown_code_waits() -> None:
    """Without its code an event is in no count, and needs no dead letter."""
    expected = fold(codes=[], clicks=(click(),))

    assert expected.sources["clicks.v1"].dispositions == {"waiting": 1}
    assert expected.differences == []


def test_more_waiting_than_allowed_is_a_difference() -> None:
    """The bound on waiting records is part of the contract."""
    expected = fold(codes=[], clicks=(click(), click()), waiting_records_max=1)

    assert [difference.check for difference in expected.differences] == [WAITING]


def test_waiting_full_needs_a_reason() -> None:
    """Nothing may be refused as WaitingFull while there was room in any case."""
    refused = records("clicks.v1", click())[0]

    expected = fold(
        clicks=(click(),), dead_letters={refused.place: [letter(refused, "WaitingFull")]}, waiting_records_max=5
    )

    assert [difference.check for difference in expected.differences] == [WAITING]


def test_what_waited_too_long_did_wait() -> None:
    """A record refused as WaitingFull is right where others had filled the place, though these are given up since."""
    expired, refused = records("clicks.v1", click(), click())
    letters = {
        expired.place: [letter(expired, "WaitedTooLong")],
        refused.place: [letter(refused, "WaitingFull")],
    }

    expected = fold(codes=[], clicks=(click(), click()), dead_letters=letters, waiting_records_max=1)

    assert expected.differences == []


def test_what_was_given_up_does_not_count() -> None:
    """Activity that waited too long is a dead letter, though its code was issued later."""
    expired = records("clicks.v1", click())[0]
    letters = {expired.place: [letter(expired, "WaitedTooLong")]}

    expected = fold(clicks=(click(), click()), dead_letters=letters)

    assert expected.tallies[CODE].clicks == 1
    assert expected.sources["clicks.v1"].dispositions == {"dead letter": 1, "applied": 1}
    assert letters == {}


@pytest.mark.parametrize(
    ("told", "differences"),
    [([1, 1], 0), ([2], 0), ([1], 1), ([], 1), ([2, 1], 1)],
    ids=["one each", "one for both", "one missing", "none", "one too many"],
)
def test_what_names_another_organisation_is_left_out_and_told(told: list[int], differences: int) -> None:
    """Dead letters, one each or one for several, must stand for just the records left out."""
    events = (click(org_id=OTHER_ORG), click(org_id=OTHER_ORG), click(org_id=ORG.upper()))
    left_out = records("clicks.v1", *events)
    letters = {
        record.place: [letter(record, "OtherOrganisation", stands_for)]
        for record, stands_for in zip(left_out, told, strict=False)
    }

    expected = fold(clicks=events, dead_letters=letters)

    assert expected.tallies[CODE].clicks == 1
    assert len(expected.differences) == differences


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (None, "BadEvent"),
        (b"", "BadEvent"),
        (b"{", "BadEvent"),
        (b"[]", "BadEvent"),
        (click(occurred_at="2026-11-20T10:00:00"), "BadEvent"),
        (click(occurred_at=1), "BadEvent"),
        (click(click_id="1"), "BadEvent"),
        (click(org_id="1"), "BadEvent"),
        (click(note="x" * 70_000), "BadEvent"),
        (click(referral_code="short"), "BadCode"),
        (click(referral_code="UUUUUUUU"), "BadCode"),
    ],
)
def test_unusable_input_must_be_a_dead_letter(value: dict[str, Any] | bytes | None, error: str) -> None:
    """Its dead letter names the class; without one, or with another class, there is a difference."""
    record = records("clicks.v1", value)[0]

    good = fold(clicks=(value,), dead_letters={record.place: [letter(record, error)]})
    swallowed = fold(clicks=(value,))
    misnamed = fold(clicks=(value,), dead_letters={record.place: [letter(record, "CodeTaken")]})

    assert good.differences == []
    assert [difference.check for difference in swallowed.differences] == [DEAD_LETTERS]
    assert [difference.check for difference in misnamed.differences] == [DEAD_LETTERS]


def test_a_dead_letter_must_be_single_and_untouched() -> None:
    """Two dead letters of one record, or other bytes, are differences; one that says that it comes again is none."""
    record = records("clicks.v1", b"{")[0]
    twice = fold(clicks=(b"{",), dead_letters={record.place: [letter(record, "BadEvent")] * 2})
    once_more = letter(record, "BadEvent")._replace(again=True)
    again = fold(clicks=(b"{",), dead_letters={record.place: [letter(record, "BadEvent"), once_more, once_more]})
    alone = fold(clicks=(b"{",), dead_letters={record.place: [once_more]})
    changed = fold(clicks=(b"{",), dead_letters={record.place: [DeadLetter("BadEvent", 1, digest(None, b"{"))]})

    assert len(twice.differences) == 1
    assert again.differences == alone.differences == []
    assert len(changed.differences) == 1


def test_a_record_in_a_wrong_partition_is_not_counted_there() -> None:
    """It is moved; its copy, in the partition of the code, is what counts."""
    wrong = next(partitions for partitions in range(2, 100) if home_of(CODE, partitions) != 0)

    expected = fold(codes=[], clicks=(click(),), partitions=wrong)

    assert expected.sources["clicks.v1"].dispositions == {"moved": 1}
    assert [moved.home for moved in expected.moved.values()] == [home_of(CODE, wrong)]


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("anna-0000", CODE),
        ("ANNAoO0o", CODE),
        ("ilIL2345", "11112345"),
        ("ANNA000", None),
        ("ANNA000000000", None),
        ("ANNA000U", None),
        ("ANNA 0000", None),
        ("ANNA000\u0131", None),
    ],
)
def test_codes_are_read_as_crockford_says(typed: str, code: str | None) -> None:
    """Case, O as 0, I and L as 1, no hyphens; the rest must be 8 to 12 characters of the alphabet."""
    assert normalise(typed) == code


def test_the_partitioner_is_kafkas() -> None:
    """The same partitions as Kafka's Java client, by its own test values, and as ours."""
    for key, hashed in {"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536}.items():
        assert home_of(key, 1 << 31) == hashed & 0x7FFFFFFF
    for length in range(20):
        key = "ANNA0000BERT0000CARL"[:length]
        assert home_of(key, 12) == partition_of(key.encode(), 12)


def test_an_owner_gone_by_compaction_is_taken_from_elsewhere() -> None:
    """Only where offsets are missing, and only for a code whose first issue is not there."""
    later = [record._replace(offset=5) for record in records("codes.v1", issue(mentor_id=uuid(9)))]
    taken = {later[0].place: [letter(later[0], "CodeTaken")]}
    elsewhere = {CODE: Owner(ORG, MENTOR)}

    compacted = Removed({})
    compacted.note_compacted(("codes.v1", 0), [5], 6)
    stated = [*later, later[0]._replace(offset=6, value=records("codes.v1", issue())[0].value, stands=True)]

    assert owners_compacted_away(0, later, taken, elsewhere, compacted) == ({}, elsewhere)
    assert owners_compacted_away(0, stated, taken, {}, compacted) == (elsewhere, {})
    assert owners_compacted_away(0, later, {}, elsewhere, compacted) == ({}, {})
    assert owners_compacted_away(
        0, records("codes.v1", issue()), {}, {"BERT0000": Owner(ORG, MENTOR)}, Removed({})
    ) == (
        {},
        {},
    )


def erasure(member: int, code: str = CODE) -> dict[str, Any]:
    """Return the Erasure of a member."""
    pair = hashlib.blake2b(code.encode() + UUID(uuid(member)).bytes, digest_size=16).hexdigest()
    said = {"erasure_id": uuid(1), "status": "erased", "erased_pair": str(UUID(pair)), "erased_at": at(0)}
    return {"referral_code": code, **said}


def test_what_comes_after_an_erasure_counts_nowhere() -> None:
    """The pair stands still, other members go on; no dead letter is expected of the rest, whatever it says."""
    expected = fold(
        registrations=(
            registration(1, "confirmed", 1),
            erasure(1),
            registration(1, "withdrawn", 9),
            registration(1, "confirmed", 9, org_id=OTHER_ORG),
            registration(2, "pending_signup", 2),
            erasure(1),
        )
    )
    tally = expected.tallies[CODE]
    assert (tally.pending, tally.confirmed, expected.dead_letters, expected.differences) == (1, 1, 0, [])
    assert tally.last_event_at is not None
    assert tally.last_event_at.minute == 2
    assert expected.sources["registrations.v1"].dispositions == {APPLIED: 3, DUPLICATE: 3}


@pytest.mark.parametrize("erased", [True, False])
def test_a_dead_letter_without_the_id_is_right_only_where_its_member_was_erased(*, erased: bool) -> None:
    """Its bytes are not the record's; that they may be, an erasure in the same partition says, wherever it stands."""
    values = registration(1, "confirmed", 1), erasure(1 if erased else 2)
    first = records("registrations.v1", *values)[0]
    said = DeadLetter("WaitedTooLong", 1, digest(None, b"with the pseudonym"), erased=True)
    expected = fold(registrations=values, dead_letters={first.place: [said]})
    assert [each.found for each in expected.differences] == ([] if erased else ["other bytes"])


def test_an_erasure_that_an_older_worker_did_not_know_erases_nothing_yet() -> None:
    """It is a dead letter, and is sent again after the upgrade."""
    values = registration(1, "confirmed", 1), erasure(1), registration(1, "withdrawn", 9), erasure(1)
    unknown = records("registrations.v1", *values)[1]
    expected = fold(registrations=values, dead_letters={unknown.place: [letter(unknown, "BadEvent")]})
    assert expected.tallies[CODE].confirmed == 0
    assert (expected.dead_letters, expected.differences) == (1, [])
