"""`referrals producers check` on real Kafka: what a producer sent, and where it stands."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Producer

from commands import producers
from models.topics import CLICKS, CODES
from operations.topics import create_topics
from process.settings import Settings
from tests.examples import Prepare, java, javascript, python
from tests.node import run

pytestmark = pytest.mark.integration


@pytest.fixture
def cluster(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Give settings of four partitions, in the environment too, and the topics."""
    monkeypatch.setenv("REFERRALS_BOOTSTRAP_SERVERS", settings.bootstrap_servers)
    monkeypatch.setenv("REFERRALS_TOPIC_PREFIX", settings.topic_prefix)
    found = settings.model_copy(update={"partitions": 4})
    create_topics(found)
    return found


def send(settings: Settings, partitioner: str, *codes: str) -> None:
    """Issue the code ANNA0000, and click on the codes with this partitioner."""
    now = datetime.now(UTC).isoformat()
    producer = Producer({**settings.kafka_client_config(), "partitioner": partitioner, "log_level": 2})
    issued = {"referral_code": "ANNA0000", "org_id": str(uuid4()), "mentor_id": str(uuid4()), "issued_at": now}
    producer.produce(settings.topic_prefix + CODES.name, json.dumps(issued), "ANNA0000", partition=0)
    for code in codes:
        click = {"click_id": str(uuid4()), "referral_code": code, "occurred_at": now}
        producer.produce(settings.topic_prefix + CLICKS.name, json.dumps(click), code)
    assert producer.flush(30) == 0


def check(*arguments: str) -> Result:
    """Run the command; what it raises is shown."""
    return CliRunner().invoke(producers.command, ["check", *arguments], catch_exceptions=False)


def test_a_good_producer_passes(cluster: Settings) -> None:
    """Exit code 0."""
    send(cluster, "murmur2_random", "ANNA0000", "ANNA0000")
    done = check("--topic", "clicks")
    assert (done.exit_code, done.stdout) == (0, "2 records checked, 0 wrong\n")


def test_a_bad_one_is_told_with_coordinates(cluster: Settings) -> None:
    """The partitioner that librdkafka has unless told, and a code that nobody issued; bounded by --last and --since."""
    send(cluster, "consistent_random", "ANNA0000", "ANNA0001", "ANNA0002")
    done = check("--topic", "clicks", "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert told["records"] == 3
    assert told["kinds"]["code"] == 2
    assert told["kinds"]["partitioner"] >= 1
    assert {finding["topic"] for finding in told["findings"]} == {cluster.topic_prefix + CLICKS.name}
    assert "ANNA" not in done.stdout
    later = check("--since", "2100-01-01T00:00:00Z")
    assert (later.exit_code, later.stdout) == (0, "0 records checked, 0 wrong\n")


@pytest.mark.parametrize("prepared", [python, java, javascript], ids=lambda prepared: prepared.__name__)
def test_the_examples_pass(cluster: Settings, tmp_path: Path, prepared: Prepare) -> None:
    """In each language a click and a registration for each code, typed by hand, of which nothing is wrong."""
    command = prepared(tmp_path, "producer", cluster.maven_url)
    codes = ["ANNA0000", "BERT0001", "DAVE2222", "ERNA3333", "FRED4444", "GERD5555"]
    issue(cluster, *codes)
    run([*command, *(f"{code[:4]}-{code[4:]}".lower().replace("0", "o").replace("1", "l") for code in codes)])
    done = check("--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["wrong"], told["findings"]) == (0, 0, [])
    assert told["records"] == 3 * len(codes)


def issue(settings: Settings, *codes: str) -> None:
    """Issue codes."""
    producer = Producer({**settings.kafka_client_config(), "partitioner": "murmur2_random", "log_level": 2})
    for code in codes:
        now = datetime.now(UTC).isoformat()
        issued = {"referral_code": code, "org_id": str(uuid4()), "mentor_id": str(uuid4()), "issued_at": now}
        producer.produce(settings.topic_prefix + CODES.name, json.dumps(issued), code)
    assert producer.flush(30) == 0
