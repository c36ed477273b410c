"""Records that no rule thought of, on real Kafka: none of them stops a partition, a sink or the proof."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from confluent_kafka import Producer

from models.events import encode_event
from models.partitioning import partition_of
from models.topics import CLICKS, CODES, DEAD_LETTERS, MILESTONES, REGISTRATIONS
from process.headers import headers_of
from process.settings import Settings
from proof.verify.oracle import Oracle
from tests.crew import READY, Crew, differences, wait_until
from tests.installation import Installation
from tests.integration.test_stream_app import counts_of, published, send
from tests.milestones import MENTOR, ORG, milestone
from tests.odd_headers import odd_name, send_raw

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

CODE: Final = "ABCDEFGH"
AT: Final = "2026-11-20T10:00:00Z"
ENOUGH: Final = 100
REASON: Final = "__connect.errors.exception.class.name"


@pytest.fixture
def crew(settings: Settings, tmp_path: Path) -> Iterator[Crew]:
    """Give an installation with one stream worker that knows a code."""
    running = Crew(settings, tmp_path)
    running.start("worker")
    try:
        running.wait_log("worker", READY)
        issued = {"referral_code": CODE, "org_id": str(uuid4()), "mentor_id": str(uuid4()), "issued_at": AT}
        send(settings, [(CODES, CODE, issued)])
        yield running
    finally:
        running.stop()


def click() -> bytes:
    """Return a click."""
    return json.dumps({"click_id": str(uuid4()), "referral_code": CODE, "occurred_at": AT}).encode()


def clicks_of(settings: Settings) -> int:
    """Return how many clicks are counted."""
    return int(counts_of(settings).get(CODE, {}).get("total_clicks", 0))


def assert_exact(settings: Settings) -> None:
    """Let the oracle find nothing wrong."""
    report = Oracle(settings).check(wait_s=60, with_database=False)
    assert report.is_clean, differences(report)


def test_a_header_name_that_is_not_utf8_stops_nobody(crew: Crew, settings: Settings) -> None:
    """The event counts, a bad value is a dead letter with the name's bytes told, and the worker has not left."""
    odd = [("trace", b"1"), (odd_name(b"x-\xff"), b"2")]
    home = partition_of(CODE.encode(), settings.partitions)
    for topic in (CLICKS, REGISTRATIONS):
        records = [(CODE.encode(), click(), []), (CODE.encode(), b"bad", odd), (CODE.encode(), click(), odd)]
        records += [(CODE.encode(), click(), []) for _ in range(ENOUGH)]  # readers' loops are optimised by then
        records.append((CODE.encode(), click(), odd))
        name = topic.full_name(settings.topic_prefix)
        asyncio.run(send_raw(settings.bootstrap_servers, name, home, records if topic is CLICKS else records[1:2]))
    elsewhere = (home + 1) % settings.partitions
    name = CLICKS.full_name(settings.topic_prefix)
    asyncio.run(send_raw(settings.bootstrap_servers, name, elsewhere, [(b"k", click(), odd)]))
    wait_until(lambda: clicks_of(settings) == 4 + ENOUGH, "the clicks are not counted")
    letters = published(settings, DEAD_LETTERS)
    wait_until(lambda: len(published(settings, DEAD_LETTERS)) == 2, f"{len(letters)} dead letters")
    assert [headers_of(letter)[1] for letter in published(settings, DEAD_LETTERS)] == [("x-\\xff", b"2")] * 2
    assert_exact(settings)
    assert crew.is_running("worker")
    assert "worker_leaves" not in crew.log("worker")


@pytest.mark.usefixtures("crew")
def test_a_dead_letter_fits_into_its_topic(settings: Settings) -> None:
    """A fault's text that repeats 65 KB, beside headers of nearly a megabyte that do not compress; many headers too."""
    event = {"new_member_id": str(uuid4()), "referral_code": CODE, "attribution_id": str(uuid4()), "occurred_at": AT}
    value = json.dumps({**event, "status": "x" * 65_000}).encode()
    producer = Producer({**settings.kafka_client_config(), "message.max.bytes": 1_048_000})
    name = REGISTRATIONS.full_name(settings.topic_prefix)
    for headers in (
        [("noise", os.urandom(980_000))],
        [(f"{number:x}", b"") for number in range(120_000)],
        [],
    ):
        producer.produce(name, value, CODE.encode(), headers=list(headers))
    assert producer.flush(30) == 0
    wait_until(lambda: len(published(settings, DEAD_LETTERS)) == 3, "the dead letters do not come")
    letters = published(settings, DEAD_LETTERS)
    assert {dict(headers_of(letter))[REASON] for letter in letters} == {b"BadEvent"}
    assert all(letter.value() == value for letter in letters)
    assert max(len(headers_of(letter)[0][1] or b"") for letter in letters) == 980_000, "it fits whole"
    assert_exact(settings)


@pytest.mark.usefixtures("crew")
def test_large_headers_decide_nothing(settings: Settings) -> None:
    """140 KB of headers beside a good value: it counts, whether the code is known, not issued yet, or elsewhere."""
    later = "HGFEDCBA"
    producer = Producer(settings.kafka_client_config())
    name = CLICKS.full_name(settings.topic_prefix)
    headers: list[Any] = [("noise", os.urandom(140_000))]
    home = partition_of(CODE.encode(), settings.partitions)
    unknown = click().replace(CODE.encode(), later.encode())
    producer.produce(name, click(), CODE.encode(), partition=home, headers=headers)
    producer.produce(name, click(), b"k", partition=(home + 1) % settings.partitions, headers=headers)
    for _ in range(2):
        home = partition_of(later.encode(), settings.partitions)
        producer.produce(name, unknown, later.encode(), partition=home, headers=headers)
    assert producer.flush(30) == 0
    wait_until(lambda: clicks_of(settings) == 2, f"{clicks_of(settings)} counted")
    issued = {"referral_code": later, "org_id": str(uuid4()), "mentor_id": str(uuid4()), "issued_at": AT}
    send(settings, [(CODES, later, issued)])
    wait_until(lambda: counts_of(settings).get(later, {}).get("total_clicks") == 2, "what waited is not counted")
    assert published(settings, DEAD_LETTERS) == []
    assert_exact(settings)


def test_the_badge_consumer_goes_on_too(settings: Settings) -> None:
    """A milestone with such a header name is awarded, and what is no milestone is a dead letter."""
    installation = Installation(settings)
    installation.query("INSERT INTO organisations VALUES (%s) ON CONFLICT DO NOTHING", [ORG])
    installation.query("INSERT INTO mentors VALUES (%s, %s)", [ORG, MENTOR])
    key, value = f"{ORG}:{MENTOR}".encode(), encode_event(milestone(1))
    odd: list[tuple[str, bytes]] = [(odd_name(b"\xfe"), b"1")]
    name = MILESTONES.full_name(settings.topic_prefix)
    asyncio.run(send_raw(settings.bootstrap_servers, name, 0, [(key, b"bad", odd), (key, value, odd)]))
    with installation.running("badges"):
        wait_until(lambda: installation.awards(MENTOR) == [1], "no award")
        wait_until(lambda: len(published(settings, DEAD_LETTERS)) == 1, "no dead letter")
