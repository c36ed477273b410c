"""When what happened: clicks and registrations of the source topics, added up by day and channel for the dashboard.

The counts of a mentor say how many there are; they do not say when each came. So this sink reads the source topics
beside the stream app and keeps, by `occurred_at`, how many clicks each quarter of an hour had, and when each pair of
code and member became what (migration 0021 makes days of it). What the stream app makes a dead letter of is left out
here without a word: bad events, other organisations' (rule 4), what lies in a wrong partition and is moved, and copies
that are moved once more because a state was rebuilt.

Of a member who was erased the pair stays as it stood, and later events of it are passed over. No table has ever had his
id: a digest of code and member stands for the pair, the one that an erasure names too.

Failure handling: pairs are kept as the earliest and the latest of their events' times, which no repetition changes.
Clicks are added up, so each record counts in the transaction that moves its partition's position, and one below the
position is passed over. Activity of a code that is not issued yet waits in a table, and counts when it is.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog
from msgspec import Struct, field

from models.codes import normalise_code
from models.columns import decode_batch
from models.erasures import pseudonym
from models.errors import BadInput
from models.events import (
    UNKNOWN_CHANNEL,
    Click,
    Erasure,
    Registration,
    clean_channel,
    decode_event,
    decode_registration,
)
from models.identifiers import canonical_uuid, is_uuid
from models.members import microseconds
from models.moves import is_moved_again
from models.partition_changes import Homes
from models.partitioning import partition_of
from sinks.positions import NOWHERE, read_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sinks.positions import Place, Positions, Start
    from sinks.postgres_history import PostgresHistory
    from sinks.records import DeadLetter, Record

QUARTER_HOUR_US: Final = 900_000_000
TEND_INTERVAL_S: Final = 2.0
"""So often it is looked whether codes have come that something waits for."""

log = structlog.stdlib.get_logger("sinks.history")


class Clicked(NamedTuple):
    """What clicks have in common that are counted together."""

    code: str
    org_id: str | None
    """As the event names it; None: it names none."""
    quarter_hour: int
    """Quarters of an hour since 1970."""
    channel: str


class Registered(NamedTuple):
    """One event of a pair of code and member."""

    code: str
    org_id: str | None
    pair: str
    """A digest of code and member id, as 32 hexadecimal digits."""
    status: str
    occurred_us: int
    """Microseconds since 1970."""
    channel: str
    partition: int
    """Where its record stands in the topic."""
    offset: int
    by: str | None
    """A digest of code and attribution id; None: it was kept without it while it waited for its code."""


class Erased(NamedTuple):
    """The member of a pair was erased: what is kept of it changes no more."""

    code: str
    pair: str
    """As of a registration."""
    occurred_us: int
    org_id: None = None
    channel: str = UNKNOWN_CHANNEL


What = Clicked | Registered | Erased


class Happened(Struct, frozen=True):
    """A batch, made small."""

    clicks: Counter[Clicked] = field(default_factory=Counter)
    registrations: list[Registered | Erased] = field(default_factory=list)
    """In their order: the first of a pair decides its channel (rule 6), and after an erasure no other counts."""
    places: dict[str, list[tuple[Place, int, What, int]]] = field(default_factory=dict)
    """By code: place, offset, what happened, and when: what is kept where the code is not issued yet."""


class History:
    """The sink. Consumer group: topic prefix and `history`."""

    name = "history"

    def __init__(
        self, store: PostgresHistory, *, clicks_topic: str, registrations_topic: str, homes: Callable[[int], Homes]
    ) -> None:
        """Make it without connecting.

        Args:
            store: where it keeps what happened.
            clicks_topic: full name of the clicks topic.
            registrations_topic: full name of the registrations topic.
            homes: says where codes belong and belonged, under so many partitions now: what lies where its code did not
                belong comes again elsewhere. Asked when partitions are claimed; raises StoreUnavailable.

        """
        self._store = store
        self._kinds: dict[str, type[Click | Registration]] = {clicks_topic: Click, registrations_topic: Registration}
        self._homes_of = homes
        self._homes = Homes((), 0)
        self._next: dict[Place, int] = {}
        self._next_tend = 0.0

    @property
    def positions(self) -> Positions:
        """Where it goes on reading."""
        return self._store.positions

    def open(self) -> None:
        """See that the tables are as new as this program."""
        if (beyond := self._store.check_schema()) is not None:
            log.warning("history.schema_is_newer", reason=beyond)

    def begin(self, starts: Mapping[Place, Start]) -> None:
        """Note where partitions begin that were claimed, and where codes belong."""
        partitions = max((start.partitions for start in starts.values()), default=0)
        if partitions > self._homes.partitions:
            self._homes = self._homes_of(partitions)
        self._store.positions.begin(starts)
        self._next |= {place: start.next for place, start in starts.items()}

    def put(self, records: Sequence[Record], reached: Mapping[Place, int] = NOWHERE) -> list[DeadLetter]:
        """Add up a batch in one transaction, in which its positions move; nothing is a dead letter here.

        Raises:
            StoreUnavailable: to be tried again.
            Fenced: another process has partitions of these now; nothing was kept.

        """
        fresh = [r for r in records if r.offset >= self._next.get((r.topic, r.partition), 0)]
        moved = read_to(fresh, reached)
        self._store.keep(happened(fresh, self._kinds, self._homes), moved)
        self._next |= moved
        return []

    def probe(self) -> None:
        """Add a click and a pair that are made up, and undo it; what raises is not a record's fault."""
        self._store.probe()

    def tend(self) -> None:
        """Count what waited for codes that have been issued, and forget what has waited too long."""
        if time.monotonic() >= self._next_tend:
            self._next_tend = time.monotonic() + TEND_INTERVAL_S
            self._store.count_waiting()

    def close(self) -> None:
        """Close the store's connection."""
        self._store.close()


def happened(records: Sequence[Record], kinds: Mapping[str, type[Click | Registration]], homes: Homes) -> Happened:
    """Return what records say, without those that count nowhere."""
    found = Happened()
    codes: dict[str, str | None] = {}  # as it is written: as it is kept
    is_home: dict[tuple[str, int, int], bool] = {}
    for topic, kind in kinds.items():
        those = [record for record in records if record.topic == topic and not is_moved_again(record)]
        for record, event in _decoded(kind, those):
            written = event.referral_code
            if written not in codes:
                codes[written] = _code(written)
            code = codes[written]
            if code is None or not _lies_right(record, code, homes, is_home):
                continue
            what = _what(code, event, record)
            if what is None:
                continue
            if isinstance(what, Clicked):
                found.clicks[what] += 1
            else:
                found.registrations.append(what)
            occurred_at = event.erased_at if isinstance(event, Erasure) else event.occurred_at
            at = (record.topic, record.partition), record.offset, what, microseconds(occurred_at)
            found.places.setdefault(code, []).append(at)
    return found


def _what(code: str, event: Click | Registration | Erasure, record: Record) -> What | None:
    """Return what an event says; None: it names an organisation that cannot be one."""
    if isinstance(event, Erasure):
        return Erased(code, event.erased_pair.replace("-", "").lower(), microseconds(event.erased_at))
    if not _names_organisation(event.org_id):
        return None
    org_id = None if event.org_id is None else canonical_uuid(event.org_id)
    metadata = event.device_metadata
    channel = clean_channel((None if metadata is None else metadata.share_channel) or "")
    at_us = microseconds(event.occurred_at)
    if isinstance(event, Click):
        return Clicked(code, org_id, at_us // QUARTER_HOUR_US, channel)
    pair = pseudonym(code, event.new_member_id).hex()
    by = pseudonym(code, event.attribution_id).hex()
    return Registered(code, org_id, pair, event.status, at_us, channel, record.partition, record.offset, by)


def _decoded(
    kind: type[Click | Registration], records: Sequence[Record]
) -> Iterator[tuple[Record, Click | Registration | Erasure]]:
    """Yield the records whose values are events, with these."""
    if not records:
        return
    values = [record.value for record in records]
    events: Sequence[Click | Registration | None]
    events = decode_batch(Click, values) if kind is Click else decode_batch(Registration, values)
    for record, event in zip(records, events, strict=True):
        if event is not None:
            yield record, event
            continue
        with suppress(BadInput):  # the stream app makes a dead letter of it
            yield record, decode_event(kind, record.value) if kind is Click else decode_registration(record.value)


def _code(written: str) -> str | None:
    """Return a code as it is kept; None: it can be no code."""
    try:
        return normalise_code(written)
    except BadInput:
        return None


def _lies_right(record: Record, code: str, homes: Homes, known: dict[tuple[str, int, int], bool]) -> bool:
    """Tell whether a code belonged where the record lies; if not, a copy comes. `known` is what was answered before."""
    asked = code, record.partition, homes.partitions_at(record.topic, record.partition, record.offset)
    if asked not in known:
        known[asked] = partition_of(code.encode(), asked[2]) == record.partition
    return known[asked]


def _names_organisation(org_id: str | None) -> bool:
    return org_id is None or is_uuid(org_id)
