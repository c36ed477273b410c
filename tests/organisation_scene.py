"""An organisation in Postgres as pages show it, written by the sinks themselves: codes, counts, milestones, awards."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from edges.reconciliation.reasons import Fault, Said, Why
from models.erasures import pair_name, pseudonym
from models.events import ChannelCounts, CodeIssued, MentorCounts, encode_event
from models.names import name_keys
from sinks.badge_awarder import BadgeAwarder
from sinks.counts_projection import CountsProjection
from sinks.postgres_badges import PostgresBadgeRepository
from sinks.postgres_counts import PostgresCountsRepository
from sinks.records import Record
from tests.milestones import INSTANT, milestone
from tests.registry import BOX

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class OrganisationScene:
    """One organisation; each of its methods is a batch of a sink."""

    def __init__(
        self, database_url: str, projection: CountsProjection, awarder: BadgeAwarder, org_id: str | None = None
    ) -> None:
        self.org_id = org_id or str(uuid.uuid4())
        self.codes: dict[str, str] = {}
        """By mentor."""
        self._database_url = database_url
        self._projection = projection
        self._awarder = awarder
        self._offset = 0
        self._had: dict[str, tuple[dict[str, int], int, int]] = {}
        """Clicks by channel, registered and confirmed, by mentor."""

    def call(self, name: str) -> None:
        """Give it a name, as `orgs create` does."""
        with psycopg.connect(self._database_url) as connection:
            connection.execute(
                "INSERT INTO organisations (org_id, name) VALUES (%s, %s) "
                "ON CONFLICT (org_id) DO UPDATE SET name = excluded.name",
                [self.org_id, name],
            )

    def make_key(self) -> None:
        """Give it a key for credentials, as `orgs create` does; the organisation is there."""
        key_id = uuid.uuid4()
        sealed = BOX.seal(os.urandom(32), org_id=uuid.UUID(self.org_id), secret_id=key_id, purpose="credential")
        with psycopg.connect(self._database_url) as connection:
            connection.execute(
                "INSERT INTO organisation_secrets VALUES (%s, %s, 'credential', %s, %s)",
                [self.org_id, key_id, *sealed],
            )

    def reconcile(
        self, *, unclear: int = 0, left: Sequence[tuple[str, Why | str]] = (), error: Said | None = None
    ) -> None:
        """Keep a run of reconciliation that has left some, or failed; texts are what others or one before it said."""
        rows = [(place, str(why)) for place, why in left]
        reasons = [None if isinstance(why, str) else why for _, why in left]
        with psycopg.connect(self._database_url) as connection:
            connection.execute(
                "INSERT INTO reconciliation_runs "
                "(org_id, run_id, source, finished_at, members_read, unclear, rows_left, reasons_left, error, fault) "
                "VALUES (%s, %s, 'json', now(), %s, %s, %s, %s, %s, %s)",
                [
                    self.org_id,
                    uuid.uuid4(),
                    unclear,
                    unclear,
                    Jsonb(rows),
                    Jsonb(reasons),
                    error and str(error),
                    Jsonb(error) if isinstance(error, Fault) else None,
                ],
            )

    def issue(self, mentor_id: str | None = None) -> str:
        """Issue a code to a mentor and return his id."""
        mentor_id = mentor_id or str(uuid.uuid4())
        number = uuid.UUID(mentor_id).int
        code = "".join(ALPHABET[number >> 5 * place & 31] for place in range(10))
        event = CodeIssued(referral_code=code, org_id=self.org_id, mentor_id=mentor_id, issued_at=datetime.now(UTC))
        assert self._projection.put([self._record("codes", encode_event(event))]) == []
        self.codes[mentor_id] = code
        return mentor_id

    def name(self, mentor_id: str, name: str, group: str | None = None) -> None:
        """Call a mentor something, as `mentors import` does."""
        with psycopg.connect(self._database_url) as connection:
            connection.execute(
                "INSERT INTO mentor_names VALUES (%s, %s, %s, %s)", [self.org_id, mentor_id, name, group]
            )
            for key in name_keys(name):
                connection.execute("INSERT INTO mentor_name_keys VALUES (%s, %s, %s)", [self.org_id, key, mentor_id])

    def count(self, mentor_id: str, clicks: int = 0, pending: int = 0, confirmed: int = 0, **channels: int) -> None:
        """Set a mentor's counts; `channels` are clicks by channel, the rest came by `whatsapp`. All came now."""
        by_channel = {name: ChannelCounts(clicks=number) for name, number in channels.items()}
        rest = clicks - sum(channels.values())
        self._happen(mentor_id, {**channels, "whatsapp": rest}, pending + confirmed, confirmed)
        by_channel["whatsapp"] = ChannelCounts(clicks=rest, pending=pending, confirmed=confirmed)
        event = MentorCounts(
            org_id=self.org_id,
            mentor_id=mentor_id,
            referral_code=self.codes[mentor_id],
            total_clicks=clicks,
            pending_attributions=pending,
            confirmed_attributions=confirmed,
            conversion_rate=min(confirmed / clicks, 1.0) if clicks else 0.0,
            by_channel=by_channel,
            milestones=[],
            last_event_at=datetime.now(UTC),
        )
        assert self._projection.put([self._record("counts", encode_event(event))]) == []

    def _happen(self, mentor_id: str, clicks: dict[str, int], registered: int, confirmed: int) -> None:
        """Let what a mentor has more than before have happened now, as the history keeps it."""
        before = self._had.get(mentor_id, ({}, 0, 0))
        self._had[mentor_id] = clicks, registered, confirmed
        rows = [(channel, number - before[0].get(channel, 0), 0, 0) for channel, number in clicks.items()]
        rows.append(("whatsapp", 0, registered - before[1], confirmed - before[2]))
        with psycopg.connect(self._database_url) as connection:
            for channel, *numbers in rows:
                if any(numbers):
                    self.happened(channel, *numbers, connection=connection)

    def happened(
        self,
        channel: str,
        clicks: int = 0,
        registered: int = 0,
        confirmed: int = 0,
        *,
        days_ago: int = 0,
        connection: psycopg.Connection[tuple[object, ...]] | None = None,
    ) -> None:
        """Let something have happened some days ago."""
        if connection is None:
            with psycopg.connect(self._database_url) as own:
                self.happened(channel, clicks, registered, confirmed, days_ago=days_ago, connection=own)
            return
        connection.execute(
            "INSERT INTO history_channels VALUES (%s, %s) ON CONFLICT DO NOTHING", [self.org_id, channel]
        )
        connection.execute(
            "INSERT INTO organisation_quarter_hours AS known VALUES "
            "(%s, date_bin('15 minutes', now() - %s * interval '1 day', '2000-01-01Z'), %s, %s, %s, %s, 0) "
            "ON CONFLICT (org_id, begins_at, channel) DO UPDATE SET clicks = known.clicks + excluded.clicks, "
            "registered = known.registered + excluded.registered, confirmed = known.confirmed + excluded.confirmed",
            [self.org_id, days_ago, channel, clicks, registered, confirmed],
        )

    def confirm(self, mentor_id: str, members: int, *, channel: str = "whatsapp") -> str:
        """Let members of a mentor's code have been confirmed, an hour after each other; return the last attribution id.

        As `referrals counts` keeps it, with where the registrations stand.
        """
        code, attribution_id = self.codes[mentor_id], ""
        with psycopg.connect(self._database_url) as connection:
            for number in range(members):
                attribution_id, at = str(uuid.uuid4()), INSTANT - timedelta(hours=members - 1 - number)
                connection.execute(
                    "INSERT INTO registration_pairs VALUES (%s, %s, %s, %s, %s, %s, %s, NULL, NULL, 3, %s, %s)",
                    [self.org_id, uuid.uuid4(), code, channel, at - timedelta(days=2), at, at, 40 + number,
                     pair_name(pseudonym(code, attribution_id))],
                )  # fmt: skip
        return attribution_id

    def reach(self, mentor_id: str, threshold: int, attribution_id: str | None = None) -> None:
        """Let a mentor reach a milestone, by a registration, and get its badge."""
        event = milestone(threshold, org_id=self.org_id, mentor_id=mentor_id)
        if attribution_id is not None:
            event = msgspec.structs.replace(event, attribution_id=attribution_id)
        assert self._awarder.put([self._record("milestones", encode_event(event))]) == []

    def _record(self, topic: str, value: bytes) -> Record:
        self._offset += 1
        now_ms = time.time_ns() // 1_000_000
        return Record(topic=topic, partition=0, offset=self._offset, timestamp=now_ms, key=None, value=value)


@contextmanager
def organisation_scene(database_url: str, org_id: str | None = None) -> Iterator[OrganisationScene]:
    """Give an organisation of which nothing is known yet."""
    with (
        closing(
            CountsProjection(PostgresCountsRepository(database_url), codes_topic="codes", partitions=1)
        ) as projection,
        closing(BadgeAwarder(PostgresBadgeRepository(database_url))) as awarder,
    ):
        yield OrganisationScene(database_url, projection, awarder, org_id)
