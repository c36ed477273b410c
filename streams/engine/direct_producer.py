"""A transactional producer that speaks Kafka's protocol itself: three requests for a transaction, wherever it writes.

librdkafka sends a request for each partition, and a broker takes the requests of a connection one at a time; an epoch
writes to four partitions and more. Here all that a broker leads is in one request. Measured beside each other in
DESIGN.md, "Where the time to a milestone goes".

It has those of confluent-kafka's methods that a worker's epochs need, with the same errors. What passes by itself while
it waits for it, it waits for: the end of the transaction before, a coordinator that loads. Everything else is raised,
and then the producer is done with; the engine looks and tries again, by another one (committing.py).

    init      find the coordinator; a producer id, whose epoch fences who had the transactional id before
    commit    add the partitions to the transaction; the records, by the leaders of their partitions; end it
"""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from aiokafka.protocol.coordination import FindCoordinatorRequest_v1
from aiokafka.protocol.metadata import MetadataRequest_v5
from aiokafka.protocol.produce import ProduceRequest_v7
from aiokafka.protocol.transaction import AddPartitionsToTxnRequest_v0, EndTxnRequest_v0, InitProducerIdRequest_v0
from confluent_kafka import KafkaError, KafkaException

from process.leaders import AWAY, COORDINATOR_CHANGES
from streams.engine.broker_connection import BrokerConnection, kafka_error
from streams.engine.partitioner import partition_for
from streams.engine.record_batches import SEQUENCES, Record, batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from aiokafka.protocol.api import RequestStruct

Place = tuple[str, int]

TIMEOUT_MS: Final = 60_000
"""How old a transaction may become where nothing is said, as librdkafka has it."""
TRANSACTIONS: Final = 1
"""What a coordinator is asked for of."""
NO_HEADERS: Final[list[tuple[str, bytes]]] = []
ALL_IN_SYNC: Final = -1
NO_END_S: Final = 86_400.0
METADATA_AGE_S: Final = 300.0
"""Then partitions and leaders are asked for anew, as librdkafka does."""
PAUSE_S: Final = 0.001
"""Before another try: what is waited for takes a millisecond, as a rule."""
PAUSE_S_MAX: Final = 0.05

UNFINISHED: Final = frozenset({KafkaError.CONCURRENT_TRANSACTIONS})
"""Codes of answers while the transaction before has not ended on every broker yet."""
PASSING: Final = UNFINISHED | COORDINATOR_CHANGES | AWAY
"""Codes of answers for whose end is waited before there is a transaction to be lost."""


class DirectProducer:
    """One transactional id; not for two threads at a time."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Make it without connecting; `config` is librdkafka's."""
        self._config = config
        self._id = str(config["transactional.id"])
        self._timeout_ms = int(config.get("transaction.timeout.ms", TIMEOUT_MS))
        self._brokers: dict[int, BrokerConnection] = {}
        self._addresses: dict[int, tuple[str, int]] = {}
        self._coordinator = -1
        self._leaders: dict[str, dict[int, int]] = {}
        """Topic -> partition -> broker."""
        self._asked_s = float("-inf")
        self._producer: tuple[int, int] | None = None
        """Producer id and epoch."""
        self._sequences: dict[Place, int] = {}
        """Of the next record, by partition: the broker takes each once."""
        self._records: dict[Place, list[Record]] | None = None
        """What is to be sent; None: there is no transaction."""
        self._added: set[Place] = set()
        """What the transaction writes to."""
        self._until_s = 0.0
        """Monotonic time; then the brokers end it for its age."""

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> None:
        """Find the brokers."""
        self._look([] if topic is None else [topic], _deadline(timeout))

    def init_transactions(self, timeout: float = -1) -> None:
        """Fence whoever had the transactional id, and end his transaction; retriable where that takes longer."""
        deadline_s = _deadline(timeout)
        request = InitProducerIdRequest_v0(self._id, self._timeout_ms)

        def begin() -> Any:  # noqa: ANN401 - aiokafka's answers have their fields by name
            self._find_coordinator(deadline_s)
            answer = self._broker(self._coordinator).ask(request, deadline_s)
            _raise_for(answer.error_code, "init_transactions")
            return answer

        try:
            answer = _persist(begin, PASSING, deadline_s)
        except KafkaException as error:
            fault = error.args[0]
            raise kafka_error(fault.code(), fault.str(), retriable=fault.code() in PASSING) from error
        self._producer = answer.producer_id, answer.producer_epoch
        self._sequences.clear()

    def begin_transaction(self) -> None:
        """Begin with nothing."""
        self._begun()
        if self._records is not None:
            raise kafka_error(KafkaError._STATE, "a transaction has begun already")  # noqa: SLF001 - its name
        self._records = {}
        self._added = set()
        self._until_s = time.monotonic() + self._timeout_ms / 1000

    def produce(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int = -1,
        *,
        timestamp: int = 0,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> None:
        """Have a record sent with the transaction.

        Args:
            topic: its full name.
            value: None deletes the key's from a compacted topic.
            key: decides the partition, if none is given.
            partition: the number; -1: the key's.
            timestamp: milliseconds since 1970; 0: now.
            headers: names and values.

        """
        records = self._open()
        if partition < 0:
            partition = partition_for(key, len(self._partitions(topic)))
        record = key, value, timestamp or time.time_ns() // 1_000_000, headers or NO_HEADERS
        records.setdefault((topic, partition), []).append(record)

    def produce_all(self, topic: str, values: Mapping[bytes, bytes | None], partition: int = -1) -> None:
        """Have values sent by their keys: `produce` for each, in less time."""
        records = self._open()
        now_ms = time.time_ns() // 1_000_000
        if partition < 0:
            count = len(self._partitions(topic))
            for key, value in values.items():
                records.setdefault((topic, partition_for(key, count)), []).append((key, value, now_ms, NO_HEADERS))
        elif values:
            new = [(key, value, now_ms, NO_HEADERS) for key, value in values.items()]
            records.setdefault((topic, partition), []).extend(new)

    def flush(self, timeout: float = -1) -> int:
        """Send what was produced, and leave the transaction open; return how many records are left, which is none.

        `timeout` is of no importance: the call ends when the broker has ended the transaction for its age.
        """
        del timeout
        records = self._open()
        if records:
            with self._or_done_with():
                self._write(records)
            self._records = {}
        return 0

    def commit_transaction(self, timeout: float = -1) -> None:
        """Send what was produced, and end the transaction; `timeout` as in `flush`."""
        self.flush(timeout)
        with self._or_done_with():
            self._end(commits=True)

    def abort_transaction(self, timeout: float = -1) -> None:
        """Let nothing of the transaction be visible; `timeout` as in `flush`."""
        del timeout
        self._open()
        with self._or_done_with():
            self._end(commits=False)

    def poll(self, timeout: float = 0) -> int:
        """Hear of nothing: there are no reports."""
        del timeout
        return 0

    def close(self) -> None:
        """Let the connections go."""
        for broker in list(self._brokers.values()):  # a thread that still commits may come to know another one
            broker.close()
        self._brokers.clear()

    @contextmanager
    def _or_done_with(self) -> Iterator[None]:
        """Whatever is raised, nothing is done any more before `init_transactions`: least of all half a transaction."""
        try:
            yield
        except BaseException:
            self._producer = self._records = None
            self.close()
            raise

    # -- a transaction's requests ------------------------------------------------------------------------------

    def _write(self, records: Mapping[Place, list[Record]]) -> None:
        leaders = {place: self._leader(*place) for place in records}
        if new := records.keys() - self._added:
            self._add(new)
            self._added |= new
        self._send(records, leaders)

    def _add(self, places: Iterable[Place]) -> None:
        request = AddPartitionsToTxnRequest_v0(self._id, *self._begun(), list(_by_topic(places).items()))

        def add() -> None:
            answer = self._broker(self._coordinator).ask(request, self._until_s)
            codes = {f"{topic}/{number}": code for topic, partitions in answer.errors for number, code in partitions}
            for place, code in sorted(
                codes.items(), key=lambda each: each[1] == KafkaError.OPERATION_NOT_ATTEMPTED
            ):  # the cause comes first
                _raise_for(code, f"{place} cannot be part of the transaction")

        _persist(add, UNFINISHED, self._until_s)

    def _send(self, records: Mapping[Place, list[Record]], leaders: Mapping[Place, int]) -> None:
        """Send the records, in as many requests as a partition has batches, and see that all are taken."""
        packed = {place: self._pack(place, found) for place, found in records.items()}
        asked = []
        for row in zip_longest(*packed.values()):
            by_leader: dict[int, dict[Place, bytes]] = {}
            for place, batch in zip(packed, row, strict=True):
                if batch is not None:
                    by_leader.setdefault(leaders[place], {})[place] = batch
            for leader, sent in by_leader.items():
                self._broker(leader).send(self._request(sent), self._until_s)
                asked.append(leader)
        for leader in asked:
            for topic, partitions in self._broker(leader).receive(self._until_s).topics:
                for number, code, *_ in partitions:
                    _raise_for(code, f"{topic}/{number} does not take the records")

    def _pack(self, place: Place, records: list[Record]) -> list[bytes]:
        first = self._sequences.get(place, 0)
        self._sequences[place] = (first + len(records)) % SEQUENCES
        return [batch for batch, _ in batches(records, *self._begun(), first)]

    def _request(self, sent: Mapping[Place, bytes]) -> RequestStruct:
        topics: dict[str, list[tuple[int, bytes]]] = {}
        for (topic, number), batch in sent.items():
            topics.setdefault(topic, []).append((number, batch))
        return ProduceRequest_v7(self._id, ALL_IN_SYNC, self._timeout_ms, list(topics.items()))

    def _end(self, *, commits: bool) -> None:
        self._records = None
        if not self._added:
            return  # the brokers have not heard of it
        request = EndTxnRequest_v0(self._id, *self._begun(), commits)

        def end() -> None:
            _raise_for(self._broker(self._coordinator).ask(request, self._until_s).error_code, "the transaction's end")

        _persist(end, UNFINISHED, self._until_s)

    def _open(self) -> dict[Place, list[Record]]:
        if self._records is None:
            raise kafka_error(KafkaError._STATE, "there is no transaction")  # noqa: SLF001 - its name
        return self._records

    def _begun(self) -> tuple[int, int]:
        if self._producer is None:
            raise kafka_error(KafkaError._STATE, "init_transactions comes first")  # noqa: SLF001 - its name
        return self._producer

    # -- where things are --------------------------------------------------------------------------------------

    def _broker(self, number: int) -> BrokerConnection:
        if number not in self._brokers:
            if number not in self._addresses:
                raise kafka_error(KafkaError.BROKER_NOT_AVAILABLE, f"broker {number} is not known")
            self._brokers[number] = BrokerConnection(self._config, *self._addresses[number])
        return self._brokers[number]

    def _find_coordinator(self, deadline_s: float) -> None:
        answer = self._ask_any(FindCoordinatorRequest_v1(self._id, TRANSACTIONS), deadline_s)
        _raise_for(answer.error_code, f"no coordinator: {answer.error_message}")
        self._note(answer.coordinator_id, answer.host, answer.port)
        self._coordinator = answer.coordinator_id

    def _partitions(self, topic: str) -> Mapping[int, int]:
        """Return the leaders of a topic's partitions."""
        if time.monotonic() > self._asked_s + METADATA_AGE_S:
            self._leaders.clear()
            self._asked_s = time.monotonic()
        if topic not in self._leaders:
            self._look([topic], self._until_s)
        return self._leaders[topic]

    def _leader(self, topic: str, number: int) -> int:
        leader = self._partitions(topic).get(number, -1)
        if leader < 0:
            raise kafka_error(KafkaError.LEADER_NOT_AVAILABLE, f"{topic}/{number} has no leader")
        return leader

    def _look(self, topics: list[str], deadline_s: float) -> None:
        answer = self._ask_any(MetadataRequest_v5(topics, False), deadline_s)  # noqa: FBT003 - it makes none
        for number, host, port, _ in answer.brokers:
            self._note(number, host, port)
        for code, topic, _, partitions in answer.topics:
            _raise_for(code, topic)
            self._leaders[topic] = {number: leader for _, number, leader, *_ in partitions}

    def _note(self, number: int, host: str, port: int) -> None:
        if self._addresses.get(number) != (host, port):
            self._addresses[number] = host, port
            if (former := self._brokers.pop(number, None)) is not None:
                former.close()

    def _ask_any(self, request: RequestStruct, deadline_s: float) -> Any:  # noqa: ANN401 - as above
        """Ask a broker that is known, or the first of the configured ones that answers."""
        for broker in list(self._brokers.values()):
            try:
                return broker.ask(request, deadline_s)
            except KafkaException:
                continue
        failed: KafkaException | None = None
        for address in str(self._config["bootstrap.servers"]).split(","):
            host, _, port = address.strip().rpartition(":")
            with closing(BrokerConnection(self._config, host.strip("[]"), int(port))) as broker:
                try:
                    return broker.ask(request, deadline_s)
                except KafkaException as error:
                    failed = error
        raise failed or kafka_error(KafkaError._ALL_BROKERS_DOWN, "no bootstrap.servers")  # noqa: SLF001 - its name


def _persist(ask: Callable[[], Any], passing: Iterable[int], deadline_s: float) -> Any:  # noqa: ANN401 - as it is given
    """Ask until the answer is none of those that pass, or the time is up."""
    pause_s = PAUSE_S
    while True:
        try:
            return ask()
        except KafkaException as error:
            fault = error.args[0]
            if fault.code() not in passing:
                raise
            if time.monotonic() + pause_s > deadline_s:
                raise kafka_error(KafkaError._TIMED_OUT, fault.str()) from error  # noqa: SLF001 - its name
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, PAUSE_S_MAX)


def _raise_for(code: int, what: str) -> None:
    if code:
        raise kafka_error(code, f"{what}: {KafkaError(code).str()}")


def _by_topic(places: Iterable[Place]) -> dict[str, list[int]]:
    topics: dict[str, list[int]] = {}
    for topic, number in places:
        topics.setdefault(topic, []).append(number)
    return topics


def _deadline(timeout: float) -> float:
    return time.monotonic() + (timeout if timeout >= 0 else NO_END_S)
