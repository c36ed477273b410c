"""A small programme written out by hand, inputs and right outputs alike, into which a test plants a bug.

Two mentors in two organisations, in two partitions; every disposition occurs. `write` puts it on a real cluster and
into a real database, as the program would have left it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, LiteralString, NamedTuple

import psycopg
from confluent_kafka import Consumer, Producer, TopicPartition

from models.badges import SEEDED_DEFINITIONS
from models.identifiers import milestone_id
from models.partitioning import partition_of
from models.topics import CLICKS, CODES, DEAD_LETTERS, MENTOR_COUNTS, MILESTONES, REGISTRATIONS, SOURCES, Topic
from operations.topics import create_topics
from process.settings import Settings

PARTITIONS = 2
THRESHOLDS = (1, 2)

ORG = "0a000000-0000-4000-8000-000000000001"
OTHER_ORG = "0a000000-0000-4000-8000-000000000002"
ANNA = "0b000000-0000-4000-8000-000000000001"
BERT = "0b000000-0000-4000-8000-000000000002"
ANNAS_CODE = "ANNA0000"
BERTS_CODE = "BERT0000"
NOBODYS_CODE = "N0B0DY00"
HOME = partition_of(ANNAS_CODE.encode(), PARTITIONS)
FLUSH_TIMEOUT_S = 30.0

Value = dict[str, Any]
Headers = list[tuple[str, str]]


class Written(NamedTuple):
    """A record to be written."""

    topic: Topic
    key: str | None
    value: bytes | None
    partition: int
    headers: Headers


def _id(number: int) -> str:
    return f"0c000000-0000-4000-8000-{number:012}"


def _at(minute: int) -> str:
    return f"2026-11-20T10:{minute:02}:00Z"


def _code(code: str, org_id: str, mentor_id: str) -> Value:
    return {"referral_code": code, "org_id": org_id, "mentor_id": mentor_id, "issued_at": _at(0)}


def _click(number: int, code: str, channel: str, **more: str) -> Value:
    metadata = {"share_channel": channel}
    base = {"click_id": _id(number), "referral_code": code, "occurred_at": _at(number), "device_metadata": metadata}
    return base | more


def _registration(number: int, code: str, member: int, status: str, **more: str) -> Value:
    return {
        "attribution_id": _id(number),
        "referral_code": code,
        "new_member_id": _id(100 + member),
        "status": status,
        "occurred_at": _at(number),
        "device_metadata": {"share_channel": "sms"},
    } | more


def milestone(threshold: int, *, org_id: str = ORG, mentor_id: str = ANNA, attribution: int, minute: int) -> Value:
    """Return a milestone that a confirmation has reached."""
    return {
        "milestone_id": milestone_id(org_id, mentor_id, threshold),
        "event_type": "recruitment_milestone_reached",
        "org_id": org_id,
        "mentor_id": mentor_id,
        "milestone_threshold": threshold,
        "confirmed_count": threshold,
        "attribution_id": _id(attribution),
        "reached_at": _at(minute),
    }


def award(threshold: int, *, milestone_threshold: int, org_id: str = ORG, mentor_id: str = ANNA) -> Value:
    """Return an award of a seeded badge, earned by a milestone."""
    badge_id = next(definition.badge_id for definition in SEEDED_DEFINITIONS if definition.threshold == threshold)
    return {
        "org_id": org_id,
        "mentor_id": mentor_id,
        "badge_id": badge_id,
        "milestone_id": milestone_id(org_id, mentor_id, milestone_threshold),
        "confirmed_count": milestone_threshold,
    }


@dataclass
class Scene:
    """What is in the topics and tables; a test changes it before `write`."""

    counts: dict[str, Value] = field(default_factory=dict)
    """By mentor."""
    milestones: list[Value] = field(default_factory=list)
    dead_letters: list[Written] = field(default_factory=list)
    copies: list[Written] = field(default_factory=list)
    codes_table: dict[str, tuple[str, str]] = field(default_factory=dict)
    counts_table: dict[str, Value] = field(default_factory=dict)
    awards: list[Value] = field(default_factory=list)
    sources: list[Written] = field(default_factory=list)
    unprocessed: int = 0
    """Records of Anna's clicks that the stream app has not committed."""
    history: dict[tuple[str, str], tuple[int, int, int, int]] = field(default_factory=dict)
    """By organisation and channel: clicks, registered, confirmed, withdrawn, all from 10:00 to 10:15."""
    statements: list[LiteralString] = field(default_factory=list)
    """Run when all tables are written: for bugs of what Postgres itself keeps."""

    def write(self, settings: Settings) -> Settings:
        """Write it all; return the settings of the installation that it then is."""
        settings = settings.model_copy(update={"partitions": PARTITIONS, "thresholds": THRESHOLDS})
        create_topics(settings)
        producer = Producer({**settings.kafka_client_config(), "linger.ms": 0, "log_level": 2})
        outputs = [
            *(_output(MENTOR_COUNTS, f"{row['org_id']}:{row['mentor_id']}", row) for row in self.counts.values()),
            *(_output(MILESTONES, f"{each['org_id']}:{each['mentor_id']}", each) for each in self.milestones),
        ]
        for record in (*self.sources, *self.copies, *self.dead_letters, *outputs):
            name = record.topic.full_name(settings.topic_prefix)
            headers = [(header, text.replace("PREFIX.", settings.topic_prefix)) for header, text in record.headers]
            producer.produce(name, record.value, record.key, record.partition, headers=list(headers))
        assert producer.flush(FLUSH_TIMEOUT_S) == 0
        self._commit(settings)
        self._write_tables(settings)
        return settings

    def _commit(self, settings: Settings) -> None:
        """Commit what the stream app has processed, as its consumer group."""
        consumer = Consumer({**settings.kafka_client_config(), "group.id": settings.app_id, "log_level": 2})
        places = []
        for topic in SOURCES:
            for partition in range(PARTITIONS):
                place = TopicPartition(topic.full_name(settings.topic_prefix), partition)
                _, end = consumer.get_watermark_offsets(place, timeout=FLUSH_TIMEOUT_S)
                behind = self.unprocessed if (topic, partition) == (CLICKS, HOME) else 0
                places.append(TopicPartition(place.topic, partition, end - behind))
        consumer.commit(offsets=places, asynchronous=False)
        consumer.close()

    def _write_tables(self, settings: Settings) -> None:
        with psycopg.connect(settings.database_url) as connection:
            for org_id, mentor_id in {
                *self.codes_table.values(),
                *((a["org_id"], a["mentor_id"]) for a in self.awards),
            }:
                connection.execute("INSERT INTO organisations VALUES (%s) ON CONFLICT DO NOTHING", [org_id])
                connection.execute("INSERT INTO mentors VALUES (%s, %s) ON CONFLICT DO NOTHING", [org_id, mentor_id])
            for code, owner in self.codes_table.items():
                connection.execute("INSERT INTO referral_codes VALUES (%s, %s, %s, now())", [code, *owner])
            for row in self.counts_table.values():
                connection.execute(
                    "INSERT INTO mentor_counts VALUES (%(org_id)s, %(mentor_id)s, %(referral_code)s, %(total_clicks)s, "
                    "%(pending_attributions)s, %(confirmed_attributions)s, %(conversion_rate)s, %(channels)s, "
                    "%(milestones)s, %(last_event_at)s, 0, 0)",
                    row | {"channels": json.dumps(row["by_channel"])},
                )
            for row in self.awards:
                connection.execute(
                    "INSERT INTO badge_awards VALUES (%(org_id)s, %(mentor_id)s, %(badge_id)s, %(milestone_id)s, "
                    "%(confirmed_count)s)",
                    row,
                )
            for threshold in THRESHOLDS:
                for definition in SEEDED_DEFINITIONS:
                    reason = "awarded" if threshold >= definition.threshold else "below_threshold"
                    connection.execute(
                        "INSERT INTO badge_decisions VALUES (%s, %s, %s, %s, %s, %s, %s)",
                        [
                            ORG,
                            ANNA,
                            threshold,
                            milestone_id(ORG, ANNA, threshold),
                            definition.badge_id,
                            reason,
                            threshold,
                        ],
                    )
            self._write_history(connection, f"{settings.topic_prefix}history")
            for statement in self.statements:
                connection.execute(statement)

    def _write_history(self, connection: psycopg.Connection[Any], consumer: str) -> None:
        for (org_id, channel), numbers in self.history.items():
            connection.execute("INSERT INTO history_channels VALUES (%s, %s)", [org_id, channel])
            connection.execute(
                "INSERT INTO organisation_quarter_hours VALUES (%s, %s, %s, %s, %s, %s, %s)",
                [org_id, _at(0), channel, *numbers],
            )
        connection.execute(
            "INSERT INTO sink_positions (consumer, topic, topic_partition, next_offset) VALUES (%s, 'clicks', 0, 1)",
            [consumer],
        )


def change(row: Value, **changed: object) -> None:
    """Change a row, as a bug would."""
    row.update(changed)


def in_both(the: Scene, mentor: str, **changed: object) -> None:
    """Change a mentor's counts in the topic and in the table, as a bug of the fold would."""
    the.counts[mentor].update(changed)
    the.counts_table[mentor].update(changed)


def scene() -> Scene:
    """Return the programme with everything right."""
    the = Scene()
    places: dict[tuple[Topic, int], int] = {}

    def source(topic: Topic, value: Value | bytes, *, key: str | None = ANNAS_CODE, partition: int = -1) -> Written:
        at = partition if partition >= 0 else partition_of((key or ANNAS_CODE).encode(), PARTITIONS)
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        record = Written(topic, key, content, at, [])
        the.sources.append(record)
        places[topic, at] = places.get((topic, at), -1) + 1
        return record

    def refuse(record: Written, error: str) -> None:
        offset = places[record.topic, record.partition]
        headers = [
            ("__connect.errors.topic", f"PREFIX.{record.topic.name}"),
            ("__connect.errors.partition", str(record.partition)),
            ("__connect.errors.offset", str(offset)),
            ("__connect.errors.exception.class.name", error),
            ("__connect.errors.exception.message", "why"),
            ("__connect.errors.stage", "attribution"),
        ]
        the.dead_letters.append(Written(DEAD_LETTERS, record.key, record.value, 0, headers))

    source(CODES, _code(ANNAS_CODE, ORG, ANNA))
    source(CODES, _code(BERTS_CODE, OTHER_ORG, BERT), key=BERTS_CODE)
    refuse(source(CODES, _code(ANNAS_CODE, OTHER_ORG, _id(99))), "CodeTaken")
    source(CLICKS, _click(1, ANNAS_CODE, "sms"))
    source(CLICKS, _click(2, "anna-oooo", " SMS "), key=None)
    source(CLICKS, _click(3, BERTS_CODE, "email"), key=BERTS_CODE)
    source(CLICKS, _click(4, NOBODYS_CODE, "sms"), key=NOBODYS_CODE)
    refuse(source(CLICKS, b"{"), "BadEvent")
    source(REGISTRATIONS, _registration(5, ANNAS_CODE, 1, "pending_signup"))
    source(REGISTRATIONS, _registration(6, ANNAS_CODE, 1, "confirmed", org_id=ORG))
    source(REGISTRATIONS, _registration(6, ANNAS_CODE, 1, "confirmed", org_id=ORG))
    source(REGISTRATIONS, _registration(7, ANNAS_CODE, 2, "confirmed"))
    source(REGISTRATIONS, _registration(8, BERTS_CODE, 3, "pending_signup"), key=BERTS_CODE)
    refuse(source(REGISTRATIONS, _registration(9, ANNAS_CODE, 4, "confirmed", org_id=OTHER_ORG)), "OtherOrganisation")
    moved = source(CLICKS, _click(10, ANNAS_CODE, "email"), partition=1 - HOME)
    origin = f"PREFIX.{CLICKS.name}/{1 - HOME}/{places[CLICKS, 1 - HOME]}"
    the.copies.append(moved._replace(partition=HOME, headers=[("referrals.moved-from", origin)]))

    the.counts = {
        ANNA: _counts(ORG, ANNA, ANNAS_CODE, clicks=3, confirmed=2, rate=2 / 3, last=10)
        | {
            "by_channel": {
                "sms": {"clicks": 2, "pending": 0, "confirmed": 2},
                "email": {"clicks": 1, "pending": 0, "confirmed": 0},
            },
            "milestones": [1, 2],
        },
        BERT: _counts(OTHER_ORG, BERT, BERTS_CODE, clicks=1, pending=1, last=8)
        | {
            "by_channel": {
                "email": {"clicks": 1, "pending": 0, "confirmed": 0},
                "sms": {"clicks": 0, "pending": 1, "confirmed": 0},
            }
        },
    }
    the.milestones = [milestone(1, attribution=6, minute=6), milestone(2, attribution=7, minute=7)]
    the.counts_table = {mentor: dict(row) for mentor, row in the.counts.items()}
    the.codes_table = {ANNAS_CODE: (ORG, ANNA), BERTS_CODE: (OTHER_ORG, BERT)}
    the.awards = [award(1, milestone_threshold=1)]
    the.history = {
        (ORG, "sms"): (2, 2, 2, 0),
        (ORG, "email"): (1, 0, 0, 0),
        (OTHER_ORG, "email"): (1, 0, 0, 0),
        (OTHER_ORG, "sms"): (0, 1, 0, 0),
    }
    return the


def _counts(
    org_id: str,
    mentor_id: str,
    code: str,
    *,
    clicks: int,
    last: int,
    pending: int = 0,
    confirmed: int = 0,
    rate: float = 0.0,
) -> Value:
    return {
        "org_id": org_id,
        "mentor_id": mentor_id,
        "referral_code": code,
        "total_clicks": clicks,
        "pending_attributions": pending,
        "confirmed_attributions": confirmed,
        "conversion_rate": rate,
        "by_channel": {},
        "milestones": [],
        "last_event_at": _at(last),
    }


def _output(topic: Topic, key: str, value: Value) -> Written:
    return Written(topic, key, json.dumps(value).encode(), partition_of(key.encode(), PARTITIONS), [])
