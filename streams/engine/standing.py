"""Where the rows of a source partition stand: positions as part of the state, and what a new owner makes of them.

With each epoch's rows its number is written to the changelog of every table that it changes (the table's *seal*), and
to the first table's changelog the *standing*: the positions in the source topics, which topics these were, and the
seals that the tables must have. All of it is in the epoch's transaction, so rows and positions cannot disagree; the
group's offsets, which expire after a week without members and which anybody can reset, are for tools that show lag, and
may be a second behind (`EngineOptions.follow_s`).

`judge` compares a standing with what the cluster has, and is pure. It goes on where there is one right answer:

    what was found                                            what the new owner does
    --------------------------------------------------------  ------------------------------------------------------
    standing and seals agree, the sources have what follows   goes on there, whatever the group's offsets say
    nothing at all                                            begins with the first records there are
    rows without a standing, offsets                          a state of an earlier version: adopts the offsets

and refuses where a person has to decide: rows of a table are missing or of another time, the offsets are all that
is left, nobody knows where the rows stand, or a source was made anew, cut short, or has lost what was not read yet. And
it refuses rows that a newer version has written: an older one would drop from them what it does not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct, json

from streams.engine.errors import StateRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.engine.errors import Remedy

SEAL_KEY: Final = b"\0seal"
STANDING_KEY: Final = b"\0standing"
"""Keys in a changelog that begin with NUL are the engine's; no row of an application may."""

PUBLISHED_KEY: Final = b"\0published"
"""In the first table's changelog, behind the rows of which all that they publish is published."""

OFFSETS_MARK: Final = "standing"
"""Metadata of the group's offsets: the rows say where they stand."""


ROWS_FORMAT: Final = 1
"""What rows are written in now. It is raised with each change of a row, of the engine's or of an application's, that a
worker of the version before would drop when it writes the row again: such a worker then leaves the partition alone. A
sample of each format that was released is kept and read in a test (`tests/corpus/rows`)."""


class Stand(Struct, frozen=True, gc=False):
    """How far one source topic was read."""

    next: int
    """Offset of the next record to be read."""
    topic_id: str = ""
    """The broker's identity of the topic, another one when it is deleted and made anew; empty where it has none."""


class Standing(Struct, frozen=True):
    """Where a partition's rows stand."""

    epoch: int
    """Number of the epoch that wrote it."""
    sources: dict[str, Stand]
    seals: dict[str, int]
    """Table -> number of the last epoch that changed it."""
    before: dict[str, int] = {}
    """Source topic -> position up to which a state before this one had read it: what is sent of that was sent then."""
    since: dict[str, int] = {}
    """Source topic -> offset from which on the rows have taken it in; absent: from 0. Below 0 where they hold records
    of a topic that was made anew or cut short since. Whoever checks the rows must know what they cannot hold."""
    owes: bool = False
    """Whether rows behind the last `PUBLISHED_KEY` of the first table's changelog are still to be published."""
    partitions: int = 0
    """How many partitions of each source the rows are laid out for; 0: an earlier version did not say."""
    format: int = ROWS_FORMAT
    """What the rows are written in, at the most; an earlier version did not say it, and had the first."""

    @property
    def positions(self) -> dict[str, int]:
        """Source topic -> offset of the next record to be read."""
        return {topic: stand.next for topic, stand in self.sources.items()}


class Log(Struct, frozen=True):
    """A topic's partition on the cluster."""

    first: int
    """Offset of the first record that is still there, or would be."""
    end: int
    """Offset that the next record gets."""
    topic_id: str = ""


class Found(Struct, frozen=True, kw_only=True):
    """What a new owner finds of a partition."""

    number: int
    standing: Standing | None
    seals: dict[str, int]
    """Of those tables that have one."""
    has_rows: bool
    committed: dict[str, int]
    """The group's offsets; absent where there are none."""
    sources: dict[str, Log]
    has_marked_offsets: bool = False
    """Whether they were committed by somebody who wrote standings."""
    kept_elsewhere: bool = False
    """Whether any changelog has records, in whichever partition."""
    partitions: int = 0
    """How many partitions of each source its owner counts on; 0: any."""
    was_emptied: bool = False
    """Whether records were deleted from a changelog of this partition, other than by compaction."""

    @property
    def begins(self) -> bool:
        """Whether nothing is kept of it: a new partition, or one whose rows and offsets are both gone."""
        return self.standing is None and not (self.seals or self.has_rows or any(self.committed.values()))


_REBUILD: Final[tuple[Remedy, ...]] = ("rebuild",)
"""What mends rows that are not whole."""

encode_standing: Final = json.Encoder().encode
_decode_standing: Final = json.Decoder(Standing).decode


def decode_standing(row: bytes | None) -> Standing | None:
    """Return the standing that a changelog holds; None where it holds none."""
    return None if row is None else _decode_standing(row)


def seal_of(number: int) -> bytes:
    """Return the row that says which epoch has changed a table last."""
    return b"%d" % number


def judge(found: Found) -> dict[str, int]:
    """Return the positions to go on from: source topic -> offset.

    Raises:
        StateRefused: somebody has to decide; the message says what is wrong.

    """
    stands = whole_rows_stand(found)
    positions = {}
    for topic, log in found.sources.items():
        stand = stands.get(topic)
        if stand is not None:
            _check_source(found.number, topic, stand, log)
        positions[topic] = log.first if stand is None else stand.next
    return positions


def whole_rows_stand(found: Found) -> Mapping[str, Stand]:
    """Return where the rows stand: source topic -> stand; whether the sources are still there does not matter here.

    Raises:
        StateRefused: they are not whole, not of one moment, or not to be had by who asks: nobody can accept them.

    """
    if found.standing is not None:
        check_format(found)
        _check_topics(found, found.standing)
        _check_partitions(found, found.standing)
        _check_seals(found, found.standing)
        return found.standing.sources
    if found.seals:
        missing = "the first table's changelog has lost its records, the others have not"
        raise StateRefused(found.number, f"{missing}: rows of different times cannot be added up", _REBUILD)
    return _adopted(found)


def check_format(found: Found) -> None:
    """See that the rows are none that a newer version has written: written again, they would lose what it added.

    Raises:
        StateRefused: they are.

    """
    if found.standing is not None and found.standing.format > ROWS_FORMAT:
        raise StateRefused(
            found.number,
            f"a newer version has written its rows (format {found.standing.format}; this one knows {ROWS_FORMAT}), and "
            "this one would drop what it does not know: let workers of the newer version have it",
            remedies=(),
        )


def _check_topics(found: Found, standing: Standing) -> None:
    if standing.sources and standing.sources.keys().isdisjoint(found.sources):
        raise StateRefused(
            found.number,
            f"its rows are those of other topics ({', '.join(sorted(standing.sources))}): another application works "
            "under the same name; give each a name of its own",
            remedies=(),
        )


def _check_partitions(found: Found, standing: Standing) -> None:
    if standing.partitions and found.partitions and standing.partitions != found.partitions:
        raise StateRefused(
            found.number,
            f"its rows are laid out for {standing.partitions} partitions, and not for {found.partitions}: keys would "
            "be looked for where they are not",
            _REBUILD,
        )


def _check_seals(found: Found, standing: Standing) -> None:
    for table in sorted(standing.seals.keys() | found.seals.keys()):
        expected, seal = standing.seals.get(table, 0), found.seals.get(table, 0)
        if seal != expected:
            raise StateRefused(
                found.number,
                f"table {table} was changed last in epoch {seal}, and must have been in epoch {expected}: "
                "a changelog was made anew, emptied or cut short",
                _REBUILD,
            )


def _adopted(found: Found) -> Mapping[str, Stand]:
    """Return where a partition without standing and seals begins: a new one, or one of a version that had neither."""
    if found.was_emptied:
        raise StateRefused(found.number, "records were deleted from its changelogs, so rows are missing", _REBUILD)
    read = any(found.committed.values())
    if found.has_rows and not read:
        raise StateRefused(
            found.number,
            "neither its rows nor the group's offsets say where the rows stand: the offsets expired",
            _REBUILD,
        )
    if read and not found.has_rows and (found.has_marked_offsets or not found.kept_elsewhere):
        at = ", ".join(f"{topic}: {offset}" for topic, offset in sorted(found.committed.items()))
        raise StateRefused(found.number, f"the changelogs are gone, and the group's offsets are not ({at})", _REBUILD)
    return {topic: Stand(offset) for topic, offset in found.committed.items()}


def _check_source(number: int, topic: str, stand: Stand, log: Log) -> None:
    if stand.next and stand.topic_id and log.topic_id and stand.topic_id != log.topic_id:
        raise StateRefused(number, f"topic {topic} was deleted and made anew since offset {stand.next} was read")
    if stand.next > log.end:
        raise StateRefused(
            number,
            f"topic {topic} ends at offset {log.end}, and {stand.next} is next to be read: it has lost records",
        )
    if stand.next < log.first:
        raise StateRefused(
            number,
            f"topic {topic} begins at offset {log.first}, and {stand.next} is next to be read: "
            f"{log.first - stand.next} records were deleted before they were read",
        )
