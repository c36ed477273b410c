"""A Postgres in memory, as the sinks' two repositories: transactions, unique keys, claims, and a restore from a copy.

Transactions come one after the other: whoever begins waits for the one under way, until the server gives it up because
it stands still. A commit may be lost, or done without anybody being told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from msgspec import structs

from models.badges import SEEDED_DEFINITIONS, BadgeDefinition
from models.codes import normalise_code
from models.events import CodeIssued
from sinks.badge_repository import MemoryBadgeTransaction, MemoryState
from sinks.counts_repository import Counts, Owner, owner_of_event
from sinks.errors import Fenced, StoreUnavailable
from sinks.positions import Place, Position, Positions, Start

SILENCE_S: Final = 2.0
"""The server gives up a transaction that stands still for so long."""

WAIT_S: Final = 0.03
LOST: Final = "lost"
UNKNOWN: Final = "unknown"


class Claimed(NamedTuple):
    """A row of the positions."""

    claim: int
    next: int | None = None
    topic_id: str = ""
    read_before: int = 0


@dataclass
class Tables:
    """What the database holds."""

    badges: MemoryState = field(default_factory=lambda: MemoryState(definitions=list(SEEDED_DEFINITIONS)))
    codes: dict[str, Owner] = field(default_factory=dict)
    counts: dict[Owner, Counts] = field(default_factory=dict)
    positions: dict[tuple[str, Place], Claimed] = field(default_factory=dict)

    def copy(self) -> Tables:
        """Return a copy; what stands in the tables is never changed."""
        return Tables(self.badges.copy(), dict(self.codes), dict(self.counts), dict(self.positions))


class Database:
    """The server."""

    def __init__(self, now: Callable[[], float] = lambda: 0.0) -> None:
        self.now = now
        self.tables = Tables()
        self.under_way: Session | None = None
        self.since_s = 0.0

    def restore(self, tables: Tables) -> None:
        """Go back to a copy; every session ends."""
        self.tables = tables.copy()
        self.under_way = None


class Session:
    """A process's connection."""

    def __init__(
        self,
        database: Database,
        *,
        pause: Callable[[str], None] = lambda _: None,
        block: Callable[[float], None] = lambda _: None,
        draw: Callable[[], str | None] = lambda: None,
        is_dead: Callable[[], bool] = lambda: False,
    ) -> None:
        self.database = database
        self._pause = pause
        self._block = block
        self._draw = draw
        self.is_dead = is_dead

    @contextmanager
    def transaction(self, *, undo: bool = False) -> Iterator[Tables]:
        """Run the body on a copy of the tables that becomes the tables at its end."""
        database = self.database
        self._pause("database.begin")
        while (other := database.under_way) is not None:
            if other.is_dead() or database.now() - database.since_s > SILENCE_S:
                break
            self._block(WAIT_S)
        database.under_way, database.since_s = self, database.now()
        try:
            work = database.tables.copy()
            yield work
            self._pause("database.commit")
            if database.under_way is not self:
                raise StoreUnavailable("the server has ended the session")
            fault = self._draw()
            if fault == LOST:
                raise StoreUnavailable("the connection is lost, and nothing was committed")
            if not undo:
                database.tables = work
            if fault == UNKNOWN:
                raise StoreUnavailable("the connection is lost, and it was committed")
        finally:
            if database.under_way is self:
                database.under_way = None


class SimulatedPositions:
    """A consumer's positions; `sinks.postgres_positions` says the same in SQL."""

    def __init__(self, session: Session, consumer: str, *, is_used: Callable[[Tables], bool]) -> None:
        self._session = session
        self._consumer = consumer
        self._is_used = is_used
        self._claims: dict[Place, int] = {}
        self._at: dict[Place, int | None] = {}
        self._moving: dict[Place, int] = {}
        self.forget_order: Callable[[Tables, Mapping[Place, Start]], None] = lambda _tables, _starts: None

    def claim(self, places: Iterable[Place]) -> Mapping[Place, Position]:
        """Take positions over."""
        found, claims, at = {}, {}, {}
        with self._session.transaction() as work:
            for place in sorted(places):
                before = work.positions.get((self._consumer, place), Claimed(-1))
                row = work.positions[self._consumer, place] = before._replace(claim=before.claim + 1)
                claims[place], at[place] = row.claim, row.next
                if row.next is not None:
                    found[place] = Position(row.next, row.topic_id, row.read_before)
        self._claims |= claims
        self._at |= at
        return found

    def is_used(self) -> bool:
        """Tell whether the consumer has written anything."""
        with self._session.transaction() as work:
            return self._is_used(work)

    def begin(self, starts: Mapping[Place, Start]) -> None:
        """Note where partitions begin."""
        with self._session.transaction() as work:
            self.move_in(work, {place: start.next for place, start in starts.items()}, starts=starts)
            self.forget_order(work, starts)
        self.kept()

    def move(self, reached: Mapping[Place, int | None]) -> None:
        """Note how far partitions have been read."""
        with self._session.transaction() as work:
            self.move_in(work, reached)
        self.kept()

    def kept(self) -> None:
        """Take note that the last move was acknowledged."""
        self._at |= self._moving
        self._moving = {}

    def move_in(
        self, work: Tables, reached: Mapping[Place, int | None], *, starts: Mapping[Place, Start] | None = None
    ) -> None:
        """Move positions in a transaction."""
        self._moving = {place: offset for place, offset in reached.items() if offset is not None}
        fenced = set()
        for place, offset in reached.items():
            row = work.positions.get((self._consumer, place))
            if row is None or row.claim != self._claims.get(place, 0) or row.next != self._at.get(place):
                fenced.add(place)
                continue
            start = (starts or {}).get(place)
            moved = row if offset is None else row._replace(next=offset)
            if start is not None:
                moved = moved._replace(topic_id=start.topic_id, read_before=start.read_before)
            work.positions[self._consumer, place] = moved
        if fenced:
            raise Fenced(fenced)


class _BadgeWork(MemoryBadgeTransaction):
    def __init__(self, work: Tables, positions: SimulatedPositions) -> None:
        super().__init__(work.badges)
        self._work = work
        self._positions = positions

    def move(self, reached: Mapping[Place, int | None]) -> None:
        self._positions.move_in(self._work, reached)


class SimulatedBadges:
    """The badge consumer's repository."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._positions = SimulatedPositions(session, "badges", is_used=lambda work: bool(work.badges.milestones))
        self._seen: object = None

    @property
    def positions(self) -> Positions:
        """Where the consumer's positions are kept."""
        return self._positions

    @contextmanager
    def transaction(self) -> Iterator[_BadgeWork]:
        """Run the body in one transaction."""
        with self._session.transaction() as work:
            yield _BadgeWork(work, self._positions)
        self._positions.kept()

    @contextmanager
    def trial(self) -> Iterator[_BadgeWork]:
        """Run the body in a transaction that is undone."""
        with self._session.transaction(undo=True) as work:
            yield _BadgeWork(work, self._positions)

    def check_schema(self) -> str | None:
        """Find nothing."""
        return None

    def announce(self, thresholds: Sequence[int]) -> None:
        """Do nothing."""

    def definitions(self) -> Sequence[BadgeDefinition]:
        """Return the definitions."""
        return self._session.database.tables.badges.definitions

    def has_news(self) -> bool:
        """Tell whether mentors or definitions have come."""
        badges = self._session.database.tables.badges
        before, self._seen = self._seen, (frozenset(badges.mentors), len(badges.definitions))
        return before != self._seen

    def close(self) -> None:
        """Do nothing."""


class _CountsWork:
    def __init__(self, work: Tables, positions: SimulatedPositions) -> None:
        self._work = work
        self._positions = positions

    def issued_codes(self, events: Sequence[CodeIssued]) -> dict[str, Owner]:
        codes = {normalise_code(event.referral_code) for event in events}
        owners = {owner_of_event(event) for event in events}
        return {code: owner for code, owner in self._work.codes.items() if code in codes or owner in owners}

    def insert_codes(self, events: Sequence[CodeIssued]) -> bool:
        batch = {normalise_code(event.referral_code): owner_of_event(event) for event in events}
        if self.issued_codes(events) or len(set(batch.values())) < len(events):
            return False
        self._work.codes |= batch
        self._work.badges.mentors.update(batch.values())
        return True

    def put_counts(self, latest: Mapping[Owner, Counts]) -> None:
        for owner, each in latest.items():
            before = self._work.counts.get(owner)
            if before is None or _is_newer(each, before):
                self._work.counts[owner] = each

    def move(self, reached: Mapping[Place, int | None]) -> None:
        self._positions.move_in(self._work, reached)


class SimulatedCounts:
    """The projection's repository."""

    def __init__(self, session: Session, *, counts_topic: str) -> None:
        self._session = session
        self._counts_topic = counts_topic
        self._positions = SimulatedPositions(session, "counts", is_used=lambda work: bool(work.counts))
        self._positions.forget_order = self._forget_order

    @property
    def positions(self) -> Positions:
        """Where the consumer's positions are kept."""
        return self._positions

    @contextmanager
    def transaction(self) -> Iterator[_CountsWork]:
        """Run the body in one transaction."""
        with self._session.transaction() as work:
            yield _CountsWork(work, self._positions)
        self._positions.kept()

    @contextmanager
    def trial(self) -> Iterator[_CountsWork]:
        """Run the body in a transaction that is undone."""
        with self._session.transaction(undo=True) as work:
            yield _CountsWork(work, self._positions)

    def check_schema(self) -> str | None:
        """Find nothing."""
        return None

    def close(self) -> None:
        """Do nothing."""

    def _forget_order(self, work: Tables, starts: Mapping[Place, Start]) -> None:
        for (topic, partition), start in starts.items():
            if topic != self._counts_topic or start.forget_from is None:
                continue
            for owner, each in list(work.counts.items()):
                if each.record.partition == partition and each.record.offset >= start.forget_from:
                    record = structs.replace(each.record, offset=start.forget_from - 1)
                    work.counts[owner] = each._replace(record=record)


def _is_newer(one: Counts, other: Counts) -> bool:
    if one.record.partition == other.record.partition:
        return one.record.offset > other.record.offset
    if one.record.partition == one.key_partition:
        return True
    return other.record.partition != one.key_partition and one.record.timestamp > other.record.timestamp
