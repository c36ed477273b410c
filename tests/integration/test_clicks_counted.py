"""Clicks come in transactions: what is committed counts, what is aborted counts nowhere, and markers are no records."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from edges.web.clicks.recorder import ClickRecorder
from models.topics import CLICKS, CODES, MENTOR_COUNTS
from process.settings import Settings
from proof.verify.oracle import Oracle
from proof.verify.reading import Reader
from proof.verify.report import Report
from tests.crew import Crew, differences
from tests.factories import CODE, encode, make_click, make_code_issued

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

ROUNDS = 12
DEADLINE_S = 60.0


@pytest.fixture
def crew(settings: Settings, tmp_path: Path) -> Iterator[Crew]:
    """Give an installation with one stream worker."""
    running = Crew(settings.model_copy(update={"partitions": 3}), tmp_path)
    running.start("worker")
    try:
        yield running
    finally:
        running.stop()


def transactional(settings: Settings, name: str) -> Producer:
    """Return a producer with a transactional id of its own."""
    producer = Producer(
        {
            **settings.kafka_client_config(),
            "transactional.id": f"{settings.topic_prefix}{name}",
            "partitioner": "murmur2",
        }
    )
    producer.init_transactions(DEADLINE_S)
    return producer


def abort(producer: Producer, settings: Settings) -> None:
    """Write clicks into the topic, and then abort them."""
    producer.begin_transaction()
    for _ in range(20):
        producer.produce(CLICKS.full_name(settings.topic_prefix), encode(make_click()), CODE.encode())
    assert producer.flush(DEADLINE_S) == 0
    producer.abort_transaction(DEADLINE_S)


def check(settings: Settings) -> Report:
    """Wait until the stream app has processed what stands in its topics, and see that the oracle agrees."""
    report = Oracle(settings).check(wait_s=DEADLINE_S, with_database=False)
    assert report.is_clean, differences(report)
    return report


def total_clicks(settings: Settings) -> int:
    """Return the latest published count of the one mentor."""
    reader = Reader(settings)
    try:
        spans = reader.spans(reader.partitions([MENTOR_COUNTS.name]))
        values = [message.value() for batch in reader.read(spans) for message in batch]
    finally:
        reader.close()
    return int(json.loads(values[-1] or b"")["total_clicks"])


async def test_aborted_clicks_count_nowhere(crew: Crew) -> None:
    """Committed and aborted transactions between each other, and a worker that starts where only markers follow."""
    settings = crew.settings
    registry = Producer({**settings.kafka_client_config(), "partitioner": "murmur2"})
    registry.produce(CODES.full_name(settings.topic_prefix), encode(make_code_issued()), CODE.encode())
    assert registry.flush(DEADLINE_S) == 0
    intruder = transactional(settings, "intruder")
    recorded = 0
    async with ClickRecorder(settings) as recorder:
        for round_ in range(ROUNDS):
            for _ in range(round_):
                recorder.record(CODE, "sms")
                recorded += 1
            await asyncio.to_thread(abort, intruder, settings)
            if round_ == ROUNDS // 2:
                await asyncio.to_thread(check, settings)
                crew.kill("worker")
                crew.start("worker")
    abort(intruder, settings)
    report = check(settings)
    table = report.sources[CLICKS.name]
    assert (table.records, table.dispositions) == (recorded, {"applied": recorded})
    assert table.gaps >= 20 * ROUNDS
    assert total_clicks(settings) == recorded
    assert "worker_leaves" not in crew.log("worker")
