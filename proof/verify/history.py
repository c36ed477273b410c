"""Expected against found: when what happened, as Postgres keeps it for the pages, by quarter of an hour and channel.

Recomputed from the source topics, in the same fold as the counts. What is held of it is as much as the table has rows,
however many clicks there were; the pairs are those of one partition. The table is read row by row.

A pair counts in the channel that the first of its events to be read named. Where its events name several, which of
them that was depends on whether the first had to wait for its code, which no topic says. So of such a pair each of them
will do, and only the sum over the channels is compared exactly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import tuple_row

from models.topics import CLICKS, REGISTRATIONS
from process.postgres import session
from proof.verify import report
from proof.verify.pairs import Pair
from proof.verify.removed import Partition, Removed
from proof.verify.report import Difference

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
QUARTER_HOUR = timedelta(minutes=15)
OTHER = "other"
ROWS_AT_ONCE = 5_000

NAMES = ("clicks", "registered", "confirmed", "withdrawn")

POSITIONS_SQL = """
    SELECT topic, topic_partition, former_records FROM sink_positions WHERE consumer = %s AND next_offset IS NOT NULL
"""
CHANNELS_SQL = "SELECT org_id::text, channel FROM history_channels"
ROWS_SQL = """
    SELECT
        org_id::text, floor(extract(epoch FROM begins_at) / 900)::bigint, channel,
        clicks, registered, confirmed, withdrawn
    FROM organisation_quarter_hours
    ORDER BY org_id, begins_at
"""

CLICKS_GONE = "clicks of the history that are gone"
PAIRS_GONE = "organisations whose registrations of the history follow from records that are gone"
UNSURE = "organisations of whose history records were given up while they waited for their code"

Key = tuple[str, int, str]
"""Organisation, quarters of an hour since 1970, channel."""


class Compared(NamedTuple):
    """What came of the comparison."""

    differences: list[Difference]
    rows: int
    beyond_proof: dict[str, int]
    is_there: bool = True
    """Whether the history was ever begun."""


class History:
    """What must have happened when, by what the source topics say."""

    def __init__(self) -> None:
        self.certain: dict[Key, list[int]] = {}
        """Of each of NAMES, how many."""
        self.possible: dict[Key, list[int]] = {}
        """How many more there may be, of pairs whose events name several channels."""
        self.totals: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        """Over all channels."""
        self.unsure: set[str] = set()
        """Organisations of which something may count or not."""

    def click(self, org_id: str, channel: str, at: datetime) -> None:
        """Take a click that counts."""
        key = org_id, quarter_hour(at), channel
        numbers = self.certain.get(key)
        if numbers is None:
            numbers = self.certain[key] = [0, 0, 0, 0]
        numbers[0] += 1

    def pair(self, org_id: str, pair: Pair) -> None:
        """Take a pair, when all its events are known."""
        channels = {pair.channel, *pair.other_channels}
        for number, at in happened(pair):
            moment = quarter_hour(at)
            self.totals[org_id, moment][number] += 1
            held = self.certain if len(channels) == 1 else self.possible
            for channel in channels:
                held.setdefault((org_id, moment, channel), [0, 0, 0, 0])[number] += 1


def quarter_hour(at: datetime) -> int:
    """Return in which quarter of an hour it is, since 1970."""
    return (at - EPOCH) // QUARTER_HOUR


def happened(pair: Pair) -> Iterator[tuple[int, datetime]]:
    """Yield what counts of a pair, as the place of its name in NAMES, and when."""
    begun = [at for at in (pair.pending_at, pair.first_confirmed_at) if at is not None]
    if begun:
        yield 1, min(begun)
    if pair.first_confirmed_at is not None:
        yield 2, pair.first_confirmed_at
    withdrawn, confirmed = pair.withdrawn_at, pair.confirmed_at
    if begun and withdrawn is not None and (confirmed is None or withdrawn >= confirmed):
        yield 3, withdrawn


def compare_history(database_url: str, topic_prefix: str, history: History, removed: Removed) -> Compared:
    """Compare the table with what must be in it; raises psycopg.Error."""
    with (
        psycopg.connect(database_url, **session(database_url, "referrals verify", connect_timeout_s=10)) as connection,
        connection.transaction(),
    ):
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor = connection.cursor(row_factory=tuple_row)
        positions = cursor.execute(POSITIONS_SQL, [f"{topic_prefix}history"]).fetchall()
        if not positions:
            return Compared([], 0, {}, is_there=False)
        named = set(cursor.execute(CHANNELS_SQL).fetchall())
        former = {(topic.removeprefix(topic_prefix), number): records for topic, number, records in positions}
        wanted = Comparison(history, named, removed, former)
        with connection.cursor(name="history", row_factory=tuple_row) as rows:
            rows.itersize = ROWS_AT_ONCE
            rows.execute(ROWS_SQL)
            for row in rows:
                wanted.take(row)
    return wanted.finish()


class Comparison:
    """What is still to be found, and what differs so far."""

    def __init__(
        self, history: History, named: set[tuple[str, str]], removed: Removed, former: Mapping[Partition, int]
    ) -> None:
        self._history = history
        self._certain = _by_names(history.certain, named)
        self._possible = _by_names(history.possible, named)
        self._totals = {key: list(numbers) for key, numbers in history.totals.items()}
        self._clicks_gone = _gone(removed, former, CLICKS.name)
        self._pairs_gone = _gone(removed, former, REGISTRATIONS.name)
        self._surplus = 0
        self._unproven: set[str] = set()
        self._rows = 0
        self._differences: list[Difference] = []

    def take(self, row: tuple[Any, ...]) -> None:
        """Compare a row of the table."""
        org_id, moment, channel, *found = row
        self._rows += 1
        total = self._totals.setdefault((org_id, moment), [0, 0, 0, 0])
        for number in range(1, len(NAMES)):
            total[number] -= found[number]
        certain = self._certain.pop((org_id, moment, channel), (0, 0, 0, 0))
        possible = self._possible.pop((org_id, moment, channel), (0, 0, 0, 0))
        if org_id in self._history.unsure:
            return
        surplus = found[0] - certain[0]
        if surplus > 0 and self._surplus + surplus <= self._clicks_gone:
            self._surplus += surplus
        elif surplus:
            self._differ((org_id, moment, channel), 0, found[0], f"{certain[0]:,}")
        if self._pairs_gone:
            self._unproven.add(org_id)
            return
        for number in range(1, len(NAMES)):
            least, most = certain[number], certain[number] + possible[number]
            if not least <= found[number] <= most:
                wanted = f"{least:,}" if least == most else f"{least:,} to {most:,}"
                self._differ((org_id, moment, channel), number, found[number], wanted)

    def finish(self) -> Compared:
        """Return what came of it, after all rows were taken."""
        for key, certain in self._certain.items():
            for number, wanted in enumerate(certain):
                if wanted and not (number and self._pairs_gone) and key[0] not in self._history.unsure:
                    self._differ(key, number, 0, f"{wanted:,}")
        if not self._pairs_gone:
            for (org_id, moment), missing in self._totals.items():
                for number in range(1, len(NAMES)):
                    if missing[number] and org_id not in self._history.unsure:
                        wanted = self._history.totals[org_id, moment][number]
                        self._differ((org_id, moment, ""), number, wanted - missing[number], f"{wanted:,}")
        beyond = {CLICKS_GONE: self._surplus, PAIRS_GONE: len(self._unproven), UNSURE: len(self._history.unsure)}
        return Compared(self._differences, self._rows, {what: count for what, count in beyond.items() if count})

    def _differ(self, key: Key, number: int, found: int, wanted: str) -> None:
        org_id, moment, channel = key
        try:
            begins = (EPOCH + moment * QUARTER_HOUR).strftime("%Y-%m-%dT%H:%MZ")
        except OverflowError:
            begins = f"quarter of an hour {moment}"
        where = f" channel {channel}" if channel else ""
        subject = f"organisation {org_id} {begins}{where} {NAMES[number]}"
        self._differences.append(Difference(report.HISTORY_TABLE, subject, f"{found:,}", wanted))


def _by_names(sums: dict[Key, list[int]], named: set[tuple[str, str]]) -> dict[Key, list[int]]:
    """Return sums by the channels that the history tells apart: past the first of them the rest is `other`."""
    found: dict[Key, list[int]] = {}
    for (org_id, moment, channel), numbers in sums.items():
        key = org_id, moment, channel if (org_id, channel) in named else OTHER
        known = found.get(key)
        found[key] = numbers if known is None else [a + b for a, b in zip(known, numbers, strict=True)]
    return found


def _gone(removed: Removed, former: Mapping[Partition, int], topic: str) -> int:
    """Return how many records of a topic may be in the history that are not there any more.

    Of a log that is no more the history knows itself what it has read: rows that were begun anew hold less. Where it
    does not know, because that was before it said so, the rows do.
    """
    gone = sum(first for (name, _), first in removed.first.items() if name == topic)
    places = {place for place in (*former, *removed.since) if place[0] == topic}
    return gone + sum(max(former.get(place, 0), -removed.since.get(place, 0)) for place in places)
