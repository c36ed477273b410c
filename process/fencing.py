"""How Kafka's client says that somebody else has begun under the same transactional id."""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaError

FENCED: Final = frozenset({
    KafkaError._FENCED,  # noqa: SLF001 - librdkafka's own codes have no other name
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
})  # fmt: skip
"""Codes of errors, in any step of a transaction."""
