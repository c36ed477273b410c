"""Header names that are not UTF-8: every record of the batch comes, in order, under every compression."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from streams.engine.parsing import FetchedBatches, LeanRecords
from tests.odd_headers import odd_name

CODECS = {"none": 0, "gzip": 1, "lz4": 3, "zstd": 4}


def batch(offset: int, *headers: list[tuple[str, bytes]], codec: int = 0) -> bytes:
    """Return a batch as Kafka keeps it, a record for each of the headers."""
    builder: Any = _DefaultRecordBatchBuilderPy(2, codec, 0, -1, -1, -1, 1_000_000)
    for number, each in enumerate(headers):
        builder.append(number, timestamp=number, key=b"k", value=b"%d" % (offset + number), headers=each)
    made = builder.build()
    made[:8] = offset.to_bytes(8)  # the broker's part
    return bytes(made)


def read(data: bytes, *, at: int = 0) -> list[tuple[int, bytes, list[tuple[str, bytes]]]]:
    """Return offset, value and headers of the records as aiokafka hands them out to Faust, and see its position."""
    arguments: dict[str, Any] = dict.fromkeys(("key_deserializer", "value_deserializer", "check_crcs"))
    batches: Any = FetchedBatches(data)
    records: Any = LeanRecords(("topic", 0), batches, [], at, isolation_level=1, **arguments)
    found = [(record.offset, record.value, list(record.headers)) for record in records.take(1_000)]
    assert records.next_fetch_offset == found[-1][0] + 1
    return found


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_a_name_that_is_not_utf8_stops_nothing(codec: int) -> None:
    """Its bytes can be told; the other headers, records and batches are as they were."""
    data = b"".join(
        (
            batch(3, [("fine", b"1")], []),
            batch(
                5,
                [("å", b"1")],
                [("a", b"2"), (odd_name(b"x-\xff\xfe"), b"3"), ("b", b"4")],
                [("c", b"5")],
                codec=codec,
            ),
            batch(8, [(odd_name(b"\x80"), b"6")], codec=codec),
            batch(9, []),
        )
    )
    assert read(data) == [
        (3, b"3", [("fine", b"1")]),
        (4, b"4", []),
        (5, b"5", [("å", b"1")]),
        (6, b"6", [("a", b"2"), ("x-\\xff\\xfe", b"3"), ("b", b"4")]),
        (7, b"7", [("c", b"5")]),
        (8, b"8", [("\\x80", b"6")]),
        (9, b"9", []),
    ]


def test_a_fetch_may_begin_inside_such_a_batch() -> None:
    """Kafka sends batches whole; what was read before is left out."""
    data = batch(0, [], [(odd_name(b"\xff"), b"")], [], [(odd_name(b"\xff"), b"")])
    assert [offset for offset, _, _ in read(data, at=2)] == [2, 3]
