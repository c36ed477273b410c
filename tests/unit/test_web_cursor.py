"""The leaderboard's cursor, and If-None-Match: text of strangers, of which nothing may follow but yes or no."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edges.web.caching import is_held
from edges.web.cursors import BadCursor, read_cursor, read_place, write_cursor
from edges.web.dead_letters import LetterPlace
from edges.web.organisation import Place

COUNTS = st.integers(-(2**63), 2**63 - 1)


@given(rank=st.integers(1, 2**53), confirmed=COUNTS, mentor_id=st.uuids())
def test_a_cursor_leads_back(rank: int, confirmed: int, mentor_id: object) -> None:
    """What was written is read, and is safe in a query."""
    place = Place(rank, confirmed, str(mentor_id))
    cursor = write_cursor(place)
    assert read_cursor(cursor, Place) == place
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert len(cursor) <= 200


@given(
    at=st.datetimes(timezones=st.just(UTC)),
    offset=st.integers(0, 2**63 - 1),
)
def test_a_place_among_dead_letters_leads_back(at: datetime, offset: int) -> None:
    """What was written is read, up to the ends of the calendar and of a partition."""
    place = LetterPlace(at, 2**31 - 1, offset)
    assert read_place(write_cursor(place), LetterPlace) == place
    assert len(write_cursor(place)) <= 300


@given(st.text() | st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_="))
def test_any_text_is_refused_or_a_place(text: str) -> None:
    """Nothing else can come of it."""
    with contextlib.suppress(BadCursor):
        assert isinstance(read_cursor(text, Place), Place)


@pytest.mark.parametrize(
    ("named", "is_same"),
    [
        (None, False),
        ("", False),
        ('"a"', True),
        ('W/"a"', True),
        ('"b" , "a"', True),
        ('"b"', False),
        ("a", False),
        ("*", True),
        ('"b", *', False),
    ],
)
def test_if_none_match(named: str | None, *, is_same: bool) -> None:
    """The header as RFC 9110 has it."""
    assert is_held('"a"', named) is is_same
