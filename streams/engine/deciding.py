"""What a person can do about a partition's state: look at it, accept it as it is, or have it counted anew.

`accept` and `rebuild` write to the changelogs under the partition's transactional id: whoever owns the partition is
fenced, leaves, and finds what was decided when it starts afresh. Each partition is one transaction.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from streams.engine.changelog import load_rows
from streams.engine.cluster import Cluster
from streams.engine.epoch import Epoch
from streams.engine.errors import StateRefused
from streams.engine.producer import TransactionalProducer
from streams.engine.standing import Found, Log, Stand, Standing, judge
from streams.engine.takeover import find

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from streams.engine.batch import Rows
    from streams.engine.options import EngineOptions


DECIDING_TIMEOUT_S: Final = 600.0
"""Longest transaction of a decision: it writes as many rows as the partition has, an epoch a few thousand. Where the
program dies, the partition's next owner ends the transaction when it starts. Kafka's own limit is 900 s."""


class PartitionState(Struct, kw_only=True):
    """What is kept of a partition, and what an owner makes of it."""

    number: int
    rows: dict[str, int]
    """Of each table, how many."""
    standing: Standing | None
    committed: dict[str, int]
    """The group's offsets."""
    sources: dict[str, Log]
    positions: dict[str, int] | None
    """Where an owner goes on; None where it refuses."""
    reason: str | None = None
    """Why it refuses."""


def examine(options: EngineOptions, numbers: Collection[int]) -> list[PartitionState]:
    """Return the state of partitions as it is committed; changes nothing and fences nobody."""
    return [_examined(rows, found) for rows, found in _load(options, Cluster(options), numbers)]


def accept(options: EngineOptions, numbers: Collection[int]) -> Iterator[PartitionState]:
    """Take the rows as they are, and go on with the sources as they are; yield each partition after it is done.

    A source goes on at the position that is known: brought to its first record where it was passed, to its end where
    the log ends before it, and to the first record where the topic was made anew.
    """
    cluster = Cluster(options)
    for number in numbers:
        with _Fenced(options, number) as producer:
            ((rows, found),) = _load(options, cluster, [number])
            number_of_epoch = _last_epoch(found) + 1
            epoch = Epoch()
            for topic in _made_anew(found):
                for table, gone in options.forget(rows, topic).items():
                    epoch.rows.setdefault(table, {}).update(gone)
            seals = found.seals | dict.fromkeys(epoch.rows, number_of_epoch)
            epoch.standing = Standing(number_of_epoch, _accepted(found), seals)
            epoch.positions = epoch.standing.positions
            producer.commit(epoch, cluster.group())
        now = replace(found, standing=epoch.standing, seals=seals, committed=epoch.positions)
        yield _examined(rows, now)


def rebuild(
    options: EngineOptions, numbers: Collection[int], *, begin: Callable[[Collection[int]], Mapping[int, Rows]]
) -> Iterator[PartitionState]:
    """Forget the rows, and count anew what the sources still have; yield each partition after it is done.

    `begin` gives the rows with which a partition begins, so that nothing is announced twice.
    """
    cluster = Cluster(options)
    beginnings = begin(numbers)
    for number in numbers:
        with _Fenced(options, number) as producer:
            ((rows, found),) = _load(options, cluster, [number])
            number_of_epoch = _last_epoch(found) + 1
            began: Rows = {table: dict(beginnings.get(number, {}).get(table, {})) for table in options.tables}
            epoch = Epoch()
            epoch.rows = {table: {**dict.fromkeys(rows[table]), **began[table]} for table in options.tables}
            stands = {topic: Stand(log.first, log.topic_id) for topic, log in found.sources.items()}
            seals = dict.fromkeys(options.tables, number_of_epoch)
            epoch.standing = Standing(number_of_epoch, stands, seals, _read_before(found))
            epoch.positions = epoch.standing.positions
            producer.commit(epoch, cluster.group())
        now = replace(found, standing=epoch.standing, seals=seals, committed=epoch.positions)
        yield _examined(began, now)


class _Fenced:
    """The producer of a partition, whose owner is fenced, for the body."""

    def __init__(self, options: EngineOptions, number: int) -> None:
        patient = dataclasses.replace(options, transaction_timeout_s=DECIDING_TIMEOUT_S)
        self._producer = TransactionalProducer(patient, number)

    def __enter__(self) -> TransactionalProducer:
        self._producer.start()
        return self._producer

    def __exit__(self, *_: object) -> None:
        self._producer.close()


def _load(options: EngineOptions, cluster: Cluster, numbers: Collection[int]) -> Iterator[tuple[Rows, Found]]:
    committed, marked = cluster.committed(numbers)
    loaded = load_rows(options, numbers)
    found = find(cluster, loaded, committed, marked)
    for number in numbers:
        yield loaded[number].rows, found[number]


def _last_epoch(found: Found) -> int:
    return max([found.standing.epoch if found.standing else 0, *found.seals.values()])


def _read_before(found: Found) -> dict[str, int]:
    """Return how far the sources were read, by this state or one before it."""
    read = found.standing.positions if found.standing else found.committed
    before = found.standing.before if found.standing else {}
    anew = _made_anew(found)
    furthest = {topic: max(read.get(topic, 0), before.get(topic, 0)) for topic in found.sources if topic not in anew}
    return {topic: at for topic, at in furthest.items() if at > found.sources[topic].first}


def _made_anew(found: Found) -> set[str]:
    """Return the source topics that are not those which were read."""
    stands = found.standing.sources if found.standing else {}
    return {
        topic
        for topic, log in found.sources.items()
        if topic in stands and stands[topic].topic_id and log.topic_id not in {"", stands[topic].topic_id}
    }


def _accepted(found: Found) -> dict[str, Stand]:
    """Return the positions of a partition whose state is taken as it is."""
    before = found.standing.positions if found.standing else found.committed
    anew = _made_anew(found)
    return {
        topic: Stand(
            log.first if topic in anew else min(max(before.get(topic, log.first), log.first), log.end), log.topic_id
        )
        for topic, log in found.sources.items()
    }


def _examined(rows: Rows, found: Found) -> PartitionState:
    positions, reason = None, None
    try:
        positions = judge(found)
    except StateRefused as refused:
        reason = refused.reason
    return PartitionState(
        number=found.number,
        rows={table: len(kept) for table, kept in rows.items()},
        standing=found.standing,
        committed=found.committed,
        sources=found.sources,
        positions=positions,
        reason=reason,
    )
