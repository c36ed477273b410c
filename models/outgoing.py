"""What a step of the stream wants sent: values only, sent by somebody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from models.topics import SOURCE_MESSAGE_BYTES_MAX

if TYPE_CHECKING:
    from models.errors import BadInput
    from models.records import Record

Headers = list[tuple[str, bytes | None]]

MOVED_FROM: Final = "referrals.moved-from"
"""Header of a moved record: `topic/partition/offset` of the record in the wrong partition."""

AGAIN: Final = "referrals.again"
"""Header of what is sent once more because the state is rebuilt: a dead letter, a moved copy."""

RECORDS: Final = "referrals.records"
"""Header of a dead letter that stands for several records: how many."""

STAGE: Final = "attribution"
"""What the stream app calls itself in `__connect.errors.stage`."""


class Outgoing(Struct, frozen=True, gc=False):
    """A record to be produced; the partition follows from the key by Kafka's standard partitioner."""

    topic: str
    """The topic's full name."""
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int = 0
    """Milliseconds since 1970; 0: the time of producing."""


TRUNCATED: Final = "referrals.truncated"
"""Header of a dead letter that was too large to be sent whole: its size in bytes, key and headers included."""

TRUNCATED_TO: Final = 65_536
"""Bytes of the value that such a dead letter keeps."""


def size_of(record: Record) -> int:
    """Return the record's size in bytes, uncompressed: a small batch can unpack to more than any topic takes."""
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers


def dead_letter(topic: str, record: Record, fault: BadInput, *, stage: str = STAGE, records: int = 1) -> Outgoing:
    """Return the record, key and value untouched, with headers that say where it came from and why it is here."""
    size = size_of(record)
    whole = size <= SOURCE_MESSAGE_BYTES_MAX
    headers: Headers = [
        *(record.headers if whole else [(TRUNCATED, str(size).encode())]),
        ("__connect.errors.topic", record.topic.encode()),
        ("__connect.errors.partition", str(record.partition).encode()),
        ("__connect.errors.offset", str(record.offset).encode()),
        ("__connect.errors.exception.class.name", type(fault).__name__.encode()),
        ("__connect.errors.exception.message", str(fault).encode("utf-8", "replace")),
        ("__connect.errors.stage", stage.encode()),
    ]
    if records > 1:
        headers.append((RECORDS, str(records).encode()))
    if not whole:
        return Outgoing(topic, None, (record.value or b"")[:TRUNCATED_TO], headers)
    return Outgoing(topic, record.key, record.value, headers)


def moved(record: Record, code: str) -> Outgoing:
    """Return the record keyed by its code, so that it goes to the partition where the code belongs."""
    origin = f"{record.topic}/{record.partition}/{record.offset}".encode()
    return Outgoing(
        record.topic, code.encode(), record.value, [*record.headers, (MOVED_FROM, origin)], max(record.timestamp, 0)
    )
