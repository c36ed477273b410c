"""The positions of one consumer in Postgres (migration 0010), moved in whatever transaction they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sinks.errors import Fenced
from sinks.positions import Place, Position, Start
from sinks.postgres import Connection, Database, column, query, quoted_column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

NO_STARTS: Final[Mapping[Place, Start]] = MappingProxyType({})


class PostgresPositions:
    """What one process has claimed of a consumer's positions; a `Positions`."""

    def __init__(
        self,
        database: Database,
        *,
        consumer: str,
        used: str,
        forget_order: Callable[[Connection, Mapping[Place, Start]], None] | None = None,
    ) -> None:
        """Make it without connecting.

        Args:
            database: the sink's connection.
            consumer: name of the consumer group.
            used: name of the statement that tells whether the consumer has written anything.
            forget_order: what else is done, in the same transaction, where a log holds others than what was read.

        """
        self._database = database
        self._consumer = consumer
        self._used = used
        self._forget_order = forget_order
        self._claims: dict[Place, int] = {}
        self._at: dict[Place, int | None] = {}  # where the database has acknowledged them to be
        self._moving: dict[Place, int] = {}  # in the transaction under way

    def claim(self, places: Iterable[Place]) -> Mapping[Place, Position]:
        """Take the partitions' positions over and return those that there are."""
        places = sorted(places)
        with self._database.transaction() as connection:
            rows = query(connection, "claim_positions", {"consumer": self._consumer, **_columns(places)})
        self._claims |= {(topic, number): claim for topic, number, *_, claim in rows}
        self._at |= {(topic, number): next_offset for topic, number, _, next_offset, *_ in rows}
        return {
            (topic, number): Position(next_offset, topic_id, read_before)
            for topic, number, topic_id, next_offset, read_before, _ in rows
            if next_offset is not None
        }

    def is_used(self) -> bool:
        """Tell whether the database holds anything that this consumer has written."""
        with self._database.transaction() as connection:
            ((is_used,),) = query(connection, self._used)
        return bool(is_used)

    def begin(self, starts: Mapping[Place, Start]) -> None:
        """Note where partitions that were claimed begin."""
        with self._database.transaction() as connection:
            self.move_in(connection, {place: start.next for place, start in starts.items()}, starts=starts)
            if self._forget_order is not None:
                self._forget_order(connection, starts)
        self.kept()

    def move(self, reached: Mapping[Place, int | None]) -> None:
        """Note how far partitions have been read, apart from any effect."""
        with self._database.transaction() as connection:
            self.move_in(connection, reached)
        self.kept()

    def kept(self) -> None:
        """Take note that the transaction of the last move was acknowledged; one that was not may be done or undone."""
        self._at |= self._moving
        self._moving = {}

    def move_in(
        self,
        connection: Connection,
        reached: Mapping[Place, int | None],
        *,
        starts: Mapping[Place, Start] = NO_STARTS,
    ) -> None:
        """Move positions in a transaction that has its own effect, and then say `kept`; None: hold one where it is.

        Raises:
            Fenced: somebody else has claimed one of them, or it is not where we moved it, as in a database that went
                back in time; the transaction must be rolled back.

        """
        self._moving = {place: offset for place, offset in reached.items() if offset is not None}
        if not reached:
            return
        places = sorted(reached)
        values = {
            "consumer": self._consumer,
            **_columns(places),
            "claims": column(self._claims.get(place, 0) for place in places),
            "next_offsets": column(reached[place] for place in places),
            "topic_ids": column(f'"{starts[place].topic_id}"' if starts else None for place in places),
            "expected": column(self._at.get(place) for place in places),
            "read_befores": column(starts[place].read_before if starts else None for place in places),
            "former_records": column(starts[place].former_records if starts else None for place in places),
        }
        held = set(query(connection, "move_positions", values))
        fenced = set(places) - held
        if fenced:
            raise Fenced(fenced)


def _columns(places: Sequence[Place]) -> dict[str, str]:
    return {
        "topics": quoted_column(topic for topic, _ in places),
        "partitions": column(number for _, number in places),
    }
