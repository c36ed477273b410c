"""Records of a transaction as batches: read by aiokafka's own reader, they are the same."""

from __future__ import annotations

import os
from typing import Any

import pytest
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.record_batches import BATCH_BYTES_MAX, COMPRESSED_FROM, Record, batches

PRODUCER, EPOCH = 4711, 3
HEADERS = st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=5)), max_size=3)
RECORDS = st.lists(
    st.tuples(
        st.none() | st.binary(max_size=40),
        st.none() | st.binary(max_size=200) | st.integers(1, 40).map(lambda n: b"same" * n * 50),
        st.integers(1, 1 << 41),
        HEADERS,
    ),
    min_size=1,
    max_size=60,
)


def read(batch: bytes) -> Any:  # noqa: ANN401 - aiokafka's readers have no common type
    """Return a batch, whose checksum is right."""
    found = MemoryRecords(batch)
    one = found.next_batch()
    assert one is not None
    assert one.validate_crc()
    assert not found.has_next()
    return one


@given(records=RECORDS, sequence=st.integers(0, (1 << 31) - 1))
def test_what_is_read_is_what_was_written(records: list[Record], sequence: int) -> None:
    """Whatever its size, and of whatever transaction."""
    ((batch, count),) = batches(records, PRODUCER, EPOCH, sequence)
    one = read(batch)
    found = list(one)
    assert count == len(records)
    assert (one.producer_id, one.producer_epoch, one.base_sequence) == (PRODUCER, EPOCH, sequence)
    assert one.is_transactional
    assert not one.is_control_batch
    assert [(each.key, each.value, each.timestamp, list(each.headers)) for each in found] == records
    assert [each.offset for each in found] == list(range(len(records)))


@pytest.mark.parametrize("value", [b"a" * 1000, None])
def test_many_are_several_batches(value: bytes | None) -> None:
    """Each of at most a million bytes, numbered on; the number begins again after its largest."""
    largest = (1 << 31) - 1
    records: list[Record] = [(os.urandom(1000), value, 1, []) for _ in range(3000)]
    packed = list(batches(records, PRODUCER, EPOCH, largest - 100))
    assert len(packed) > 2
    assert sum(count for _, count in packed) == len(records)
    sequences = [read(batch).base_sequence for batch, _ in packed]
    counts = [count for _, count in packed]
    assert sequences == [(largest - 100 + sum(counts[:at])) % (largest + 1) for at in range(len(counts))]
    assert [each.key for batch, _ in packed for each in read(batch)] == [key for key, *_ in records]


def test_what_repeats_is_compressed() -> None:
    """And what is small, or does not become smaller, is not."""
    same: list[Record] = [(b"key", b"value" * 20, 1, [])] * 100
    random: list[Record] = [(b"key", os.urandom(COMPRESSED_FROM), 1, [])]
    few: list[Record] = [(b"key", b"value" * 20, 1, [])] * 3
    for records, is_compressed in ((same, True), (random, False), (few, False)):
        ((batch, _),) = batches(records, PRODUCER, EPOCH, 0)
        assert bool(read(batch).compression_type) == is_compressed


def test_one_record_may_be_larger() -> None:
    """Than a batch of several: whether its topic takes it is the topic's matter."""
    ((batch, count),) = batches([(b"key", os.urandom(BATCH_BYTES_MAX * 2), 1, [])], PRODUCER, EPOCH, 0)
    assert (count, len(batch) > BATCH_BYTES_MAX * 2) == (1, True)
