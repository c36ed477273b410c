"""A source partition: which batches follow, and what a fold's changes do to its rows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streams.engine.batch import RecordBatch
from streams.engine.errors import OutOfOrder
from streams.engine.partition import SourcePartition
from streams.engine.standing import Stand, Standing
from tests.factories import make_batch, make_record
from tests.unit.engine.changes import OTHER_TOPIC, TOPIC, Changed, Sent, make_found, make_options

NUMBER = 3


@pytest.fixture
def partition() -> Iterator[SourcePartition]:
    """Give a partition that goes on at offset 10 of one topic and begins the other; no broker is there."""
    made = SourcePartition(make_options(), NUMBER)
    rows = {"stock": {b"a": b"1", b"b": b"1"}, "totals": {}}
    made.take_over(rows, {TOPIC: 10, OTHER_TOPIC: 0}, make_found(10, committed=10))
    yield made
    made.producer.close()


def batch_at(*offsets: int, topic: str = TOPIC, covers_from: int | None = None) -> RecordBatch:
    """Return a batch of records at these offsets; it covers all from its first record on, or from further back."""
    records = [make_record(b"{}", topic=topic, partition=NUMBER, offset=offset) for offset in offsets]
    return make_batch(*records, covers_from=covers_from)


def test_a_batch_at_the_position_follows(partition: SourcePartition) -> None:
    """Gaps inside it are nobody's loss: compaction and control records leave them."""
    partition.admit(batch_at(10, 15))


@pytest.mark.parametrize("covers_from", [10, 3])
def test_a_batch_after_a_gap_that_it_covers_follows(partition: SourcePartition, covers_from: int) -> None:
    """There are no other records between the position and its first one."""
    partition.admit(batch_at(1_000, covers_from=covers_from))


def test_a_batch_after_lost_records_is_refused(partition: SourcePartition) -> None:
    """What was fetched between and went astray would never count; the message says where."""
    with pytest.raises(OutOfOrder) as refused:
        partition.admit(batch_at(12, covers_from=11))

    for told in (TOPIC, str(NUMBER), "10", "11"):
        assert told in str(refused.value)


@pytest.mark.parametrize("first", [0, 9])
def test_an_earlier_batch_is_refused(partition: SourcePartition, first: int) -> None:
    """Its records may be folded already; the message says which topic, which partition, which offsets."""
    with pytest.raises(OutOfOrder) as refused:
        partition.admit(batch_at(first, 12))

    for told in (TOPIC, str(NUMBER), str(first), "10"):
        assert told in str(refused.value)


def test_an_epoch_says_where_the_rows_stand_after_it(partition: SourcePartition) -> None:
    """Positions of all topics, which topics they are, and of each table the last epoch that changed it."""
    partition.note(Changed(rows={"totals": {b"a": b"2"}}), topic=TOPIC, next_offset=12)
    first = partition.detach()
    partition.note(Changed(rows={"stock": {b"a": b"2"}}), topic=OTHER_TOPIC, next_offset=5)
    second = partition.detach()

    stands = {TOPIC: Stand(12, "same"), OTHER_TOPIC: Stand(0, "same")}
    assert first.standing == Standing(8, stands, {"stock": 7, "totals": 8})
    assert second.standing == Standing(9, stands | {OTHER_TOPIC: Stand(5, "same")}, {"stock": 9, "totals": 8})
    assert partition.detach().standing is None  # nothing was read or changed


def test_each_topic_has_a_position_of_its_own(partition: SourcePartition) -> None:
    """Folding one does not move the other; a batch that was folded is refused the second time."""
    batch = batch_at(4, 5, topic=OTHER_TOPIC)
    partition.note(Changed(), topic=OTHER_TOPIC, next_offset=batch.covers_to)

    assert partition.positions == {TOPIC: 10, OTHER_TOPIC: 6}
    with pytest.raises(OutOfOrder):
        partition.admit(batch)


def test_the_next_fold_sees_the_rows(partition: SourcePartition) -> None:
    """New ones, changed ones; deleted ones no more, also those that never were."""
    partition.note(Changed(rows={"stock": {b"a": b"2", b"b": None, b"never": None}, "totals": {b"c": b"3"}}))

    assert partition.rows == {"stock": {b"a": b"2"}, "totals": {b"c": b"3"}}


def test_the_epoch_has_what_the_rows_have(partition: SourcePartition) -> None:
    """Changes, records and position are committed together; the size is told."""
    size = partition.note(
        Changed(rows={"stock": {b"a": b"22", b"b": None}}, outgoing=[Sent(value=b"333")]),
        topic=TOPIC,
        next_offset=20,
    )

    epoch = partition.epoch
    assert epoch.rows == {"stock": {b"a": b"22", b"b": None}}
    assert [record.value for record in epoch.outgoing] == [b"333"]
    assert epoch.positions == {TOPIC: 20}
    assert size == epoch.bytes == 8


def test_a_step_that_no_record_caused_moves_no_position(partition: SourcePartition) -> None:
    """Its changes are committed without one."""
    partition.note(Changed(rows={"stock": {b"a": None}}))

    assert (partition.epoch.positions, partition.positions) == ({}, {TOPIC: 10, OTHER_TOPIC: 0})


def test_a_detached_epoch_is_not_changed_by_later_folds(partition: SourcePartition) -> None:
    """It is being written by a thread while the next one grows from nothing."""
    partition.note(Changed(rows={"stock": {b"a": b"2"}}), topic=TOPIC, next_offset=11)
    detached = partition.detach()
    partition.note(Changed(rows={"stock": {b"a": b"3"}}), topic=TOPIC, next_offset=12)

    assert (detached.rows, detached.positions) == ({"stock": {b"a": b"2"}}, {TOPIC: 11})
    assert (partition.epoch.rows, partition.epoch.positions) == ({"stock": {b"a": b"3"}}, {TOPIC: 12})


def test_the_committed_positions_are_not_moved_by_folding(partition: SourcePartition) -> None:
    """They move when a commit has succeeded, and tell whether the rows may be kept."""
    partition.note(Changed(), topic=TOPIC, next_offset=11)

    assert partition.committed == {TOPIC: 10, OTHER_TOPIC: 10}
