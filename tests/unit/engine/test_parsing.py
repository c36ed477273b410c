"""Whole batches out of aiokafka's parser: the same records as one by one, whatever the log is made of."""

from __future__ import annotations

from typing import Any, Final

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.record.memory_records import MemoryRecords
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.parsing import FetchedBatches, LeanRecords

READ_COMMITTED: Final = 1
ABORT, COMMIT = b"\0\0\0\0", b"\0\0\0\1"
NOBODY: Final = -1
ATTRIBUTES_AT: Final = 21
LAST_DELTA_AT: Final = 23
CONTROL: Final = 0x20

Log = tuple[bytes, list[tuple[int, int]], int]
"""What is fetched, of each aborted transaction the producer and where it begins, and the position: within or before
the first batch, as brokers answer."""


def batch(offset: int, count: int, *, producer: int = NOBODY, removed: int = 0, marker: bytes | None = None) -> bytes:
    """Return a batch as Kafka keeps it, of which compaction has removed the last records, or a control batch."""
    builder: Any = _DefaultRecordBatchBuilderPy(2, 0, producer != NOBODY, producer, 0, 0, 1_000_000)
    for number in range(count):
        builder.append(number, timestamp=number, key=marker or b"k", value=b"%d" % (offset + number), headers=[])
    made = builder.build()
    made[:8] = offset.to_bytes(8)
    made[LAST_DELTA_AT : LAST_DELTA_AT + 4] = (count + removed - 1).to_bytes(4)
    if marker is not None:
        made[ATTRIBUTES_AT + 1] |= CONTROL
    return bytes(made)


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """Return batches of two producers' transactions and of nobody's, with markers and holes between them."""
    data, aborted, offset, first_end = b"", [], draw(st.integers(0, 3)), 0
    is_open: dict[int, int] = {}
    for _ in range(draw(st.integers(1, 12))):
        producer = draw(st.sampled_from([NOBODY, 7, 8]))
        if producer in is_open and draw(st.booleans()):
            marker = draw(st.sampled_from([ABORT, COMMIT]))
            begun = is_open.pop(producer)
            if marker == ABORT:
                aborted.append((producer, begun))
            data += batch(offset, 1, producer=producer, marker=marker)
            offset += 1
        else:
            count, removed = draw(st.integers(1, 4)), draw(st.integers(0, 2))
            data += batch(offset, count, producer=producer, removed=removed)
            if producer != NOBODY:
                is_open.setdefault(producer, offset)
            offset += count + removed
        first_end = first_end or offset
        offset += draw(st.integers(0, 2))
    return data, aborted, draw(st.integers(0, first_end - 1))


def arguments(log: Log) -> dict[str, Any]:
    """Return what aiokafka gives the records of a fetched partition."""
    without = dict.fromkeys(("key_deserializer", "value_deserializer", "check_crcs"))
    return {
        "tp": TP("topic", 0),
        "aborted_transactions": list(log[1]),
        "fetch_offset": log[2],
        "isolation_level": READ_COMMITTED,
        **without,
    }


@given(logs(), st.integers(1, 7))
def test_whole_batches_have_the_same_records(log: Log, records_max: int) -> None:
    """As aiokafka's own loop: aborted ones, markers, what lies before the position left out; in parts of any size."""
    one_by_one: Any = fetcher.PartitionRecords(records=MemoryRecords(log[0]), **arguments(log))
    at_once: Any = LeanRecords(records=FetchedBatches(log[0]), **arguments(log))
    expected = [(record.offset, record.value) for record in one_by_one]

    found: list[tuple[int, bytes]] = []
    while not at_once.is_exhausted:
        before = at_once.next_fetch_offset
        taken = at_once.take(records_max)
        found += [(record.offset, record.value) for record in taken]
        assert len(taken) <= records_max
        assert all(before <= record.offset < at_once.next_fetch_offset for record in taken)

    assert found == expected
    assert at_once.next_fetch_offset == one_by_one.next_fetch_offset
