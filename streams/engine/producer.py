"""The transactional producer of a source partition: one transaction for each epoch.

The transactional id belongs to the source partition, so whoever owns the partition fences whoever owned it
before, whatever that one still has in flight. All methods block and are called from threads; at most one
at a time for each producer (librdkafka answers two with `_CONFLICT`).
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from process.fencing import FENCED, cause_of
from process.leaders import PASSING, UNWRITTEN
from process.returning import NotReturned
from streams.engine.errors import CommitFailed, EngineError, Fenced, Interrupted
from streams.engine.progress import CALLS
from streams.engine.rights import denied_kind, not_allowed
from streams.engine.standing import OFFSETS_MARK, PUBLISHED_KEY, SEAL_KEY, STANDING_KEY, encode_standing, seal_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.engine.epoch import Epoch
    from streams.engine.options import EngineOptions
    from streams.engine.standing import Standing

START_TIMEOUT_S: Final = 60.0
"""Longest wait for the transaction coordinator: a broker that restarts needs a few seconds."""

CALL_TIMEOUT_S: Final = 5.0
"""Longest wait of one call before it is looked at again; librdkafka goes on where the call left off."""

PRODUCE: Final = "produce"
LOOK: Final = "list_topics"

RETRY_PAUSE_S: Final = 0.05

BY_KEY: Final = -1
"""Instead of a partition: the key decides."""


class TransactionalProducer:
    """Produces the epochs of one source partition."""

    def __init__(self, options: EngineOptions, partition: int) -> None:
        self._options = options
        self._partition = partition
        timeout_ms = int(options.transaction_timeout_s * 1000)
        config: dict[str, Any] = {
            **options.client_config,
            "client.id": f"{options.app_id}-{partition}",
            "transactional.id": options.transactional_id(partition),
            "transaction.timeout.ms": timeout_ms,
            "partitioner": "murmur2_random",  # Kafka's standard; librdkafka's own default is another one
            "compression.type": "lz4",
            "linger.ms": 1,  # a batch fills while the epoch is being produced, a thousand records in this time
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 1_048_576,
            "message.max.bytes": 10_000_000,  # the topic's own limit decides, not the client's default
            # CONCURRENT_TRANSACTIONS, the answer while the last transaction's markers are still being written,
            # is retried after this long; the default of 100 ms would be the whole latency of a small epoch.
            "retry.backoff.ms": 1,
            "retry.backoff.max.ms": 100,
        }
        self._producer = options.clients.producer(config)
        self.calls = 0
        """How many calls to librdkafka have returned that have a time by which they must; for the watchdog."""
        self._topics: set[str] = set()
        """What the epoch writes to."""

    def start(self) -> None:
        """Fence the former owner and end its open transaction.

        Raises:
            Fenced: another owner begins at the same time.
            CommitFailed: the coordinator did not answer in time, or refuses.

        """
        # A client just made knows no broker, and would look for the coordinator again only after half a second.
        self._persist(LOOK, lambda timeout: self._producer.list_topics(timeout=timeout), START_TIMEOUT_S)
        self._persist("init_transactions", self._producer.init_transactions, START_TIMEOUT_S)

    def commit(self, epoch: Epoch, group: Any = None) -> None:  # noqa: ANN401 - librdkafka's opaque group metadata
        """Write the epoch's rows and records, and where these stand, in one transaction.

        Args:
            epoch: what is to be committed.
            group: whose offsets the epoch sets, if it does.

        Raises:
            Fenced: another owner has the partition; nothing of the epoch is visible to read_committed readers.
            Interrupted: it is not committed, or nobody knows, for a reason that passes; this producer is done with.
            CommitFailed: the same, for another reason.

        """
        fault_point = self._options.fault_point
        fault_point("engine.folded")
        self._persist("begin_transaction", lambda _: self._producer.begin_transaction(), CALL_TIMEOUT_S)
        fault_point("engine.begun")
        self._produce(epoch)
        fault_point("engine.produced")
        if epoch.offsets:
            positions = [
                TopicPartition(topic, self._partition, at, OFFSETS_MARK) for topic, at in epoch.offsets.items()
            ]
            self._persist(
                "send_offsets_to_transaction",
                lambda timeout: self._producer.send_offsets_to_transaction(positions, group, timeout),
                self._options.transaction_timeout_s,
            )
        self._persist("commit_transaction", self._producer.commit_transaction, 2 * self._options.transaction_timeout_s)
        fault_point("engine.committed")

    def close(self) -> None:
        """Let go of the connections and threads; what was not committed is not visible to anybody."""
        # Who is fenced is told so once more here, instead of why he closes: as an error, or as one that the client has
        # raised and given a result beside it, which Python takes for a fault of the interpreter.
        with suppress(KafkaException, SystemError):
            self._producer.close()

    def _produce(self, epoch: Epoch) -> None:
        send = self._send
        self._topics = {*map(self._options.changelog, epoch.rows), *epoch.latest}
        self._topics |= {self._options.changelog(table) for rows, _ in epoch.elsewhere.values() for table in rows}
        self._topics |= {self._options.standing_changelog} | {record.topic for record in epoch.outgoing}
        self._produce_rows(epoch.rows, epoch.standing, self._partition)
        for number, (rows, standing) in epoch.elsewhere.items():
            self._produce_rows(rows, standing, number)
        for topic, values in epoch.latest.items():
            self._send_all(topic, values)
        if epoch.latest and epoch.is_whole:
            send(self._options.standing_changelog, b"", PUBLISHED_KEY, self._partition)
        for record in epoch.outgoing:
            send(record.topic, record.value, record.key, timestamp=record.timestamp_ms, headers=record.headers)

    def _produce_rows(
        self, tables: Mapping[str, Mapping[bytes, bytes | None]], standing: Standing | None, number: int
    ) -> None:
        """Produce a partition's rows, the seals of their tables, and where they stand."""
        for table, rows in tables.items():
            changelog = self._options.changelog(table)
            self._send_all(changelog, rows, number)
            if standing is not None:
                self._send(changelog, seal_of(standing.epoch), SEAL_KEY, number)
        if standing is not None:
            self._send(self._options.standing_changelog, encode_standing(standing), STANDING_KEY, number)

    def _send_all(self, topic: str, values: Mapping[bytes, bytes | None], partition: int = BY_KEY) -> None:
        """Produce values by key, all in one call: most of what an epoch writes."""
        self._ask(self._producer.produce_all, topic, values, partition)

    def _send(self, *record: Any, **more: Any) -> None:  # noqa: ANN401 - the arguments of Producer.produce
        self._ask(self._producer.produce, *record, **more)

    def _ask(self, produce: Callable[..., None], *given: Any, **more: Any) -> None:  # noqa: ANN401 - its arguments
        try:
            produce(*given, **more)
        except KafkaException as error:
            raise self._failure(PRODUCE, error) from error

    def _persist(self, step: str, call: Callable[[float], object], deadline_s: float) -> None:
        """Call until it succeeds: a retriable error, a time-out among them, is not the end before the deadline."""
        deadline = time.monotonic() + deadline_s
        while True:
            try:
                self._call(call)
            except NotReturned as error:
                raise Interrupted(f"partition {self._partition}: {error}") from error
            except KafkaException as error:
                fault = error.args[0]
                passes = fault.retriable() or (step == LOOK and fault.code() in PASSING)
                if not passes or fault.txn_requires_abort() or time.monotonic() > deadline:
                    raise self._failure(step, error) from error
                time.sleep(RETRY_PAUSE_S)
            else:
                return

    def _call(self, call: Callable[[float], object]) -> None:
        CALLS[self._partition] = self.calls
        try:
            call(CALL_TIMEOUT_S)
        finally:
            CALLS.pop(self._partition, None)
            self.calls += 1

    def _failure(self, step: str, error: KafkaException) -> EngineError:
        fault = cause_of(self._producer, error.args[0], CALL_TIMEOUT_S)
        kind = denied_kind(error)
        if kind == "transactional-id":
            return not_allowed("WRITE", kind, self._options.transactional_id(self._partition))
        if kind is not None:
            return not_allowed("WRITE", kind, " or ".join(sorted(self._topics)))
        failed = Fenced if fault.code() in FENCED else Interrupted if _passes(step, fault) else CommitFailed
        return failed(f"partition {self._partition}: {step} failed: {fault.name()}: {fault.str()}")


def _passes(step: str, fault: KafkaError) -> bool:
    """Tell whether a transaction may go well another time. Of `produce` librdkafka does not say what is in its way."""
    if step == PRODUCE and fault.code() == KafkaError._STATE:  # noqa: SLF001 - librdkafka's own codes have no other name
        return True
    return fault.code() in PASSING | UNWRITTEN
