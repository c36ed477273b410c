"""Clicks into Kafka exactly once: a batch and the place after it are one transaction.

The place is committed as the offset of a consumer group that belongs to the spool and has no members. So after a kill
at any moment Kafka says how far the spool was published: what an open transaction held is not there, and neither is its
place. The transactional id is the spool's too: a producer that starts ends what an earlier one left open, and fences
it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from edges.web.clicks.spool import Batch
from models.topics import CLICKS
from process.fault_points import fault_point
from process.returning import NotReturned, returned
from process.settings import Settings

TRANSACTION_TIMEOUT_S: Final = 10.0
"""The broker ends an older open transaction. That of a killed process holds back every read_committed reader of clicks
until the process is started again, so it is short; a transaction takes milliseconds."""
START_TIMEOUT_S: Final = 10.0
"""Longest wait for the coordinators: a broker that restarts needs a few seconds. Then a new producer is made."""
CALL_TIMEOUT_S: Final = 1.0
"""Longest wait of one call before it is looked at again; librdkafka goes on where the call left off."""
RETRY_PAUSE_S: Final = 0.05
HANGS_S: Final = 20.0
"""A call that has not returned by then never may: librdkafka was seen to stand in one for good, whatever time it was
given. It is left to itself, in its thread, and the next producer fences what it may still do."""
_NO_COORDINATOR_YET: Final[tuple[int, ...]] = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
)
"""Answers of a broker that has just started; a consumer's errors do not say of themselves that they pass."""
PLACE_PARTITION: Final = 0
"""The partition whose offset the place is committed as; any would do, the group reads none."""


class NotPublished(Exception):  # noqa: N818  read as what is wrong
    """Kafka has none of the batch, or nobody knows; a new producer finds out."""


class ClickProducer:
    """Publishes the batches of one spool; of no use any more after NotPublished."""

    def __init__(self, settings: Settings, spool_id: str, *, time_left_s: Callable[[], float]) -> None:
        """Make it without a connection; `time_left_s` tells how long this process may wait at most."""
        self._topic = CLICKS.full_name(settings.topic_prefix)
        self._time_left_s = time_left_s
        name = f"{settings.topic_prefix}clicks-{spool_id}"
        client = {**settings.kafka_client_config(), "log_level": 2, "reconnect.backoff.max.ms": 1000}
        self._producer = Producer(
            {
                **client,
                "transactional.id": name,
                "transaction.timeout.ms": int(TRANSACTION_TIMEOUT_S * 1000),
                "partitioner": "murmur2_random",  # Kafka's standard; librdkafka's own default is another one
                "compression.type": "lz4",
                "linger.ms": 1,
                # The answer while the last transaction's markers are still being written is asked for again after this
                # long; the default of 100 ms would be the whole latency.
                "retry.backoff.ms": 1,
                "retry.backoff.max.ms": 100,
            }
        )
        self._group_consumer = Consumer({**client, "group.id": name, "enable.auto.commit": False})

    def start(self) -> int:
        """Fence whoever published this spool before, end his transaction, and return the place that Kafka has; 0: none.

        Raises:
            NotPublished: Kafka does not answer, or refuses.

        """
        # A client just made knows no broker, and would look for the coordinator again only after half a second.
        self._persist("list_topics", lambda timeout: self._producer.list_topics(self._topic, timeout), START_TIMEOUT_S)
        self._persist("init_transactions", self._producer.init_transactions, START_TIMEOUT_S)
        places: list[TopicPartition] = []

        def ask(timeout: float) -> None:
            asked = [TopicPartition(self._topic, PLACE_PARTITION)]
            places[:] = self._group_consumer.committed(asked, timeout)

        self._persist("committed", ask, START_TIMEOUT_S)
        return max(places[0].offset, 0)

    def publish(self, batch: Batch) -> None:
        """Publish the clicks and commit the place after them, both or neither.

        Raises:
            NotPublished: Kafka has neither, or nobody knows.

        """
        place = TopicPartition(self._topic, PLACE_PARTITION, batch.ends_at)
        group = self._group_consumer.consumer_group_metadata()
        self._persist("begin_transaction", lambda _: self._producer.begin_transaction(), CALL_TIMEOUT_S)
        try:
            for key, value in batch.clicks:
                self._producer.produce(self._topic, value, key)
        except (KafkaException, BufferError) as error:
            raise _not_published("produce", error) from error
        self._persist(
            "send_offsets_to_transaction",
            lambda timeout: self._producer.send_offsets_to_transaction([place], group, timeout),
            TRANSACTION_TIMEOUT_S,
        )
        fault_point("spool.produced")
        self._persist("commit_transaction", self._producer.commit_transaction, TRANSACTION_TIMEOUT_S)
        fault_point("spool.committed")

    def let_go(self) -> None:
        """Drop the connections; what was not committed is not visible to anybody.

        Without `Producer.close`, which first aborts an open transaction, and waits for ever for a broker that is away
        (seen: 38 s, until it came back). Whoever starts next ends it.
        """
        del self._producer, self._group_consumer

    def _persist(self, step: str, call: Callable[[float], object], deadline_s: float) -> None:
        """Call until it succeeds: a retriable error, a time-out among them, is not the end before the deadline."""
        deadline = time.monotonic() + deadline_s
        while True:
            try:
                _returns(step, call)
            except KafkaException as error:
                fault = error.args[0]
                is_late = time.monotonic() > deadline or self._time_left_s() <= 0
                passes = fault.retriable() or fault.code() in _NO_COORDINATOR_YET
                if not passes or fault.txn_requires_abort() or is_late:
                    raise _not_published(step, error) from error
                time.sleep(RETRY_PAUSE_S)
            else:
                return


def _returns(step: str, call: Callable[[float], object]) -> None:
    """Call, and raise what it raises; NotPublished where it does not return."""
    try:
        returned(step, lambda: call(CALL_TIMEOUT_S), HANGS_S)
    except NotReturned as error:
        raise NotPublished(str(error)) from error


def _not_published(step: str, error: Exception) -> NotPublished:
    fault = error.args[0] if isinstance(error, KafkaException) else None
    return NotPublished(f"{step}: {error}" if fault is None else f"{step}: {fault.name()}: {fault.str()}")
