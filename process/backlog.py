"""How far a reader of topics is behind, in records and in seconds.

Records' own times are the producers', and say nothing of how long a record has waited here. So each look at a
partition notes where it ends now: the first end beyond the reader's position tells since when the oldest record waits
that he has not dealt with. That is right to the second or so between two looks, and counts from the first look on: of
what stood in a topic before, nobody here knows since when.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOKS_MAX: Final = 1_000
"""Ends that are kept of a partition; beyond, every second one is left out, and the seconds are less exact."""

Place = tuple[str, int]
"""Topic and partition."""


class Lag(NamedTuple):
    """How far one is behind in a topic."""

    records: int
    """Of all its partitions; a transaction's marker may count as one for a moment."""
    seconds: float
    """How long the oldest of them has waited."""


class Partition:
    """The ends of one partition that are not reached yet."""

    def __init__(self) -> None:
        self.records = 0
        self._ends: deque[tuple[float, int]] = deque()
        """When each end was first seen, and what it was; ascending, all beyond the position."""

    def note(self, position: int, end: int, now_s: float) -> None:
        """Take note of how far it is read, and where it ends."""
        ends = self._ends
        self.records = max(0, end - position)
        while ends and ends[0][1] <= position:
            ends.popleft()
        if end > (ends[-1][1] if ends else position):
            ends.append((now_s, end))
        if len(ends) > LOOKS_MAX:
            self._ends = deque(islice(ends, 0, None, 2))

    def seconds(self, now_s: float) -> float:
        """Return how long the oldest record has waited; 0 where none does. May be asked from another thread."""
        try:
            return max(0.0, now_s - self._ends[0][0])
        except IndexError:
            return 0.0


class Backlog:
    """What of the partitions that somebody reads he has not dealt with; looked at by one thread, asked by any."""

    def __init__(self) -> None:
        self._partitions: dict[Place, Partition] = {}

    def look(self, places: Mapping[Place, tuple[int, int]], now_s: float) -> None:
        """Note the position and the end of each partition that is read now; others are forgotten.

        `now_s` is of a clock that only goes forward.
        """
        before = self._partitions
        partitions = {place: before.get(place) or Partition() for place in places}
        for place, (position, end) in places.items():
            partitions[place].note(position, end, now_s)
        self._partitions = partitions

    def by_topic(self, now_s: float) -> dict[str, Lag]:
        """Return the lag in each topic."""
        found: dict[str, Lag] = {}
        for (topic, _), partition in self._partitions.items():
            before = found.get(topic, Lag(0, 0.0))
            found[topic] = Lag(before.records + partition.records, max(before.seconds, partition.seconds(now_s)))
        return found
