"""Kafka's clients, as the engine asks for them: the one door between it and librdkafka.

Everything that the engine does on the cluster goes through the three clients of confluent-kafka. Whoever gives others
of the same behaviour runs the engine on them: the simulation does (tests/simulation), under a suite that holds its
fakes and the real ones to the same answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from confluent_kafka import Consumer, Producer

from process.administrator import Administrator

if TYPE_CHECKING:
    from collections.abc import Mapping


class Clients(Protocol):
    """Makes the clients of one process."""

    def producer(self, config: Mapping[str, Any]) -> Producer:
        """Return a producer."""

    def consumer(self, config: Mapping[str, Any]) -> Consumer:
        """Return a consumer."""

    def admin(self, config: Mapping[str, Any]) -> Administrator:
        """Return a client for what an administrator asks."""


class LibrdkafkaClients:
    """The real ones."""

    def producer(self, config: Mapping[str, Any]) -> Producer:
        """Return librdkafka's producer."""
        return Producer(dict(config))

    def consumer(self, config: Mapping[str, Any]) -> Consumer:
        """Return librdkafka's consumer."""
        return Consumer(dict(config))

    def admin(self, config: Mapping[str, Any]) -> Administrator:
        """Return librdkafka's administrator."""
        return Administrator(config)
