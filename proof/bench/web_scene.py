"""What the HTTP side is measured with: an organisation of 100,000 mentors, and what people and systems ask about it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

import msgspec
import psycopg

from edges.registry.database import owner_database
from edges.registry.organisations import create_organisation
from edges.registry.secret_box import secret_box
from edges.registry.secrets import SecretStore
from edges.registry.tokens import make_token
from process.settings import Settings

MENTORS: Final = 100_000
DAYS: Final = 60
ASKED_FOR: Final = 1_000
"""Mentors that requests name, each in turn."""
LANDING: Final = "https://ours.example/join"
BROWSER: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"

CODES: Final = [f"{number:010X}" for number in range(1, ASKED_FOR + 1)]
"""Codes of the first mentors; hexadecimal digits are of Crockford's alphabet."""


def mentor_id(number: int) -> str:
    """Return the id of a mentor, as the statements make it."""
    return str(UUID(f"bbbbbbbb-0000-4000-8000-{number:012}"))


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The organisation, and who may ask about it."""

    org_id: str
    token: str
    """A coordinator's."""
    webhook_secret: bytes

    def webhooks(self) -> list[bytes]:
        """Return registrations as an organisation's system posts them, signed now: good for five minutes."""
        return [self._webhook(code) for code in CODES]

    def share_links(self) -> list[bytes]:
        """Return what browsers send that follow share links."""
        return [
            _request("GET", f"/r/{code}?c=whatsapp", {"User-Agent": BROWSER, "Accept": "text/html"}) for code in CODES
        ]

    def counts(self) -> list[bytes]:
        """Return what asks for mentors' counts."""
        return [
            self.get(f"/v1/orgs/{self.org_id}/mentors/{mentor_id(number)}/attribution-counts")
            for number in range(1, ASKED_FOR + 1)
        ]

    def get(self, address: str) -> bytes:
        """Return what asks for something with the coordinator's token."""
        return _request("GET", address, {"Authorization": f"Bearer {self.token}", "Accept": "application/json"})

    def _webhook(self, code: str) -> bytes:
        body = msgspec.json.encode(
            {
                "attribution_id": str(uuid4()),
                "referral_code": code,
                "new_member_id": str(uuid4()),
                "status": "confirmed",
                "occurred_at": "2026-11-20T10:30:00Z",
                "org_id": self.org_id,
                "device_metadata": {"share_channel": "whatsapp"},
            }
        )
        webhook_id, sent_s = f"msg_{uuid4().hex}", str(int(time.time()))
        signed = b".".join([webhook_id.encode(), sent_s.encode(), body])
        signature = base64.b64encode(hmac.digest(self.webhook_secret, signed, hashlib.sha256)).decode()
        headers = {
            "Content-Type": "application/json",
            "webhook-id": webhook_id,
            "webhook-timestamp": sent_s,
            "webhook-signature": f"v1,{signature}",
        }
        return _request("POST", f"/v1/orgs/{self.org_id}/registrations", headers, body)


def make_scene(settings: Settings) -> Scene:
    """Fill a migrated database; the settings hold the keys for secrets and tokens."""
    org_id, webhook_secret = asyncio.run(_create_organisation(settings))
    values = {"org_id": org_id, "mentors": MENTORS, "asked_for": ASKED_FOR, "days": DAYS}
    with psycopg.connect(settings.database_url) as connection:
        for statement in _STATEMENTS:
            connection.execute(statement, values)
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
    token = make_token(settings, org_id=org_id, subject=uuid4(), role="coordinator")
    return Scene(org_id=str(org_id), token=token, webhook_secret=webhook_secret)


async def _create_organisation(settings: Settings) -> tuple[UUID, bytes]:
    async with owner_database(settings.database_url) as database:
        secrets = SecretStore(database, secret_box(settings))
        made = await create_organisation(database, secrets, name="Large", landing_url=LANDING)
    return made.org_id, made.webhook.secret


def _request(method: str, address: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    lines = [f"{method} {address} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


_STATEMENTS: Final = (
    b"SET LOCAL synchronous_commit = off",
    b"""CREATE FUNCTION pg_temp.mentor(number integer) RETURNS uuid LANGUAGE sql IMMUTABLE
        RETURN ('bbbbbbbb-0000-4000-8000-' || lpad(number::text, 12, '0'))::uuid""",
    b"""CREATE FUNCTION pg_temp.code(number integer) RETURNS text LANGUAGE sql IMMUTABLE
        RETURN upper(lpad(to_hex(number), 10, '0'))""",
    b"""INSERT INTO mentors (org_id, mentor_id)
        SELECT %(org_id)s, pg_temp.mentor(number) FROM generate_series(1, %(mentors)s::int) AS number""",
    b"""INSERT INTO referral_codes
        SELECT pg_temp.code(number), %(org_id)s, pg_temp.mentor(number), now() - %(days)s::int * interval '1 day'
        FROM generate_series(1, %(mentors)s::int) AS number""",
    b"""INSERT INTO mentor_names (org_id, mentor_id, display_name, group_name)
        SELECT %(org_id)s, pg_temp.mentor(number), 'Kari ' || number, 'Oslo'
        FROM generate_series(1, %(mentors)s::int) AS number""",
    b"""INSERT INTO mentor_name_keys (org_id, name_key, mentor_id)
        SELECT org_id, lower(display_name), mentor_id FROM mentor_names""",
    # A tenth has no activity, another clicks alone; the others have three channels, and were counted last on one of the
    # days.
    b"""INSERT INTO mentor_counts (
            org_id, mentor_id, referral_code, total_clicks, pending_attributions, confirmed_attributions,
            conversion_rate, by_channel, milestones, last_event_at, counted_at, topic_partition, topic_offset
        )
        SELECT
            %(org_id)s, pg_temp.mentor(number), pg_temp.code(number), clicks, pending, confirmed,
            confirmed::float / clicks,
            jsonb_build_object(
                'whatsapp', jsonb_build_object('clicks', clicks - 2, 'pending', pending, 'confirmed', confirmed),
                'sms', '{"clicks": 1, "pending": 0, "confirmed": 0}'::jsonb,
                'email', '{"clicks": 1, "pending": 0, "confirmed": 0}'::jsonb
            ),
            '{1}', now(), now() - number %% %(days)s::int * interval '1 day', number %% 12, number
        FROM (
            SELECT
                number,
                10 + number %% 90 AS clicks,
                CASE WHEN number %% 10 = 1 THEN 0 ELSE 1 END AS pending,
                CASE WHEN number %% 10 = 1 THEN 0 ELSE number * 79 %% 30 END AS confirmed
            FROM generate_series(1, %(mentors)s::int) AS number
            WHERE number <= %(asked_for)s::int OR number %% 10 <> 0
        ) AS mentor""",
    # One in 20 had one more before: he holds the badge that he would else be close to.
    b"""INSERT INTO milestones (
            org_id, mentor_id, milestone_threshold, milestone_id, confirmed_count, attribution_id, reached_at, state,
            recorded_at, thanked_at
        )
        SELECT
            org_id, mentor_id, threshold, gen_random_uuid(), threshold, gen_random_uuid(), counted_at, 'decided',
            counted_at, CASE WHEN topic_offset %% 3 <> 0 THEN now() END
        FROM mentor_counts
        INNER JOIN unnest(ARRAY[1, 5, 10, 25]) AS threshold
            ON confirmed_attributions >= threshold - (topic_offset %% 20 = 0)::int
        WHERE confirmed_attributions > 0""",
    b"""INSERT INTO badge_awards (org_id, mentor_id, badge_id, milestone_id, confirmed_count)
        SELECT milestones.org_id, mentor_id, badge_id, milestone_id, confirmed_count
        FROM milestones
        INNER JOIN badge_definitions ON threshold = milestone_threshold AND badge_definitions.org_id IS NULL""",
    b"""INSERT INTO filtered_clicks (org_id, day, reason, clicks)
        SELECT %(org_id)s, current_date - number, 'preview', 100 FROM generate_series(0, 365) AS number""",
    b"""INSERT INTO history_channels SELECT %(org_id)s, unnest(ARRAY['whatsapp', 'sms', 'email', 'qr', 'unknown'])""",
    b"""INSERT INTO organisation_quarter_hours
        SELECT org_id, date_bin('15 minutes', now() - day * interval '1 day', '2000-01-01Z'), channel, 900, 90, 50, 3
        FROM history_channels, generate_series(0, 400) AS day""",
)
