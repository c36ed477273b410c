"""A batch: consecutive records of one topic and partition."""

from __future__ import annotations

import pytest
from faust.types import TP

from streams.engine.batch import FetchedRecord, SourceRecord
from streams.engine.errors import NotCoPartitioned
from streams.engine.fetching import RECORDS_PER_BATCH_MAX, Slice
from streams.engine.transport import _co_partitioned
from tests.factories import Fetched, make_batch
from tests.unit.engine.changes import make_options

RECORDS = [
    SourceRecord("orders", 3, 7, 1_000, b"key", b"value", (("trace", b"1"),)),
    SourceRecord("orders", 3, 9, -1, None, None, ()),
]


def test_a_batch_gives_its_records_back() -> None:
    """Whole, with the topic and the partition that it has once for all."""
    batch = make_batch(*RECORDS)

    assert [batch.record(index) for index in range(len(batch))] == RECORDS
    assert batch.values() == [b"value", None]


def sliced(covers_from: int, covers_to: int, *offsets: int) -> Slice:
    """Return records as they are fetched."""
    records: list[FetchedRecord] = [Fetched(offset, 0, None, b"value", ()) for offset in offsets]
    return Slice.of(records, covers_from, covers_to, end=covers_to + 10, chain=3)


@pytest.mark.parametrize("count", [1, RECORDS_PER_BATCH_MAX, RECORDS_PER_BATCH_MAX + 1, 3 * RECORDS_PER_BATCH_MAX])
def test_what_was_fetched_is_cut_into_batches_in_order(count: int) -> None:
    """None is empty, none too large, and nothing is lost."""
    fetched = sliced(0, count, *range(count))

    parts = list(fetched.parts(RECORDS_PER_BATCH_MAX))

    assert all(1 <= len(part) <= RECORDS_PER_BATCH_MAX for part in parts)
    assert [record for part in parts for record in part] == list(fetched)


def test_parts_cover_what_the_whole_covers() -> None:
    """Each begins where the one before ends, the first where the whole begins, the last ends where it ends.

    They are of one chain, and know where the partition ended.
    """
    whole = sliced(2, 20, 5, 6, 9, 12, 13)

    assert [(part.covers_from, [record.offset for record in part], part.covers_to) for part in whole.parts(2)] == [
        (2, [5, 6], 7),
        (7, [9, 12], 13),
        (13, [13], 20),
    ]
    assert {(part.end, part.chain) for part in whole.parts(2)} == {(30, 3)}


def test_the_joined_topics_must_be_assigned_by_the_same_partitions() -> None:
    """Else a row would be looked for where it is not; changelogs of other numbers are no matter."""
    topics = ("orders", "customers")
    same = {TP("orders", 1), TP("customers", 1), TP("shop-stock-changelog", 2)}

    assert _co_partitioned(same, topics) == {1}
    with pytest.raises(NotCoPartitioned, match="customers"):
        _co_partitioned({*same, TP("orders", 2)}, topics)


def test_names_on_the_cluster_follow_from_the_application() -> None:
    """Another name would be another application: rows lost, nobody fenced."""
    options = make_options()

    assert options.changelog("stock") == "shop-stock-changelog"
    assert options.transactional_id(3) == "shop-3"
