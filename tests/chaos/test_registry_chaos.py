"""Codes are issued while Kafka and Postgres are killed under the relay: every code that was stored is published."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from uuid import UUID, uuid4

import psycopg
import pytest
from confluent_kafka import Consumer, TopicPartition

from edges.registry.outbox import OutboxRelay
from local.parts import Parts
from models.events import CodeIssued, decode_event
from models.topics import CODES
from operations.topics import create_topics
from process.settings import Settings
from tests.registry import owned_registry

pytestmark = [pytest.mark.integration, pytest.mark.chaos]

DEADLINE_S = 60.0
PARTITIONS = 4


async def issue(settings: Settings, org_id: UUID, stop: asyncio.Event) -> set[str]:
    """Issue codes one after the other until told to stop, whatever is away; return those that were."""
    issued: set[str] = set()
    while not stop.is_set():
        with suppress(psycopg.OperationalError):
            async with owned_registry(settings) as registry:
                while not stop.is_set():
                    issued |= {each.code for each in await registry.codes.issue_many(org_id, [uuid4(), uuid4()])}
        await asyncio.sleep(0.05)
    return issued


def stored(settings: Settings, table: str) -> set[str]:
    """Return the codes in a table."""
    with psycopg.connect(settings.database_url) as connection:
        return {code for (code,) in connection.execute(f"SELECT referral_code FROM {table}".encode())}  # noqa: S608


def published(settings: Settings) -> set[str]:
    """Return the codes in the topic."""
    consumer = Consumer({**settings.kafka_client_config(), "group.id": "reader"})
    try:
        places = [TopicPartition(CODES.full_name(settings.topic_prefix), p, 0) for p in range(PARTITIONS)]
        left = sum(consumer.get_watermark_offsets(place, DEADLINE_S)[1] for place in places)
        consumer.assign(places)
        found: set[str] = set()
        while left:
            messages = consumer.consume(left, 0.5)
            left -= len(messages)
            found |= {decode_event(CodeIssued, message.value()).referral_code for message in messages}
        return found
    finally:
        consumer.close()


async def test_kafka_and_postgres_killed_under_the_relay(settings: Settings, parts: Parts) -> None:
    """Both are killed without order while codes are issued; the same relay goes on, and nothing is left out."""
    settings = settings.model_copy(update={"partitions": PARTITIONS})
    create_topics(settings)
    name = settings.database_url.rsplit("/", 1)[1]
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = on'.encode())  # off in tests
    async with owned_registry(settings) as registry:
        org_id = await registry.new_organisation()
    relay, stop = OutboxRelay(settings, role="referrals_app"), asyncio.Event()
    relay.start()
    issuing = asyncio.create_task(issue(settings, org_id, stop))
    await asyncio.sleep(0.5)
    for part in (parts.kafka, parts.postgres):
        await asyncio.to_thread(part.kill)
        await asyncio.sleep(1)
        await asyncio.to_thread(part.start)
        await asyncio.sleep(1)
    stop.set()
    issued = await issuing
    async with asyncio.timeout(DEADLINE_S):
        while await asyncio.to_thread(stored, settings, "codes_outbox"):  # noqa: ASYNC110 - Postgres sets no event
            await asyncio.sleep(0.1)
    await relay.stop()
    in_table = stored(settings, "referral_codes")
    assert issued <= in_table  # what was being committed when Postgres died may be there, though nobody was told
    assert published(settings) == in_table
