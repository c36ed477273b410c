"""Taking over source partitions: fence, load, judge, and commit what is owed; and what was refused.

start    a producer for each partition: the former owner is fenced, its open transaction ends
load     the group's offsets, then the changelogs, read to their end: each finds what the one before has made final
judge    where to go on (standing.py), or that somebody has to decide
commit   what a new state begins with, and what the rows publish and is not published: who died left a second of it
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import structlog
from msgspec import Struct

from streams.engine.changelog import load_rows
from streams.engine.committing import commit
from streams.engine.errors import StateRefused
from streams.engine.partition import SourcePartition
from streams.engine.progress import TALLY
from streams.engine.standing import Found, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from streams.engine.batch import OutgoingRecord
    from streams.engine.changelog import Loaded
    from streams.engine.cluster import Cluster
    from streams.engine.options import EngineOptions
    from streams.engine.standing import Log

SAID_AGAIN_S: Final = 60.0
"""A partition that is refused is named this often, not once in a log that nobody read."""

log = structlog.get_logger("engine")


class TakenOver(Struct):
    """What came of it."""

    partitions: list[SourcePartition]
    refused: dict[int, StateRefused]
    refused_at: dict[int, int]
    """Where the first changelog of each ended when it was read."""
    rows: int
    fencing_s: float
    loading_s: float


class Beginning(Struct):
    """The rows with which a partition begins, as changes."""

    rows: Mapping[str, Mapping[bytes, bytes | None]]
    latest: dict[str, dict[bytes, bytes]] = {}
    outgoing: list[OutgoingRecord] = []
    counted: dict[tuple[str, ...], int] = {}


async def take_over(
    options: EngineOptions,
    cluster: Cluster,
    numbers: Collection[int],
    *,
    is_current: Callable[[], bool],
) -> TakenOver | None:
    """Take over source partitions that are assigned to this worker; None if another assignment came meanwhile.

    Args:
        options: the application's wiring.
        cluster: its topics and offsets.
        numbers: the partitions.
        is_current: whether the assignment still stands; asked between the steps.

    """
    started_s = time.monotonic()
    partitions = await asyncio.gather(*[in_thread(_start, options, number) for number in numbers])
    options.fault_point("engine.loading")
    committed, marked = await in_thread(cluster.committed, numbers)
    fenced_s = time.monotonic()
    loaded = await in_thread(lambda: load_rows(options, numbers, cancelled=lambda: not is_current()))
    found = await in_thread(find, cluster, loaded, committed, marked) if is_current() else {}
    taken = TakenOver([], {}, {}, sum(len(table) for each in loaded.values() for table in each.rows.values()), 0.0, 0.0)

    async def own(partition: SourcePartition) -> None:
        number = partition.number
        try:
            positions = judge(found[number])
        except StateRefused as error:
            taken.refused[number], taken.refused_at[number] = error, loaded[number].end
            await in_thread(partition.producer.close)
            return
        partition.take_over(loaded[number].rows, positions, found[number])
        if beginnings.get(number):
            partition.note(Beginning(rows=beginnings[number]))
        if loaded[number].owed:
            _publish(options, partition, loaded[number].owed)
        if committed[number] and committed[number] != positions:
            _say_that_they_follow(number, positions, committed[number])
        if partition.is_pending:
            await in_thread(_commit, options, cluster, partition, is_current)
        taken.partitions.append(partition)

    begins = [number for number, each in found.items() if each.begins]
    beginnings = await in_thread(options.begin, begins) if begins else {}
    if is_current():
        await asyncio.gather(*[own(partition) for partition in partitions])
    if not is_current():
        await asyncio.gather(*[in_thread(partition.producer.close) for partition in partitions])
        return None
    taken.fencing_s = round(fenced_s - started_s, 3)
    taken.loading_s = round(time.monotonic() - fenced_s, 3)
    return taken


def _start(options: EngineOptions, number: int) -> SourcePartition:
    partition = SourcePartition(options, number)
    partition.producer.start()
    return partition


def find(
    cluster: Cluster, loaded: dict[int, Loaded], committed: dict[int, dict[str, int]], marked: set[int]
) -> dict[int, Found]:
    """Return what is found of the partitions."""
    sources = cluster.sources(loaded.keys())
    needs_changelogs = any(each.standing is None for each in loaded.values())
    changelogs: dict[tuple[str, int], Log] = cluster.changelogs() if needs_changelogs else {}
    return {
        number: Found(
            number=number,
            standing=each.standing,
            seals=each.seals,
            has_rows=any(each.rows.values()),
            committed=committed[number],
            sources=sources[number],
            has_marked_offsets=number in marked,
            kept_elsewhere=any(each.end for each in changelogs.values()),
            partitions=cluster.partitions,
            was_emptied=any(each.first for (_, place), each in changelogs.items() if place == number),
        )
        for number, each in loaded.items()
    }


def _publish(options: EngineOptions, partition: SourcePartition, owed: Collection[bytes]) -> None:
    """Let what rows publish be part of the open epoch."""
    rows = partition.rows[options.tables[0]]
    published = options.publish({key: rows[key] for key in owed})
    partition.note(Beginning(rows={}, latest=dict(published)))


def _say_that_they_follow(number: int, positions: dict[str, int], committed: dict[str, int]) -> None:
    """Say that the group's offsets are others; aloud where they are ahead, which no death of a worker explains."""
    is_odd = any(committed.get(topic, 0) > at for topic, at in positions.items())
    say = log.warning if is_odd else log.info
    say("offsets_follow_the_rows", partition=number, rows=positions, offsets=committed)


def _commit(
    options: EngineOptions, cluster: Cluster, partition: SourcePartition, is_current: Callable[[], bool]
) -> None:
    commit(options, cluster, partition, partition.detach(), is_wanted=is_current)


class Refusals:
    """Assigned partitions that are left alone until somebody decides about their state."""

    def __init__(self, options: EngineOptions, cluster: Cluster) -> None:
        self._options = options
        self._cluster = cluster
        self._refused: dict[int, StateRefused] = {}
        self._ends: dict[int, int] = {}
        self._said_s = 0.0

    def __contains__(self, number: int) -> bool:
        return number in self._refused

    def __len__(self) -> int:
        return len(self._refused)

    @property
    def numbers(self) -> list[int]:
        """Which they are."""
        return sorted(self._refused.copy())

    def note(self, refused: dict[int, StateRefused], read_to: dict[int, int]) -> None:
        """Take the place of those before, and say which and why.

        Args:
            refused: why, by partition.
            read_to: where their first changelogs ended when they were read: what is decided since is beyond.

        """
        self._refused = refused
        self._ends = read_to
        self._say()

    async def decided(self) -> list[int]:
        """Return those about which something was decided: that is written to their changelogs. Say the rest again."""
        if not self._refused:
            return []
        if time.monotonic() - self._said_s > SAID_AGAIN_S:
            self._say()
        ends = await in_thread(self._cluster.ends_of_standings, self._refused)
        return [number for number, end in ends.items() if end != self._ends.get(number)]

    def _say(self) -> None:
        self._said_s = time.monotonic()
        for number, error in sorted(self._refused.items()):
            log.error("partition_refused", partition=number, reason=error.reason, decide=self._options.decide_with)


async def in_thread(call: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401 - passed through
    """Run what blocks in a thread."""
    result = await asyncio.get_running_loop().run_in_executor(None, call, *arguments)
    TALLY.add()
    return result
