"""Records of a transaction, as the batches in which they are sent: of each partition one after the other."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, TypeAlias

import cramjam
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Record: TypeAlias = "tuple[bytes | None, bytes | None, int, list[tuple[str, bytes]]]"
"""Key, value, timestamp in milliseconds, headers."""

MAGIC: Final = 2
BATCH_BYTES_MAX: Final = 1_000_000
"""Before it is compressed, as librdkafka has it: what every topic takes; one record may be larger."""
COMPRESSED_FROM: Final = 4_096
"""Below it, compressing costs more than it saves."""
SEQUENCES: Final = 1 << 31

HEAD: Final = struct.Struct(">qiibIh")
"""Of a batch: base offset, length of what follows, leader's epoch, magic, checksum of what follows, attributes."""
RECORDS_AT: Final = 61
LENGTH_FROM: Final = 12
CHECKED_FROM: Final = 21
LZ4: Final = 3
LZ4_LEVEL: Final = 1
"""aiokafka's level is 9, which takes several times as long."""


def batches(records: Sequence[Record], producer_id: int, epoch: int, sequence: int) -> Iterator[tuple[bytes, int]]:
    """Yield a partition's batches, each with the number of its records.

    Args:
        records: in their order.
        producer_id: of the transaction.
        epoch: the same.
        sequence: of the first record, in this partition.

    """
    at = 0
    while at < len(records):
        builder = DefaultRecordBatchBuilder(
            MAGIC, 0, 1, producer_id, epoch, (sequence + at) % SEQUENCES, BATCH_BYTES_MAX
        )
        append = builder.append
        count = 0
        for key, value, timestamp, headers in records[at:] if at else records:
            if append(count, timestamp, key, value, headers) is None:
                break
            count += 1
        yield _compressed(builder.build()), count
        at += count


def _compressed(batch: bytearray) -> bytes:
    if len(batch) < COMPRESSED_FROM:
        return bytes(batch)
    compressor = cramjam.lz4.Compressor(level=LZ4_LEVEL, content_checksum=False, block_linked=False)
    compressor.compress(bytes(batch[RECORDS_AT:]))
    packed = bytes(compressor.finish())
    if len(packed) >= len(batch) - RECORDS_AT:
        return bytes(batch)
    base, _, leader, magic, _, attributes = HEAD.unpack_from(batch)
    head = bytearray(batch[:RECORDS_AT])
    HEAD.pack_into(head, 0, base, RECORDS_AT + len(packed) - LENGTH_FROM, leader, magic, 0, attributes | LZ4)
    checksum = calc_crc32c(bytes(head[CHECKED_FROM:]) + packed)
    HEAD.pack_into(head, 0, base, RECORDS_AT + len(packed) - LENGTH_FROM, leader, magic, checksum, attributes | LZ4)
    return bytes(head) + packed
