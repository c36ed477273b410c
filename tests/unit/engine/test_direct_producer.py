"""Who has a direct producer, and where its keys belong; what it does on a broker is in tests/integration."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.partitioning import partition_of
from streams.engine.clients import BoundedProducer, WorkerClients
from streams.engine.direct_producer import DirectProducer
from streams.engine.partitioner import partition_for

NOWHERE = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}
TOKEN = {
    "security.protocol": "SASL_PLAINTEXT",
    "sasl.mechanism": "OAUTHBEARER",
    "sasl.oauthbearer.method": "oidc",
    "sasl.oauthbearer.client.id": "worker",
    "sasl.oauthbearer.client.secret": "secret",
    "sasl.oauthbearer.token.endpoint.url": "http://127.0.0.1:1/",
}
PASSWORD = {"sasl.username": "worker", "sasl.password": "secret"}


@pytest.mark.parametrize(
    ("security", "kind"),
    [
        ({}, DirectProducer),
        ({"security.protocol": "SSL"}, DirectProducer),
        ({"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", **PASSWORD}, DirectProducer),
        ({"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", **PASSWORD}, DirectProducer),
        (TOKEN, BoundedProducer),
    ],
)
def test_who_has_one(security: dict[str, Any], kind: type[Any]) -> None:
    """Every worker whose cluster lets it in without a token."""
    producer = WorkerClients().producer({**NOWHERE, **security, "transactional.id": "id"})
    assert isinstance(producer, kind)
    producer.close()


@given(key=st.binary(max_size=80), partitions=st.integers(1, 200))
def test_keys_belong_where_kafka_says(key: bytes, partitions: int) -> None:
    """By librdkafka's function, as by the one of the rules."""
    assert partition_for(key, partitions) == partition_of(key, partitions)


def test_a_record_without_a_key_belongs_anywhere() -> None:
    """In each partition once in a while."""
    assert {partition_for(None, 3) for _ in range(200)} == {0, 1, 2}


def test_a_full_queue_is_waited_for() -> None:
    """By whoever sends: librdkafka's refuses a record for which it has no room, here until the one before times out."""
    full = {"queue.buffering.max.messages": 1, "message.timeout.ms": 100, "log_level": 0}
    producer = BoundedProducer({"bootstrap.servers": "127.0.0.1:1", **full})
    told: list[object] = []
    producer.produce("orders", b"1", b"key", on_delivery=lambda error, _: told.append(error))
    producer.produce_all("orders", {b"key": b"2"})
    assert len(told) == 1
    producer.purge()
