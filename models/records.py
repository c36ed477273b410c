"""A record as it was read from a topic, whatever client read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence


class Record(Protocol):
    """The part of a consumed record that the rules look at."""

    @property
    def topic(self) -> str:
        """Full name of the topic."""

    @property
    def partition(self) -> int:
        """The partition it was read from."""

    @property
    def offset(self) -> int:
        """Its place in the partition."""

    @property
    def timestamp(self) -> int:
        """Milliseconds since 1970 as the producer or the broker set it; -1 if unknown."""

    @property
    def key(self) -> bytes | None:
        """The key as received."""

    @property
    def value(self) -> bytes | None:
        """The value as received."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """The headers as received; Kafka allows one without a value."""


class Batch(Protocol):
    """Consecutive records of one topic and partition, in columns: most are never looked at one by one."""

    @property
    def topic(self) -> str:
        """Full name of the topic."""

    @property
    def partition(self) -> int:
        """The partition they were read from."""

    def __len__(self) -> int:
        """Return the number of records, at least one."""

    def values(self) -> list[bytes | None]:
        """Return the records' values, in order."""

    def with_header(self, name: str) -> list[int]:
        """Return the places of the records that have a header of this name."""

    def record(self, index: int) -> Record:
        """Return one record whole."""


class StoredRecord(Struct, frozen=True, gc=False, array_like=True):
    """A record kept whole in a row, so that it can be processed later as if it came then."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes | None]]
    arrived_ms: int
    """When the stream app first saw it: its own clock, because producers' clocks are off by decades."""
    is_erased: bool = False
    """Its member was erased since: it names the pair's pseudonym in his place (models/erasures.py)."""
