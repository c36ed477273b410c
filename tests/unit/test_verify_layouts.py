"""The oracle after a change of the number of partitions: each record counts where it belonged when it came."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from proof.verify.checkpoint import Checkpoint, checked, together
from proof.verify.fold import Expectation, PartitionFold
from proof.verify.layouts import Change, Layouts, changes_in
from proof.verify.partitioning import home_of
from proof.verify.reading import Span
from proof.verify.records import Record
from proof.verify.removed import Removed

ORG: Final = "0a000000-0000-4000-8000-000000000001"
AT: Final = "2026-11-20T10:00:00Z"
FORMER: Final = 2
PARTITIONS: Final = 4
CODE: Final = next(c for c in (f"CQDE{n:04d}" for n in range(99)) if home_of(c, 2) == 0 and home_of(c, 4) == 2)
"""Belonged in partition 0, and belongs in 2."""
LAYOUTS: Final = Layouts([Change(FORMER, {"codes.v1": [1, 0], "clicks.v1": [3, 1], "registrations.v1": [0, 0]})], 4)


def record(topic: str, partition: int, offset: int, moved_from: str | None = None, *, again: bool = False) -> Record:
    """Return an issue of the code, or a click on it."""
    fields: dict[str, Any] = {"referral_code": CODE}
    fields |= (
        {"org_id": ORG, "mentor_id": ORG, "issued_at": AT}
        if topic == "codes.v1"
        else {"click_id": f"0b000000-0000-4000-8000-{offset:012d}", "occurred_at": AT}
    )
    return Record(topic, partition, offset, CODE.encode(), json.dumps(fields).encode(), moved_from, again)


def fold(*clicks: Record, layouts: Layouts = LAYOUTS) -> Expectation:
    """Fold the class of the code, which was issued before the change."""
    folding = PartitionFold(0, partitions=PARTITIONS, dead_letters={}, layouts=layouts)
    folding.codes([record("codes.v1", 0, 0), record("codes.v1", 2, 0)])
    folding.clicks(clicks)
    return folding.finish()


@pytest.mark.parametrize(
    ("clicks", "counted", "moved"),
    [
        ([record("clicks.v1", 0, 2)], 1, 0),
        ([record("clicks.v1", 0, 2), record("clicks.v1", 2, 0)], 2, 0),
        ([record("clicks.v1", 0, 3)], 0, 1),
        ([record("clicks.v1", 0, 3), record("clicks.v1", 2, 0, "clicks.v1/0/3")], 1, 1),
        ([record("clicks.v1", 0, 1, "clicks.v1/1/0"), record("clicks.v1", 2, 0, "clicks.v1/1/0", again=True)], 1, 0),
    ],
    ids=["before", "before and after", "late", "late and moved", "moved before, and again"],
)
def test_each_record_counts_once(clicks: list[Record], counted: int, moved: int) -> None:
    """Before the change where it lay; what came later in the former place is moved, and its copy counts."""
    found = fold(*clicks)
    assert (found.tallies[CODE].clicks, len(found.moved)) == (counted, moved)


def test_without_the_change_it_would_lie_wrong() -> None:
    """The same record under four partitions all along is one in a wrong partition."""
    assert ("clicks.v1", 0, 2) in fold(record("clicks.v1", 0, 2), layouts=Layouts((), PARTITIONS)).moved


def test_records_come_in_the_order_in_which_they_were_counted() -> None:
    """What was read before the change first, then each partition's rest; nothing twice, retention heeded."""
    spans = {("clicks.v1", 0): Span(1, 5), ("clicks.v1", 1): Span(0, 2), ("clicks.v1", 2): Span(0, 4)}
    spans |= {("clicks.v1", 3): Span(0, 0)}
    assert list(LAYOUTS.parts("clicks.v1", 0, spans)) == [(0, Span(1, 3)), (0, Span(3, 5)), (2, Span(0, 4))]
    assert list(LAYOUTS.parts("clicks.v1", 1, spans)) == [(1, Span(0, 1)), (1, Span(1, 2))]
    gone = spans | {("clicks.v1", 0): Span(4, 5)}
    assert list(LAYOUTS.parts("clicks.v1", 0, gone)) == [(0, Span(4, 5)), (2, Span(0, 4))]


def test_what_is_gone_counts_for_the_class() -> None:
    """Records of the former partition may explain counts of a code that belongs elsewhere since."""
    spans = {("clicks.v1", number): Span(5 if number == 0 else 0, 9) for number in range(PARTITIONS)}
    assert [Removed.of(spans, {}, FORMER).counted("clicks.v1", number) for number in range(PARTITIONS)] == [5, 0, 5, 0]
    assert [Removed.of(spans, {}).counted("clicks.v1", number) for number in range(PARTITIONS)] == [5, 0, 0, 0]


def test_a_checkpoint_from_before_the_change_holds() -> None:
    """New partitions have lost nothing; what is known is known by code."""
    kept = checked([fold(record("clicks.v1", 0, 2)).tallies[CODE]], Span(0, 3), 0, [], 0)
    checkpoint = Checkpoint("topic", {"0": kept})
    before = together(
        {0: checkpoint.before(0, "topic", Span(3, 5), 0), 2: checkpoint.before(2, "topic", Span(0, 4), 0)}
    )
    assert (before.up_to(0), before.up_to(2), before.clicks) == (3, 0, {CODE: {"unknown": 1}})


def test_a_change_that_is_not_over_is_none() -> None:
    """And of one that is, the topics are named without the installation's prefix."""
    read_to = {"my.clicks.v1": [3, 1]}
    begun = {"number": 1, "former": 2, "partitions": 4, "read_to": read_to, "is_done": False}
    values = [json.dumps(begun | {"is_done": done}).encode() for done in (False, True)]
    assert changes_in(values[:1], "my.") == []
    assert changes_in(values, "my.") == [Change(2, {"clicks.v1": [3, 1]})]
