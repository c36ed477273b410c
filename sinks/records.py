"""Records as the sinks see them, wherever they come from, and those of them that are dead letters."""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec import Struct

from models.errors import BadInput

TIMESTAMP_MAX_MS: Final = 253_402_300_799_999
"""The end of the year 9999; a record with a later timestamp, or none, is counted when it is projected."""


class Record(Struct, frozen=True, gc=False, kw_only=True):
    """A record with its coordinates; a `models.records.Record`."""

    topic: str
    partition: int
    offset: int
    timestamp: int = -1
    """Milliseconds since 1970; -1: unknown."""
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    again: bool = False
    """Whether it was read before the store went back: a dead letter of it has been sent."""


def counted_ms(record: Record) -> int | None:
    """Return when the stream counted what a record says; None: its time is none, or past the calendar."""
    return record.timestamp if 0 <= record.timestamp <= TIMESTAMP_MAX_MS else None


class DeadLetter(NamedTuple):
    """A record that cannot be used, and why."""

    record: Record
    fault: BadInput
