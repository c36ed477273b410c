"""Kafka's clients, as the engine asks for them: the one door between it and librdkafka.

Everything that the engine does on the cluster goes through the three clients of confluent-kafka. Whoever gives others
of the same behaviour runs the engine on them: the simulation does (tests/simulation), under a suite that holds its
fakes and the real ones to the same answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from confluent_kafka import Consumer, Producer

from process.administrator import Administrator
from process.returning import NotReturned, returned
from streams.engine.broker_connection import can_connect
from streams.engine.direct_producer import DirectProducer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from confluent_kafka import TopicPartition

FULL_QUEUE_POLL_S: Final = 0.05
"""How long one attempt waits for room when a client's queue is full."""

HANGS_S: Final = 20.0
"""Far more than setting offsets takes, and their coordinator's return; nothing but a person waits for it."""


class Clients(Protocol):
    """Makes the clients of one process."""

    def producer(self, config: Mapping[str, Any]) -> Any:  # noqa: ANN401 - it has those methods that the engine uses
        """Return a producer."""

    def consumer(self, config: Mapping[str, Any]) -> Consumer:
        """Return a consumer."""

    def admin(self, config: Mapping[str, Any]) -> Administrator:
        """Return a client for what an administrator asks."""


class LibrdkafkaClients:
    """The real ones."""

    def producer(self, config: Mapping[str, Any]) -> Any:  # noqa: ANN401 - the same
        """Return librdkafka's producer."""
        return BoundedProducer(dict(config))

    def consumer(self, config: Mapping[str, Any]) -> Consumer:
        """Return librdkafka's consumer."""
        return Consumer(dict(config))

    def admin(self, config: Mapping[str, Any]) -> Administrator:
        """Return librdkafka's administrator."""
        return Administrator(config)


class BoundedProducer(Producer):
    """librdkafka's, whose one call without a bound has one; where it does not return, nothing but a new one will do."""

    _is_stuck = False

    def produce(self, *record: Any, **more: Any) -> None:  # noqa: ANN401 - the arguments of librdkafka's
        """Have a record sent; waits while the client's queue is full."""
        while True:
            try:
                super().produce(*record, **more)
            except BufferError:
                self.poll(FULL_QUEUE_POLL_S)
            else:
                return

    def produce_all(self, topic: str, values: Mapping[bytes, bytes | None], partition: int = -1) -> None:
        """Have values sent by their keys: `produce` for each."""
        for key, value in values.items():
            self.produce(topic, value, key, partition)

    def send_offsets_to_transaction(
        self,
        positions: Sequence[TopicPartition],
        group: Any,  # noqa: ANN401 - librdkafka's opaque group metadata
        timeout: float = -1,
    ) -> None:
        """Set offsets in the transaction; NotReturned where that stands still."""

        def send() -> None:
            Producer.send_offsets_to_transaction(self, list(positions), group, timeout)

        try:
            returned("send_offsets_to_transaction", send, HANGS_S)
        except NotReturned:
            self._is_stuck = True
            raise

    def close(self) -> bool:
        """Close it, unless a call stands in it, for which closing would wait: the next producer fences this one."""
        return False if self._is_stuck else super().close()


class WorkerClients(LibrdkafkaClients):
    """Those of a worker: its epochs are committed by requests of our own, where the cluster can be reached so."""

    def producer(self, config: Mapping[str, Any]) -> Any:  # noqa: ANN401 - the same
        """Return a direct producer for a transactional id, unless who comes must bring a token; else librdkafka's."""
        if "transactional.id" in config and can_connect(config):
            return DirectProducer(config)
        return super().producer(config)
