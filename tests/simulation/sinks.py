"""The sinks' consumer group and source on the Kafka in memory: what `sinks.kafka_source` does on a real one."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from sinks.positions import OFFSETS_MARK, Log, Place, Start
from sinks.records import DeadLetter, Record
from tests.simulation.kafka import Kafka

SESSION_S: Final = 1.0
IDLE_S: Final = 0.35
"""How long a poll without records takes; longer than asked for, so that idle sinks take few turns."""


class SinkGroup:
    """The members of a group and who has which partition; a partition moves without asking its last owner."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places
        self._deadlines: dict[object, float] = {}
        self._members: list[object] = []
        self._owners: dict[Place, object] = {}
        self._owned: dict[object, set[Place]] = {}

    def heartbeat(self, member: object, now: float) -> set[Place]:
        """Say that one lives, and return what one has."""
        self._deadlines[member] = now + SESSION_S
        for each in [each for each, deadline in self._deadlines.items() if deadline < now]:
            del self._deadlines[each]
        members = list(self._deadlines)
        if members != self._members:
            self._members = members
            for number, place in enumerate(self._places):
                if self._owners.get(place) not in self._deadlines or len(members) > 1:
                    self._owners[place] = members[number % len(members)]
            self._owned = {each: {place for place, owner in self._owners.items() if owner is each} for each in members}
        return self._owned[member]

    def leave(self, member: object) -> None:
        """Leave the group."""
        self._deadlines.pop(member, None)


class SimulatedSource:
    """A member of the group; a `MilestoneSource` whose positions are kept by its sink."""

    def __init__(
        self,
        kafka: Kafka,
        group: SinkGroup,
        group_id: str,
        *,
        now: Callable[[], float],
        pause: Callable[[str], None],
        block: Callable[[float], None],
        randomness: random.Random,
    ) -> None:
        self._kafka = kafka
        self._group = group
        self._offsets = kafka.group(group_id).offsets
        self._now = now
        self._pause = pause
        self._block = block
        self._random = randomness
        self._awaiting: set[Place] = set()
        self._begun: dict[Place, Start] = {}
        self._next: dict[Place, int] = {}
        self._kept: dict[Place, int] = {}
        self._lost_in_hand: set[Place] = set()
        self._ours: set[Place] = set()

    def subscribe(self) -> None:
        """Join."""

    def poll(self, timeout_s: float) -> Sequence[Record]:
        """Return some of what is there."""
        self._pause("poll")
        self._lost_in_hand = set()
        self._look_whose()
        records: list[Record] = []
        for place in sorted(self._begun):
            log = self._kafka.log(*place)
            at = self._next[place]
            if not log.first <= at <= log.end:
                self.give_back([place])
                continue
            if at == log.stable:
                continue
            entries, self._next[place] = log.read(at, 1 + int(self._random.random() * 5))
            read_before = self._begun[place].read_before
            records += [
                Record(
                    topic=place[0],
                    partition=place[1],
                    offset=entry.offset,
                    timestamp=entry.timestamp,
                    key=entry.key,
                    value=entry.value,
                    again=entry.offset < read_before,
                )
                for entry in entries
            ]
        if not records and not self._awaiting:
            self._block(max(timeout_s, IDLE_S))
        return records

    def commit(self, records: Sequence[Record]) -> None:
        """Let Kafka's offsets follow, for those to see who look at lag."""
        for place, offset in self.reached().items():
            if place not in self._lost_in_hand:
                self._kept[place] = offset
                self._offsets[place] = (offset, OFFSETS_MARK)

    def awaiting(self) -> Sequence[Place]:
        """Return what has come."""
        return sorted(self._awaiting)

    def look(self, places: Sequence[Place]) -> Mapping[Place, Log]:
        """Return how partitions are."""
        self._pause("look")
        found = {}
        for place in places:
            log, topic = self._kafka.log(*place), self._kafka.topics[place[0]]
            committed, mark = self._offsets.get(place, (None, ""))
            found[place] = Log(
                first=log.first,
                end=log.end,
                topic_id=topic.id,
                partitions=len(topic.logs),
                committed=committed,
                is_marked=mark == OFFSETS_MARK,
            )
        return found

    def begin(self, starts: Mapping[Place, Start]) -> None:
        """Read from there on."""
        for place, start in starts.items():
            if place in self._awaiting:
                self._awaiting.discard(place)
                self._begun[place] = start
                self._next[place] = self._kept[place] = start.next

    def held(self) -> Collection[Place]:
        """Return what is being read."""
        return [*self._begun]

    def reached(self) -> Mapping[Place, int]:
        """Return how far partitions were read, where that is further than the last commit."""
        return {place: at for place, at in self._next.items() if at > self._kept[place]}

    def give_back(self, places: Collection[Place]) -> None:
        """Await a new beginning."""
        given = self._begun.keys() & set(places)
        self._forget(given)
        self._awaiting |= given

    def behind(self, *, in_hand: bool) -> Mapping[Place, tuple[int, int]]:
        """Return nothing: nobody looks."""
        return {}

    @property
    def rebalances(self) -> int:
        """Not counted."""
        return 0

    @property
    def waits_for(self) -> str | None:
        """Return nothing."""
        return None

    def stay(self) -> None:
        """Answer the group."""
        self._look_whose()

    def close(self) -> None:
        """Leave."""
        self._group.leave(self)

    def _look_whose(self) -> None:
        ours = self._group.heartbeat(self, self._now())
        if ours is self._ours:
            return
        self._ours = ours
        gone = (self._begun.keys() | self._awaiting) - ours
        self._lost_in_hand |= gone
        self._awaiting -= gone
        self._forget(gone & self._begun.keys())
        self._awaiting |= ours - self._begun.keys()

    def _forget(self, places: Collection[Place]) -> None:
        for place in list(places):
            del self._begun[place], self._next[place], self._kept[place]


class SimulatedLetters:
    """A dead letters topic."""

    def __init__(self, pause: Callable[[str], None], sent: list[DeadLetter]) -> None:
        self._pause = pause
        self._sent = sent
        self._waiting: list[DeadLetter] = []

    def send(self, letters: Sequence[DeadLetter]) -> None:
        """Begin to send."""
        self._waiting += letters

    def flush(self) -> bool:
        """Send."""
        self._pause("letters")
        self._sent += self._waiting
        self._waiting = []
        return True


class NeverStopped:
    """A `threading.Event` that nobody sets."""

    def __init__(self, block: Callable[[float], None]) -> None:
        self._block = block

    def is_set(self) -> bool:
        """Tell that it is not."""
        return False

    def wait(self, timeout: float) -> bool:
        """Wait in vain."""
        self._block(timeout)
        return False
