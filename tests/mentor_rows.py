"""Rows of mentors written straight into Postgres, for what reads them: a test states only what matters to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString

import psycopg

from models.names import name_keys
from process.settings import Settings
from tests.milestones import MENTOR, ORG

COUNTED_AT = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)


def execute(settings: Settings, statement: LiteralString, values: Sequence[Any] = ()) -> None:
    """Run a statement as who owns the tables."""
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        connection.execute(statement, values)


def put_mentor(settings: Settings, *, org_id: str = ORG, mentor_id: str = MENTOR, code: str = "ABCDEFGH12") -> None:
    """Make a mentor with a code, and his organisation."""
    execute(settings, "INSERT INTO organisations (org_id) VALUES (%s) ON CONFLICT DO NOTHING", [org_id])
    execute(settings, "INSERT INTO mentors (org_id, mentor_id) VALUES (%s, %s)", [org_id, mentor_id])
    execute(settings, "INSERT INTO referral_codes VALUES (%s, %s, %s, now())", [code, org_id, mentor_id])


def put_name(
    settings: Settings, name: str, *, group: str | None = None, org_id: str = ORG, mentor_id: str = MENTOR
) -> None:
    """Call a mentor something, as an import would."""
    execute(settings, "INSERT INTO mentor_names VALUES (%s, %s, %s, %s)", [org_id, mentor_id, name, group])
    for key in name_keys(name):
        execute(settings, "INSERT INTO mentor_name_keys VALUES (%s, %s, %s)", [org_id, key, mentor_id])


def put_counts(
    settings: Settings,
    clicks: int,
    pending: int,
    confirmed: int,
    by_channel: Mapping[str, tuple[int, int, int]] | None = None,
    *,
    org_id: str = ORG,
    mentor_id: str = MENTOR,
    counted_at: datetime = COUNTED_AT,
) -> None:
    """Write a mentor's counts, as the projection would; all of them in one channel unless they are given."""
    numbers = by_channel or {"sms": (clicks, pending, confirmed)}
    channels = {
        name: dict(zip(("clicks", "pending", "confirmed"), each, strict=True)) for name, each in numbers.items()
    }
    rate = min(confirmed / clicks, 1.0) if clicks else 0.0
    execute(
        settings,
        "INSERT INTO mentor_counts VALUES (%s, %s, 'ABCDEFGH12', %s, %s, %s, %s, %s, '{}', %s, 0, 0, now(), %s) "
        "ON CONFLICT (org_id, mentor_id) DO UPDATE SET total_clicks = excluded.total_clicks, "
        "pending_attributions = excluded.pending_attributions, "
        "confirmed_attributions = excluded.confirmed_attributions, conversion_rate = excluded.conversion_rate, "
        "by_channel = excluded.by_channel, counted_at = excluded.counted_at",
        [org_id, mentor_id, clicks, pending, confirmed, rate, json.dumps(channels), COUNTED_AT, counted_at],
    )


def put_milestone(
    settings: Settings,
    threshold: int,
    *,
    state: str = "decided",
    org_id: str = ORG,
    mentor_id: str = MENTOR,
    at: datetime = COUNTED_AT,
) -> None:
    """Write a milestone, reached with one more than its threshold."""
    execute(
        settings,
        "INSERT INTO milestones VALUES (%s, %s, %s, gen_random_uuid(), %s, gen_random_uuid(), %s, %s, %s)",
        [org_id, mentor_id, threshold, threshold + 1, COUNTED_AT, state, at],
    )


def put_award(
    settings: Settings, threshold: int, *, org_id: str = ORG, mentor_id: str = MENTOR, at: datetime = COUNTED_AT
) -> None:
    """Write the award of the badge that every organisation has for a threshold."""
    execute(
        settings,
        "INSERT INTO badge_awards SELECT %s, %s, badge_id, gen_random_uuid(), threshold, %s FROM badge_definitions "
        "WHERE threshold = %s AND org_id IS NULL",
        [org_id, mentor_id, at, threshold],
    )
