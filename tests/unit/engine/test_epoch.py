"""An epoch: what is committed together."""

from __future__ import annotations

import pytest

from streams.engine.epoch import RECORD_BYTES_MAX, Epoch, size_of
from streams.engine.errors import TooLarge
from tests.folding import Changed, Sent


def add(epoch: Epoch, changes: Changed) -> int:
    """Let the epoch take in changes, and return their size."""
    size = size_of(changes, {})
    epoch.add(changes, size)
    return size


def test_the_last_row_of_a_key_wins() -> None:
    """A row that changed many times, or came and went, is written once, as it is at last."""
    epoch = Epoch()
    add(epoch, Changed(rows={"stock": {b"a": b"1", b"b": b"1"}}))
    add(epoch, Changed(rows={"stock": {b"a": b"2", b"b": None}, "totals": {b"a": b"3"}}))

    assert epoch.rows == {"stock": {b"a": b"2", b"b": None}, "totals": {b"a": b"3"}}


def test_the_last_value_for_a_compacted_topic_wins() -> None:
    """Of a key only the last value matters there."""
    epoch = Epoch()
    add(epoch, Changed(latest={"published": {b"a": b"1"}}))
    add(epoch, Changed(latest={"published": {b"a": b"2", b"b": b"1"}}))

    assert epoch.latest == {"published": {b"a": b"2", b"b": b"1"}}


def test_records_are_sent_each_in_order() -> None:
    """Also those that are equal."""
    epoch = Epoch()
    add(epoch, Changed(outgoing=[Sent(value=b"1"), Sent(value=b"2")]))
    add(epoch, Changed(outgoing=[Sent(value=b"1")]))

    assert [record.value for record in epoch.outgoing] == [b"1", b"2", b"1"]


def test_the_size_is_of_rows_values_and_records() -> None:
    """What is deleted and what has no value weighs nothing; sizes of folds add up to the epoch's."""
    epoch = Epoch()
    first = add(
        epoch,
        Changed(
            rows={"stock": {b"a": b"123", b"b": None}},
            latest={"published": {b"a": b"12"}},
            outgoing=[Sent(value=b"1234"), Sent(value=None)],
        ),
    )
    second = add(epoch, Changed(rows={"stock": {b"a": b"1"}}))

    assert (first, second, epoch.bytes) == (15, 1, 16)


def test_a_fold_keeps_its_own_changes() -> None:
    """What one fold gave back is not changed by the next one's."""
    epoch, first = Epoch(), Changed(rows={"stock": {b"a": b"1"}}, latest={"published": {b"a": b"1"}})
    add(epoch, first)
    add(epoch, Changed(rows={"stock": {b"a": b"2"}}, latest={"published": {b"a": b"2"}}))

    assert (first.rows, first.latest) == ({"stock": {b"a": b"1"}}, {"published": {b"a": b"1"}})


def test_a_new_epoch_is_nothing_to_commit() -> None:
    """Nor is one to which a fold added nothing."""
    epoch = Epoch()
    add(epoch, Changed())

    assert not epoch


def test_a_row_or_a_record_is_something_to_commit() -> None:
    """Also without a position: a step that no record caused."""
    deleted, sent = Epoch(), Epoch()
    add(deleted, Changed(rows={"stock": {b"a": None}}))
    add(sent, Changed(outgoing=[Sent()]))

    assert deleted
    assert sent


def test_a_value_for_a_compacted_topic_is_something_to_commit() -> None:
    """Also when nothing else is there: a step that publishes without changing a row."""
    published = Epoch()
    add(published, Changed(latest={"published": {b"a": b"1"}}))

    assert published


@pytest.mark.parametrize(
    "changes",
    [
        Changed(rows={"stock": {b"small": b"1", b"large": b"x" * RECORD_BYTES_MAX}}),
        Changed(latest={"published": {b"large": b"x" * RECORD_BYTES_MAX}}),
        Changed(outgoing=[Sent(value=b"x" * RECORD_BYTES_MAX)]),
        Changed(outgoing=[Sent(key=b"x" * RECORD_BYTES_MAX)]),
        Changed(outgoing=[Sent(headers=[("name", b"x" * RECORD_BYTES_MAX)])]),
        Changed(outgoing=[Sent(headers=[("x" * RECORD_BYTES_MAX, None)])]),
    ],
)
def test_what_no_topic_takes_is_refused(changes: Changed) -> None:
    """Before anything has changed: an epoch with it could never be committed."""
    with pytest.raises(TooLarge):
        size_of(changes, {})


def test_many_small_ones_may_be_large_together() -> None:
    """Each is a record of its own; and a topic may take more than others."""
    rows: dict[bytes, bytes | None] = {b"%d" % number: b"x" * 1_000 for number in range(2_000)}
    assert size_of(Changed(rows={"stock": rows}), {}) == 2_000_000
    large = Changed(outgoing=[Sent("receipts", value=b"x" * RECORD_BYTES_MAX)])
    assert size_of(large, {"receipts": 2 * RECORD_BYTES_MAX}) > RECORD_BYTES_MAX
