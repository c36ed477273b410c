"""Idle partitions: their owner commits nothing, so no refusal tells him that somebody has decided about their state.

Deciding (deciding.py) writes to the partition's first changelog, and fences. An owner at work learns of it with his
next commit. One that has nothing to commit looks himself, from the second look on after his last commit, because a
transaction's marker is written a moment after it is acknowledged: the first time whether what stands there is newer
than what he wrote or loaded, and from then on whether that changelog has grown though he wrote nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.engine.partition import SourcePartition
    from streams.engine.standing import Standing


class IdlePartitions:
    """What was seen of partitions that are owned: how many epochs they had, and how far the changelog went."""

    def __init__(self) -> None:
        self._epochs: dict[int, int] = {}
        self._ends: dict[int, int] = {}

    def find(self, partitions: Mapping[int, SourcePartition]) -> list[int]:
        """Return those of the owned partitions that have committed nothing since the last look."""
        epochs = {number: each.detached for number, each in partitions.items() if each.committing is None}
        idle = [number for number, count in epochs.items() if self._epochs.get(number) == count]
        self._ends = {number: self._ends[number] for number in idle if number in self._ends}
        self._epochs = epochs
        return idle

    def unseen(self, ends: Mapping[int, int]) -> dict[int, int]:
        """Return those of `grown`'s ends that nobody has looked at since the last commit."""
        return {number: end for number, end in ends.items() if number not in self._ends}

    def grown(
        self,
        ends: Mapping[int, int],
        standings: Mapping[int, Standing | None],
        partitions: Mapping[int, SourcePartition],
    ) -> list[int]:
        """Return those whose changelog has grown since, though their owner wrote nothing.

        Args:
            ends: how far it goes now, of those that `find` found.
            standings: the last that is there, of those that were `unseen`.
            partitions: those that are owned now: asking takes a moment, in which one of them may have had a commit.

        """
        ends = {number: end for number, end in ends.items() if self._is_idle_still(number, partitions.get(number))}
        grown = [
            number
            for number, end in ends.items()
            if self._ends.get(number, end) != end or _is_newer(standings.get(number), partitions[number].written)
        ]
        self._ends.update(ends)
        return grown

    def _is_idle_still(self, number: int, partition: SourcePartition | None) -> bool:
        if partition is None or partition.committing is not None:
            return False
        return partition.detached == self._epochs.get(number)


def _is_newer(found: Standing | None, written: Standing | None) -> bool:
    """Tell whether somebody else has written it. An older one is no news: our own may not be readable yet."""
    return found is not None and (written is None or found.epoch > written.epoch)
