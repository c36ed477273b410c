"""How Kafka's client says that somebody else has begun under the same transactional id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaError, KafkaException

if TYPE_CHECKING:
    from confluent_kafka import Producer

FENCED: Final = frozenset({
    KafkaError._FENCED,  # noqa: SLF001 - librdkafka's own codes have no other name
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
})  # fmt: skip
"""Codes of errors, in any step of a transaction."""


def cause_of(producer: Producer, error: KafkaError, timeout_s: float) -> KafkaError:
    """Return what an error comes of: `produce` says of one that ended the producer only that it is fatal.

    What it was is told by the next call that concerns the transaction, which is to end it; `timeout_s` is that call's.
    """
    if error.code() != KafkaError._FATAL:  # noqa: SLF001 - librdkafka's own codes have no other name
        return error
    try:
        producer.abort_transaction(timeout_s)
    except KafkaException as cause:
        found: KafkaError = cause.args[0]
        return error if found.retriable() else found  # not told in time
    return error
