"""How brokers answer while a leader or a coordinator changes: who asks again in a moment is answered.

A client that names the epoch of the leader it knows is told that this one is older than the broker's (the client has
not heard of the change), or newer (the broker has not). An administrator's client passes that on to who asked;
Kafka's own one asks again by itself (KAFKA-9535).
"""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaError, KafkaException

LEADER_CHANGES: Final = frozenset({
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.REPLICA_NOT_AVAILABLE,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError._NOENT,  # noqa: SLF001 - librdkafka's own codes have no other name; it knows no leader at the moment
})  # fmt: skip
"""Codes of errors."""

CUT: Final = frozenset({
    KafkaError._TRANSPORT,  # noqa: SLF001 - the same
    KafkaError._DESTROY_BROKER,  # noqa: SLF001 - the same; it was asked under the address that one begins with
})  # fmt: skip
"""Codes of errors where a connection ended before the answer came."""

AWAY: Final = CUT | {
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError._TIMED_OUT,  # noqa: SLF001 - the same
    KafkaError._RESOLVE,  # noqa: SLF001 - the same
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 - the same
}
"""Codes of errors where nobody has answered."""


COORDINATOR_CHANGES: Final = frozenset({
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
})  # fmt: skip
"""The same of who keeps a group's offsets or a transaction: after a broker's death another, who reads them first."""

UNWRITTEN: Final = frozenset({
    KafkaError.NOT_ENOUGH_REPLICAS,
    KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    KafkaError._MSG_TIMED_OUT,  # noqa: SLF001 - the same
    KafkaError._TIMED_OUT_QUEUE,  # noqa: SLF001 - the same
    KafkaError._INCONSISTENT,  # noqa: SLF001 - librdkafka's word for a transaction of which a record was not delivered
})  # fmt: skip
"""Why a transaction cannot be committed, though another with the same records may be."""

PASSING: Final = LEADER_CHANGES | AWAY | COORDINATOR_CHANGES


def passes(error: Exception) -> bool:
    """Tell whether what a broker was asked in vain may well be answered in a moment."""
    if isinstance(error, KafkaException):
        return error.args[0].code() in PASSING
    return isinstance(error, TimeoutError)
