"""Where a sink goes on: every case of the table in sinks/positions.py."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sinks.positions import Finding, Log, Position, judge

LOG = Log(first=10, end=100, topic_id="one", partitions=12, committed=50, is_marked=True)


@pytest.mark.parametrize(
    ("position", "log", "is_used", "finding", "begins_at"),
    [
        (Position(50, "one"), LOG, True, Finding.AS_EXPECTED, 50),
        (Position(100, "one"), LOG, True, Finding.AS_EXPECTED, 100),
        (Position(10, "one"), replace(LOG, committed=None), True, Finding.AS_EXPECTED, 10),
        (Position(50, ""), LOG, True, Finding.AS_EXPECTED, 50),
        (Position(50, "one"), replace(LOG, topic_id=""), True, Finding.AS_EXPECTED, 50),
        (Position(40, "one"), LOG, True, Finding.STORE_WENT_BACK, 40),
        (Position(50, "two"), LOG, True, Finding.TOPIC_MADE_ANEW, 10),
        (Position(5, "two"), LOG, True, Finding.TOPIC_MADE_ANEW, 10),
        (Position(101, "one"), LOG, True, Finding.LOG_CUT_SHORT, 100),
        (Position(9, "one"), LOG, True, Finding.RECORDS_LOST, 10),
        (None, replace(LOG, committed=None), False, Finding.BEGINS, 10),
        (None, replace(LOG, committed=None), True, Finding.BEGINS, 10),
        (None, replace(LOG, is_marked=False), True, Finding.UPGRADED, 50),
        (None, replace(LOG, is_marked=False, committed=7), True, Finding.UPGRADED, 10),
        (None, replace(LOG, is_marked=False, committed=700), True, Finding.UPGRADED, 100),
        (None, replace(LOG, is_marked=False), False, Finding.STORE_IS_NEW, 10),
        (None, LOG, True, Finding.STORE_IS_NEW, 10),
    ],
)
def test_where_it_goes_on(
    position: Position | None, log: Log, *, is_used: bool, finding: Finding, begins_at: int
) -> None:
    """What was found decides where to begin, and what is said."""
    start = judge(position, log, is_used=is_used)
    assert (start.finding, start.next) == (finding, begins_at)
    assert (start.topic_id, start.partitions) == (log.topic_id, 12)


def test_what_is_lost_is_counted() -> None:
    """The offsets between the position and the first record that is left, whoever knew the position."""
    assert judge(Position(3, "one"), LOG, is_used=True).lost == 7
    assert judge(None, replace(LOG, is_marked=False, committed=8), is_used=True).lost == 2
    assert judge(Position(10, "one"), LOG, is_used=True).lost == 0


@pytest.mark.parametrize(
    ("position", "forgotten", "former"), [(Position(50, "two"), 0, 50), (Position(103, "one"), 100, 3)]
)
def test_order_is_forgotten_where_the_log_is_another(position: Position, forgotten: int, former: int) -> None:
    """Offsets from there on will be other records', so nothing that was read counts as newer, nor as read before."""
    start = judge(position, LOG, is_used=True)
    assert (start.forget_from, start.read_before, start.former_records) == (forgotten, 0, former)


def test_what_was_read_before_is_remembered() -> None:
    """Dead letters of it are sent again, also after a second fall back, or where Kafka's offset has followed."""
    assert judge(Position(40, "one"), LOG, is_used=True).read_before == 50
    assert judge(Position(40, "one", read_before=70), LOG, is_used=True).read_before == 70
    assert judge(None, LOG, is_used=True).read_before == 50
