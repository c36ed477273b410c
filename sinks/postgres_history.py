"""When what happened, in Postgres (migration 0021): clicks added up, pairs merged, in a few statements for a batch."""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from models.mentors import OTHER_CHANNEL
from sinks.errors import StoreUnavailable
from sinks.history import QUARTER_HOUR_US, Clicked, Erased, Happened, Registered, What
from sinks.postgres import Connection, Database, column, query, quoted_column
from sinks.postgres_positions import PostgresPositions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from sinks.positions import Place

CHANNELS_MAX: Final = 32
"""Channels of an organisation that are told apart; past them the rest is `other`."""

FORGET_INTERVAL_S: Final = 3_600.0

CODES_REMEMBERED: Final = 500_000
"""Whose a code is never changes; so many are looked up once."""

ERASED: Final = "erased"
"""In the place of a registration's status, where an erasure waits for its code."""

_OF_A_PAIR: Final = (
    "pending", "confirmed", "confirmed_last", "withdrawn", "confirmed_partition", "confirmed_offset", "confirmed_by"
)  # fmt: skip


class Pair(Struct):
    """What the events of a pair in a batch say together: times in microseconds since 1970."""

    code: str
    channel: str
    pending: int | None = None
    """At the earliest."""
    confirmed: int | None = None
    """At the earliest."""
    confirmed_last: int | None = None
    withdrawn: int | None = None
    """At the latest."""
    confirmed_partition: int | None = None
    """Of the record that confirmed first, in the order of the topic."""
    confirmed_offset: int | None = None
    confirmed_by: str | None = None

    def note(self, event: Registered) -> None:
        """Note one event."""
        at = event.occurred_us
        if event.status == "pending_signup":
            self.pending = at if self.pending is None else min(self.pending, at)
        elif event.status == "confirmed":
            self.confirmed = at if self.confirmed is None else min(self.confirmed, at)
            self.confirmed_last = at if self.confirmed_last is None else max(self.confirmed_last, at)
            if self.confirmed_offset is None or event.offset < self.confirmed_offset:
                self.confirmed_partition, self.confirmed_offset = event.partition, event.offset
                self.confirmed_by = event.by
        else:
            self.withdrawn = at if self.withdrawn is None else max(self.withdrawn, at)


class PostgresHistory:
    """The tables of one database; for one thread."""

    def __init__(
        self,
        database_url: str,
        *,
        consumer: str = "history",
        waiting_max: int = 100_000,
        waiting_age_s: float = 2.6e6,
    ) -> None:
        """Make it without connecting.

        Args:
            database_url: where the tables are.
            consumer: whose positions are kept.
            waiting_max: records of codes not issued yet that are kept at most.
            waiting_age_s: seconds for which they are kept.

        """
        self._database = Database(database_url, application_name="referrals history")
        self._waiting_max = waiting_max
        self._waiting_age_s = waiting_age_s
        self._orgs: dict[str, str] = {}
        self._channels: dict[str, set[str]] = {}
        self._may_wait = True
        self._forgotten_at = float("-inf")
        self.positions = PostgresPositions(self._database, consumer=consumer, used="has_history")

    def keep(self, happened: Happened, moved: Mapping[Place, int]) -> None:
        """Add up a batch in the transaction in which positions move.

        Raises:
            StoreUnavailable: to be tried again; nobody knows whether it was kept, but the positions do.
            Fenced: another process has one of the partitions; nothing was kept.

        """
        with self._forgetting_what_fails(), self._database.transaction() as connection:
            self.positions.move_in(connection, moved)
            if happened.places:
                query(connection, "hold_history")
                self._keep(connection, happened)
        self.positions.kept()
        self._may_wait = self._may_wait or any(code not in self._orgs for code in happened.places)

    def count_waiting(self) -> None:
        """Count what waited for codes that are issued now; forget what has waited too long, once an hour."""
        if not self._may_wait:
            return
        with self._forgetting_what_fails(), self._database.transaction() as connection:
            query(connection, "hold_history")
            if time.monotonic() - self._forgotten_at > FORGET_INTERVAL_S:
                query(connection, "forget_waiting", {"age_s": self._waiting_age_s})
                self._forgotten_at = time.monotonic()
            rows = query(connection, "take_waiting")
            if rows:
                self._keep(connection, _that_waited(rows))
            ((self._may_wait,),) = query(connection, "has_waiting")

    def probe(self) -> None:
        """Add a click and a pair of an organisation that is made up, and undo it."""
        if (beyond := self.check_schema()) is not None:
            raise StoreUnavailable(beyond)
        org_id, pair = str(uuid.uuid4()), uuid.uuid4().hex
        with self._database.transaction(undo=True) as connection:
            query(connection, "hold_history")
            _add_clicks(connection, {(org_id, 0, "unknown"): 1})
            _merge_pairs(connection, {(org_id, pair): Pair("0000000000", "unknown", 0, 0, 0, None, 0, 0, pair)})

    def check_schema(self) -> str | None:
        """See that the tables are as new as this program; say what they have beyond it."""
        return self._database.check_schema()

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    def _keep(self, connection: Connection, happened: Happened) -> None:
        self._learn_codes(connection, happened.places)
        waiting = [at for code, those in happened.places.items() if code not in self._orgs for at in those]
        if waiting:
            _keep_waiting(connection, waiting, self._waiting_max)
        clicked = [
            (self._orgs[each.code], each, number) for each, number in happened.clicks.items() if self._counts(each)
        ]
        registered = [(self._orgs[each.code], each) for each in happened.registrations if self._counts(each)]
        named = {(org_id, click.channel) for org_id, click, _ in clicked}
        named |= {(org_id, event.channel) for org_id, event in registered}
        self._learn_channels(connection, named)
        clicks: dict[tuple[str, int, str], int] = {}
        for org_id, each, number in clicked:
            key = org_id, each.quarter_hour, self._channel(org_id, each.channel)
            clicks[key] = clicks.get(key, 0) + number
        pairs: dict[tuple[str, str], Pair] = {}
        erased: dict[tuple[str, str], Erased] = {}
        for org_id, event in registered:
            if (org_id, event.pair) in erased:
                continue
            if isinstance(event, Erased):
                erased[org_id, event.pair] = event
                continue
            known = pairs.setdefault((org_id, event.pair), Pair(event.code, self._channel(org_id, event.channel)))
            known.note(event)
        if clicks:
            _add_clicks(connection, clicks)
        if pairs:
            _merge_pairs(connection, pairs)
        if erased:
            _erase_pairs(connection, erased)

    @contextmanager
    def _forgetting_what_fails(self) -> Iterator[None]:
        """Forget the channels that a transaction which fails has given names."""
        try:
            yield
        except BaseException:
            self._channels.clear()
            raise

    def _counts(self, each: What) -> bool:
        """Tell whether it counts: its code is issued, and in the organisation that it names, if it names one."""
        org_id = self._orgs.get(each.code)
        return org_id is not None and each.org_id in (None, org_id)

    def _learn_codes(self, connection: Connection, codes: Iterable[str]) -> None:
        """Learn whose codes are. What is read here is committed: it holds also if this transaction does not."""
        unknown = [code for code in codes if code not in self._orgs]
        if unknown:
            if len(self._orgs) > CODES_REMEMBERED:
                self._orgs.clear()
                unknown = list(codes)
            self._orgs |= dict(query(connection, "organisations_of_codes", {"codes": column(unknown)}))

    def _learn_channels(self, connection: Connection, named: Collection[tuple[str, str]]) -> None:
        """Give channels a name of their own, as long as the organisation has not as many as it may."""
        missing = {(org_id, name) for org_id, name in named if name not in self._channels.get(org_id, ())}
        orgs = {org_id for org_id, _ in missing if len(self._channels.get(org_id, ())) < CHANNELS_MAX}
        if not orgs:
            return
        known: dict[str, set[str]] = {org_id: set() for org_id in orgs}
        for org_id, name in query(connection, "history_channels", {"org_ids": column(sorted(orgs))}):
            known[org_id].add(name)
        added = []
        for org_id, name in sorted(missing):
            if org_id in orgs and name not in known[org_id] and len(known[org_id]) < CHANNELS_MAX:
                known[org_id].add(name)
                added.append((org_id, name))
        if added:
            names = quoted_column(name for _, name in added)
            query(
                connection,
                "add_history_channels",
                {"org_ids": column(org_id for org_id, _ in added), "channels": names},
            )
        self._channels |= known

    def _channel(self, org_id: str, name: str) -> str:
        return name if name in self._channels.get(org_id, ()) else OTHER_CHANNEL


def _add_clicks(connection: Connection, clicks: Mapping[tuple[str, int, str], int]) -> None:
    values = {
        "org_ids": column(org_id for org_id, _, _ in clicks),
        "quarter_hours": column(quarter_hour for _, quarter_hour, _ in clicks),
        "channels": quoted_column(channel for _, _, channel in clicks),
        "clicks": column(clicks.values()),
    }
    query(connection, "add_clicks", values)


def _merge_pairs(connection: Connection, pairs: Mapping[tuple[str, str], Pair]) -> None:
    values = {
        "org_ids": column(org_id for org_id, _ in pairs),
        "pairs": column(pair for _, pair in pairs),
        "codes": column(known.code for known in pairs.values()),
        "channels": quoted_column(known.channel for known in pairs.values()),
    }
    for name in _OF_A_PAIR:
        values[name] = column(getattr(known, name) for known in pairs.values())
    query(connection, "merge_pairs", values)


def _erase_pairs(connection: Connection, erased: Mapping[tuple[str, str], Erased]) -> None:
    values = {
        "org_ids": column(org_id for org_id, _ in erased),
        "pairs": column(pair for _, pair in erased),
        "codes": column(each.code for each in erased.values()),
        "times": column(each.occurred_us for each in erased.values()),
    }
    query(connection, "erase_pairs", values)


def _keep_waiting(connection: Connection, waiting: Iterable[tuple[Place, int, What, int]], most: int) -> None:
    rows = list(waiting)
    what = [each for _, _, each, _ in rows]
    values = {
        "org_ids": column(each.org_id for each in what),
        "topics": quoted_column(topic for (topic, _), *_ in rows),
        "partitions": column(partition for (_, partition), *_ in rows),
        "offsets": column(offset for _, offset, *_ in rows),
        "codes": column(each.code for each in what),
        "pairs": column(None if isinstance(each, Clicked) else each.pair for each in what),
        "statuses": column(_status(each) for each in what),
        "times": column(at_us for *_, at_us in rows),
        "channels": quoted_column(each.channel for each in what),
        "attributions": column(each.by if isinstance(each, Registered) else None for each in what),
        "most": most,
    }
    query(connection, "keep_waiting", values)


def _status(what: What) -> str | None:
    if isinstance(what, Clicked):
        return None
    return ERASED if isinstance(what, Erased) else what.status


def _that_waited(
    rows: Iterable[tuple[str, int, int, str, str | None, str | None, str | None, int, str, str | None]],
) -> Happened:
    """Return rows of the table as the batch that they once were part of."""
    found = Happened()
    for topic, partition, offset, code, org_id, pair, status, at_us, channel, by in rows:
        what: What
        if pair is None or status is None:
            what = Clicked(code, org_id, at_us // QUARTER_HOUR_US, channel)
            found.clicks[what] += 1
        elif status == ERASED:
            found.registrations.append(what := Erased(code, pair.replace("-", ""), at_us))
        else:
            what = Registered(code, org_id, pair.replace("-", ""), status, at_us, channel, partition, offset, by)
            found.registrations.append(what)
        found.places.setdefault(code, []).append(((topic, partition), offset, what, at_us))
    return found
