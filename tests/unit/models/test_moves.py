"""Records moved from a wrong partition count once, however often somebody has them moved."""

from __future__ import annotations

from typing import Final

import pytest

from models.changes import MOVES
from models.moves import forgotten, origin_of
from models.outgoing import MOVED_FROM
from models.partitioning import partition_of
from tests.factories import CODE, make_click, make_code_issued, make_record, make_registration
from tests.unit.models.stream import Stream

PARTITIONS: Final = 4
HOME: Final = partition_of(CODE.encode(), PARTITIONS)
WRONG, OTHER = (HOME + 1) % PARTITIONS, (HOME + 2) % PARTITIONS


def stream_with_code() -> Stream:
    """Return a stream that knows the code."""
    stream = Stream(partitions=PARTITIONS)
    stream.take(make_record(make_code_issued(), partition=HOME))
    return stream


def test_what_is_moved_again_is_a_duplicate() -> None:
    """The origin's partition is counted anew: its records are moved again beside their copies, and change nothing."""
    stream = stream_with_code()
    wrong = [make_record(make_click(), partition=WRONG, offset=offset) for offset in (3, 4, 8)]
    wrong.append(make_record(make_registration(), partition=WRONG, offset=2))
    for _ in range(3):
        for record in wrong:
            stream.take(record)
        stream.take_moved()
    assert stream.totals == (3, 0, 1)


def test_others_from_the_same_partition_count() -> None:
    """What was not moved before does, and each topic and partition has offsets of its own."""
    stream = stream_with_code()
    for offset, partition in ((5, WRONG), (5, OTHER), (6, WRONG), (6, WRONG), (6, OTHER)):
        stream.take(make_record(make_click(), partition=partition, offset=offset))
        stream.take_moved()
    assert stream.totals == (4, 0, 0)


def test_a_topic_made_anew_begins_anew() -> None:
    """Its offsets begin again, so what is known of the former one goes; that of others stays."""
    rows = {b"clicks.v1/3": b"7", b"clicks.v1/11": b"9", b"registrations.v1/3": b"5"}
    assert forgotten(rows, "clicks.v1") == {b"clicks.v1/3": None, b"clicks.v1/11": None}


PLACE: Final = b"referrals.clicks.v1/"

ORIGINS: Final[dict[str, tuple[list[tuple[str, bytes | None]], tuple[bytes, int] | None]]] = {
    "moved": ([(MOVED_FROM, PLACE + b"3/17")], (PLACE + b"3", 17)),
    "moved twice, the last counts": ([(MOVED_FROM, PLACE + b"1/2"), (MOVED_FROM, PLACE + b"3/4")], (PLACE + b"3", 4)),
    "from another topic": ([(MOVED_FROM, b"another.clicks.v1/3/17")], None),
    "no partition": ([(MOVED_FROM, PLACE + b"x/17")], None),
    "more digits than a number has": ([(MOVED_FROM, PLACE + b"3/" + b"9" * 5_000)], None),
    "not moved": ([("trace", b"1")], None),
    "a dead letter sent again": ([(MOVED_FROM, PLACE + b"1/2"), ("__connect.errors.topic", b"c")], None),
    "a dead letter sent again, and moved then": (
        [(MOVED_FROM, PLACE + b"1/2"), ("__connect.errors.topic", b"c"), (MOVED_FROM, PLACE + b"3/9")],
        (PLACE + b"3", 9),
    ),
    "nonsense": ([(MOVED_FROM, b"nonsense")], None),
    "no value": ([(MOVED_FROM, None)], None),
    "no number": ([(MOVED_FROM, PLACE + b"1/-2")], None),
}


@pytest.mark.parametrize("what", ORIGINS)
def test_where_a_record_was_moved_from(what: str) -> None:
    """As its header says; strangers' headers that say nothing are none of ours."""
    headers, origin = ORIGINS[what]
    assert origin_of(make_record(make_click(), headers=headers)) == origin


def test_the_rows_are_few() -> None:
    """One for each partition that something came from, however many came."""
    stream = stream_with_code()
    for offset in range(100):
        stream.take(make_record(make_click(), partition=WRONG, offset=offset))
    stream.take_moved()
    assert len(stream.rows[HOME][MOVES]) == 1
