"""A source partition: which batches follow, and what a fold's changes do to its rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Final

import pytest
from msgspec import structs

from streams.engine.batch import RecordBatch, Rows
from streams.engine.epoch import Epoch
from streams.engine.errors import OutOfOrder
from streams.engine.partition import SourcePartition
from streams.engine.standing import Log, Stand, Standing
from tests.factories import make_batch, make_record
from tests.folding import Changed, Sent, begins
from tests.unit.engine.changes import OTHER_TOPIC, TOPIC, make_found, make_options

NUMBER = 3
THIRD_TOPIC = "third"


BEHIND: Final = make_options().behind_records + 1
CAUGHT_UP: Final = make_options().caught_up_records


def count(rows: Rows, batch: RecordBatch) -> Changed:
    """Count the batch's records; a receipt for each that asks for one."""
    if b"bad" in batch.values():
        raise ZeroDivisionError
    counted = int(rows["totals"].get(b"count", b"0")) + len(batch)
    receipts = [Sent(value=value) for value in batch.values() if value == b"receipt"]
    return Changed(rows={"totals": {b"count": b"%d" % counted}}, outgoing=receipts)


@pytest.fixture
def partition() -> Iterator[SourcePartition]:
    """Give a partition that goes on at offset 10 of one topic and begins the other; no broker is there."""
    made = SourcePartition(replace(make_options(), begin_work=begins(count)), NUMBER)
    rows = {"stock": {b"a": b"1", b"b": b"1"}, "totals": {}}
    at = {TOPIC: 10, OTHER_TOPIC: 0}
    made.take_over(rows, at, structs.replace(make_found(10), committed=at))
    yield made
    made.producer.close()


def batch_at(
    *offsets: int,
    topic: str = TOPIC,
    covers_from: int | None = None,
    value: bytes = b"{}",
    behind: int = 0,
    chain: int = 1,
) -> RecordBatch:
    """Return a batch of records at these offsets; it covers all from its first record on, or from further back."""
    records = [make_record(value, topic=topic, partition=NUMBER, offset=offset) for offset in offsets]
    return replace(make_batch(*records, covers_from=covers_from), behind=behind, chain=chain)


def take(partition: SourcePartition, batch: RecordBatch) -> None:
    """Let a batch come and be folded."""
    assert not partition.is_stale(batch)
    partition.admit(batch)
    partition.fold(batch)


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


def stands(epoch: Epoch) -> dict[str, int]:
    """Return where the rows stand after an epoch."""
    assert epoch.standing is not None
    return epoch.standing.positions


def test_an_epoch_says_where_the_rows_stand_after_it(partition: SourcePartition) -> None:
    """Positions of all topics, which topics they are, and of each table the last epoch that changed it."""
    partition.note(Changed(rows={"totals": {b"a": b"2"}}), topic=TOPIC, next_offset=12)
    first = partition.detach()
    partition.note(Changed(rows={"stock": {b"a": b"2"}}), topic=OTHER_TOPIC, next_offset=5)
    second = partition.detach()

    stands = {TOPIC: Stand(12, "same"), OTHER_TOPIC: Stand(0, "same")}
    assert first.standing == Standing(8, stands, {"stock": 7, "totals": 8}, partitions=4)
    assert second.standing == Standing(
        9, stands | {OTHER_TOPIC: Stand(5, "same")}, {"stock": 9, "totals": 8}, partitions=4
    )
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
    partition.note(
        Changed(rows={"stock": {b"a": b"22", b"b": None}}, outgoing=[Sent(value=b"333")]),
        topic=TOPIC,
        next_offset=20,
    )

    size, epoch = partition.size, partition.detach()
    assert epoch.rows == {"stock": {b"a": b"22", b"b": None}}
    assert [record.value for record in epoch.outgoing] == [b"333"]
    assert stands(epoch) == {TOPIC: 20, OTHER_TOPIC: 0}
    assert size == epoch.bytes == 8


def test_a_step_that_no_record_caused_moves_no_position(partition: SourcePartition) -> None:
    """Its changes are committed where the rows stood before."""
    partition.note(Changed(rows={"stock": {b"a": None}}))

    assert stands(partition.detach()) == partition.positions == {TOPIC: 10, OTHER_TOPIC: 0}


def test_a_detached_epoch_is_not_changed_by_later_folds(partition: SourcePartition) -> None:
    """It is being written by a thread while the next one grows from nothing."""
    partition.note(Changed(rows={"stock": {b"a": b"2"}}), topic=TOPIC, next_offset=11)
    detached = partition.detach()
    partition.note(Changed(rows={"stock": {b"a": b"3"}}), topic=TOPIC, next_offset=12)

    assert (detached.rows, stands(detached)[TOPIC]) == ({"stock": {b"a": b"2"}}, 11)
    following = partition.detach()
    assert (following.rows, stands(following)[TOPIC]) == ({"stock": {b"a": b"3"}}, 12)


def receipt_for(key: bytes, *, at: int) -> Changed:
    """Return a change that sends a record and publishes values of its key and of another."""
    latest = {"totals": {key: b"%d" % at, b"other": b"%d" % at}}
    return Changed(rows={"stock": {b"a": b"%d" % at}}, latest=latest, outgoing=[Sent(key=key)])


def test_an_urgent_epoch_leaves_what_nobody_waits_for(partition: SourcePartition) -> None:
    """It says so in its standing; the next calm one has it, with what came to it. What belongs to a record stays."""
    partition.note(Changed(), topic=TOPIC, next_offset=11)
    partition.detach()
    partition.note(receipt_for(b"k", at=1), topic=TOPIC, next_offset=12)
    urgent = partition.detach(whole=False)
    assert (urgent.latest, urgent.is_whole) == ({"totals": {b"k": b"1"}}, False)
    assert (urgent.standing is not None and urgent.standing.owes, partition.is_pending) == (True, True)
    assert stands(urgent)[TOPIC] == 12

    partition.note(Changed(latest={"totals": {b"third": b"3"}}))
    calm = partition.detach(whole=False)
    assert calm.latest == {"totals": {b"other": b"1", b"third": b"3"}}
    assert (calm.is_whole, calm.standing, calm.bytes) == (True, None, 2)
    assert not partition.is_pending


def test_what_is_left_out_follows_though_all_is_urgent(partition: SourcePartition) -> None:
    """After a while, and with an epoch in which it must be."""
    partition.detach()
    partition.note(receipt_for(b"k", at=1), topic=TOPIC, next_offset=11)
    assert partition.detach(whole=False).is_whole is False
    partition.note(receipt_for(b"k", at=2), topic=TOPIC, next_offset=12)
    assert partition.detach(whole=True).is_whole is True

    partition.note(receipt_for(b"k", at=3), topic=TOPIC, next_offset=13)
    partition.urgent.clear()
    partition.fold(batch_at(13, behind=BEHIND))
    assert partition.detach(whole=False).is_whole is False, "calm, and behind"
    partition.fold(batch_at(14))
    assert partition.detach(whole=False).latest == {"totals": {b"other": b"3"}}

    slow = SourcePartition(replace(make_options(), follow_s=0.0), NUMBER)
    slow.take_over({"stock": {}, "totals": {}}, {TOPIC: 10, OTHER_TOPIC: 0}, make_found(10, committed=10))
    slow.note(receipt_for(b"k", at=1), topic=TOPIC, next_offset=11)
    assert slow.detach(whole=False).latest["totals"].keys() == {b"k", b"other"}
    slow.producer.close()


def test_a_takeover_is_no_reason_to_publish_at_once(partition: SourcePartition) -> None:
    """A worker that begins behind all its partitions publishes nothing at once, and then everything once."""
    partition.fold(batch_at(10, behind=BEHIND))
    partition.note(receipt_for(b"k", at=1))
    assert partition.detach(whole=False).is_whole is False


def test_the_group_s_offsets_follow_what_is_committed_and_published(partition: SourcePartition) -> None:
    """Who sees no lag finds everything that was read in what is published."""
    partition.note_written(partition.detach())
    partition.followed |= partition.ahead
    partition.note(receipt_for(b"k", at=1), topic=TOPIC, next_offset=11)
    urgent = partition.detach(whole=False)
    partition.note_written(urgent)
    assert partition.ahead == {}
    calm = partition.detach()
    assert (calm.is_whole, partition.ahead) == (True, {}), "not committed yet"
    partition.note_written(calm)
    assert partition.ahead[TOPIC] == 11

    partition.followed |= partition.ahead
    assert partition.ahead == {}


def test_rows_change_when_the_work_ends(partition: SourcePartition) -> None:
    """Once for all its batches, together with the epoch; the position goes ahead with each."""
    partition.fold(batch_at(10, 11))
    partition.fold(batch_at(0, topic=OTHER_TOPIC))
    assert (partition.rows["totals"], partition.positions) == ({}, {TOPIC: 12, OTHER_TOPIC: 1})

    epoch = partition.detach()
    assert partition.rows["totals"] == epoch.rows["totals"] == {b"count": b"3"}
    assert stands(epoch) == {TOPIC: 12, OTHER_TOPIC: 1}


def test_an_epoch_has_the_positions_that_moved(partition: SourcePartition) -> None:
    """Also by what is no record."""
    partition.cover(TOPIC, 15)

    assert partition.is_pending
    assert stands(partition.detach()) == {TOPIC: 15, OTHER_TOPIC: 0}
    assert not partition.is_pending


def test_what_somebody_waits_for_is_urgent(partition: SourcePartition) -> None:
    """As soon as it is folded."""
    partition.fold(batch_at(10))
    assert not partition.urgent.is_set()
    partition.fold(batch_at(11, value=b"receipt"))
    assert partition.urgent.is_set()


def test_a_rewind_throws_the_work_away(partition: SourcePartition) -> None:
    """And the batch that failed: everything is as it was when the work began, and it says from where to read again."""
    partition.fold_alone(batch_at(10))
    take(partition, batch_at(11, 12))
    failing = batch_at(13, value=b"bad")
    with pytest.raises(ZeroDivisionError):
        partition.fold(failing)

    assert partition.rewind(failing) == {TOPIC: 11}
    assert (partition.rows["totals"], partition.positions[TOPIC]) == ({b"count": b"1"}, 11)
    epoch = partition.detach()
    assert (epoch.rows["totals"], stands(epoch)[TOPIC]) == ({b"count": b"1"}, 11)


def test_after_a_rewind_stale_batches_are_told_and_the_others_are_taken_with_care(partition: SourcePartition) -> None:
    """Until what was thrown away is passed. A hole in what is fetched again is a hole."""
    take(partition, batch_at(10, 11))
    failing = batch_at(12, 13)
    assert not partition.is_stale(failing)
    partition.rewind(failing)
    assert partition.is_stale(batch_at(14))
    assert not partition.is_stale(batch_at(0, topic=OTHER_TOPIC))  # nothing of it was thrown away

    for again in (batch_at(10, chain=2), batch_at(11, 12, chain=2), batch_at(13, chain=2)):
        assert partition.is_careful
        assert not partition.is_stale(again)
        partition.admit(again)
        partition.fold_alone(again)
    assert not partition.is_careful


def test_a_rewind_does_not_go_back_before_markers_alone(partition: SourcePartition) -> None:
    """Nothing of them was folded, so nothing of them is to be read again."""
    partition.cover(OTHER_TOPIC, 5)
    take(partition, batch_at(10))

    assert partition.rewind() == {TOPIC: 10}
    assert partition.positions == {TOPIC: 10, OTHER_TOPIC: 5}


def test_markers_end_the_care_too(partition: SourcePartition) -> None:
    """Where nothing else follows what was thrown away."""
    take(partition, batch_at(10))
    partition.rewind(batch_at(11, 12))
    partition.fold_alone(batch_at(10, 11, chain=2))
    assert partition.is_careful

    partition.cover(TOPIC, 13)
    assert not partition.is_careful


def test_what_is_lost_on_its_way_again_is_noticed(partition: SourcePartition) -> None:
    """Not taken for a batch that was fetched before."""
    take(partition, batch_at(10, 11))
    partition.rewind()
    lost, following = batch_at(10, chain=2), batch_at(11, 12, chain=2)

    assert not partition.is_stale(following)
    with pytest.raises(OutOfOrder):
        partition.admit(following)
    assert lost.covers_to == following.covers_from


def test_an_epoch_is_ripe_when_the_partition_has_caught_up(partition: SourcePartition) -> None:
    """Or where it is full; the next one begins unripe. What a topic was behind counts until it says otherwise."""
    partition.fold(batch_at(10, behind=BEHIND))
    assert (partition.is_behind, partition.ripe.is_set()) == (True, False)
    partition.fold(batch_at(0, topic=OTHER_TOPIC))
    assert (partition.is_behind, partition.ripe.is_set()) == (True, False)
    partition.fold(batch_at(11, behind=CAUGHT_UP + 1))
    assert (partition.is_behind, partition.ripe.is_set()) == (True, False)
    partition.fold(batch_at(12, behind=CAUGHT_UP))
    assert (partition.is_behind, partition.ripe.is_set()) == (False, True)
    partition.detach()
    assert not partition.ripe.is_set()
    partition.fold(batch_at(13, behind=BEHIND - 1))
    assert (partition.is_behind, partition.ripe.is_set()) == (False, True)


def test_a_partition_that_has_much_to_read_is_behind_from_its_first_batch_on() -> None:
    """Though that one is of another topic, and its end: a fetch brings few topics. What is read first says nothing."""
    options = replace(make_options(), begin_work=begins(count), source_topics=(TOPIC, OTHER_TOPIC, THIRD_TOPIC))
    partition = SourcePartition(options, NUMBER)
    found = make_found(10, committed=10)
    logs = found.sources | {OTHER_TOPIC: Log(0, BEHIND, ""), THIRD_TOPIC: Log(0, BEHIND, "")}
    at = {TOPIC: 10, OTHER_TOPIC: 0, THIRD_TOPIC: 0}
    partition.take_over({"stock": {}, "totals": {}}, at, structs.replace(found, sources=logs))

    seen = []
    for batch in (batch_at(0, topic=OTHER_TOPIC), batch_at(10), batch_at(0, topic=THIRD_TOPIC)):
        partition.fold(batch)
        seen.append(partition.is_behind)
    partition.producer.close()

    assert seen == [False, True, False]


def test_a_full_epoch_is_ripe() -> None:
    """However much follows."""
    options = replace(make_options(), begin_work=begins(count), epoch_rows_max=0)
    partition = SourcePartition(options, NUMBER)
    partition.take_over({"stock": {}, "totals": {}}, {TOPIC: 10, OTHER_TOPIC: 0}, make_found(10, committed=10))
    partition.fold(batch_at(10, behind=BEHIND))
    partition.producer.close()

    assert (partition.is_behind, partition.ripe.is_set()) == (True, True)


def test_a_partition_stays_behind_while_others_have_their_turn(
    partition: SourcePartition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 96 each has a turn in several seconds; one that took itself for done meanwhile would publish each time."""
    seen: list[bool] = []
    for now_s in (1_000.0, 1_007.0, 1_009.0):
        clock = SimpleNamespace(monotonic=lambda now_s=now_s: now_s)
        monkeypatch.setattr("streams.engine.partition.time", clock)
        if not seen:
            partition.fold(batch_at(10, behind=BEHIND))
        seen.append(partition.is_behind)
    assert seen == [True, True, False]


def test_a_topic_of_which_nothing_more_comes_is_not_behind_for_long() -> None:
    """Its rest may be markers: the clock decides."""
    options = replace(make_options(), begin_work=begins(count), behind_s=0.0)
    partition = SourcePartition(options, NUMBER)
    partition.take_over({"stock": {}, "totals": {}}, {TOPIC: 10, OTHER_TOPIC: 0}, make_found(10, committed=10))
    partition.fold(batch_at(10, behind=BEHIND))
    partition.producer.close()

    assert not partition.is_behind
