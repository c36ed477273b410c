"""Where milestones come from, as the badge layer sees it; it knows neither Kafka nor the stream app.

A source whose positions are kept by somebody else delivers nothing of a partition before it was told where to begin.

Two sources are kept to one suite of tests: `sinks.kafka_source.KafkaSource`, and `MemoryMilestoneSource` here.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Protocol

from models.events import MilestoneReached, encode_event
from sinks.positions import Log
from sinks.records import Record

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sinks.positions import Place, Start


class MilestoneSource(Protocol):
    """A log of records that is read in order from the last commit, by one subscriber of a group at a time.

    What was polled but not committed is delivered again to the next subscription, so nothing is missed between
    `close` and `subscribe`, and everything may come more than once.
    """

    def subscribe(self) -> None:
        """Begin, at the last commit; what came before the first subscription is delivered too."""

    def poll(self, timeout_s: float) -> Sequence[Record]:
        """Return what is there, in order within each partition; wait for a first record, but not for more.

        Returns an empty sequence if nothing came within `timeout_s` seconds.
        """

    def commit(self, records: Sequence[Record]) -> None:
        """Take note that these, and all before them in their partitions, are done with."""

    def awaiting(self) -> Sequence[Place]:
        """Return the partitions that have come and of which nothing is read before `begin`."""

    def look(self, places: Sequence[Place]) -> Mapping[Place, Log]:
        """Return how these partitions are just now; those of which that cannot be found out now are left out."""

    def begin(self, starts: Mapping[Place, Start]) -> None:
        """Read partitions from there on; those that have moved away meanwhile are passed over."""

    def held(self) -> Collection[Place]:
        """Return the partitions that are being read."""

    def reached(self) -> Mapping[Place, int]:
        """Return how far partitions were read, where that is further than the last commit or `begin`.

        With all that was polled, and with what is no record and never polled.
        """

    def give_back(self, places: Collection[Place]) -> None:
        """Forget what was read of partitions since the last commit; while they are ours they await a new `begin`."""

    def behind(self, *, in_hand: bool) -> Mapping[Place, tuple[int, int]]:
        """Return of the partitions that are read how far they are dealt with, and where they end.

        Without asking anybody: where they end is what was heard last. `in_hand` says whether what was polled last is
        still being dealt with.
        """

    @property
    def rebalances(self) -> int:
        """How often it was given partitions, or none."""

    @property
    def waits_for(self) -> str | None:
        """What keeps it from reading; None where nothing does."""

    def stay(self) -> None:
        """Keep the subscription without reading on; to be called every second or so while records wait."""

    def close(self) -> None:
        """End the subscription; another `subscribe` may follow."""


class MemoryMilestoneSource:
    """A log of one partition in memory. `publish` may be called from any thread, subscribed or not."""

    TOPIC: Final = "milestones"

    def __init__(self, *, batch_records_max: int = 500) -> None:
        self._log: list[Record] = []
        self._batch_records_max = batch_records_max
        self._committed = 0
        self._position: int | None = None
        self._published = threading.Condition()

    @property
    def is_subscribed(self) -> bool:
        """Tell whether somebody reads."""
        return self._position is not None

    @property
    def lag(self) -> int:
        """The number of records that are not committed."""
        return len(self._log) - self._committed

    def publish(self, milestone: MilestoneReached | bytes | None) -> Record:
        """Append a milestone, or the bytes of something else, and return its record."""
        key: bytes | None = None
        value: bytes | None
        if isinstance(milestone, MilestoneReached):
            key, value = f"{milestone.org_id}:{milestone.mentor_id}".encode(), encode_event(milestone)
        else:
            value = milestone
        with self._published:
            record = Record(topic=self.TOPIC, partition=0, offset=len(self._log), key=key, value=value)
            self._log.append(record)
            self._published.notify_all()
        return record

    def subscribe(self) -> None:
        """Begin at the last commit."""
        self._position = self._committed

    def poll(self, timeout_s: float) -> Sequence[Record]:
        """Return what is there, waiting for the first record only."""
        with self._published:
            start = self._subscribed_position()
            self._published.wait_for(lambda: len(self._log) > start, timeout_s)
            records = self._log[start : start + self._batch_records_max]
            self._position = start + len(records)
        return records

    def commit(self, records: Sequence[Record]) -> None:
        """Take note of what is done with; never backwards."""
        self._subscribed_position()
        self._committed = max([self._committed, *(record.offset + 1 for record in records)])

    def awaiting(self) -> Sequence[Place]:
        """Return nothing: it knows by itself where it goes on."""
        return ()

    def look(self, places: Sequence[Place]) -> Mapping[Place, Log]:
        """Return how the partition is."""
        return {place: Log(first=0, end=len(self._log), partitions=1) for place in places}

    def begin(self, starts: Mapping[Place, Start]) -> None:
        """Do nothing: nobody is asked to."""

    def held(self) -> Collection[Place]:
        """Return the partition."""
        return [(self.TOPIC, 0)]

    def reached(self) -> Mapping[Place, int]:
        """Return how far it was read, if further than the last commit."""
        position = self._subscribed_position()
        return {(self.TOPIC, 0): position} if position > self._committed else {}

    def give_back(self, places: Collection[Place]) -> None:  # noqa: ARG002 - there is one partition
        """Begin again at the last commit."""
        self._position = self._committed

    def behind(self, *, in_hand: bool) -> Mapping[Place, tuple[int, int]]:
        """Return how far it is dealt with, and its end."""
        done = self._committed if in_hand else max(self._committed, self._position or 0)
        return {(self.TOPIC, 0): (done, len(self._log))}

    @property
    def rebalances(self) -> int:
        """It is nobody else's."""
        return 0

    @property
    def waits_for(self) -> str | None:
        """Return nothing: it is there."""
        return None

    def stay(self) -> None:
        """Do nothing: nobody else can take this partition over."""
        self._subscribed_position()

    def close(self) -> None:
        """End the subscription."""
        self._position = None

    def _subscribed_position(self) -> int:
        if self._position is None:
            msg = "not subscribed: call subscribe() first"
            raise RuntimeError(msg)
        return self._position
