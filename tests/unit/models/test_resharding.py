"""Rows under another number of partitions: none is lost, none is twice, and what is a partition's is made for each."""

from __future__ import annotations

import random
from typing import Final

import pytest
from msgspec import msgpack

from models.changes import MEMBERS, MENTORS, MOVES, TABLES, WAITING
from models.outgoing import MOVED_FROM
from models.partitioning import partition_of
from models.resharding import code_of, spread
from models.waiting import waiting_records
from streams.engine.batch import SourceRecord
from tests.factories import (
    REGISTRATIONS_TOPIC,
    Event,
    make_click,
    make_code_issued,
    make_erasure,
    make_record,
    make_registration,
    uuid,
)
from tests.unit.models.stream import Stream

FORMER: Final = 2
PARTITIONS: Final = 6
CODES: Final = [f"CQDE{number:04d}" for number in range(60)]
NOT_ISSUED: Final = CODES[50:]


def traffic(seed: int, count: int) -> list[tuple[str, Event]]:
    """Return events of all codes, with their codes: members who come, are confirmed, withdraw, and are erased."""
    chance = random.Random(seed)
    events: list[tuple[str, Event]] = []
    for minute in range(count):
        code, member = chance.choice(CODES), chance.randrange(1, 4)
        status = chance.choice(["pending_signup", "confirmed", "confirmed", "withdrawn"])
        event = chance.choice(
            [
                make_click(code),
                make_registration(member, status, minute, referral_code=code),
                make_registration(member, status, minute, referral_code=code),
                make_erasure(member, code),
            ]
        )
        events.append((code, event))
    return events


def issues() -> list[tuple[str, Event]]:
    """Return the issues of the codes that are issued."""
    return [(code, make_code_issued(code, mentor_id=uuid(n))) for n, code in enumerate(CODES) if code not in NOT_ISSUED]


def take(stream: Stream, events: list[tuple[str, Event]], partitions: int) -> None:
    """Let events come where their codes belong."""
    for code, event in events:
        stream.take(make_record(event, key=code.encode(), partitions=partitions))


def resharded(stream: Stream) -> Stream:
    """Return the stream with its rows laid out anew."""
    after = Stream(partitions=PARTITIONS)
    for number, rows in enumerate(stream.rows):
        for home, belonging in spread(rows, number, former=FORMER, partitions=PARTITIONS).items():
            after.rows[home] = belonging
    after.outgoing = stream.outgoing
    return after


def without_places(stream: Stream) -> list[dict[str, object]]:
    """Return the rows; of what waits all but the coordinates, which stay those of the record."""
    decoded = [{key: msgpack.decode(row) for key, row in rows[WAITING].items()} for rows in stream.rows]
    kept = [{key: [row[0], *row[2:]] if len(row) > 2 else row for key, row in each.items()} for each in decoded]
    return [{**rows, WAITING: waiting} for rows, waiting in zip(stream.rows, kept, strict=True)]


@pytest.mark.parametrize("seed", range(5))
def test_what_comes_later_finds_everything(seed: int) -> None:
    """Half of it under 2 partitions, the rest under 6: the same rows and milestones as all of it under 6."""
    events = traffic(seed, 600)
    first, rest = issues() + events[:300], events[300:] + [(c, make_code_issued(c)) for c in NOT_ISSUED[:5]]
    before = Stream(partitions=FORMER)
    take(before, first, FORMER)
    after = resharded(before)
    take(after, rest, PARTITIONS)

    at_once = Stream(partitions=PARTITIONS)
    take(at_once, first + rest, PARTITIONS)
    assert without_places(after) == without_places(at_once)
    assert sorted(after.thresholds) == sorted(at_once.thresholds)
    assert any(waiting_records(rows[WAITING]) for rows in after.rows)


def test_each_row_goes_to_one_partition() -> None:
    """Those of a code go where it belongs; all together they are what there was."""
    before = Stream(partitions=FORMER)
    take(before, issues() + traffic(7, 400), FORMER)
    for number, rows in enumerate(before.rows):
        belonging = spread(rows, number, former=FORMER, partitions=PARTITIONS)
        assert sorted(belonging) == list(range(number, PARTITIONS, FORMER))
        for table in (MENTORS, MEMBERS, WAITING):
            of_codes = {key for key in rows[table] if code_of(table, key) is not None}
            found = [key for each in belonging.values() for key in each[table] if code_of(table, key) is not None]
            assert (len(found), set(found)) == (len(of_codes), of_codes)
        for home, each in belonging.items():
            codes = {code for table in TABLES for key in each[table] if (code := code_of(table, key)) is not None}
            assert all(partition_of(code, PARTITIONS) == home for code in codes)


def test_what_was_moved_before_comes_once() -> None:
    """A copy that came before is one that came before, also where its code went."""
    code = next(c for c in CODES if partition_of(c.encode(), FORMER) != partition_of(c.encode(), PARTITIONS))
    former, home = (partition_of(code.encode(), number) for number in (FORMER, PARTITIONS))
    origin = f"{REGISTRATIONS_TOPIC}/{1 - former}/7".encode()
    event = make_registration(1, referral_code=code)

    def copy(partition: int) -> SourceRecord:
        return make_record(event, key=code.encode(), partition=partition, headers=[(MOVED_FROM, origin)])

    stream = Stream(partitions=FORMER)
    take(stream, issues(), FORMER)
    stream.take(copy(former))
    after = resharded(stream)
    assert after.rows[home][MOVES] == {origin.rpartition(b"/")[0]: b"7"}
    counted = dict(after.rows[home][MENTORS])
    after.take(copy(home))
    assert after.rows[home][MENTORS] == counted


def test_a_row_that_is_not_where_it_belongs_is_not_moved_on() -> None:
    """Rows of another number of partitions: better no change than a row that nobody finds."""
    stream = Stream(partitions=FORMER)
    take(stream, issues(), FORMER)
    with pytest.raises(ValueError, match="belongs in another one"):
        spread(stream.rows[0], 1, former=FORMER, partitions=PARTITIONS)
