"""The pipeline's state as it is answered, on real Kafka."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from edges.web import pipeline
from edges.web.offsets import group_id
from models.topics import CLICKS, CODES, DEAD_LETTERS, MENTOR_COUNTS, MILESTONES, Topic
from operations.topics import create_topics
from process.settings import Settings
from tests.web import Web, bearer, running_web

pytestmark = pytest.mark.integration

ORG = str(uuid4())
RECORDS = 3


@pytest.fixture(autouse=True)
def _always_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look each time, so that no test waits for the next look."""
    monkeypatch.setattr(pipeline, "LOOK_INTERVAL_S", 0.0)


@pytest.fixture
async def web(settings: Settings) -> AsyncIterator[Web]:
    """Give a running server, and the topics."""
    create_topics(settings)
    async with running_web(settings) as web:
        yield web


async def state_of(web: Web) -> dict[str, Any]:
    """Return the answer, by component where that is shorter."""
    answer = await web.get(f"/v1/orgs/{ORG}/pipeline", headers=bearer(org_id=ORG))
    assert answer.status_code == 200
    state: dict[str, Any] = answer.json()
    return state | {one["name"]: one["lag"] for one in state["components"]}


async def state_when(web: Web, **wanted: object) -> dict[str, Any]:
    """Return the state when it says what is wanted; Kafka's groups and what is read come with a later look."""
    async with asyncio.timeout(30):
        while True:
            state = await state_of(web)
            if all(state[name] == value for name, value in wanted.items()):
                return state
            await asyncio.sleep(0.05)


def produce(settings: Settings, topic: Topic, *, records: int = RECORDS) -> None:
    """Produce records in a transaction, as the stream app does: a marker comes after them."""
    producer = Producer({**settings.kafka_client_config(), "transactional.id": settings.topic_prefix, "log_level": 2})
    producer.init_transactions()
    producer.begin_transaction()
    for _ in range(records):
        producer.produce(topic.full_name(settings.topic_prefix), b"{}", b"key", partition=0)
    producer.commit_transaction()


def commit(settings: Settings, component: str, topic: Topic, offset: int) -> None:
    """Commit an offset as the component would."""
    config = {**settings.kafka_client_config(), "group.id": group_id(component, settings), "log_level": 2}
    consumer = Consumer(config)
    try:
        place = TopicPartition(topic.full_name(settings.topic_prefix), 0, offset)
        consumer.commit(offsets=[place], asynchronous=False)
    finally:
        consumer.close()


async def test_records_wait_until_their_component_has_committed_them(settings: Settings, web: Web) -> None:
    """Each component waits for what it reads; the marker of a transaction is no record, before and after."""
    assert (await state_when(web, state="ok", stream=0, badges=0, counts=0))["deadLetters"] == 0
    produce(settings, CODES)
    produce(settings, MENTOR_COUNTS)
    produce(settings, MILESTONES)
    await state_when(web, stream=RECORDS, badges=RECORDS, counts=2 * RECORDS)
    commit(settings, "badges", MILESTONES, RECORDS)
    await state_when(web, stream=RECORDS, badges=0, counts=2 * RECORDS)
    commit(settings, "stream", CODES, RECORDS - 1)
    await state_when(web, stream=1, badges=0, counts=2 * RECORDS)


async def test_the_history_is_a_component_of_its_own(settings: Settings, web: Web) -> None:
    """A page's periods are as late as it is, though the counts are up to date."""
    produce(settings, CLICKS)
    commit(settings, "stream", CLICKS, RECORDS)
    await state_when(web, stream=0, counts=0, history=RECORDS)
    commit(settings, "history", CLICKS, RECORDS)
    await state_when(web, state="ok", history=0)


async def test_dead_letters_are_counted_as_records(settings: Settings, web: Web) -> None:
    """Those of several transactions, and those that come while somebody looks."""
    produce(settings, DEAD_LETTERS)
    produce(settings, DEAD_LETTERS, records=1)
    await state_when(web, deadLetters=RECORDS + 1)
    produce(settings, DEAD_LETTERS, records=2)
    await state_when(web, deadLetters=RECORDS + 3)


async def test_metrics_tell_the_lag(settings: Settings, web: Web) -> None:
    """A scrape looks by itself."""
    produce(settings, MILESTONES)
    await state_when(web, badges=RECORDS)
    answer = await web.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    metrics = answer.text
    assert f'referrals_consumer_lag_records{{component="badges"}} {RECORDS}.0' in metrics
    assert "referrals_dead_letter_records 0.0" in metrics
    assert "referrals_outbox_codes 0.0" in metrics
    assert 'referrals_reconciliation_organisations{last_success="never"} 0.0' in metrics


async def test_without_kafka_the_state_is_unreachable(settings: Settings) -> None:
    """That is an answer, not an error; and the server stops all the same."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        async with running_web(settings, bootstrap_servers=f"127.0.0.1:{closed.getsockname()[1]}") as web:
            state = await state_of(web)
            assert (state["state"], state["stream"], state["deadLetters"]) == ("unreachable", 0, 0)
            assert (await web.get("/metrics")).status_code == 200
