"""A producer whose sends can be awaited: a send is done when the brokers have acknowledged it.

One thread polls librdkafka and hands the delivery reports to the event loop, all that came at once in one call: a call
writes to the loop's wake-up socket, which costs more than a record does. (The loop could look for reports itself, every
millisecond. Measured with 16 webhooks at a time, that costs no less and answers a tenth to a third fewer.)

Idempotent, acknowledged by all in-sync replicas, partitioned as Kafka's own clients do (librdkafka's default is another
hash). The queue is bounded. A record that is not acknowledged within a few seconds is given up: who sent it is told,
and sends it again. A record given up may still arrive, so what is sent must be harmless twice.
"""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from models.topics import SOURCE_MESSAGE_BYTES_MAX, SOURCES
from process.administrator import cluster_metadata
from process.kafka_refusals import Refusals

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import TracebackType

    from process.settings import Settings

GIVE_UP_S: Final = 4.0
"""A record without acknowledgement for so long is given up."""
POLL_S: Final = 0.1
METADATA_TIMEOUT_S: Final = 2.0
METADATA_KEPT_S: Final = 1.0

CONFIG: Final[dict[str, str | int | float | bool]] = {
    "enable.idempotence": True,  # no duplicate and no gap when librdkafka sends again; implies acks=all
    "partitioner": "murmur2_random",  # Kafka's standard; a record without key goes anywhere
    "linger.ms": 1,
    "message.timeout.ms": int(GIVE_UP_S * 1000),
    "queue.buffering.max.messages": 10_000,
    "queue.buffering.max.kbytes": 32 * 1024,
    "message.max.bytes": SOURCE_MESSAGE_BYTES_MAX,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 1_000,  # a broker that comes back is noticed within a second
    "log_level": 2,  # critical, as syslog counts; what fails is reported to who sent it
}

log = structlog.get_logger("web")

Headers = list[tuple[str, str | bytes | None]]
Report = tuple["asyncio.Future[None]", "KafkaError | None"]


class BrokerUnavailable(Exception):  # noqa: N818  read as what is wrong
    """Kafka has not acknowledged a record; to be sent again later."""


class AcknowledgedProducer:
    """Sends records and tells of each when the brokers have it. A context manager; used from one event loop."""

    def __init__(self, settings: Settings) -> None:
        client = settings.kafka_client_config()
        self._refusals = Refusals(client, client="web")
        self._config: dict[str, Any] = {**client, **CONFIG, "error_cb": self._refusals.note}
        self._needed_topics = [topic.full_name(settings.topic_prefix) for topic in SOURCES]
        self._fault_known: tuple[float, str | None] = (-METADATA_KEPT_S, None)
        self._asking = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Begin; wait for no broker."""
        self._loop = asyncio.get_running_loop()
        self._client = _Client(self._config, self._loop, self._settle)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Wait for what is under way, at most until it is given up, and let go."""
        await asyncio.to_thread(self._client.close)

    def produce(
        self, topic: str, key: bytes | None, value: bytes | None, *, headers: Headers | None = None
    ) -> asyncio.Future[None]:
        """Send a record; the future is done when the brokers have acknowledged it, else it has BrokerUnavailable.

        `topic` is the full name. Raises BrokerUnavailable at once where too much waits already.
        """
        future = self._loop.create_future()
        try:
            self._client.produce(topic, key, value, future, headers)
        except BufferError:
            msg = "Kafka does not answer, and too many records wait for it"
            raise BrokerUnavailable(msg) from None
        except KafkaException as error:
            raise self._failure(error.args[0]) from None
        return future

    async def fault(self) -> str | None:
        """Return why nothing can be produced now, None where it can; asked of the brokers at most once a second."""
        async with self._asking:
            known_s, fault = self._fault_known
            if time.monotonic() - known_s >= METADATA_KEPT_S:
                fault = await asyncio.to_thread(self._ask)
                self._fault_known = (time.monotonic(), fault)
            return fault

    def _ask(self) -> str | None:
        try:
            standing = self._client.topics()
        except KafkaException as error:
            return f"Kafka does not answer: {self._refusals.recent or error.args[0].str()}"
        missing = [name for name in self._needed_topics if name not in standing]
        return f"{', '.join(missing)}: no such topic; run `referrals topics create`" if missing else None

    def _settle(self, reports: list[Report]) -> None:
        """Wake those who wait; called in the event loop."""
        for future, error in reports:
            if future.done():  # nobody waits any more
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(self._failure(error))

    def _failure(self, error: KafkaError) -> BrokerUnavailable:
        """Return what who waits is told; after an error that ends a client for good, go on with a new one."""
        if (error.fatal() or error.code() == KafkaError._FATAL) and self._client.is_in_use:  # noqa: SLF001  so it is called
            log.error("producer_replaced", reason=error.str())
            self._client.leave()
            self._client = _Client(self._config, self._loop, self._settle)
        return BrokerUnavailable(_said(error))


class _Client:
    """librdkafka's producer, and the thread that polls it; the thread ends when the client was left and has no more."""

    def __init__(
        self,
        config: dict[str, Any],
        loop: asyncio.AbstractEventLoop,
        settle: Callable[[list[Report]], None],
    ) -> None:
        self._producer = Producer(config)
        self._loop = loop
        self._settle = settle
        self._reports: list[Report] = []
        self.is_in_use = True
        self._thread = threading.Thread(target=self._poll, name="delivery-reports", daemon=True)
        self._thread.start()

    def produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        future: asyncio.Future[None],
        headers: Headers | None,
    ) -> None:
        # The C function takes its arguments fastest by position: topic, value, key, partition, on_delivery.
        if headers is None:
            self._producer.produce(topic, value, key, -1, partial(self._delivered, future))
        else:
            self._producer.produce(topic, value, key, -1, partial(self._delivered, future), headers=headers)

    def topics(self) -> Collection[str]:
        """Return the names of the topics that stand; raise KafkaException where no broker answers."""
        return set(cluster_metadata(self._producer.list_topics, timeout=METADATA_TIMEOUT_S).topics)

    def leave(self) -> None:
        """Send nothing more; what is under way is reported."""
        self.is_in_use = False

    def close(self) -> None:
        """Leave, and wait for what is under way."""
        self.leave()
        self._thread.join()

    def _poll(self) -> None:
        """Take delivery reports; the thread's whole life."""
        while self.is_in_use or len(self._producer):
            self._producer.poll(POLL_S)
            if self._reports:
                reports, self._reports = self._reports, []
                self._loop.call_soon_threadsafe(self._settle, reports)
        self._producer.close()

    def _delivered(self, future: asyncio.Future[None], error: KafkaError | None, message: Message) -> None:  # noqa: ARG002  librdkafka's
        """Note a delivery report; called within `poll`."""
        self._reports.append((future, error))


def _said(error: KafkaError) -> str:
    return f"Kafka has not acknowledged: {error.str()}"
