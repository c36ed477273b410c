"""The first issue of a code stands on a real broker, whatever compaction has left of it when the state begins anew."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are not in its __all__
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from models.events import CodeIssued, encode_event
from models.partitioning import partition_of
from models.topics import CLICKS, CODES
from process.settings import Settings
from proof.verify.oracle import Oracle
from tests.component import run
from tests.crew import READY, Crew, differences, wait_until
from tests.factories import at, make_click
from tests.integration.test_stream_app import counts_of, published, send
from tests.integration.test_stream_state import TABLES

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

ORG: Final = "0a000000-0000-4000-8000-000000000001"
SECOND: Final = "0b000000-0000-4000-8000-000000000002"
CLAIMED, BURIED, SPOILT, QUIET = "C1A1MED000", "BVR1ED0000", "SP011T0000", "QV1ET00000"
CODES_ISSUED: Final = (CLAIMED, BURIED, SPOILT, QUIET)
MENTORS: Final = {code: f"0b000000-0000-4000-8000-00000000001{at}" for at, code in enumerate(CODES_ISSUED)}


@pytest.fixture
def crew(settings: Settings, tmp_path: Path) -> Iterator[Crew]:
    """Give an installation with a worker, and a broker that compacts at once."""
    running = Crew(settings, tmp_path)
    brokers = AdminClient(dict(settings.kafka_client_config())).list_topics(timeout=30).brokers
    for broker in brokers:
        configure(settings, ConfigResource(ResourceType.BROKER, str(broker)), {"log.cleaner.backoff.ms": "200"})
    running.start("worker")
    try:
        running.wait_log("worker", READY)
        yield running
    finally:
        running.stop()


def configure(settings: Settings, resource: ConfigResource, entries: dict[str, str]) -> None:
    """Set what a broker or a topic is configured with."""
    admin = AdminClient(dict(settings.kafka_client_config()))
    changes = [ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in entries.items()]
    asked = ConfigResource(resource.restype, resource.name, incremental_configs=changes)
    admin.incremental_alter_configs([asked])[asked].result(30)


def issue(code: str, mentor: str) -> bytes:
    """Return an issue of a code."""
    return encode_event(CodeIssued(referral_code=code, org_id=ORG, mentor_id=mentor, issued_at=at(0)))  # type: ignore[arg-type]  # text is as good


def produce(settings: Settings, records: list[tuple[str, bytes | None]]) -> None:
    """Write to the codes topic."""
    producer = Producer({**settings.kafka_client_config(), "partitioner": "murmur2_random"})
    for key, value in records:
        producer.produce(CODES.full_name(settings.topic_prefix), value, key)
    assert producer.flush(30) == 0


def click(settings: Settings, *codes: str) -> None:
    """Let one click come for each code."""
    send(settings, [(CLICKS, code, make_click(code)) for code in codes])


def issues_left(settings: Settings) -> dict[str, list[bytes | None]]:
    """Return the values that the codes topic still has of each key."""
    left: dict[str, list[bytes | None]] = {}
    for message in published(settings, CODES):
        key: Any = message.key()
        value: Any = message.value()
        left.setdefault(key.decode(), []).append(value)
    return left


def compact(settings: Settings) -> None:
    """Let the broker compact the codes topic until one record of each code is left at most, and no tombstone."""
    name = CODES.full_name(settings.topic_prefix)
    quick = {"segment.ms": "100", "min.cleanable.dirty.ratio": "0.001", "delete.retention.ms": "0"}
    configure(settings, ConfigResource(ResourceType.TOPIC, name), quick)
    deadline_s = time.monotonic() + 90
    fillers = {
        partition_of(f"F111ER{number:04}".encode(), settings.partitions): (
            f"F111ER{number:04}",
            f"0b000000-0000-4000-9000-{number:012}",
        )
        for number in range(100)
    }

    def is_compacted() -> bool:
        # The newest segment is never compacted, and rolls only when a record comes.
        roll = Producer(dict(settings.kafka_client_config()))
        for partition in range(settings.partitions):
            code, mentor = fillers[partition]
            roll.produce(name, issue(code, mentor), code, partition)
        assert roll.flush(30) == 0
        left = issues_left(settings)
        return all(len(left.get(code, ())) <= 1 and None not in left.get(code, ()) for code in CODES_ISSUED)

    while not is_compacted():
        assert time.monotonic() < deadline_s, issues_left(settings)
        time.sleep(0.3)


def owners(settings: Settings) -> dict[str, str]:
    """Return the mentor of each code, as the counts topic says."""
    return {code: row["mentor_id"] for code, row in counts_of(settings).items()}


def assert_clean(settings: Settings) -> None:
    """Let the oracle find nothing wrong."""
    report = Oracle(settings).check(wait_s=60, with_database=False)
    assert report.is_clean, differences(report)


@pytest.mark.parametrize("lost", ["rebuilt", pytest.param("changelogs and group gone", marks=pytest.mark.long)])
def test_a_code_stays_with_whom_it_was_issued_to_first(crew: Crew, settings: Settings, lost: str) -> None:
    """Claimed by another, buried under a tombstone, overwritten by junk: live and anew the codes are the same mentors'.

    The quiet one has no activity before, so no count ever said whose it is.
    """
    produce(settings, [(code, issue(code, mentor)) for code, mentor in MENTORS.items()])
    click(settings, CLAIMED, BURIED, SPOILT)
    wait_until(lambda: set(owners(settings)) == {CLAIMED, BURIED, SPOILT}, "the clicks were not counted")
    displacing = [(CLAIMED, issue(CLAIMED, SECOND)), (BURIED, None), (SPOILT, b"{"), (QUIET, issue(QUIET, SECOND))]
    produce(settings, displacing)
    assert_clean(settings)
    compact(settings)
    assert_clean(settings)

    if lost == "rebuilt":
        done = run(settings, "state", "rebuild", "--all")
        assert done.returncode == 0, done.stderr
    else:
        crew.end("worker")
        admin = AdminClient(dict(settings.kafka_client_config()))
        admin.delete_consumer_groups([settings.app_id])[settings.app_id].result()
        gone = [f"{settings.app_id}-{table}-changelog" for table in TABLES]
        for answer in admin.delete_topics(gone, operation_timeout=30).values():
            answer.result()
        wait_until(lambda: not set(gone) & set(admin.list_topics(timeout=5).topics), "the changelogs stay")
        crew.start("worker-anew")
        crew.wait_log("worker-anew", READY)
    click(settings, *CODES_ISSUED)

    wait_until(lambda: QUIET in owners(settings), "the quiet code's click was not counted")
    assert_clean(settings)
    assert owners(settings) == MENTORS
    assert {code: row["total_clicks"] for code, row in counts_of(settings).items()} == {
        CLAIMED: 2,
        BURIED: 2,
        SPOILT: 2,
        QUIET: 1,
    }
