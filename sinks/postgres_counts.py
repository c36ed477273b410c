"""Codes and counts in Postgres (migrations/0001_tables.sql), in a few statements for a batch."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from msgspec import json

from models.codes import normalise_code
from models.events import CodeIssued
from process.instants import as_stored
from sinks.counts_repository import Counts, CountsTransaction, Owner, owner_of_event
from sinks.postgres import Connection, Database, column, query, quoted_column
from sinks.postgres_positions import PostgresPositions
from sinks.records import counted_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sinks.positions import Place, Start


class PostgresCountsRepository:
    """The tables of codes and counts of one database; for one thread."""

    def __init__(self, database_url: str, *, counts_topic: str = "counts", consumer: str = "counts") -> None:
        """Make it without connecting.

        Args:
            database_url: where the tables are.
            counts_topic: full name of the topic whose records' places are kept with the rows.
            consumer: whose positions are kept.

        """
        self._counts_topic = counts_topic
        self._database = Database(database_url, application_name="referrals counts")
        self.positions = PostgresPositions(
            self._database, consumer=consumer, used="has_counts", forget_order=self._forget_order
        )

    @contextmanager
    def transaction(self) -> Iterator[CountsTransaction]:
        """Run the body in one transaction, committed at its end."""
        with self._database.transaction() as connection:
            yield _PostgresTransaction(connection, self.positions)
        self.positions.kept()

    @contextmanager
    def trial(self) -> Iterator[CountsTransaction]:
        """Run the body in one transaction that is undone at its end."""
        with self._database.transaction(undo=True) as connection:
            yield _PostgresTransaction(connection, self.positions)

    def check_schema(self) -> str | None:
        """See that the tables are as new as this program; say what they have beyond it."""
        return self._database.check_schema()

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    def _forget_order(self, connection: Connection, starts: Mapping[Place, Start]) -> None:
        """Let rows be older than whatever comes where the log holds others than the records that they came with."""
        for (topic, partition), start in starts.items():
            if topic == self._counts_topic and start.forget_from is not None:
                query(connection, "forget_order", {"topic_partition": partition, "next_offset": start.forget_from})


class _PostgresTransaction:
    def __init__(self, connection: Connection, positions: PostgresPositions) -> None:
        self._connection = connection
        self._positions = positions

    def issued_codes(self, events: Sequence[CodeIssued]) -> dict[str, Owner]:
        known = query(self._connection, "issued_codes", _code_columns(events))
        return {code: (org_id, mentor_id) for code, org_id, mentor_id in known}

    def insert_codes(self, events: Sequence[CodeIssued]) -> bool:
        columns = _code_columns(events) | {"issued_ats": column(as_stored(event.issued_at) for event in events)}
        # A savepoint: what another instance was first with is found, and judged, in the next round.
        with self._connection.transaction() as savepoint:
            is_whole = len(query(self._connection, "insert_codes", columns)) == len(events)
            if not is_whole:
                raise psycopg.Rollback(savepoint)
        return is_whole

    def put_counts(self, latest: Mapping[Owner, Counts]) -> None:
        records = [each.record for each in latest.values()]
        counts = [each.event for each in latest.values()]
        values = {
            "org_ids": column(org_id for org_id, _ in latest),
            "mentor_ids": column(mentor_id for _, mentor_id in latest),
            "referral_codes": column(normalise_code(c.referral_code) for c in counts),
            "total_clicks": column(c.total_clicks for c in counts),
            "pending_attributions": column(c.pending_attributions for c in counts),
            "confirmed_attributions": column(c.confirmed_attributions for c in counts),
            "conversion_rates": column(c.conversion_rate for c in counts),
            "by_channels": quoted_column(json.encode(c.by_channel).decode() for c in counts),
            "milestones": quoted_column(f"{{{','.join(map(str, c.milestones))}}}" for c in counts),
            "last_event_ats": column(c.last_event_at and as_stored(c.last_event_at) for c in counts),
            "counted_mss": column(map(counted_ms, records)),
            "topic_partitions": column(record.partition for record in records),
            "topic_offsets": column(record.offset for record in records),
            "key_partitions": column(each.key_partition for each in latest.values()),
        }
        query(self._connection, "upsert_counts", values)

    def move(self, reached: Mapping[Place, int | None]) -> None:
        self._positions.move_in(self._connection, reached)


def _code_columns(events: Iterable[CodeIssued]) -> dict[str, str]:
    events = list(events)
    owners = [owner_of_event(event) for event in events]
    return {
        "referral_codes": column(normalise_code(event.referral_code) for event in events),
        "org_ids": column(org_id for org_id, _ in owners),
        "mentor_ids": column(mentor_id for _, mentor_id in owners),
    }
