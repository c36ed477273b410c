"""Records as the sinks see them, wherever they come from, and those of them that are dead letters."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from models.errors import BadInput


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


class DeadLetter(NamedTuple):
    """A record that cannot be used, and why."""

    record: Record
    fault: BadInput
