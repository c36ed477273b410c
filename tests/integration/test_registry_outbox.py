"""The outbox on real Kafka and Postgres: every code is published, whoever dies or is away; nobody downstream minds."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
import structlog
from confluent_kafka import Consumer, Message, TopicPartition

from edges.registry.errors import NotMigrated, NotPublished
from edges.registry.outbox import OutboxRelay
from models.attribution import Attribution, Rules
from models.changes import MENTORS, TABLES
from models.events import CodeIssued, decode_event
from models.partitioning import partition_of
from models.topics import CODES
from operations.topics import create_topics
from process.fault_points import VARIABLE
from process.settings import Settings
from sinks.counts_projection import CountsProjection
from sinks.postgres_counts import PostgresCountsRepository
from sinks.records import Record
from streams.engine.batch import SourceRecord
from tests.factories import make_batch
from tests.registry import SECRET_KEYS, app_registry, owned_registry

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60.0
PARTITIONS = 4
NOWHERE = "127.0.0.1:1"


@pytest.fixture(name="settings")
def settings_of_four_partitions(settings: Settings) -> Settings:
    """Give settings with few partitions, of topics that are not created yet."""
    return settings.model_copy(update={"partitions": PARTITIONS})


async def issue(settings: Settings, count: int = 1, org_id: UUID | None = None) -> tuple[UUID, list[str]]:
    """Issue codes to new mentors, of a new organisation unless it is given, and leave them in the outbox."""
    async with owned_registry(settings) as registry, app_registry(settings) as codes:
        org_id = org_id or await registry.new_organisation()
        issued = await codes.issue_many(org_id, [uuid4() for _ in range(count)])
        return org_id, [each.code for each in issued]


@asynccontextmanager
async def relay(settings: Settings, *, role: str | None = None, starts: bool = False) -> AsyncIterator[OutboxRelay]:
    """Give a relay; started if that is asked for, and then stopped."""
    each = OutboxRelay(settings, role=role)
    if starts:
        each.start()
    try:
        yield each
    finally:
        await each.stop()


def waiting(settings: Settings) -> list[str]:
    """Return the codes in the outbox, oldest first."""
    with psycopg.connect(settings.database_url) as connection:
        return [code for (code,) in connection.execute("SELECT referral_code FROM codes_outbox ORDER BY position")]


def published(settings: Settings) -> list[Message]:
    """Return every record of the codes topic."""
    name = CODES.full_name(settings.topic_prefix)
    consumer = Consumer({**settings.kafka_client_config(), "group.id": "reader", "enable.partition.eof": False})
    try:
        places = [TopicPartition(name, partition, 0) for partition in range(PARTITIONS)]
        ends = sum(consumer.get_watermark_offsets(place, DEADLINE_S)[1] for place in places)
        consumer.assign(places)
        found: list[Message] = []
        while len(found) < ends:
            found += consumer.consume(ends - len(found), 0.5)
        return found
    finally:
        consumer.close()


def codes_of(messages: list[Message]) -> Counter[str]:
    """Count the records of each code."""
    return Counter(decode_event(CodeIssued, message.value()).referral_code for message in messages)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that a relay does."""
    async with asyncio.timeout(DEADLINE_S):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110 - Kafka and Postgres set no event of ours
            await asyncio.sleep(0.02)


async def test_published_as_the_contract_says(settings: Settings) -> None:
    """Key, value and partition of each; the outbox is empty then, and a second run publishes nothing."""
    create_topics(settings)
    org_id, codes = await issue(settings, 20)
    async with relay(settings) as once:
        assert await once.publish_waiting() == 20
        assert await once.publish_waiting() == 0
    found = published(settings)
    assert codes_of(found) == Counter(codes)
    for message in found:
        event = json.loads(message.value() or b"")
        assert message.key() == event["referral_code"].encode()
        assert message.partition() == partition_of(message.key() or b"", PARTITIONS)
        assert set(event) == {"referral_code", "org_id", "mentor_id", "issued_at"}
        assert event["org_id"] == str(org_id)
    assert waiting(settings) == []


async def test_a_running_relay_publishes_what_comes(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the HTTP side's role, for every organisation, woken by the insert: it does not look by itself here."""
    monkeypatch.setattr("edges.registry.outbox.LOOK_INTERVAL_S", 3_600.0)
    create_topics(settings)
    async with relay(settings, role="referrals_app", starts=True):
        for count in (1, 2, 3):
            await issue(settings, count)
            await until(lambda: not waiting(settings))
    assert codes_of(published(settings)).total() == 6


async def test_more_than_a_batch(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it, whether the number is a multiple of the batch or not."""
    monkeypatch.setattr("edges.registry.outbox.BATCH_MAX", 10)
    create_topics(settings)
    _, codes = await issue(settings, 35)
    async with relay(settings) as once:
        assert await once.publish_waiting() == 35
    assert codes_of(published(settings)) == Counter(codes)


async def test_two_relays_at_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """They share the work: every code once."""
    monkeypatch.setattr("edges.registry.outbox.BATCH_MAX", 20)
    create_topics(settings)
    _, codes = await issue(settings, 500)
    async with relay(settings) as first, relay(settings) as second:
        assert sum(await asyncio.gather(first.publish_waiting(), second.publish_waiting())) == 500
    assert codes_of(published(settings)) == Counter(codes)


async def test_what_another_relay_has_in_hand_is_left_to_it(settings: Settings) -> None:
    """Nobody waits for it; if that relay dies, the codes are there again."""
    create_topics(settings)
    _, codes = await issue(settings, 30)
    async with relay(settings) as once:
        with psycopg.connect(settings.database_url) as other:
            in_hand = other.execute("SELECT referral_code FROM take_from_outbox(10)").fetchall()
            assert len(in_hand) == 10
            assert await once.publish_waiting() == 20
            other.rollback()
        assert await once.publish_waiting() == 10
    assert codes_of(published(settings)) == Counter(codes)


async def test_kafka_away(settings: Settings) -> None:
    """Codes are issued all the same, and wait; said is where Kafka was looked for."""
    _, codes = await issue(settings, 3)
    async with relay(settings.model_copy(update={"bootstrap_servers": NOWHERE})) as once:
        with pytest.raises(NotPublished, match=f"Kafka at {NOWHERE} does not answer"):
            await once.publish_waiting()
    assert sorted(waiting(settings)) == sorted(codes)
    create_topics(settings)
    async with relay(settings) as once:
        assert await once.publish_waiting() == 3


async def test_an_empty_outbox_needs_no_kafka(settings: Settings) -> None:
    """Who has nothing to publish is not kept waiting."""
    async with relay(settings.model_copy(update={"bootstrap_servers": NOWHERE})) as once:
        assert await once.publish_waiting() == 0


async def test_a_running_relay_waits_for_kafka_and_says_so_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here it waits for the topics; when they are there it goes on by itself."""
    monkeypatch.setattr("edges.registry.outbox.RETRY_DELAY_S", 0.05)
    await issue(settings)
    with structlog.testing.capture_logs() as logs:
        async with relay(settings, starts=True):
            await until(lambda: bool(logs))
            await asyncio.sleep(0.5)  # several attempts
            create_topics(settings)
            await until(lambda: not waiting(settings))
    said = [(entry["event"], entry.get("reason", "")) for entry in logs if entry["log_level"] != "debug"]
    assert [event for event, _ in said] == ["codes.waiting", "codes.going_on"]
    assert "no such topic; create the topics with: referrals topics create" in said[0][1]


async def test_a_running_relay_connects_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection is cut again and again, and what is issued meanwhile is published."""
    monkeypatch.setattr("edges.registry.outbox.RETRY_DELAY_S", 0.05)
    create_topics(settings)
    org_id, _ = await issue(settings)
    cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'referrals codes relay'"
    )
    async with relay(settings, starts=True):
        await until(lambda: not waiting(settings))
        for _ in range(3):
            with psycopg.connect(settings.database_url) as connection:
                connection.execute(cut)
            await issue(settings, 1, org_id)
            await until(lambda: not waiting(settings))
    assert codes_of(published(settings)).total() == 4


async def test_stopping_finishes_the_batch_in_hand(settings: Settings) -> None:
    """What was taken is published and forgotten; nothing is published twice for it."""
    create_topics(settings)
    _, codes = await issue(settings, 300)
    each = OutboxRelay(settings)
    each.start()
    await asyncio.sleep(0)
    while not each._at_work.locked():  # noqa: ASYNC110, SLF001 - the moment that is meant is inside
        await asyncio.sleep(0)
    await each.stop()
    await each.stop()
    counted = codes_of(published(settings))
    assert counted in (Counter(codes), Counter())
    assert (waiting(settings) == []) == bool(counted)


async def test_a_database_that_is_not_migrated(settings: Settings, parts: object) -> None:
    """One line that says what to do."""
    empty = parts.create_database(f"test_{uuid4().hex}")  # type: ignore[attr-defined]  # conftest's
    async with relay(settings.model_copy(update={"database_url": empty})) as once:
        with pytest.raises(NotMigrated, match="run: referrals db migrate"):
            await once.publish_waiting()


def killed_issuing(settings: Settings, org_id: UUID, mentor_id: UUID, fault: str) -> None:
    """Run `referrals codes issue` until it is killed at a fault point."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "commands", "codes", "issue", f"--org={org_id}", f"--mentor={mentor_id}"],
        cwd=ROOT,
        env={
            "REFERRALS_DATABASE_URL": settings.database_url,
            "REFERRALS_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
            "REFERRALS_TOPIC_PREFIX": settings.topic_prefix,
            "REFERRALS_SECRET_KEYS": SECRET_KEYS,
            VARIABLE: fault,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(("fault", "before"), [("registry.stored", 0), ("registry.published", 1)])
async def test_killed_between_the_database_and_kafka(settings: Settings, fault: str, before: int) -> None:
    """Stored and not published, or published and not forgotten: the next start publishes, and nobody downstream minds.

    Downstream are the projection, which finds the code that the registry has inserted, and the stream app's fold.
    """
    create_topics(settings)
    mentor_id = uuid4()
    async with owned_registry(settings) as registry:
        org_id = await registry.new_organisation()
        await asyncio.to_thread(killed_issuing, settings, org_id, mentor_id, fault)
        assert len(published(settings)) == before
        assert len(waiting(settings)) == 1
        found = await registry.codes.issue(org_id, mentor_id)
    assert not found.is_new

    async with relay(settings, starts=True):
        await until(lambda: not waiting(settings))

    messages = published(settings)
    assert codes_of(messages) == Counter({found.code: before + 1})
    assert projected(settings, messages) == []
    with psycopg.connect(settings.database_url) as connection:
        rows = connection.execute("SELECT referral_code, org_id, mentor_id, issued_at FROM referral_codes").fetchall()
    assert rows == [(found.code, org_id, mentor_id, found.issued_at)]
    assert folded(messages) == [found.code]


def projected(settings: Settings, messages: list[Message]) -> list[object]:
    """Hand records to the projection, twice, and return the dead letters."""
    name = CODES.full_name(settings.topic_prefix)
    records = [
        Record(topic=name, partition=m.partition() or 0, offset=m.offset() or 0, key=m.key(), value=m.value())
        for m in messages
    ]
    with closing(
        CountsProjection(PostgresCountsRepository(settings.database_url), codes_topic=name, partitions=PARTITIONS)
    ) as projection:
        return [*projection.put(records), *projection.put(records)]


def folded(messages: list[Message]) -> list[str]:
    """Fold records of one partition as the stream app does; return the codes it knows then, after no dead letter."""
    fold = Attribution(Rules(), partitions=PARTITIONS)
    rows: dict[str, dict[bytes, bytes]] = {table: {} for table in TABLES}
    for message in messages:
        record = SourceRecord(
            "referrals.codes.v1", message.partition() or 0, message.offset() or 0, 0, message.key(), message.value(), ()
        )
        changes = fold.fold(rows, make_batch(record), now_ms=0)
        assert changes.outgoing == []
        rows[MENTORS] |= {key: row for key, row in changes.rows.get(MENTORS, {}).items() if row is not None}
    return [key.decode() for key in rows[MENTORS]]
