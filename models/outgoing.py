"""What a step of the stream wants sent: values only, sent by somebody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from models.events import EVENT_BYTES_MAX
from models.topics import SOURCE_MESSAGE_BYTES_MAX
from models.traces import Step

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

REPLAYED: Final = "referrals.replayed"
"""Header of a record that was a dead letter and was sent again: `topic/partition/offset` of the dead letter."""

ERASED: Final = "referrals.erased"
"""Header of a dead letter whose record waited when its member was erased: a pseudonym stands in the id's place."""

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
    step: Step | None = None
    """The step of a trace that it is, for who shows it when it is sent; not part of the record."""


TRUNCATED: Final = "referrals.truncated"
"""Header of what was too large to be sent or kept whole: its size in bytes, key and headers included. These two are
left out then, and the value is cut."""

TRUNCATED_TO: Final = EVENT_BYTES_MAX
"""Bytes of the value that are kept: every event that can be used is whole."""

CARRIED_BYTES_MAX: Final = 2 * EVENT_BYTES_MAX
"""A record that is moved, or kept until its code is issued, takes key and headers along up to this size in bytes. What
they are decides nothing about the event: the value does, wherever the record came from and whatever came first."""

HEADER_OVERHEAD_BYTES: Final = 6
"""The two lengths of a header in a record, three bytes each below 2 MiB."""

TEXT_MAX: Final = 1_000
"""Characters of a fault's text: it may repeat what was wrong, and that may be as large as a record."""


def size_of(record: Record) -> int:
    """Return the record's size in bytes, uncompressed: a small batch can unpack to more than any topic takes."""
    headers = sum(len(name.encode()) + len(value or b"") + HEADER_OVERHEAD_BYTES for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers


def cut(record: Record, bytes_max: int) -> tuple[bytes | None, bytes | None, Headers]:
    """Return key, value and headers: as they are up to this size, else a value of at most 65,536 bytes and its size."""
    size = size_of(record)
    if size <= bytes_max:
        return record.key, record.value, list(record.headers)
    return None, (record.value or b"")[:TRUNCATED_TO], [(TRUNCATED, str(size).encode())]


def dead_letter(topic: str, record: Record, fault: BadInput, *, stage: str = STAGE, records: int = 1) -> Outgoing:
    """Return the record, key and value untouched, with headers that say where it came from and why it is here."""
    text = str(fault)
    if len(text) > TEXT_MAX:
        text = f"{text[:TEXT_MAX]}…"
    key, value, carried = cut(record, SOURCE_MESSAGE_BYTES_MAX)
    headers: Headers = [
        *carried,
        ("__connect.errors.topic", record.topic.encode()),
        ("__connect.errors.partition", str(record.partition).encode()),
        ("__connect.errors.offset", str(record.offset).encode()),
        ("__connect.errors.exception.class.name", type(fault).__name__.encode()),
        ("__connect.errors.exception.message", text.encode("utf-8", "replace")),
        ("__connect.errors.stage", stage.encode()),
    ]
    if records > 1:
        headers.append((RECORDS, str(records).encode()))
    return Outgoing(topic, key, value, headers)


def moved(record: Record, code: str) -> Outgoing:
    """Return the record keyed by its code, so that it goes to the partition where the code belongs."""
    origin = f"{record.topic}/{record.partition}/{record.offset}".encode()
    _, value, headers = cut(record, CARRIED_BYTES_MAX)
    return Outgoing(record.topic, code.encode(), value, [*headers, (MOVED_FROM, origin)], max(record.timestamp, 0))
