"""`referrals topics create` and `referrals publish` on real Kafka."""

from __future__ import annotations

import json
import zlib
from itertools import islice
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from commands import publish, topics
from local.sample.programme import Programme
from local.sample.traffic import send
from models.changes import TABLES
from models.partitioning import partition_of
from models.topics import CLICKS, CODES, SOURCES, TOPICS
from operations.topics import TopicMismatch, create_topics
from process.settings import Settings

pytestmark = pytest.mark.integration

DEADLINE_S = 30.0


@pytest.fixture
def cluster(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Give settings of four partitions, in the environment too."""
    monkeypatch.setenv("REFERRALS_BOOTSTRAP_SERVERS", settings.bootstrap_servers)
    monkeypatch.setenv("REFERRALS_TOPIC_PREFIX", settings.topic_prefix)
    monkeypatch.setenv("REFERRALS_APP_ID", settings.app_id)
    monkeypatch.setenv("REFERRALS_PARTITIONS", "4")
    return settings.model_copy(update={"partitions": 4})


def run_publish(*arguments: str, text: str = "") -> Result:
    """Run `referrals publish`."""
    return CliRunner().invoke(publish.command, list(arguments), input=text)


def read(settings: Settings, name: str, count: int) -> list[Message]:
    """Read `count` records of a topic."""
    consumer = Consumer({**settings.kafka_client_config(), "group.id": "test", "log_level": 2})
    consumer.assign([TopicPartition(settings.topic_prefix + name, partition, 0) for partition in range(4)])
    try:
        return consumer.consume(count, DEADLINE_S)
    finally:
        consumer.close()


def test_topics_are_created_once(cluster: Settings) -> None:
    """The command says what it created, the app's changelogs too, and the second time that all stand."""
    first = CliRunner().invoke(topics.command, ["create"])
    second = CliRunner().invoke(topics.command, ["create"])

    assert first.exit_code == second.exit_code == 0
    assert first.stdout.count(": created, 4 partitions") == len(TOPICS) + len(TABLES)
    assert second.stdout.count(": stands already, 4 partitions") == len(TOPICS) + len(TABLES)
    assert [topic.cleanup_policy for topic in create_topics(cluster)].count("compact") == 2


def test_what_the_program_writes_has_no_more_than_twelve(settings: Settings) -> None:
    """However many the sources have: what one partition of these writes lies in all of those."""
    made = {topic.name: topic.partitions for topic in create_topics(settings.model_copy(update={"partitions": 24}))}
    assert made == {topic.full_name(settings.topic_prefix): 24 if topic in SOURCES else 12 for topic in TOPICS}


def test_other_partitions_are_refused_with_the_remedy(cluster: Settings) -> None:
    """A topic that stands with another number of partitions is named, with found, wanted and what to do."""
    create_topics(cluster)

    result = CliRunner().invoke(topics.command, ["create"], env={"REFERRALS_PARTITIONS": "6"})

    assert result.exit_code == 1
    assert f"{cluster.topic_prefix}clicks.v1: found 4 partitions, wanted 6" in result.stderr
    assert "REFERRALS_PARTITIONS=4" in result.stderr


def test_another_cleanup_policy_is_refused(cluster: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A codes topic that forgets is not the contract's."""
    create_topics(cluster)
    monkeypatch.setattr("models.topics.Topic.config", lambda _: {"cleanup.policy": "compact"})

    with pytest.raises(TopicMismatch, match=r"clicks\.v1: found cleanup\.policy=delete, wanted compact; set it"):
        create_topics(cluster)


def test_published_lines_are_keyed_and_partitioned(cluster: Settings, tmp_path: Path) -> None:
    """Each value is in the partition where Kafka's own clients look for its normalised code, bytes untouched."""
    create_topics(cluster)
    codes = [f"ANNA000{digit}" for digit in range(8)]
    values = [
        f'{{ "click_id": "{uuid4()}", "referral_code":"{code.lower()}", "occurred_at":"2026-11-20T10:30:00Z" }}'
        for code in codes
    ]
    file = tmp_path / "clicks.jsonl"
    file.write_text("".join(f'{{"topic": "clicks", "value": {value}}}\n' for value in values))

    result = run_publish(str(file))

    assert result.exit_code == 0
    found = {
        (message.key(), message.value(), message.partition()) for message in read(cluster, CLICKS.name, len(values))
    }
    assert found == {
        (code.encode(), value.encode(), partition_of(code.encode(), 4))
        for code, value in zip(codes, values, strict=True)
    }


def test_malformed_lines_are_named_and_the_others_go_on(cluster: Settings) -> None:
    """Exit code 1, each bad line by number, blank lines ignored, the good ones published."""
    create_topics(cluster)
    text = '{"topic": "clicks", "value": {}}\nx\n\n[]\n{"topic": "clicks", "value": {"a": 1}}\n'

    result = run_publish("--unchecked", "-", text=text)

    assert result.exit_code == 1
    assert "standard input:2: not JSON" in result.stderr
    assert "standard input:4: " in result.stderr
    assert "published 2 lines (clicks.v1 2)" in result.stdout
    assert "2 malformed, 0 refused, 0 not acknowledged" in result.stdout
    assert len(read(cluster, CLICKS.name, 2)) == 2


def test_a_wrong_file_is_told_in_a_few_lines(cluster: Settings) -> None:
    """Where no line is one, five are named, and it is asked whether another file was meant."""
    create_topics(cluster)
    result = run_publish("-", text="some words\n" * 100)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 7
    assert "... and 95 more; 100 in all" in result.stderr
    assert "no line is one: is it the right file?" in result.stderr


def test_what_would_be_a_dead_letter_is_refused(cluster: Settings) -> None:
    """Refused by line and reason, counted; a wrong file names its first lines and their total, nobody's data."""
    create_topics(cluster)
    good = {"click_id": str(uuid4()), "referral_code": "ANNA0000", "occurred_at": "2026-11-20T10:30:00Z"}
    bad = [{**good, "click_id": "anna@example.org"}, {**good, "occurred_at": "2062-01-01T00:00:00Z"}] + [{}] * 98
    text = "".join(json.dumps({"topic": "clicks", "value": value}) + "\n" for value in [good, *bad, good])

    result = run_publish("-", text=text)

    assert result.exit_code == 1
    assert "standard input:2: Click: click_id is not a UUID" in result.stderr
    assert "standard input:3: Click: occurred_at is more than a day ahead" in result.stderr
    assert "example.org" not in result.stderr
    assert "... and 50 more; 100 in all" in result.stderr
    assert len(result.stderr.splitlines()) == 51
    assert "published 2 lines (clicks.v1 2)" in result.stdout
    assert "0 malformed, 100 refused, 0 not acknowledged" in result.stdout
    assert len(read(cluster, CLICKS.name, 2)) == 2


def test_strict_stops_at_the_first_malformed_line(cluster: Settings) -> None:
    """What stood before it is published, nothing after it."""
    create_topics(cluster)

    result = run_publish(
        "--strict", "--unchecked", "-", text='{"topic": "clicks", "value": {}}\nx\n{"topic": "clicks", "value": {}}\n'
    )

    assert result.exit_code == 1
    assert "stopped at standard input:2" in result.stderr
    assert "published 1 lines" in result.stdout


def test_a_line_that_kafka_refuses_is_named(cluster: Settings) -> None:
    """Too large for the topic: not acknowledged, named, exit code 1."""
    create_topics(cluster)
    line = json.dumps({"topic": "clicks", "value": {"note": "x" * 1_100_000}})

    result = run_publish("--unchecked", "-", text=f'{{"topic": "clicks", "value": {{}}}}\n{line}\n')

    assert result.exit_code == 1
    assert "standard input:2: " in result.stderr
    assert "0 malformed, 0 refused, 1 not acknowledged" in result.stdout


@pytest.mark.usefixtures("cluster")
def test_without_topics_the_remedy_is_named() -> None:
    """Nothing is created silently."""
    result = run_publish("-", text='{"topic": "clicks", "value": {}}\n')

    assert result.exit_code == 1
    assert "referrals topics create" in result.stderr


def test_sample_traffic_is_acknowledged_and_paced(cluster: Settings) -> None:
    """Every sample record arrives; the counts are told by topic."""
    create_topics(cluster)
    told: list[int] = []

    sent = send(islice(Programme().events(), 300), cluster, events_per_s=2_000, on_sent=told.append)

    assert sent.total() == told[-1] == 300
    assert len(read(cluster, CODES.name, sent[CODES.name])) == sent[CODES.name]


def test_the_wrong_partition_is_where_librdkafka_puts_it(cluster: Settings) -> None:
    """The sample's CRC32 is what a producer does that was not told the partitioner."""
    create_topics(cluster)
    keys = [f"ANNA000{digit}".encode() for digit in range(8)]
    producer = Producer({**cluster.kafka_client_config(), "log_level": 2})
    for key in keys:
        producer.produce(cluster.topic_prefix + CLICKS.name, b"{}", key)
    assert producer.flush(DEADLINE_S) == 0

    found = {message.key(): message.partition() for message in read(cluster, CLICKS.name, len(keys))}

    assert found == {key: zlib.crc32(key) % 4 for key in keys}
