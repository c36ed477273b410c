"""The dead letters topic: where records go that cannot be used, with the reason in their headers.

Key and value are the bytes as received. Delivery is at least once: after a crash between the dead letter and the
source's offset the same record is sent again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from models.outgoing import AGAIN, dead_letter
from models.topics import DEAD_LETTER_MESSAGE_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sinks.records import DeadLetter

_FLUSH_TIMEOUT_S: Final = 0.5

log = structlog.stdlib.get_logger("sinks.dead_letters")


class DeadLetters(Protocol):
    """Where a sink leaves the records that it cannot use."""

    def send(self, letters: Sequence[DeadLetter]) -> None:
        """Begin to send them."""

    def flush(self) -> bool:
        """Wait a short while; tell whether all that was sent is safe."""


class MemoryDeadLetters:
    """Keeps dead letters in a list."""

    def __init__(self) -> None:
        self.letters: list[DeadLetter] = []

    def send(self, letters: Sequence[DeadLetter]) -> None:
        """Keep them."""
        self.letters += letters

    def flush(self) -> bool:
        """All are safe."""
        return True


class DeadLetterTopic:
    """Sends dead letters to Kafka; connects with the first one."""

    def __init__(self, *, config: Mapping[str, Any], topic: str, stage: str) -> None:
        """Make it without connecting.

        Args:
            config: how to reach Kafka (`Settings.kafka_client_config`).
            topic: full name of the dead letters topic.
            stage: which component of ours could not use the records.

        """
        self._config = {
            **config,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 0,
            "compression.type": "zstd",
            # The broker measures a batch as it is compressed; ours must let the largest record of a source pass.
            "message.max.bytes": 2 * DEAD_LETTER_MESSAGE_BYTES_MAX,
            "delivery.timeout.ms": 2_147_483_647,  # a broker that is away is waited for
            "log_level": 2,
        }
        self._topic = topic
        self._stage = stage
        self._producer: Producer | None = None
        self._failure: KafkaError | None = None

    def send(self, letters: Sequence[DeadLetter]) -> None:
        """Hand them to librdkafka and log each with its coordinates."""
        if self._producer is None:
            self._producer = Producer(self._config)
        for record, fault in letters:
            letter = dead_letter(self._topic, record, fault, stage=self._stage)
            self._producer.produce(
                letter.topic,
                key=letter.key,
                value=letter.value,
                headers=[*letter.headers, *([(AGAIN, b"1")] if record.again else [])],
                on_delivery=self._on_delivery,
            )
            log.warning(
                "dead_letter.sent",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                fault=type(fault).__name__,
            )

    def flush(self) -> bool:
        """Wait up to half a second for the acknowledgements; False: call again.

        Raises:
            KafkaException: Kafka refused one for good, for example because it may not be written to or is too large.

        """
        if self._producer is None:
            return True
        left = self._producer.flush(_FLUSH_TIMEOUT_S)
        if self._failure is not None:
            raise KafkaException(self._failure)
        return left == 0

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:  # noqa: ARG002 - librdkafka's signature
        if error is not None:
            self._failure = error
