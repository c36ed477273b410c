"""What is left of a member's id in the topics, put together and dated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from models.keeping import SLACK, Keeping
from models.partition_changes import Homes, PartitionChange
from models.partitioning import partition_of
from operations.erasing import remains
from operations.member_traces import Trace, UnderCode, What
from operations.reading import Place

AT = datetime(2026, 11, 29, 9, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DELETED = Keeping(
    is_compacted=False, is_deleted=True, segment_ms=3_600_000, retention_ms=86_400_000, compaction_lag_ms=0,
    delete_retention_ms=0,
)  # fmt: skip
COMPACTED = Keeping(
    is_compacted=True, is_deleted=False, segment_ms=3_600_000, retention_ms=-1, compaction_lag_ms=1_000,
    delete_retention_ms=86_400_000,
)  # fmt: skip


def test_each_kind_is_dated_by_its_last_record() -> None:
    """What the app holds has no date: it does not go."""
    traces = [
        Trace(What.EVENT, Place("r", 1, 7), AT),
        Trace(What.EVENT, Place("r", 0, 3), AT - DAY),
        Trace(What.ROW, Place("m", 0, 1), AT, superseded_at=AT + HOUR),
        Trace(What.ROW, Place("m", 0, 5), AT),
        Trace(What.TOMBSTONE, Place("m", 0, 9), AT),
        Trace(What.WAITING, Place("w", 0, 1), AT),
    ]
    found = remains(traces, {"r": DELETED, "m": COMPACTED, "w": COMPACTED}, AT)
    assert [(each.topic, each.what, each.records, each.first.offset, each.is_held, each.gone_by) for each in found] == [
        ("m", What.ROW, 1, 1, False, AT + 2 * HOUR + SLACK),
        ("m", What.ROW, 1, 5, True, None),
        ("m", What.TOMBSTONE, 1, 9, False, AT + 2 * HOUR + DAY + SLACK),
        ("r", What.EVENT, 2, 3, False, AT + HOUR + DAY + SLACK),
        ("w", What.WAITING, 1, 1, True, None),
    ]


def test_a_record_that_never_goes_leaves_its_kind_without_a_date() -> None:
    """No date is better than one that holds for some of them."""
    kept = Keeping(
        is_compacted=False, is_deleted=True, segment_ms=1, retention_ms=-1, compaction_lag_ms=0, delete_retention_ms=0
    )
    (only,) = remains([Trace(What.LETTER, Place("d", 0, 0), None)], {"d": kept}, AT)
    assert (only.gone_by, only.is_held) == (None, False)
    assert "retention.ms=-1" in only.setting


@pytest.mark.parametrize(
    ("partition", "offset", "after"),
    [(0, 3, 0), (0, 9, 0), (2, 0, 1), (2, 9, 1), (1, 9, 0)],
    ids=["before the erasure", "in a partition of the past", "in its new partition", "the same", "in a wrong one"],
)
def test_what_came_after_the_erasure_may_lie_in_another_partition(partition: int, offset: int, after: int) -> None:
    """The number of partitions was changed since: their order is that of the changes."""
    code = next(
        code
        for code in (f"ERASED{number:02d}" for number in range(99))
        if (partition_of(code.encode(), 2), partition_of(code.encode(), 4)) == (0, 2)
    )
    change = PartitionChange(number=1, former=2, partitions=4, read_to={"r": [8, 8]}, is_done=True)
    belongs = Homes([change], 4)
    under = UnderCode(code, b"")
    under.erased = belongs.order("r", 0, 5)
    if belongs.is_at_home("r", partition, offset, code):
        under.came.append(belongs.order("r", partition, offset))
    assert under.came_after == after
    under.erased = None
    assert under.came_after == 0
