"""When a measurement of throughput started and stopped, and what was done by its start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from proof.bench.cluster import Position
from proof.bench.expected import counted

Moment = TypeVar("Moment")


@dataclass(frozen=True, kw_only=True)
class Clock(Generic[Moment]):
    """Two moments, as whoever measures notes them."""

    first: Moment
    last: Moment
    early: dict[Position, int]
    """Where the counts ended when it started."""
    begun: int
    """How many events were processed then, as far as anything but the counts says."""

    def processed(self, events: int, *, early: Mapping[bytes, bytes], counts: Mapping[bytes, bytes]) -> float:
        """Return how many of the events were processed while it ran; `early` are the counts readable at its start."""
        readable = events * counted(early.values()) / counted(counts.values())
        return events - max(readable, self.begun)
