"""A dead letter as an operator looks at it: its present life, its name for good, and which are meant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from models.dead_letters import UNKNOWN, Filter, Letter, letter_of
from models.errors import BadEvent
from models.outgoing import AGAIN, MOVED_FROM, RECORDS, TRUNCATED, TRUNCATED_TO, dead_letter
from streams.engine.batch import SourceRecord
from tests.factories import CLICKS_TOPIC, CODE, ORG

VALUE = b'{"referral_code": "anna-ooooo1", "org_id": "%s", "name": "Jane"}' % ORG.upper().encode()
AT = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)


def record(offset: int = 7, value: bytes | None = VALUE, headers: Any = (), key: bytes | None = None) -> SourceRecord:  # noqa: ANN401
    """Return a click as it was read."""
    return SourceRecord(CLICKS_TOPIC, 2, offset, 0, key, value, list(headers))


def letter(of: SourceRecord, *more: tuple[str, bytes], place: int = 0) -> Letter:
    """Return the dead letter of a record, with headers that somebody adds."""
    sent = dead_letter("dead", of, BadEvent("Click: referral_code 'Jane' is not right"))
    return letter_of(SourceRecord("dead", 0, place, 0, sent.key, sent.value, [*sent.headers, *more]), AT)


def test_it_says_where_the_record_came_from_and_nothing_that_stood_in_it() -> None:
    """Coordinates, reason, code and organisation in their one form."""
    found = letter(record())
    assert (found.source, found.reason, found.stage) == (f"{CLICKS_TOPIC}/2/7", "BadEvent", "attribution")
    assert found.message == "Click: referral_code is not right"
    assert found.named() == (CODE, ORG)
    assert (found.records, found.is_again, found.is_cut) == (1, False, False)


def test_of_two_lives_the_present_one_counts() -> None:
    """Sent again with its headers it failed elsewhere; what its own sender said stays, what we said goes."""
    first = dead_letter("dead", record(1, headers=[("traceparent", b"00-1"), (MOVED_FROM, b"x/1/2")]), BadEvent("old"))
    found = letter(record(9, headers=first.headers), (RECORDS, b"3"), (AGAIN, b"1"))
    assert (found.source_offset, found.records, found.is_again) == (9, 3, True)
    assert found.carried == [("traceparent", b"00-1")]


def test_two_letters_of_one_record_have_one_identity() -> None:
    """A rebuild's too; another record of the same place, in a topic that was made anew, has another."""
    assert letter(record()).identity == letter(record(), (AGAIN, b"1"), place=5).identity
    others = [record(8), record(value=b"{"), record(key=b"a"), record(value=None)]
    assert len({letter(record()).identity, *(letter(each).identity for each in others)}) == 5


def test_what_was_cut_is_known() -> None:
    """By the header, unless the value is whole: then only its key and headers were left behind."""
    cut = [(TRUNCATED, b"2000000")]
    assert letter(record(value=b"x" * TRUNCATED_TO, headers=cut)).is_cut
    assert not letter(record(headers=cut)).is_cut


def test_what_is_no_dead_letter_of_ours_is_unknown() -> None:
    """Somebody wrote into the topic."""
    found = letter_of(SourceRecord("dead", 0, 3, 0, b"k", b"\xff", [("__connect.errors.offset", b"\xff")]), None)
    assert (found.name, found.source, found.reason, found.named()) == ("0/3", UNKNOWN, UNKNOWN, (None, None))


@pytest.mark.parametrize(
    ("wanted", "is_meant"),
    [
        (Filter(), True),
        (Filter(reasons={"BadEvent"}, topics={CLICKS_TOPIC}, code=CODE, since=AT), True),
        (Filter(reasons={"BadCode"}), False),
        (Filter(topics={"another"}), False),
        (Filter(code="0THER00000"), False),
        (Filter(since=AT.replace(hour=11)), False),
        (Filter(until=AT), False),
    ],
)
def test_filters(wanted: Filter, *, is_meant: bool) -> None:
    """Each by itself, and all together."""
    assert wanted.matches(letter(record())) is is_meant
