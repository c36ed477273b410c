"""What a person can do about a partition's state: look at it, accept it as it is, or have it counted anew.

`accept` and `rebuild` write to the changelogs under the partition's transactional id: whoever owns the partition is
fenced, leaves, and finds what was decided when it starts afresh. Each partition is one transaction. A worker that has
started afresh may take a partition over while it is decided about, and fences us then: it is fenced once more.
"""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from msgspec import Struct
from msgspec.structs import replace

from streams.engine.changelog import load_rows
from streams.engine.cluster import Cluster
from streams.engine.epoch import Epoch
from streams.engine.errors import Fenced, Interrupted, StateRefused
from streams.engine.producer import TransactionalProducer
from streams.engine.standing import Found, Log, Stand, Standing, judge, whole_rows_stand
from streams.engine.takeover import find

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from streams.engine.batch import OutgoingRecord, Rows
    from streams.engine.errors import Remedy
    from streams.engine.options import EngineOptions


DECIDING_TIMEOUT_S: Final = 600.0
"""Longest transaction of a decision: it writes as many rows as the partition has, an epoch a few thousand. Where the
program dies, the partition's next owner ends the transaction when it starts. Kafka's own limit is 900 s."""

ATTEMPTS: Final = 10
"""How often a partition's owner may come back while it is decided about, or a broker that dies be in the way: a worker
is back after seconds, and offsets that do not get into a transaction are given up after 20 (`clients.HANGS_S`)."""


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
    remedies: tuple[Remedy, ...] = ()
    """What somebody may decide then: both, one, or nothing."""


class Begun(NamedTuple):
    """With what a partition begins that is counted anew."""

    rows: Mapping[str, Mapping[bytes, bytes]]
    """Table -> key -> row; a table without rows may be left out."""
    positions: Mapping[str, int] = MappingProxyType({})
    """Source topic -> offset up to which these rows have counted it; absent: nothing of it."""
    outgoing: Sequence[OutgoingRecord] = ()
    """What these rows say was to be sent, and never was."""


class Begins(Protocol):
    """Says with what partitions begin that are counted anew."""

    def prepare(self, number: int) -> None:
        """Do beforehand what takes long: the partition's owner works on meanwhile."""

    def begin(self, number: int) -> Begun:
        """Return it; the owner is fenced, and what was announced until then is to be known."""


def examine(options: EngineOptions, numbers: Collection[int]) -> list[PartitionState]:
    """Return the state of partitions as it is committed; changes nothing and fences nobody."""
    return [_examined(rows, found) for rows, found in _load(options, Cluster(options), numbers)]


def accept(options: EngineOptions, numbers: Collection[int]) -> Iterator[PartitionState]:
    """Take the rows as they are, and go on with the sources as they are; yield each partition after it is done.

    A source goes on at the position that is known: brought to its first record where it was passed, to its end where
    the log ends before it, and to the first record where the topic was made anew. The rows must be whole: without a
    part of them what follows would miscount for ever.

    Raises:
        StateRefused: they are not, and `rebuild` is what mends them, or the reason says what is to be done.

    """

    def accepted(rows: Rows, found: Found) -> _Decision:
        _check_whole(found)
        epoch = _last_epoch(found) + 1
        forgotten: dict[str, dict[bytes, bytes | None]] = {}
        for topic in _made_anew(found):
            for table, gone in options.forget(rows, topic).items():
                forgotten.setdefault(table, {}).update(gone)
        stands = _accepted(found)
        seals = found.seals | dict.fromkeys(forgotten, epoch)
        before = found.standing.before if found.standing else {}
        owes = found.standing is not None and found.standing.owes
        laid_out = found.standing.partitions if found.standing else options.partitions
        standing = Standing(epoch, stands, seals, _still_before(found, before, stands), _since(found), owes, laid_out)
        return _Decision(standing, forgotten, rows)

    return _decide(options, numbers, accepted)


def rebuild(options: EngineOptions, numbers: Collection[int], *, begins: Begins) -> Iterator[PartitionState]:
    """Forget the rows, and count anew what the sources still have; yield each partition after it is done.

    `begins` gives the rows with which a partition begins, so that nothing is announced twice. It is asked for each when
    its owner is fenced: what he announced meanwhile is known then. What takes long is done before, in `prepare`: a
    fenced worker comes back in seconds, and would fence us.
    """

    def begun_anew(rows: Rows, found: Found) -> _Decision:
        epoch = _last_epoch(found) + 1
        beginning = begins.begin(found.number)
        began: Rows = {table: dict(beginning.rows.get(table, {})) for table in options.tables}
        written = {table: {**dict.fromkeys(rows[table]), **began[table]} for table in options.tables}
        stands = {
            topic: Stand(max(log.first, beginning.positions.get(topic, 0)), log.topic_id)
            for topic, log in found.sources.items()
        }
        seals = dict.fromkeys(options.tables, epoch)
        before = _still_before(found, _read(found), stands)
        since = {topic: log.first for topic, log in found.sources.items()}
        standing = Standing(epoch, stands, seals, before, since, partitions=options.partitions)
        published = options.publish(began[options.tables[0]])
        return _Decision(standing, written, began, published, beginning.outgoing)

    return _decide(options, numbers, begun_anew, prepare=begins.prepare)


class _Decision(NamedTuple):
    """What is to be made of a partition."""

    standing: Standing
    written: Mapping[str, dict[bytes, bytes | None]]
    """Rows of each table that are written, None where one is deleted."""
    rows: Rows
    """All rows after it."""
    latest: Mapping[str, dict[bytes, bytes]] = MappingProxyType({})
    """What they publish, where that may be otherwise than what was published."""
    outgoing: Sequence[OutgoingRecord] = ()


def _decide(
    options: EngineOptions,
    numbers: Collection[int],
    decision: Callable[[Rows, Found], _Decision],
    *,
    prepare: Callable[[int], None] = lambda _: None,
) -> Iterator[PartitionState]:
    """Commit a decision about each partition; yield each after it is done."""
    cluster = Cluster(options)
    for number in numbers:
        prepare(number)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with Deciding(options, number) as producer:
                    ((rows, found),) = _load(options, cluster, [number])
                    decided = decision(rows, found)
                    _commit(producer, cluster, decided)
            except Fenced as fenced:
                if attempt == ATTEMPTS:
                    message = f"{fenced}; its owner came back {ATTEMPTS} times before it was done: stop the workers"
                    raise Fenced(message) from fenced
            except Interrupted as interrupted:
                # Whether it was committed is known when another producer has begun, and deciding again does no harm.
                if attempt == ATTEMPTS:
                    message = f"{interrupted}; so {ATTEMPTS} times: see that the brokers are well, and run it again"
                    raise Interrupted(message) from interrupted
            else:
                yield _state_after(found, decided)
                break


class Deciding:
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


def _check_whole(found: Found) -> None:
    try:
        whole_rows_stand(found)
    except StateRefused as refused:
        only = "; that cannot be accepted, only rebuilt" if refused.remedies else ""
        raise StateRefused(found.number, f"{refused.reason}{only}", refused.remedies) from None


def _last_epoch(found: Found) -> int:
    return max([found.standing.epoch if found.standing else 0, *found.seals.values()])


def _commit(producer: TransactionalProducer, cluster: Cluster, decided: _Decision) -> None:
    epoch = Epoch()
    epoch.rows.update(decided.written)
    epoch.latest.update({topic: values for topic, values in decided.latest.items() if values})
    epoch.outgoing.extend(decided.outgoing)
    epoch.standing = decided.standing
    epoch.offsets = decided.standing.positions
    producer.commit(epoch, cluster.group())


def _state_after(found: Found, decided: _Decision) -> PartitionState:
    standing = decided.standing
    after = replace(found, standing=standing, seals=standing.seals, committed=standing.positions)
    return _examined(decided.rows, after)


def _read(found: Found) -> dict[str, int]:
    """Return how far the sources were read, by this state or one before it."""
    read = found.standing.positions if found.standing else found.committed
    before = found.standing.before if found.standing else {}
    return {topic: max(read.get(topic, 0), before.get(topic, 0)) for topic in found.sources}


def _still_before(found: Found, read: Mapping[str, int], stands: Mapping[str, Stand]) -> dict[str, int]:
    """Return of what was read once what is read again from the stands on: not of another topic, nor past the end."""
    anew = _made_anew(found)
    known = {topic: min(at, found.sources[topic].end) for topic, at in read.items() if topic in found.sources}
    return {topic: at for topic, at in known.items() if topic not in anew and at > stands[topic].next}


def _made_anew(found: Found) -> set[str]:
    """Return the source topics that are not those which were read."""
    stands = found.standing.sources if found.standing else {}
    return {
        topic
        for topic, log in found.sources.items()
        if topic in stands and stands[topic].topic_id and log.topic_id not in {"", stands[topic].topic_id}
    }


def _since(found: Found) -> dict[str, int]:
    """Return from where on the rows hold the sources, as offsets of today's: less by what is not there any more."""
    standing = found.standing
    read = standing.positions if standing else found.committed
    since = dict(standing.since) if standing else {}
    anew = _made_anew(found)
    for topic, log in found.sources.items():
        lost = read.get(topic, 0) if topic in anew else max(0, read.get(topic, 0) - log.end)
        since[topic] = since.get(topic, 0) - lost
    return since


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
    remedies: tuple[Remedy, ...] = ()
    try:
        positions = judge(found)
    except StateRefused as refused:
        reason, remedies = refused.reason, refused.remedies
    return PartitionState(
        number=found.number,
        rows={table: len(kept) for table, kept in rows.items()},
        standing=found.standing,
        committed=found.committed,
        sources=found.sources,
        positions=positions,
        reason=reason,
        remedies=remedies,
    )
