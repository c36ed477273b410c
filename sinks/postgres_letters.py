"""Dead letters by organisation in Postgres (migration 0042), as many and for as long as a page needs them."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from models.dead_letters import LISTED_DAYS, LISTED_MAX, letter_of
from sinks.errors import StoreUnavailable
from sinks.postgres import Connection, Database, column, query, quoted_column
from sinks.postgres_positions import PostgresPositions
from sinks.records import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from models.dead_letters import Letter
    from sinks.letters import Sent
    from sinks.positions import Place

FORGET_INTERVAL_S: Final = 3_600.0
TEXT_MAX: Final = 1_000
"""Characters of what a header says."""
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OFFSET_MAX: Final = 2**63 - 1


class PostgresLetters:
    """The tables of one database; for one thread."""

    def __init__(self, database_url: str, *, consumer: str = "letters") -> None:
        """Make it without connecting; `consumer` is whose positions are kept."""
        self._database = Database(database_url, application_name="referrals letters")
        self._forgotten_at = float("-inf")
        self.positions = PostgresPositions(self._database, consumer=consumer, used="has_letters")

    def keep(self, letters: Sequence[Letter], sent: Sequence[Sent], moved: Mapping[Place, int]) -> None:
        """List a batch in the transaction in which positions move.

        Raises:
            StoreUnavailable: to be tried again.
            Fenced: another process has one of the partitions; nothing was kept.

        """
        with self._database.transaction() as connection:
            self.positions.move_in(connection, moved)
            if letters or sent:
                query(connection, "hold_letters")
            if sent:
                latest = {each.digest: each.at for each in sent}
                values = {"digests": column(latest), "times": column(f'"{at.isoformat()}"' for at in latest.values())}
                query(connection, "note_replays", values)
            if letters:
                _add(connection, letters)
        self.positions.kept()

    def tend(self) -> None:
        """Give dead letters to whose codes they turn out to be; once an hour forget what is old."""
        with self._database.transaction() as connection:
            query(connection, "hold_letters")
            query(connection, "claim_letters")
            if time.monotonic() - self._forgotten_at > FORGET_INTERVAL_S:
                query(connection, "forget_letters", {"days": LISTED_DAYS})
                query(connection, "forget_replays", {"days": LISTED_DAYS})
                self._forgotten_at = time.monotonic()

    def probe(self) -> None:
        """List a dead letter that is made up, and undo it."""
        if (beyond := self.check_schema()) is not None:
            raise StoreUnavailable(beyond)
        record = Record(topic="", partition=0, offset=_OFFSET_MAX, key=None, value=uuid.uuid4().bytes)
        with self._database.transaction(undo=True) as connection:
            query(connection, "hold_letters")
            _add(connection, [letter_of(record, None)])

    def check_schema(self) -> str | None:
        """See that the tables are as new as this program; say what they have beyond it."""
        return self._database.check_schema()

    def close(self) -> None:
        """Close the connection."""
        self._database.close()


def _add(connection: Connection, letters: Sequence[Letter]) -> None:
    named = [letter.named() for letter in letters]
    values = {
        "partitions": column(letter.partition for letter in letters),
        "offsets": column(letter.offset for letter in letters),
        "times": column(f'"{(letter.at or _BEGINNING).isoformat()}"' for letter in letters),
        "reasons": _texts(letter.reason for letter in letters),
        "messages": _texts(letter.message for letter in letters),
        "stages": _texts(letter.stage for letter in letters),
        "source_topics": _texts(letter.source_topic for letter in letters),
        "source_partitions": column(min(letter.source_partition, 2**31 - 1) for letter in letters),
        "source_offsets": column(min(letter.source_offset, _OFFSET_MAX) for letter in letters),
        "codes": column(code for code, _ in named),
        "named_orgs": column(org_id for _, org_id in named),
        "records": column(min(letter.records, _OFFSET_MAX) for letter in letters),
        "sizes": column(len(letter.value or b"") for letter in letters),
        "agains": column(letter.is_again for letter in letters),
        "digests": column(letter.digest for letter in letters),
    }
    for org_id in {org_id for (org_id,) in query(connection, "add_letters", values)}:
        bound = {"org_id": org_id, "most": LISTED_MAX}
        query(connection, "bound_letters" if org_id is not None else "bound_letters_of_nobody", bound)


def _texts(texts: Iterable[str]) -> str:
    """Return a column of what headers say, which may be anything; Postgres keeps no NUL."""
    return quoted_column(text.replace("\0", "")[:TEXT_MAX] for text in texts)
