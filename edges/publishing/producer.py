"""A producer for the source topics that can say of each record whether the brokers have it.

Idempotent, acknowledged by all in-sync replicas, and partitioned as Kafka's own clients do (librdkafka's default is
another hash). A record that is not acknowledged is reported with the place it came from.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from models.topics import SOURCE_MESSAGE_BYTES_MAX, SOURCES
from process.administrator import cluster_metadata
from process.settings import Settings

METADATA_TIMEOUT_S: Final = 30.0
QUEUE_WAIT_S: Final = 0.05
"""How long one attempt waits for room when the queue is full."""

CONFIG: Final[dict[str, str | int | float | bool]] = {
    "enable.idempotence": True,  # no duplicate and no gap when librdkafka sends again; implies acks=all
    "partitioner": "murmur2_random",  # Kafka's standard; a record without key goes anywhere
    "compression.type": "lz4",
    "linger.ms": 10,  # batches of thousands under load, still prompt for a single line
    "batch.num.messages": 10_000,
    "queue.buffering.max.messages": 200_000,
    "queue.buffering.max.kbytes": 256 * 1024,  # the bound of this process's memory
    "message.max.bytes": SOURCE_MESSAGE_BYTES_MAX,
    "delivery.report.only.error": True,  # a call for each record would cost as much as sending it
    "log_level": 2,  # critical, as syslog counts; what it tries again is nobody's concern, what fails is reported
}

Headers = list[tuple[str, str | bytes | None]]
OnFailure = Callable[[str, str], None]
"""Told the place a record came from, and why it is not acknowledged."""


class TopicMissing(Exception):  # noqa: N818  read as what is wrong
    """A source topic does not stand on the cluster; the message says how it is made."""


class SourceProducer:
    """Sends to the source topics; every record is acknowledged after `flush` or was reported to `on_failure`."""

    def __init__(self, settings: Settings, on_failure: OnFailure) -> None:
        self._producer = Producer({**settings.kafka_client_config(), **CONFIG})
        self._on_failure = on_failure
        self._names = {topic: topic.full_name(settings.topic_prefix) for topic in SOURCES}
        self.failed = 0
        """Records that the brokers did not take."""

    def check_topics(self) -> dict[str, int]:
        """Return the number of partitions of each source topic by its full name; raise TopicMissing."""
        found = cluster_metadata(self._producer.list_topics, timeout=METADATA_TIMEOUT_S).topics
        missing = [name for name in self._names.values() if name not in found]
        if missing:
            msg = f"{', '.join(missing)}: no such topic; create the topics with: referrals topics create"
            raise TopicMissing(msg)
        return {name: len(found[name].partitions) for name in self._names.values()}

    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        *,
        place: str,
        partition: int = -1,
        headers: Headers | None = None,
    ) -> None:
        """Hand a record over; wait while the queue is full.

        `topic` is the full name; `place` names the record in a failure report; -1 lets the key choose the partition.
        Raises confluent_kafka.KafkaException where the producer cannot go on at all.
        """
        # The C function takes its arguments fastest by position: topic, value, key, partition, on_delivery.
        on_delivery = partial(self._delivered, place)
        while True:
            try:
                if headers is None:
                    self._producer.produce(topic, value, key, partition, on_delivery)
                else:
                    self._producer.produce(topic, value, key, partition, on_delivery, headers=headers)
            except BufferError:
                self._producer.poll(QUEUE_WAIT_S)
            except KafkaException as error:
                if error.args[0].fatal():
                    raise
                self._failed(place, error.args[0])
                return
            else:
                return

    def serve(self) -> None:
        """Take the failure reports that have come; to be called every few thousand records."""
        self._producer.poll(0)

    def flush(self, timeout_s: float) -> int:
        """Wait for the acknowledgements; return how many records are without one after `timeout_s`."""
        return self._producer.flush(timeout_s)

    def _delivered(self, place: str, error: KafkaError | None, message: Message) -> None:  # noqa: ARG002  librdkafka's
        if error is not None:
            self._failed(place, error)

    def _failed(self, place: str, error: KafkaError) -> None:
        self.failed += 1
        self._on_failure(place, error.str())
