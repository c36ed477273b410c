"""Rows of membership systems: names and words they use, and what is said of a row that cannot be read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from edges.reconciliation.members import BadRow, Member, MemberReader

ID = "0c000000-0000-4000-8000-000000000001"
TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)
ROW = {"member_id": ID, "referral_code": "ANNA000001", "confirmed_at": "2026-11-20T10:00:00Z"}


def read(row: object, fields: dict[str, str] | None = None, statuses: dict[str, str] | None = None) -> object:
    """Read a row of a source that is configured so."""
    return MemberReader(fields or {}, statuses or {}).read(row)


def test_a_member() -> None:
    """Code, id and time are in the form in which they are compared."""
    row = {"member_id": ID.upper(), "referral_code": " anna-oooool ", "confirmed_at": "2026-11-20T12:00:00+02:00"}
    assert read(row) == Member("ANNA000001", ID, "confirmed", TEN)


@pytest.mark.parametrize(
    "row",
    [
        {"memberId": ID, "referralCode": "ANNA000001", "registeredAt": "2026-11-20T10:00:00Z"},
        {"Member ID": ID, "Referral Code": "ANNA000001", "Confirmed at": "2026-11-20 10:00:00Z", "Status": "Active"},
        {"contactid": "{" + ID + "}", "ref_code": "ANNA000001", "createdon": "2026-11-20T10:00:00.000Z"},
        {"id": ID, "referralcode": "ANNA000001", "confirmed_at": None, "joined_on": "2026-11-20T10:00:00Z"},
    ],
)
def test_usual_names(row: dict[str, Any]) -> None:
    """What systems and exports usually call the fields needs no configuration."""
    assert read(row) == Member("ANNA000001", ID, "confirmed", TEN)


def test_given_names() -> None:
    """A name that was given is the only one, and may be a path."""
    row = {**ROW, "member_id": "mine", "member": {"id": ID}, "since.when": "2026-11-20", "state": 1}
    fields = {"member_id": "member.id", "confirmed_at": "since.when", "status": "state"}
    assert read(row, fields, {"1": "confirmed"}) == Member("ANNA000001", ID, "confirmed", TEN.replace(hour=0))


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        ({**ROW, "referral_code": None}, "without_code"),
        ({**ROW, "referral_code": "  "}, "without_code"),
        ({"name": "anything"}, "without_code"),
        ({**ROW, "status": "Pending"}, "not_confirmed"),
        ({"referral_code": "ANNA000001", "status": "applied"}, "not_confirmed"),
    ],
)
def test_nothing_to_compare(row: dict[str, Any], outcome: str) -> None:
    """Members without a code, and those who are none yet, are no fault, whatever else their row lacks."""
    assert read(row) == outcome


def test_withdrawn_has_its_own_time() -> None:
    """A withdrawal is dated by its own time, or by the row's if there is no other."""
    row = {**ROW, "status": "withdrawn"}
    assert read({**row, "withdrawn_at": "2026-11-21"}) == Member(
        "ANNA000001", ID, "withdrawn", datetime(2026, 11, 21, tzinfo=UTC)
    )
    assert read(row) == Member("ANNA000001", ID, "withdrawn", TEN)
    assert read({**ROW, "withdrawn_at": "2026-11-21"}) == Member("ANNA000001", ID, "confirmed", TEN)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"member_id": None}, "has no member_id"),
        ({"member_id": 17}, "member_id is not a UUID"),
        ({"member_id": "Anna Secret"}, "member_id is not a UUID"),
        ({"referral_code": "Anna Secret"}, "referral_code cannot be a referral code"),
        ({"referral_code": 12345678}, "referral_code cannot be a referral code"),
        ({"confirmed_at": ""}, "has no confirmed_at"),
        ({"confirmed_at": "2026-11-20T10:00:00"}, "confirmed_at is neither a time with offset"),
        ({"confirmed_at": "2026-02-30"}, "confirmed_at is neither"),
        ({"confirmed_at": 1_700_000_000}, "confirmed_at is neither"),
        ({"status": "Anna Secret"}, "status is no word known"),
        ({"status": ["confirmed"]}, "status is no word known"),
        ({"status": "withdrawn", "withdrawn_at": "Anna Secret"}, "withdrawn_at is neither"),
    ],
)
def test_a_bad_row_names_the_field_and_quotes_nothing(changed: dict[str, Any], fault: str) -> None:
    """The message says which field and what it must be; what it holds may be a person's."""
    with pytest.raises(BadRow) as error:
        read({**ROW, **changed})
    assert fault in str(error.value)
    assert "Secret" not in str(error.value)


@pytest.mark.parametrize("row", [None, 1, "text", [ROW]])
def test_what_is_no_object_is_a_bad_row(row: object) -> None:
    """A list may hold anything."""
    with pytest.raises(BadRow, match="not an object"):
        read(row)


def test_a_status_field_that_was_given_must_be_there() -> None:
    """Without a status field every member is confirmed; with one that is empty nobody knows."""
    with pytest.raises(BadRow, match=r"status \(state\)"):
        read(ROW, {"status": "state"})


def test_missing_columns() -> None:
    """A file's header must have what every member needs, under usual or given names."""
    assert MemberReader({}, {}).missing_columns(("Member ID", "referral_code", "Registered On")) == []
    assert MemberReader({}, {}).missing_columns(("Member ID", "name")) == ["referral_code", "confirmed_at"]
    assert MemberReader({"member_id": "who"}, {}).missing_columns(tuple(ROW)) == ["member_id (who)"]
