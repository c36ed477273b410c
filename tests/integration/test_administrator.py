"""The administrator's client, on a broker that leaves its own cluster again and again, as one that hung does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]  # not in its __all__

from edges.publishing.producer import SourceProducer, TopicMissing
from local.parts import Parts
from local.parts.kafka import LocalKafka
from process import topics
from process.administrator import Administrator
from process.settings import load_settings
from process.topics import WantedTopic
from tests.own_kafka import own_kafka

pytestmark = pytest.mark.integration
Config = dict[str, str | int | float | bool]
HEARTBEAT_S = 3.7
"""No part of the seconds after which the client looks around: it would look only while the broker is away."""


class Flickering(LocalKafka):
    """Takes itself for dead for a part of each heartbeat's interval, and answers all the while."""

    session_ms = 2_500

    def prepare(self) -> None:
        """Let a heartbeat come later than the session ends."""
        super().prepare()
        with (self._directory / "server.properties").open("a") as file:
            file.write(f"\nbroker.heartbeat.interval.ms={HEARTBEAT_S * 1000:.0f}\n")


@pytest.fixture
def flickering(tmp_path: Path) -> Iterator[LocalKafka]:
    """Give such a broker."""
    with own_kafka(Flickering, tmp_path / "kafka") as kafka:
        yield kafka


def is_alone(bare: AdminClient) -> bool:
    """Tell whether the cluster has no broker, as librdkafka's own client is told."""
    try:
        bare.list_topics(timeout=5)
    except KafkaException:
        return True
    return False


@pytest.mark.long
def test_asked_while_the_cluster_has_no_controller(flickering: LocalKafka) -> None:
    """It waits until there is one, instead of until its request has timed out; whoever publishes does not end."""
    config: Config = {"bootstrap.servers": flickering.bootstrap_servers, "log_level": 0}
    bare = AdminClient(config)
    for ask in (_topics, _config, _source_topics):
        deadline_s = time.monotonic() + 60
        while not is_alone(bare):
            assert time.monotonic() < deadline_s, "the broker was never away"
            time.sleep(0.02)
        ask(config)


class TooLate(Administrator):
    """Gives up each request the first time before the controller is found, as librdkafka does where it misses it."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.given_up: list[str] = []

    def create_topics(self, *given: Any, **options: Any) -> Any:  # noqa: ANN401  as they are
        """As it says."""
        return super().create_topics(*given, **options | self._first("create_topics"))

    def describe_configs(self, *given: Any, **options: Any) -> Any:  # noqa: ANN401  as they are
        """As it says."""
        return super().describe_configs(*given, **options | self._first("describe_configs"))

    def _first(self, request: str) -> dict[str, float]:
        if request in self.given_up:
            return {}
        self.given_up.append(request)
        return {"request_timeout": 0.001}


def test_a_request_that_finds_no_controller_is_made_anew(parts: Parts, topic_prefix: str) -> None:
    """Topics are made and described all the same."""
    wanted = WantedTopic(name=f"{topic_prefix}anew", partitions=2, replicas=1)
    admin = TooLate({"bootstrap.servers": parts.bootstrap_servers, "log_level": 0})
    made = topics.make(admin, [wanted])
    assert made <= {wanted.name}  # the request that was given up may have come through
    assert topics.describe(admin, [wanted.name], made=[wanted.name])[wanted.name].partitions == 2
    assert admin.given_up == ["create_topics", "describe_configs"]


def _topics(config: Config) -> None:
    asked = Administrator(config)
    assert asked.list_topics(timeout=30).brokers


def _config(config: Config) -> None:
    asked = Administrator(config)
    nowhere = ConfigResource(ResourceType.TOPIC, "nowhere")
    with pytest.raises(KafkaException) as told:
        asked.describe_configs([nowhere], request_timeout=30)[nowhere].result()
    assert told.value.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART  # which only a cluster can say


def _source_topics(config: Config) -> None:
    producer = SourceProducer(
        load_settings(bootstrap_servers=str(config["bootstrap.servers"])), on_failure=lambda *_: None
    )
    with pytest.raises(TopicMissing):  # which only a cluster can say too
        producer.check_topics()
