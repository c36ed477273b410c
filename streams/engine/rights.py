"""Rights that a worker needs of the cluster, and the error that says which one is missing."""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaError, KafkaException

from streams.engine.errors import NotAllowed

DENIED: Final = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "group",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "transactional-id",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "cluster",
}
"""What the cluster answers where a right is missing: the kind of resource, as kafka-acls names it."""


def not_allowed(right: str, kind: str, name: str) -> NotAllowed:
    """Return the error of a missing right: an operation, a kind of resource as kafka-acls names it, and its name."""
    return NotAllowed(
        f"this user lacks the right {right} on {kind} {name}; somebody who may must grant it: "
        f"kafka-acls --add --allow-principal User:... --operation {right} --{kind} {name}"
    )


def denied_kind(error: BaseException) -> str | None:
    """Return the kind of resource on which a right is missing, if that is what one of librdkafka's errors says."""
    return DENIED.get(error.args[0].code()) if isinstance(error, KafkaException) else None


def explained(error: Exception) -> Exception:
    """Return the error, or the one that says better what is missing."""
    kind = denied_kind(error)
    return error if kind is None else NotAllowed(f"this user lacks a right on a {kind}: {error.args[0].str()}")
