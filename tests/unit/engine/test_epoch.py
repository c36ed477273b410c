"""An epoch: what is committed together."""

from __future__ import annotations

from streams.engine.epoch import Epoch
from tests.unit.engine.changes import Changed, Sent


def test_the_last_row_of_a_key_wins() -> None:
    """A row that changed many times, or came and went, is written once, as it is at last."""
    epoch = Epoch()
    epoch.add(Changed(rows={"stock": {b"a": b"1", b"b": b"1"}}))
    epoch.add(Changed(rows={"stock": {b"a": b"2", b"b": None}, "totals": {b"a": b"3"}}))

    assert epoch.rows == {"stock": {b"a": b"2", b"b": None}, "totals": {b"a": b"3"}}


def test_the_last_value_for_a_compacted_topic_wins() -> None:
    """Of a key only the last value matters there."""
    epoch = Epoch()
    epoch.add(Changed(latest={"published": {b"a": b"1"}}))
    epoch.add(Changed(latest={"published": {b"a": b"2", b"b": b"1"}}))

    assert epoch.latest == {"published": {b"a": b"2", b"b": b"1"}}


def test_records_are_sent_each_in_order() -> None:
    """Also those that are equal."""
    epoch = Epoch()
    epoch.add(Changed(outgoing=[Sent(value=b"1"), Sent(value=b"2")]))
    epoch.add(Changed(outgoing=[Sent(value=b"1")]))

    assert [record.value for record in epoch.outgoing] == [b"1", b"2", b"1"]


def test_the_size_is_of_rows_values_and_records() -> None:
    """What is deleted and what has no value weighs nothing; sizes of folds add up to the epoch's."""
    epoch = Epoch()
    first = epoch.add(
        Changed(
            rows={"stock": {b"a": b"123", b"b": None}},
            latest={"published": {b"a": b"12"}},
            outgoing=[Sent(value=b"1234"), Sent(value=None)],
        )
    )
    second = epoch.add(Changed(rows={"stock": {b"a": b"1"}}))

    assert (first, second, epoch.bytes) == (9, 1, 10)


def test_a_fold_keeps_its_own_changes() -> None:
    """What one fold gave back is not changed by the next one's."""
    epoch, first = Epoch(), Changed(rows={"stock": {b"a": b"1"}}, latest={"published": {b"a": b"1"}})
    epoch.add(first)
    epoch.add(Changed(rows={"stock": {b"a": b"2"}}, latest={"published": {b"a": b"2"}}))

    assert (first.rows, first.latest) == ({"stock": {b"a": b"1"}}, {"published": {b"a": b"1"}})


def test_a_new_epoch_is_nothing_to_commit() -> None:
    """Nor is one to which a fold added nothing."""
    epoch = Epoch()
    epoch.add(Changed())

    assert not epoch


def test_a_position_is_something_to_commit() -> None:
    """A batch that changed nothing must not be read again for ever."""
    epoch = Epoch()
    epoch.positions["orders"] = 1

    assert epoch


def test_a_row_or_a_record_is_something_to_commit() -> None:
    """Also without a position: a step that no record caused."""
    deleted, sent = Epoch(), Epoch()
    deleted.add(Changed(rows={"stock": {b"a": None}}))
    sent.add(Changed(outgoing=[Sent()]))

    assert deleted
    assert sent


def test_a_value_for_a_compacted_topic_is_something_to_commit() -> None:
    """Also when nothing else is there: a step that publishes without changing a row."""
    published = Epoch()
    published.add(Changed(latest={"published": {b"a": b"1"}}))

    assert published
