"""A worker's producer on a real broker: its connections end, it writes much, others come under its name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]  # not in its __all__

from models.outgoing import Outgoing
from streams.engine.clients import LibrdkafkaClients, WorkerClients
from streams.engine.cluster import Cluster
from streams.engine.committing import commit
from streams.engine.direct_producer import DirectProducer
from streams.engine.epoch import Epoch
from streams.engine.errors import CommitFailed, Fenced
from streams.engine.options import EngineOptions
from streams.engine.partition import SourcePartition
from streams.engine.standing import Stand, Standing
from tests.cut_connections import Cutter, cut_kafka
from tests.settled import load_rows, read_to_end

pytestmark = pytest.mark.integration
TIMEOUT_S = 30.0
PARTITIONS = 3
PRODUCE, ADD_PARTITIONS, END = 0, 24, 26
"""Kinds of requests, as Kafka's protocol numbers them."""


@pytest.fixture(scope="module")
def cutter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cutter]:
    """Give a broker behind one."""
    with cut_kafka(tmp_path_factory.mktemp("cut")) as cutter:
        yield cutter


@pytest.fixture
def options(cutter: Cutter) -> EngineOptions:
    """Give the wiring of an application whose topics are made, with a worker's clients."""
    name = f"direct-{uuid4().hex[:12]}"
    options = EngineOptions(
        app_id=name,
        source_topics=(f"{name}-orders",),
        read_first=f"{name}-orders",
        tables=("stock",),
        partitions=PARTITIONS,
        client_config={"bootstrap.servers": cutter.address},
        clients=WorkerClients(),
    )
    admin = options.clients.admin(options.client_config)
    topics = [
        NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1) for topic in (f"{name}-orders", sent(options))
    ]
    for made in admin.create_topics(topics).values():
        made.result(TIMEOUT_S)
    Cluster(options).make_changelogs(replication_factor=1)
    return options


@pytest.fixture
def partition(options: EngineOptions) -> Iterator[SourcePartition]:
    """Give a partition that this worker owns."""
    partition = SourcePartition(options, 0)
    partition.producer.start()
    yield partition
    partition.producer.close()


def sent(options: EngineOptions) -> str:
    """Return the name of the topic that records are sent to."""
    return f"{options.app_id}-sent"


def epoch_of(options: EngineOptions, number: int, value: bytes = b"row") -> Epoch:
    """Return an epoch with a row and a record that is sent."""
    epoch = Epoch()
    epoch.rows = {"stock": {b"key": value}}
    epoch.outgoing = [Outgoing(sent(options), b"key", str(number).encode(), headers=[("name", b"value")])]
    epoch.standing = Standing(number, {options.source_topics[0]: Stand(number)}, {"stock": number})
    return epoch


def sent_values(options: EngineOptions) -> list[bytes]:
    """Return what was sent and is committed."""
    places = [(sent(options), number) for number in range(PARTITIONS)]
    return [message.value() or b"" for _, message in read_to_end(options, places)]


@pytest.mark.parametrize(
    ("kind", "answered"),
    [(ADD_PARTITIONS, False), (ADD_PARTITIONS, True), (PRODUCE, False), (PRODUCE, True), (END, False)],
)
def test_a_connection_that_ends_in_a_commit(
    kind: int, *, answered: bool, cutter: Cutter, options: EngineOptions, partition: SourcePartition
) -> None:
    """Whether the broker has heard the request or not, the epoch is committed once, by another producer."""
    cluster = Cluster(options)
    commit(options, cluster, partition, epoch_of(options, 1), is_wanted=lambda: True)
    cutter.cut(kind, 1, answered=answered)
    for number in (2, 3):
        commit(options, cluster, partition, epoch_of(options, number), is_wanted=lambda: True)
    assert cutter.cuts == 1
    assert sorted(sent_values(options)) == [b"1", b"2", b"3"]
    assert load_rows(options, [0])[0].rows == {"stock": {b"key": b"row"}}


def test_a_commit_of_which_nobody_tells(cutter: Cutter, options: EngineOptions, partition: SourcePartition) -> None:
    """It is found to be done: the worker leaves, as after another's commit, and nothing is sent twice."""
    cluster = Cluster(options)
    commit(options, cluster, partition, epoch_of(options, 1), is_wanted=lambda: True)
    cutter.cut(END, 1, answered=True)
    with pytest.raises(CommitFailed, match="is not as this worker has left it"):
        commit(options, cluster, partition, epoch_of(options, 2), is_wanted=lambda: True)
    assert cutter.cuts == 1
    assert sorted(sent_values(options)) == [b"1", b"2"]


def test_a_producer_that_failed_does_nothing_more(cutter: Cutter, options: EngineOptions) -> None:
    """Least of all end a transaction of which a part is written; it may begin again."""
    producer = DirectProducer({**options.client_config, "transactional.id": options.app_id})
    producer.init_transactions(TIMEOUT_S)
    for kind in (ADD_PARTITIONS, PRODUCE, END):
        cutter.cut(kind, 1)
        producer.begin_transaction()
        producer.produce(sent(options), b"lost", b"key")
        with pytest.raises(KafkaException) as told:
            producer.commit_transaction(TIMEOUT_S)
        assert told.value.args[0].code() == KafkaError._TRANSPORT  # noqa: SLF001 - its name
        assert not told.value.args[0].retriable()
        for again in (producer.commit_transaction, producer.begin_transaction, producer.flush):
            with pytest.raises(KafkaException) as told:
                again()
            assert told.value.args[0].code() == KafkaError._STATE  # noqa: SLF001 - its name
        producer.init_transactions(TIMEOUT_S)
    producer.begin_transaction()
    producer.produce(sent(options), b"kept", b"key")
    producer.commit_transaction(TIMEOUT_S)
    producer.close()
    assert sent_values(options) == [b"kept"]


def test_connections_that_ended_meanwhile(
    cutter: Cutter, options: EngineOptions, partition: SourcePartition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker ends those on which nothing was asked for ten minutes: that interrupts nothing."""
    monkeypatch.setattr("streams.engine.broker_connection.IDLE_S", 0.0)
    producer = partition.producer
    partition.producer.commit(epoch_of(options, 1))
    cutter.cut_all()
    partition.producer.commit(epoch_of(options, 2))
    assert partition.producer is producer
    assert sorted(sent_values(options)) == [b"1", b"2"]


def test_much_is_sent_in_several_batches(options: EngineOptions, partition: SourcePartition) -> None:
    """Of one partition beside others, in one transaction; and what is sent is what comes, keys deciding where."""
    rows: dict[bytes, bytes | None] = {str(number).encode(): os.urandom(500) for number in range(5_000)}
    epoch = epoch_of(options, len(rows))  # whose record says what no key does
    epoch.rows = {"stock": rows}
    epoch.latest = {sent(options): {key: key for key in rows}}
    partition.producer.commit(epoch)
    assert load_rows(options, [0])[0].rows == {"stock": rows}
    assert sorted(sent_values(options)) == sorted([*rows, b"5000"])
    places = [(sent(options), number) for number in range(PARTITIONS)]
    ours = {message.value(): message.partition() for _, message in read_to_end(options, places)}
    theirs: dict[bytes | None, int | None] = {}
    other = Producer({**options.client_config, "partitioner": "murmur2_random"})
    for key in rows:
        other.produce(sent(options), key, key, on_delivery=lambda _, it: theirs.update({it.value(): it.partition()}))
    assert other.flush(TIMEOUT_S) == 0
    assert {key: ours[key] for key in rows} == theirs


def test_who_is_fenced(options: EngineOptions, partition: SourcePartition) -> None:
    """By whichever producer: a worker of an earlier version has librdkafka's."""
    earlier = replace(options, clients=LibrdkafkaClients())
    other = SourcePartition(earlier, 0)
    other.producer.start()
    with pytest.raises(Fenced):
        partition.producer.commit(epoch_of(options, 1))
    other.producer.commit(epoch_of(options, 2))
    back = SourcePartition(options, 0)
    back.producer.start()
    with pytest.raises(Fenced):
        other.producer.commit(epoch_of(options, 3))
    back.producer.commit(epoch_of(options, 4))
    back.producer.close()
    other.producer.close()
    assert sorted(sent_values(options)) == [b"2", b"4"]
