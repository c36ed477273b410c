"""The stream app on real Kafka, a worker as people start it: input in, counts and milestones out."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import orjson
import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from local.sample.programme import Programme
from models.partitioning import partition_of
from models.topics import CLICKS, CODES, DEAD_LETTERS, MENTOR_COUNTS, MILESTONES, REGISTRATIONS, Topic
from process.settings import Settings
from proof.verify.oracle import Oracle
from tests.crew import ROOT, Crew, differences, wait_until
from tests.monitoring import ask, scrape, url_in

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

READY = "partitions_ready"
ORG: Final = "5f0c8a3e-1111-4222-8333-444455556666"


@pytest.fixture
def crew(settings: Settings, tmp_path: Path) -> Iterator[Crew]:
    """Give an installation with one stream worker."""
    running = Crew(settings, tmp_path)
    running.start("worker")
    try:
        running.wait_log("worker", READY)
        yield running
    finally:
        running.stop()


def published(settings: Settings, topic: Topic) -> list[Message]:
    """Return what a topic holds, committed records only."""
    return committed(settings, topic.full_name(settings.topic_prefix))


def committed(settings: Settings, name: str) -> list[Message]:
    """Return the committed records of a topic by its full name."""
    consumer = Consumer(
        {
            **settings.kafka_client_config(),
            "group.id": "test",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(name, number, 0) for number in range(settings.partitions)])
    found: list[Message] = []
    unfinished = set(range(settings.partitions))
    while unfinished:
        for message in consumer.consume(1_000, 0.2):
            if message.error() is None:
                found.append(message)
            else:
                unfinished.discard(message.partition() or 0)  # its end may come twice, when a record came between
    consumer.close()
    return found


def counts_of(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the last published counts of each code."""
    rows = [orjson.loads(message.value() or b"") for message in published(settings, MENTOR_COUNTS)]
    return {row["referral_code"]: row for row in rows}


def send(settings: Settings, records: list[tuple[Topic, str, dict[str, Any]]], **more: str) -> None:
    """Produce events keyed by their code."""
    producer = Producer({**settings.kafka_client_config(), "partitioner": "murmur2_random", **more})
    if "transactional.id" in more:
        producer.init_transactions(30)
        producer.begin_transaction()
    for topic, key, value in records:
        producer.produce(topic.full_name(settings.topic_prefix), orjson.dumps(value), key)
    if "transactional.id" in more:
        producer.commit_transaction(30)
    assert producer.flush(30) == 0


def wait_processed(settings: Settings) -> None:
    """Wait until the app has processed what stands in its topics, and see that the oracle agrees."""
    report = Oracle(settings).check(wait_s=60, with_database=False)
    assert report.is_clean, differences(report)


@pytest.mark.parametrize("end", ["record", "marker"])
def test_codes_are_read_before_what_belongs_to_them(settings: Settings, tmp_path: Path, end: str) -> None:
    """However much there is when a worker begins, and whatever the codes' log ends in: no record waits for one."""
    crew = Crew(settings, tmp_path)
    codes = [f"ANNA00{mentor:02}" for mentor in range(50)]
    clicks = [
        {"click_id": str(UUID(int=number)), "referral_code": code, "occurred_at": "2026-11-20T10:30:00Z"}
        for number, code in enumerate(islice(cycle(codes), 20_000))
    ]
    send(settings, [(CLICKS, click["referral_code"], click) for click in clicks])
    issued = [
        {"referral_code": code, "org_id": ORG, "mentor_id": str(uuid4()), "issued_at": "2026-11-20T10:00:00Z"}
        for code in codes
    ]
    in_transaction = {"transactional.id": settings.app_id} if end == "marker" else {}
    send(settings, [(CODES, each["referral_code"], each) for each in issued], **in_transaction)
    crew.start("worker")
    try:
        wait_processed(settings)
        assert committed(settings, f"{settings.app_id}-waiting-changelog") == []
        assert "not_read_to_its_end" not in crew.log("worker")
        assert sum(row["total_clicks"] for row in counts_of(settings).values()) == len(clicks)
    finally:
        crew.stop()


def test_every_compression_is_read(crew: Crew, settings: Settings) -> None:
    """Records that producers compressed with lz4, zstd, snappy or gzip count like plain ones."""
    records = list(islice(Programme(mentors=50).events(), 3_000))
    for index, codec in enumerate(("none", "lz4", "zstd", "snappy", "gzip")):
        producer = Producer(
            {**settings.kafka_client_config(), "partitioner": "murmur2_random", "compression.type": codec}
        )
        for topic, key, value, _ in records[index::5]:
            producer.produce(topic.full_name(settings.topic_prefix), value, key)
        assert producer.flush(30) == 0
    wait_processed(settings)
    assert "worker_leaves" not in crew.log("worker")
    url = url_in(crew.log("worker"))
    wait_until(lambda: scrape(url).of("stream_lag_records") == 0, "there is lag")
    found = scrape(url)
    assert found.of("stream_records_total", disposition="folded") == len(records)
    assert found.of("referrals_records_total") == len(records)
    assert found.of("referrals_milestones_total") == len(published(settings, MILESTONES))
    assert found.of("referrals_dead_letters_total") == found.of("stream_epoch_age_seconds") == 0
    assert found.of("stream_partitions", state="owned") == settings.partitions
    assert found.of("stream_rows", table="mentors") == len(counts_of(settings))
    assert found.of("stream_commit_size_bytes_count") == found.of("stream_commit_duration_seconds_count") > 0
    assert [ask(url, f"/health/{path}").status for path in ("live", "ready")] == [200, 200]


@pytest.mark.usefixtures("crew")
def test_every_interleaving_ends_the_same(settings: Settings) -> None:
    """Forty mentors get the same small history, each shuffled across topics and duplicated in its own way."""
    shuffle = random.Random(7)
    org = "0a000000-0000-4000-8000-000000000001"
    codes = [f"MENT0R{number:04}" for number in range(40)]
    histories = [_history(code, number, org, shuffle) for number, code in enumerate(codes)]
    merged: list[tuple[Topic, str, dict[str, Any]]] = []
    while any(histories):
        merged.append(shuffle.choice([history for history in histories if history]).pop(0))
    half = len(merged) // 2
    send(settings, merged[:half])
    time.sleep(1.0)  # so that some codes come in a later epoch than what they are waited for by
    send(settings, merged[half:])
    wait_processed(settings)

    found = counts_of(settings)
    assert set(found) == set(codes)
    for row in found.values():
        assert (row["total_clicks"], row["pending_attributions"], row["confirmed_attributions"]) == (4, 1, 6)
        assert row["milestones"] == [1, 5]
    milestones = [orjson.loads(message.value() or b"") for message in published(settings, MILESTONES)]
    assert len(milestones) == 2 * len(codes)
    assert len({milestone["milestone_id"] for milestone in milestones}) == len(milestones)


def _history(code: str, number: int, org: str, shuffle: random.Random) -> list[tuple[Topic, str, dict[str, Any]]]:
    """Return one mentor's records: a code, four clicks, seven members of whom six are confirmed in the end."""
    at = "2026-11-20T10:00:{:02}Z"
    issued = {"referral_code": code, "org_id": org, "mentor_id": f"0b000000-0000-4000-8000-{number:012}"}
    records = [(CODES, code, {**issued, "issued_at": at.format(0)})] * shuffle.randint(1, 2)
    for click in range(4):
        value = {"click_id": f"0c000000-0000-4000-8000-{click:012}", "referral_code": code, "occurred_at": at.format(1)}
        records.append((CLICKS, code, value))
    for member in range(7):
        for second, status in enumerate(("pending_signup", "withdrawn", "confirmed")[:: 1 if member else 3]):
            value = {
                "attribution_id": f"0d000000-0000-4000-8000-{member * 10 + second:012}",
                "referral_code": code,
                "new_member_id": f"0e000000-0000-4000-8000-{member:012}",
                "status": status,
                "occurred_at": at.format(10 + second),
            }
            records += [(REGISTRATIONS, code, value)] * shuffle.randint(1, 2)
    shuffle.shuffle(records)
    return records


def test_a_record_in_the_wrong_partition_is_moved_and_counted_once(crew: Crew, settings: Settings) -> None:
    """A producer with another partitioner, or without a key, loses nothing and counts nothing twice."""
    code = "WR0NGP1ACE"
    org, mentor = "0a000000-0000-4000-8000-000000000001", "0b000000-0000-4000-8000-000000000001"
    issued = {"referral_code": code, "org_id": org, "mentor_id": mentor, "issued_at": "2026-11-20T10:00:00Z"}
    home = partition_of(code.encode(), settings.partitions)
    producer = Producer(settings.kafka_client_config())
    prefix = settings.topic_prefix
    producer.produce(CODES.full_name(prefix), orjson.dumps(issued), code, (home + 1) % settings.partitions)
    for number in range(settings.partitions):
        click = {
            "click_id": f"0c000000-0000-4000-8000-{number:012}",
            "referral_code": "wrong-place",
            "occurred_at": "2026-11-20T10:00:00Z",
        }
        key = None if number % 2 else "wrong-place"
        producer.produce(CLICKS.full_name(prefix), orjson.dumps(click | {"referral_code": "wr0ng-place"}), key, number)
    assert producer.flush(30) == 0
    wait_processed(settings)

    wait_until(lambda: code in counts_of(settings), "the counts were not published")
    assert counts_of(settings)[code]["total_clicks"] == settings.partitions
    assert published(settings, DEAD_LETTERS) == []
    assert "worker_leaves" not in crew.log("worker")


@pytest.mark.usefixtures("crew")
def test_milestones_carry_cloudevents_headers(settings: Settings) -> None:
    """A milestone is keyed by organisation and mentor, and its headers say what it is."""
    code, org, mentor = "HEADERS123", "0a000000-0000-4000-8000-000000000001", "0b000000-0000-4000-8000-000000000002"
    send(
        settings,
        [
            (
                CODES,
                code,
                {"referral_code": code, "org_id": org, "mentor_id": mentor, "issued_at": "2026-11-20T10:00:00Z"},
            ),
            (
                REGISTRATIONS,
                code,
                {
                    "attribution_id": "0d000000-0000-4000-8000-000000000001",
                    "referral_code": code,
                    "new_member_id": "0e000000-0000-4000-8000-000000000001",
                    "status": "confirmed",
                    "occurred_at": "2026-11-20T12:00:00+02:00",
                },
            ),
        ],
    )
    wait_processed(settings)

    (milestone,) = published(settings, MILESTONES)
    headers: dict[str, Any] = dict(milestone.headers() or [])
    value = orjson.loads(milestone.value() or b"")
    assert milestone.key() == f"{org}:{mentor}".encode()
    assert headers["ce_type"] == b"recruitment_milestone_reached"
    assert headers["ce_id"].decode() == value["milestone_id"]
    assert value["reached_at"] == "2026-11-20T10:00:00Z"


def test_faust_starts_a_worker_too(settings: Settings, tmp_path: Path) -> None:
    """`faust -A streams.app worker` joins the same group and does the same work."""
    crew = Crew(settings, tmp_path)
    with (tmp_path / "faust.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "faust", "-A", "streams.app", "worker", "-l", "info"],
            cwd=ROOT,
            env=crew.environment(),
            stdout=log,
            stderr=log,
        )
    try:
        send_all = list(islice(Programme(mentors=20).events(), 500))
        producer = Producer({**settings.kafka_client_config(), "partitioner": "murmur2_random"})
        for topic, key, value, _ in send_all:
            producer.produce(topic.full_name(settings.topic_prefix), value, key)
        assert producer.flush(30) == 0
        wait_processed(settings)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, (tmp_path / "faust.log").read_text()
    finally:
        process.kill()
        process.wait()
