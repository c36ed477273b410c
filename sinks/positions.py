"""Where a sink goes on reading: its positions are kept by its store, in the transaction of what was read.

A store that goes back in time (restored from last night, failed over to a replica that was behind) takes its positions
along, and what it has forgotten is read again; Kafka's offsets are only what tools see as lag. Reading again is always
safe: milestones are kept by organisation, mentor and threshold, and counts are replaced by newer records alone.

Who gets a partition *claims* its position, which fences whoever held it before; then `judge` compares the position with
the log, and is pure:

    what was found                                     where the sink goes on
    -------------------------------------------------  -------------------------------------------------------------
    the log has what follows                           there, whatever Kafka's offset says
    Kafka's offset is further                          there: the store went back in time
    no position, and Kafka's offset of a version       at Kafka's offset, once: an upgrade
      that kept none; the store has what it wrote
    no position otherwise                              at the first record: a new store
    the topic was made anew                            at its first record; whatever comes is newer than what was
    the log ends before the position                   at its end; whatever comes is newer than what was
    the log begins after the position                  at its first record: records are lost, and that is an error
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sinks.records import Record

Place = tuple[str, int]
"""Topic and partition."""

NOWHERE: Final[Mapping[Place, int]] = MappingProxyType({})
"""No partition has been read any further."""

OFFSETS_MARK: Final = "the position is in the store"
"""Metadata of Kafka's offsets: they follow a position that the store keeps."""


def read_to(records: Iterable[Record], reached: Mapping[Place, int]) -> dict[Place, int]:
    """Return the offset of what is next to be read, after consecutive records and where partitions were read to."""
    return {(record.topic, record.partition): record.offset + 1 for record in records} | dict(reached)


class Position(Struct, frozen=True, gc=False):
    """How far a store says that a partition was read."""

    next: int
    """Offset of the next record to be read."""
    topic_id: str = ""
    """The broker's identity of the topic, another one when it is deleted and made anew; empty where not known."""
    read_before: int = 0
    """See `Start`."""


class Log(Struct, frozen=True, gc=False, kw_only=True):
    """A partition as Kafka has it."""

    first: int
    """Offset of the first record that is still there, or would be."""
    end: int
    """Offset that the next record gets."""
    topic_id: str = ""
    partitions: int
    """How many its topic has."""
    committed: int | None = None
    """The group's offset; None: it has none."""
    is_marked: bool = False
    """Whether the offset follows a position in the store."""


class Finding(StrEnum):
    """What is said of a partition that was taken over."""

    AS_EXPECTED = "as_expected"
    BEGINS = "begins"
    UPGRADED = "upgraded"
    STORE_IS_NEW = "store_is_new"
    STORE_WENT_BACK = "store_went_back"
    TOPIC_MADE_ANEW = "topic_made_anew"
    LOG_CUT_SHORT = "log_cut_short"
    RECORDS_LOST = "records_lost"


class Start(Struct, frozen=True, gc=False, kw_only=True):
    """Where a sink begins to read a partition."""

    next: int
    topic_id: str
    partitions: int
    """How many its topic has: where a key belongs."""
    finding: Finding
    read_before: int = 0
    """Records below this offset were read once: dead letters of them have been sent."""
    forget_from: int | None = None
    """From this offset on the log holds others than the records that were read; None: they are the same."""
    former_records: int = 0
    """How many of the records that were read are not in the log any more because it is another one, or lost its end."""
    lost: int = 0
    """How many offsets there were between the position and the first record that is left."""


class Positions(Protocol):
    """Where one consumer's positions are kept; the store's own part of a sink."""

    def claim(self, places: Iterable[Place]) -> Mapping[Place, Position]:
        """Take the partitions' positions over and return those that there are.

        Raises:
            StoreUnavailable: to be tried again.

        """

    def is_used(self) -> bool:
        """Tell whether the store holds anything that this consumer has written; the same raises."""

    def begin(self, starts: Mapping[Place, Start]) -> None:
        """Note where partitions that were claimed begin.

        Raises:
            StoreUnavailable: to be tried again.
            Fenced: somebody else has claimed one meanwhile.

        """

    def move(self, reached: Mapping[Place, int | None]) -> None:
        """Note how far partitions have been read, apart from any effect; None: only see that one is still ours.

        A position that is not where we moved it last is not ours: the store went back in time beneath us. The same
        raises.
        """


def judge(position: Position | None, log: Log, *, is_used: bool) -> Start:
    """Return where to go on, and what is to be said of it; see the table above."""
    committed = log.committed or 0
    former_records = lost = 0
    forget_from = None
    if position is None:
        if is_used and committed and not log.is_marked:
            begin, finding = min(max(committed, log.first), log.end), Finding.UPGRADED
            lost = max(log.first - committed, 0)
        else:
            begin, finding = log.first, Finding.STORE_IS_NEW if committed else Finding.BEGINS
    elif position.topic_id and log.topic_id and position.topic_id != log.topic_id:
        begin, finding, forget_from, former_records = log.first, Finding.TOPIC_MADE_ANEW, 0, position.next
    elif position.next > log.end:
        begin, finding, forget_from = log.end, Finding.LOG_CUT_SHORT, log.end
        former_records = position.next - log.end
    elif position.next < log.first:
        begin, finding, lost = log.first, Finding.RECORDS_LOST, log.first - position.next
    else:
        begin = position.next
        finding = Finding.STORE_WENT_BACK if committed > begin else Finding.AS_EXPECTED
    return Start(
        next=begin,
        topic_id=log.topic_id,
        partitions=log.partitions,
        finding=finding,
        read_before=max(committed, 0 if position is None else position.read_before) if forget_from is None else 0,
        forget_from=forget_from,
        former_records=former_records,
        lost=lost,
    )
