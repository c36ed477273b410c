"""Organisations of 50,000 mentors each, among many small ones: for plans and times that only such data show.

Made by SQL in seconds; the sums are made by the triggers, as from any other writer.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import psycopg

MENTORS = 50_000
LARGE = 2
SMALL = 2_000
DAYS = 400
LETTERS = 1_000
"""Dead letters of some organisations, each."""


@dataclass(frozen=True, slots=True)
class LargeProgramme:
    """What was made."""

    org_id: str
    """One of the large organisations."""
    small_org_id: str
    mentor_id: str
    """A mentor of the large one who has counts, milestones and badges."""


def build(url: str) -> LargeProgramme:
    """Fill an empty, migrated database."""
    with psycopg.connect(url) as connection:
        connection.execute("SET LOCAL synchronous_commit = off")
        for statement in _STATEMENTS.split(";\n"):
            connection.execute(
                statement.encode(),
                {"mentors": MENTORS, "large": LARGE, "small": SMALL, "days": DAYS, "letters": LETTERS},
                prepare=False,
            )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
    return LargeProgramme(org_id=_id("a", 1), small_org_id=_id("a", LARGE + 1), mentor_id=_id("b", 1))


def _id(kind: str, number: int) -> str:
    """Return the id that the statements give, see `id` there."""
    return str(UUID(f"{kind * 8}-0000-4000-8000-{number:012}"))


_STATEMENTS = """
CREATE FUNCTION pg_temp.id(kind text, number bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
RETURN (repeat(kind, 8) || '-0000-4000-8000-' || lpad(number::text, 12, '0'))::uuid;

CREATE TEMPORARY TABLE made ON COMMIT DROP AS
SELECT
    number,
    pg_temp.id('a', org) AS org_id,
    pg_temp.id('b', number) AS mentor_id,
    upper(lpad(to_hex(number), 10, '0')) AS code,
    (40 / (1 + (hashint8(number) & 255)))::bigint AS confirmed,
    CASE WHEN hashint8(number + 2) & 15 = 0 THEN 1 + hashint8(number) & 3 ELSE 0 END AS pending,
    hashint8(number) & 511 AS clicks,
    now() - interval '1 day' * (%(days)s * (hashint8(number + 1) & 255) / 256)
        - interval '1 second' * (number %% 3600) AS at
FROM (
    SELECT number, CASE WHEN number <= %(large)s::bigint * %(mentors)s THEN 1 + (number - 1) / %(mentors)s
        ELSE %(large)s + 1 + number %% %(small)s END AS org
    FROM generate_series(1, %(large)s::bigint * %(mentors)s + 5 * %(small)s) AS number
) AS mentor;

INSERT INTO organisations (org_id, name) SELECT DISTINCT org_id, 'Organisation' FROM made;

INSERT INTO mentors (org_id, mentor_id) SELECT org_id, mentor_id FROM made;

INSERT INTO referral_codes (referral_code, org_id, mentor_id, issued_at) SELECT code, org_id, mentor_id, at FROM made;

INSERT INTO mentor_names (org_id, mentor_id, display_name, group_name)
SELECT org_id, mentor_id, 'Anna ' || number, CASE number %% 2 WHEN 0 THEN 'North' ELSE 'G' || number %% 900 END
FROM made WHERE number <= %(mentors)s::bigint;

INSERT INTO mentor_name_keys (org_id, name_key, mentor_id)
SELECT org_id, lower(display_name), mentor_id FROM mentor_names ORDER BY 1, 2;

INSERT INTO mentor_counts (
    org_id, mentor_id, referral_code, total_clicks, pending_attributions, confirmed_attributions, conversion_rate,
    by_channel, milestones, last_event_at, counted_at, topic_partition, topic_offset
)
SELECT
    org_id, mentor_id, code, clicks, pending, confirmed, 0,
    jsonb_build_object(
        (ARRAY['whatsapp', 'sms', 'email', 'unknown'])[1 + number %% 4],
        jsonb_build_object('clicks', clicks, 'pending', pending, 'confirmed', confirmed)
    ),
    '{}', at, at, 0, number
FROM made
ORDER BY number;

INSERT INTO badge_definitions (badge_id, org_id, type, threshold, name)
SELECT DISTINCT ON (org_id) gen_random_uuid(), org_id, 'recruitment', 5, 'Five here' FROM made;

INSERT INTO milestones (
    org_id, mentor_id, milestone_threshold, milestone_id, confirmed_count, attribution_id, reached_at, state,
    recorded_at
)
SELECT org_id, mentor_id, threshold, gen_random_uuid(), threshold, gen_random_uuid(), at, 'decided', at
FROM made INNER JOIN (VALUES (1), (5), (10), (25)) AS each_threshold (threshold) ON threshold <= confirmed;

INSERT INTO badge_awards (org_id, mentor_id, badge_id, milestone_id, confirmed_count, awarded_at)
SELECT milestones.org_id, mentor_id, badge_id, milestone_id, confirmed_count, recorded_at
FROM milestones INNER JOIN badge_definitions ON threshold = milestone_threshold AND badge_definitions.org_id IS NULL;

INSERT INTO badge_decisions (org_id, mentor_id, milestone_threshold, milestone_id, badge_id, reason, confirmed_count)
SELECT org_id, mentor_id, confirmed_count, milestone_id, badge_id, 'awarded', confirmed_count FROM badge_awards;

INSERT INTO filtered_clicks (org_id, day, reason, clicks)
SELECT org_id, current_date - day, 'preview', 1 + day
FROM (SELECT DISTINCT org_id FROM made) AS organisation, generate_series(0, 30) AS day;

INSERT INTO history_channels (org_id, channel)
SELECT org_id, channel
FROM organisations, unnest(ARRAY['whatsapp', 'sms', 'email', 'unknown']) AS channel;

INSERT INTO organisation_quarter_hours (org_id, begins_at, channel, clicks)
SELECT org_id, date_bin('15 minutes', now() - day * interval '1 day', '2000-01-01Z'), channel, 1 + day %% 7
FROM history_channels, generate_series(0, 400) AS day
WHERE org_id <= pg_temp.id('a', %(large)s) OR day < 2;

INSERT INTO registration_pairs (org_id, pair, referral_code, channel, pending_at, confirmed_at, confirmed_last_at)
SELECT
    pg_temp.id('a', 1 + number %% %(large)s), pg_temp.id('c', number), '0000000001',
    (ARRAY['whatsapp', 'sms', 'email', 'unknown'])[1 + number / 8 %% 4],
    at - interval '1 day' * (1 + number / 2 %% 7), at, at
FROM (
    SELECT number, now() - interval '1 hour' * (number / 2) AS at FROM generate_series(0, 16000) AS number
) AS made_up;

INSERT INTO dead_letters (
    org_id, topic_partition, topic_offset, written_at, reason, message, stage, source_topic, source_partition,
    source_offset, referral_code, is_code_issued, records, value_bytes, is_again, record_digest
)
SELECT
    org_id, number %% 12, number * 50 + rank, now() - number * interval '1 hour', 'BadEvent', 'no JSON', 'attribution',
    'referrals.clicks.v1', 0, number, '0000000001', true, 1, 9, false, gen_random_uuid()
FROM (SELECT org_id, row_number() OVER (ORDER BY org_id) AS rank FROM organisations LIMIT 40) AS chosen,
    generate_series(1, %(letters)s) AS number;

INSERT INTO reconciliation_runs (org_id, run_id, source, started_at, finished_at)
SELECT org_id, gen_random_uuid(), 'json', clock_timestamp() - day * interval '1 day', clock_timestamp()
FROM (SELECT DISTINCT org_id FROM made) AS organisation, generate_series(0, 400) AS day
"""
