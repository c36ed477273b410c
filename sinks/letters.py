"""Dead letters by organisation, for the page on which its administrators look at them and send them again.

Whose one is: its code's organisation; where the code is issued to nobody the one that the event names, until it is
issued; where neither is known nobody's, so the installation's. Nothing of the record is kept but its code and a digest,
so no table has a member's id.

Which were sent again is read from the notes of replays, whose topic the first replay makes.

Failure handling: rows have the coordinates of the dead letter, so one that is read again changes nothing. A record of
this topic must never become a dead letter of it: one that cannot be listed is passed over, and said.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import structlog

from models.dead_letters import digest_of, letter_of
from sinks.positions import NOWHERE, read_to
from sinks.records import counted_ms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sinks.positions import Place, Positions, Start
    from sinks.postgres_letters import PostgresLetters
    from sinks.records import DeadLetter, Record

TEND_INTERVAL_S: Final = 10.0
"""So often it is looked whether codes have come of which there are dead letters."""

log = structlog.stdlib.get_logger("sinks.letters")


class Note(msgspec.Struct, frozen=True):
    """What the note of a replay says, of what is read here."""

    at: datetime


class Sent(NamedTuple):
    """A record was sent again."""

    digest: str
    at: datetime


class Letters:
    """The sink. Consumer group: topic prefix and `letters`."""

    name = "letters"

    def __init__(self, store: PostgresLetters, *, letters_topic: str) -> None:
        """Make it without connecting; records of another topic than `letters_topic`, its full name, are notes."""
        self._store = store
        self._topic = letters_topic
        self._next_tend = 0.0

    @property
    def positions(self) -> Positions:
        """Where it goes on reading."""
        return self._store.positions

    def open(self) -> None:
        """See that the tables are as new as this program."""
        if (beyond := self._store.check_schema()) is not None:
            log.warning("letters.schema_is_newer", reason=beyond)

    def begin(self, starts: Mapping[Place, Start]) -> None:
        """Note where partitions begin that were claimed."""
        self._store.positions.begin(starts)

    def put(self, records: Sequence[Record], reached: Mapping[Place, int] = NOWHERE) -> list[DeadLetter]:
        """List a batch in one transaction, in which the positions move; nothing is a dead letter here.

        Raises:
            StoreUnavailable: to be tried again.
            Fenced: another process has partitions of these now; nothing was kept.

        """
        moved = read_to(records, reached)
        letters = [letter_of(record, _written_at(record)) for record in records if record.topic == self._topic]
        sent = [note for record in records if record.topic != self._topic if (note := _sent(record)) is not None]
        self._store.keep(letters, sent, moved)
        return []

    def probe(self) -> None:
        """List a dead letter that is made up, and undo it; what raises is not a record's fault."""
        self._store.probe()

    def tend(self) -> None:
        """Give dead letters to the organisations whose codes they turn out to be, and forget old ones."""
        if time.monotonic() >= self._next_tend:
            self._next_tend = time.monotonic() + TEND_INTERVAL_S
            self._store.tend()

    def close(self) -> None:
        """Close the store's connection."""
        self._store.close()


class Unlisted:
    """In the place of a dead letters topic: what this sink cannot use is a dead letter already, and stays one."""

    def send(self, letters: Sequence[DeadLetter]) -> None:
        """Say which are on no list."""
        for record, fault in letters:
            log.error(
                "letters.not_listed",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                reason=type(fault).__name__,
                remedy="it is a fault of this program: referrals dead-letters show has it",
            )

    def flush(self) -> bool:
        """Nothing is under way."""
        return True


def _written_at(record: Record) -> datetime | None:
    ms = counted_ms(record)
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)


def _sent(record: Record) -> Sent | None:
    """Return what a note says; None where it is none of ours."""
    try:
        return Sent(digest_of(record.key or b""), msgspec.json.decode(record.value or b"", type=Note).at)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
