"""A real broker, held to the suite that the simulation's Kafka is held to; see tests/simulation/test_fakes_agree.py."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from local.parts import Parts
from streams.engine.clients import Clients, LibrdkafkaClients, WorkerClients
from tests.installation import wait_until
from tests.kafka_suite import TIMEOUT_S, KafkaSuite

pytestmark = pytest.mark.integration


class TestRealKafka(KafkaSuite):
    """The suite, by librdkafka."""

    @pytest.fixture
    def clients(self) -> Clients:
        """Give the real ones."""
        return LibrdkafkaClients()

    @pytest.fixture
    def client_config(self, parts: Parts) -> dict[str, str]:
        """Give the broker's address."""
        config = {"bootstrap.servers": parts.bootstrap_servers, "log_level": "0"}
        self.config, self.admin = config, AdminClient(dict(config))
        return config

    def delete_before(self, topic: str, number: int, offset: int) -> None:
        """Delete records."""
        place = TopicPartition(topic, number, offset)
        self.admin.delete_records([place], request_timeout=TIMEOUT_S)[place].result()

    def delete_group(self, name: str) -> None:
        """Delete the group."""
        self.admin.delete_consumer_groups([name], request_timeout=TIMEOUT_S)[name].result()

    def follow(self, group: str, place: TopicPartition) -> None:
        """Commit it by a consumer."""
        consumer = Consumer({**self.config, "group.id": group})
        consumer.commit(offsets=[place], asynchronous=False)
        consumer.close()

    def delete_topic(self, name: str) -> None:
        """Delete it, and wait until it is gone."""
        self.admin.delete_topics([name], operation_timeout=TIMEOUT_S)[name].result()
        wait_until(lambda: name not in self.admin.list_topics(timeout=5).topics)
        time.sleep(0.5)  # until every request knows it


class TestDirectProducer(TestRealKafka):
    """The suite, as a worker has its clients: its epochs go by the direct producer."""

    @pytest.fixture
    def clients(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
        """Give those of a worker, and close what a test leaves open, as its end would."""
        with ExitStack() as made:
            clients = WorkerClients()
            produce = clients.producer
            monkeypatch.setattr(clients, "producer", lambda config: _closed_with(made, produce(config)))
            yield clients

    @pytest.mark.skip(reason="who decides about a state is no worker: he has librdkafka's producers")
    def test_a_decision_outlives_an_owner_who_comes_back(self) -> None:  # type: ignore[override]
        """Of TestRealKafka."""

    @pytest.mark.skip(reason="the same")
    def test_a_decision_outlives_offsets_that_are_never_set(self) -> None:  # type: ignore[override]
        """The same."""


def _closed_with(made: ExitStack, producer: Any) -> Any:  # noqa: ANN401 - a worker's
    made.callback(producer.close)
    return producer
