"""The consumer group of the workers, as Kafka's group coordinator keeps it: generations, sessions, assignments."""

from __future__ import annotations

import random
from typing import Final

SESSION_S: Final = 0.6
REBALANCE_S: Final = 1.0
"""Who has not joined again after this long is no member any more."""


class Coordinator:
    """One group; eager rebalances: everybody gives everything back, and joins again."""

    def __init__(self, partitions: int, randomness: random.Random) -> None:
        self.generation = 0
        self._partitions = partitions
        self._random = randomness
        self._deadline: dict[int, float] = {}
        """Of each member: silent for longer, it is thrown out."""
        self._joined: set[int] = set()
        self._complete_by = 0.0
        self._is_stable = True
        self._assignment: dict[int, set[int]] = {}
        self._members = 0

    def join(self, member: int | None, now: float) -> int:
        """Join, as a new member or again, and return who one is; the assignment comes with `assigned`."""
        self._expire(now)
        if member is None or member not in self._deadline:
            self._members += 1
            member = self._members
        if self._is_stable:
            self._rebalance(now)
        self._joined.add(member)
        self._deadline[member] = now + SESSION_S
        self._complete(now)
        return member

    def assigned(self, member: int, now: float) -> tuple[int, set[int]] | None:
        """Return generation and partitions, once everybody has joined; None before."""
        self._expire(now)
        if member in self._deadline:
            self._deadline[member] = now + SESSION_S
        self._complete(now)
        if not self._is_stable or member not in self._deadline:
            return None
        return self.generation, self._assignment[member]

    def heartbeat(self, member: int, now: float) -> bool:
        """Say that one lives; False: join again."""
        self._expire(now)
        if member not in self._deadline:
            return False
        self._deadline[member] = now + SESSION_S
        return self._is_stable

    def is_member(self, member: int) -> bool:
        """Tell whether somebody is in the group."""
        return member in self._deadline

    def is_empty(self, now: float) -> bool:
        """Tell whether nobody is in the group."""
        self._expire(now)
        return not self._deadline

    def _rebalance(self, now: float) -> None:
        self._is_stable = False
        self._joined = set()
        self._complete_by = now + REBALANCE_S

    def _expire(self, now: float) -> None:
        gone = [member for member, deadline in self._deadline.items() if deadline < now]
        for member in gone:
            del self._deadline[member]
            self._joined.discard(member)
        if gone and self._is_stable:
            self._rebalance(now)

    def _complete(self, now: float) -> None:
        if self._is_stable or not self._joined:
            return
        if now > self._complete_by:
            self._deadline = {member: at for member, at in self._deadline.items() if member in self._joined}
        if self._joined >= self._deadline.keys():
            self._is_stable = True
            self.generation += 1
            members = sorted(self._joined)
            self._random.shuffle(members)
            self._assignment = {member: set() for member in members}
            for number in range(self._partitions):
                self._assignment[members[number % len(members)]].add(number)
