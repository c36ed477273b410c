"""Rows of membership systems: what a mapping makes of them, and what is said of one that is not certain.

The kinds of rows that systems send are in the corpus (`test_reconciliation_corpus.py`); here is what it cannot say.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edges.reconciliation.mapping import OWN_NAMES, Reading, folded, truth
from edges.reconciliation.members import Member, MemberReader
from edges.reconciliation.verdicts import BadRow, UnclearRow

ID = "0c000000-0000-4000-8000-000000000001"
TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ROW = {"member_id": ID, "referral_code": "ANNA000001", "confirmed_at": "2026-11-20T10:00:00Z"}


def read(row: object, **reading: Any) -> object:  # noqa: ANN401  a reading's
    """Read a row of a source that is configured so."""
    reader = MemberReader(Reading(**reading))
    reader.look([row])
    return reader.read(row, NOW)


def test_a_member() -> None:
    """Code, id and time are in the form in which they are compared."""
    row = {"member_id": ID.upper(), "referral_code": " anna-oooool ", "confirmed_at": "2026-11-20T12:00:00+02:00"}
    assert read(row) == Member("ANNA000001", ID, "confirmed", TEN)


@pytest.mark.parametrize(
    "row",
    [
        {"memberId": ID, "referralCode": "ANNA000001", "confirmedAt": "2026-11-20T10:00:00Z"},
        {"Member ID": ID, "Referral Code": "ANNA000001", "Confirmed at": "2026-11-20 10:00:00Z", "Status": "Confirmed"},
        {"contactid": "{" + ID + "}", "ref_code": "ANNA000001", "confirmedon": "2026-11-20T10:00:00.000Z"},
    ],
)
def test_our_own_names(row: dict[str, Any]) -> None:
    """A column with our own name for a field needs no configuration."""
    assert read(row) == Member("ANNA000001", ID, "confirmed", TEN)


def test_given_names() -> None:
    """A name that was given is the only one, and may be a path."""
    row = {**ROW, "member_id": "mine", "member": {"id": ID}, "since.when": "2026-11-20", "state": 1}
    fields = {"member_id": "member.id", "confirmed_at": "since.when", "status": "state"}
    at = TEN.replace(hour=0)
    assert read(row, fields=fields, statuses={"1": "confirmed"}) == Member("ANNA000001", ID, "confirmed", at)


def test_withdrawn_without_a_date_is_withdrawn_when_it_was_read() -> None:
    """So it stands above every confirmation before; a confirmation by a clock ahead of ours is not above it."""
    row = {**ROW, "status": "withdrawn"}
    assert read(row) == Member("ANNA000001", ID, "withdrawn", NOW, is_dated=False)
    ahead = NOW + timedelta(minutes=5)
    assert read({**row, "confirmed_at": ahead.isoformat()}) == Member(
        "ANNA000001", ID, "withdrawn", ahead, is_dated=False
    )


def test_a_date_lasts_the_whole_day_and_no_longer_than_now() -> None:
    """A withdrawal of today is not dated in the future."""
    row = {**ROW, "status": "withdrawn"}
    assert read({**row, "withdrawn_at": "2026-11-28"}) == Member("ANNA000001", ID, "withdrawn", NOW)
    yesterday = datetime(2026, 11, 27, 23, 59, 59, 999_999, tzinfo=UTC)
    assert read({**row, "withdrawn_at": "2026-11-27"}) == Member("ANNA000001", ID, "withdrawn", yesterday)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"member_id": None}, "has no member_id"),
        ({"member_id": "Anna Secret"}, "member_id is not a UUID"),
        ({"referral_code": "Anna Secret"}, "referral_code cannot be a referral code"),
        ({"confirmed_at": "Anna Secret"}, "confirmed_at is neither a time with offset"),
        ({"confirmed_at": "2026-11-20T10:00:00"}, "confirmed_at has no zone"),
        ({"status": "Anna Secret"}, "status is no word known; say what it means with --status WORD=confirmed"),
        ({"status": "withdrawn", "withdrawn_at": "Anna Secret"}, "withdrawn_at is neither"),
        ({"merged": "Anna Secret"}, "is marked by merged, .* --mark merged=withdrawn, left_out or ignored"),
    ],
)
def test_a_row_that_is_left_names_the_field_and_the_remedy_and_quotes_nothing(
    changed: dict[str, Any], fault: str
) -> None:
    """The message says which field and what to do; what it holds may be a person's."""
    with pytest.raises(BadRow, match=fault) as error:
        read({**ROW, **changed})
    assert "Secret" not in str(error.value)


@pytest.mark.parametrize(
    ("meaning", "outcome"),
    [("withdrawn", "withdrawn"), ("left_out", "not_confirmed"), ("ignored", "confirmed")],
)
def test_what_a_mark_means_is_said(meaning: str, outcome: str) -> None:
    """A mark is unclear only until somebody says what it means; it may be any column."""
    row = {**ROW, "merged": True, "flagged": "yes", "deleted": False}
    with pytest.raises(UnclearRow, match="merged"):
        read(row)
    found = read(row, marks={"merged": meaning, "flagged": "ignored"})
    assert (found if isinstance(found, str) else getattr(found, "status", "")) == outcome


def test_missing_columns() -> None:
    """A file's header must have what must be read, under our own or given names."""
    reader = MemberReader(Reading())
    assert reader.columns.missing(("Member ID", "referral_code", "Confirmed On")) == []
    assert reader.columns.missing(("Member ID", "created_at")) == ["referral_code", "confirmed_at"]
    assert MemberReader(Reading(fields={"member_id": "who"})).columns.missing(tuple(ROW)) == ["member_id (who)"]
    assert MemberReader(Reading(fields={"status": "state"})).columns.missing(tuple(ROW)) == ["status (state)"]


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**13), 10**13), st.floats(), st.text(max_size=20), st.just([]),
    st.just({}), st.sampled_from(["confirmed", "active", "withdrawn", "pending", "2026-11-20", "2026-11-20T10:00:00Z",
    ID, "ANNA000001"]) )  # fmt: skip


@given(
    row=st.dictionaries(
        st.sampled_from([*ROW, "status", "withdrawn_at", "created_at", "joined_on", "id", "merged", "active", "name"]),
        VALUES,
    )
)
def test_whatever_a_row_holds_only_the_source_confirms(row: dict[str, Any]) -> None:
    """A confirmation has a confirmed_at of its own, and no status that says anything else."""
    try:
        found = read(row)
    except BadRow:
        return
    if isinstance(found, Member) and found.status == "confirmed" and found.unclear is None:
        assert row["confirmed_at"] not in (None, "", 0)
        assert "status" not in row or str(row["status"]).strip().lower() == "confirmed"
        assert truth(row.get("merged")) is not True
        assert truth(row.get("active", True)) is not False
        assert found.at <= NOW + timedelta(days=1)


def test_no_neighbour_has_our_own_name() -> None:
    """What is taken for a confirmation without being named says that it is one."""
    assert {name for name in OWN_NAMES["confirmed_at"] if not name.startswith("confirmed")} == set()
    assert all(folded(name) == name for names in OWN_NAMES.values() for name in names)


def test_a_missing_column_names_those_that_end_so_and_no_other() -> None:
    """A publisher's prefix is seen through; the first row of a file without a header is quoted nowhere."""
    reader = MemberReader(Reading())
    assert reader.columns.likely("referral_code", ("cr4f1_referralcode", "Anna Secret")) == " (cr4f1_referralcode?)"
    assert reader.columns.likely("status (state)", ("Anna Secret", ID)) == ""
