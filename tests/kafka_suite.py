"""What the engine's clients must do, whoever makes them: librdkafka on a real broker, or the simulation in memory.

Each test is one promise that the protocol rests on (DESIGN.md, "The commit protocol").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest
from confluent_kafka import KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import ConfigResource, NewTopic, OffsetSpec, ResourceType  # type: ignore[attr-defined]

from models.partitioning import partition_of
from process.returning import NotReturned
from streams.engine import deciding
from streams.engine.batch import Rows
from streams.engine.clients import Clients
from streams.engine.cluster import Cluster
from streams.engine.deciding import Begun, accept, rebuild
from streams.engine.epoch import Epoch
from streams.engine.errors import BadTopic, Fenced, Interrupted
from streams.engine.options import EngineOptions
from streams.engine.producer import TransactionalProducer
from streams.engine.resharding import Layout
from streams.engine.standing import OFFSETS_MARK, Stand, Standing
from tests.settled import load_rows, read_to_end, settle

TIMEOUT_S = 30.0
PARTITIONS = 2
ATTEMPTS = 2
READ_TIMES = 200
TABLE = "stock"


class KafkaSuite:
    """The tests; a subclass gives the fixtures `clients` and `client_config`, and shortens logs."""

    def delete_before(self, topic: str, number: int, offset: int) -> None:
        """Delete a partition's records before an offset."""
        raise NotImplementedError

    def delete_group(self, name: str) -> None:
        """Delete a group's offsets."""
        raise NotImplementedError

    def follow(self, group: str, place: TopicPartition) -> None:
        """Commit an offset of a group without members, as it stands there with its mark."""
        raise NotImplementedError

    def delete_topic(self, name: str) -> None:
        """Delete a topic, and return when it is gone."""
        raise NotImplementedError

    @pytest.fixture
    def attempts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let a decision be given up sooner: each try leaves a producer that was fenced in its transaction.

        Of eleven of those librdkafka has ended the whole process once in a while, by a fault in a thread of its own.
        """
        monkeypatch.setattr(deciding, "ATTEMPTS", ATTEMPTS)

    @pytest.fixture
    def client_config(self) -> dict[str, str]:
        """Give librdkafka's settings."""
        return {}

    @pytest.fixture
    def options(self, clients: Clients, client_config: dict[str, str]) -> EngineOptions:
        """Give the wiring of an application whose topics are made."""
        name = f"agree-{uuid4().hex[:12]}"
        options = EngineOptions(
            app_id=name,
            source_topics=(f"{name}-orders",),
            read_first=f"{name}-orders",
            tables=(TABLE,),
            partitions=PARTITIONS,
            client_config=client_config,
            clients=clients,
            transaction_timeout_s=10.0,
        )
        make_topics(options, options.source_topics[0], f"{name}-receipts")
        Cluster(options).make_changelogs(replication_factor=1)
        return options

    def test_what_is_committed_is_seen_whole(self, options: EngineOptions) -> None:
        """Rows, positions and seals come together."""
        producer = started(options)
        commit(options, producer, row=b"1", at=7)
        producer.close()

        loaded = load_rows(options, [0])[0]
        assert loaded.rows == {TABLE: {b"key": b"1"}}
        assert loaded.standing is not None
        assert loaded.standing.positions == {options.source_topics[0]: 7}
        assert loaded.seals == {TABLE: 1}

    def test_a_mark_is_read_each_time(self, options: EngineOptions) -> None:
        """Whatever lies behind it in the client's memory (one in six was misread, or could not be read at all)."""
        topic = options.source_topics[0]
        self.follow(options.app_id, TopicPartition(topic, 0, 7, OFFSETS_MARK))

        cluster = Cluster(options)
        assert all(cluster.committed([0]) == ({0: {topic: 7}}, {0}) for _ in range(READ_TIMES))

    def test_the_last_row_of_a_key_is_loaded(self, options: EngineOptions) -> None:
        """And a deleted one is not."""
        producer = started(options)
        commit(options, producer, row=b"1", at=1)
        commit(options, producer, row=b"2", at=2, more={b"gone": b"1"})
        commit(options, producer, row=b"3", at=3, more={b"gone": None})
        producer.close()

        assert load_rows(options, [0])[0].rows == {TABLE: {b"key": b"3"}}

    def test_rows_that_are_still_to_be_published(self, options: EngineOptions) -> None:
        """Those behind the last epoch that left nothing out, if the last standing says that there are any."""
        receipts = f"{options.source_topics[0].removesuffix('-orders')}-receipts"
        producer = started(options)
        commit(options, producer, row=b"1", at=1, more={b"owed": b"1"}, owes=True)
        assert set(load_rows(options, [0])[0].owed) == {b"key", b"owed"}
        commit(options, producer, row=b"2", at=2, latest={receipts: {b"key": b"2"}})
        assert load_rows(options, [0])[0].owed == []
        commit(options, producer, row=b"3", at=3, owes=True)
        commit(options, producer, row=b"4", at=4, more={b"late": b"1", b"gone": b"1"}, owes=True)
        commit(options, producer, row=b"5", at=5, more={b"gone": None}, owes=True)
        producer.close()

        loaded = load_rows(options, [0])[0]
        assert (loaded.owed, loaded.rows[TABLE]) == ([b"late", b"key"], {b"key": b"5", b"owed": b"1", b"late": b"1"})

    def test_rows_are_laid_out_anew(self, options: EngineOptions) -> None:
        """What goes is gone and there, what is owed is published, in one transaction; once, and the owner is out."""
        receipts = f"{options.source_topics[0].removesuffix('-orders')}-receipts"
        publishing = replace(options, publish=lambda rows: {receipts: dict.fromkeys(rows, b"told")})
        owner = started(options)
        commit(options, owner, row=b"1", at=0, more={b"goes": b"2"}, owes=True)

        def spread(rows: Rows, number: int, *, former: int, partitions: int) -> dict[int, Rows]:
            assert (number, former, partitions) == (0, 1, PARTITIONS)
            kept = dict(rows[TABLE])
            return {1: {TABLE: {b"goes": kept.pop(b"goes")}}, 0: {TABLE: kept}}

        layout = Layout(publishing, former=1, spread=spread)
        assert [layout.is_done(each) for each in layout.standings().values()] == [False]
        after = layout.move(0)
        loaded = load_rows(options, [0, 1])
        assert [loaded[number].rows[TABLE] for number in (0, 1)] == [{b"key": b"1"}, {b"goes": b"2"}]
        assert [each.standing and each.standing.partitions for each in loaded.values()] == [PARTITIONS, PARTITIONS]
        assert [each.seals for each in loaded.values()] == [{TABLE: 2}, {TABLE: 1}]
        told = [message.value() for _, message in read_to_end(options, [(receipts, 0), (receipts, 1)])]
        assert told == [b"told", b"told"]

        assert (layout.move(0), load_rows(options, [0])[0].end) == (after, loaded[0].end)
        with pytest.raises(Fenced):
            commit(options, owner, row=b"3", at=0)
        owner.close()

    def test_partitions_are_apart(self, options: EngineOptions) -> None:
        """A changelog's partition is that of its source."""
        producer = started(options, number=1)
        commit(options, producer, row=b"1", at=1)
        producer.close()

        assert [load_rows(options, [number])[number].rows[TABLE] for number in (0, 1)] == [{}, {b"key": b"1"}]

    def test_who_is_fenced_commits_nothing(self, options: EngineOptions) -> None:
        """The next producer of the id fences the one before, whatever that one has under way."""
        zombie = started(options)
        commit(options, zombie, row=b"1", at=1)
        owner = started(options)
        with pytest.raises(Fenced):
            commit(options, zombie, row=b"2", at=2)
        zombie.close()
        commit(options, owner, row=b"3", at=3)
        owner.close()

        assert load_rows(options, [0])[0].rows == {TABLE: {b"key": b"3"}}

    @pytest.mark.usefixtures("attempts")
    @pytest.mark.parametrize("times", [1, ATTEMPTS])
    def test_a_decision_outlives_an_owner_who_comes_back(self, options: EngineOptions, times: int) -> None:
        """A worker that takes the partition over meanwhile is fenced once more, what it did known; but not for ever."""
        owner = started(options)
        commit(options, owner, row=b"1", at=0)
        back: list[TransactionalProducer] = []

        class Announced:
            def prepare(self, number: int) -> None:
                assert not back, number

            def begin(self, number: int) -> Begun:
                del number
                if len(back) < times:
                    back.append(started(options))
                    commit(options, back[-1], row=b"2", at=0, more={b"came %d" % len(back): b"1"})
                return Begun({TABLE: {b"key": b"announced"}})

        decisions = rebuild(options, [0], begins=Announced())
        if times == ATTEMPTS:
            with pytest.raises(Fenced, match="stop the workers"):
                next(decisions)
            assert load_rows(options, [0])[0].rows[TABLE][b"key"] == b"2"
            return
        (state,) = decisions
        assert state.rows == {TABLE: 1}
        assert load_rows(options, [0])[0].rows == {TABLE: {b"key": b"announced"}}
        with pytest.raises(Fenced):
            commit(options, back[0], row=b"3", at=0)

    @pytest.mark.usefixtures("attempts")
    @pytest.mark.parametrize("times", [1, ATTEMPTS])
    def test_a_decision_outlives_offsets_that_are_never_set(self, options: EngineOptions, times: int) -> None:
        """The call may not return (issue 5456): then by another producer; nothing of the first is visible."""
        commit(options, started(options), row=b"1", at=0)
        stuck: list[object] = []
        real = options.clients.producer

        def producer(config: Mapping[str, Any]) -> Any:  # noqa: ANN401 - of either kind
            made = real(config)
            if len(stuck) == times:
                return made
            stuck.append(made)
            return Stuck(made)

        clients = SimpleNamespace(producer=producer, consumer=options.clients.consumer, admin=options.clients.admin)
        patient = replace(options, clients=clients)
        decisions = accept(patient, [0])
        if times == ATTEMPTS:
            with pytest.raises(Interrupted, match="see that the brokers are well"):
                next(decisions)
            return
        (state,) = decisions
        assert state.standing is not None
        assert state.rows == {TABLE: 1}
        assert load_rows(options, [0])[0].rows == {TABLE: {b"key": b"1"}}
        committed, _ = Cluster(options).committed([0])
        assert committed[0] == state.standing.positions

    def test_a_transaction_left_open_is_ended_by_the_next_owner(self, options: EngineOptions) -> None:
        """Nothing of it is visible, and reading does not wait for it any more."""
        dead = raw_producer(options)
        dead.begin_transaction()
        dead.produce(options.changelog(TABLE), b"lost", b"key", 0)
        dead.flush(TIMEOUT_S)
        owner = started(options)

        assert load_rows(options, [0])[0].rows == {TABLE: {}}
        commit(options, owner, row=b"1", at=1)
        owner.close()
        assert load_rows(options, [0])[0].rows == {TABLE: {b"key": b"1"}}

    def test_an_open_transaction_holds_back_what_comes_after_it(self, options: EngineOptions) -> None:
        """Readers of committed records stop before it, and take its end for the end of the log."""
        topic = options.source_topics[0]
        other = raw_producer(options, transactional_id="somebody")
        other.begin_transaction()
        other.produce(topic, b"open", b"key", 0)
        other.flush(TIMEOUT_S)
        plain = options.clients.producer(options.client_config)
        plain.produce(topic, b"after", b"key", 0)
        plain.flush(TIMEOUT_S)

        assert values(options, topic) == []
        other.abort_transaction(TIMEOUT_S)
        assert values(options, topic) == [b"after"]

    def test_markers_take_offsets(self, options: EngineOptions) -> None:
        """The end of a log is behind the marker of its last transaction."""
        producer = started(options)
        commit(options, producer, row=b"1", at=1)
        producer.close()

        settle(options, [(options.changelog(TABLE), 0)])
        log = Cluster(options).logs([(options.changelog(TABLE), 0)])[options.changelog(TABLE), 0]
        ends: dict[tuple[str, int], int] = {}
        for _ in read_to_end(options, [(options.changelog(TABLE), 0)], ends=ends):
            pass
        assert (log.first, log.end) == (0, 4)  # row, seal, standing, marker
        assert ends == {(options.changelog(TABLE), 0): 4}

    def test_records_go_where_their_key_belongs(self, options: EngineOptions) -> None:
        """By murmur2, in each client."""
        keys = [b"%d" % number for number in range(10)]
        producer = options.clients.producer({**options.client_config, "partitioner": "murmur2_random"})
        for key in keys:
            producer.produce(options.source_topics[0], key, key)
        producer.flush(TIMEOUT_S)

        places = [(options.source_topics[0], number) for number in range(PARTITIONS)]
        found = {message.value(): place[1] for place, message in read_to_end(options, places)}
        assert found == {key: partition_of(key, PARTITIONS) for key in keys}

    def test_a_produce_outside_a_transaction_is_refused(self, options: EngineOptions) -> None:
        """Also after it was aborted: what is left of an epoch is not sent as another one."""
        producer = raw_producer(options)
        with pytest.raises(KafkaException):
            producer.produce(options.changelog(TABLE), b"1", b"key", 0)
        producer.begin_transaction()
        producer.abort_transaction(TIMEOUT_S)
        with pytest.raises(KafkaException):
            producer.produce(options.changelog(TABLE), b"2", b"key", 0)

        assert load_rows(options, [0])[0].rows == {TABLE: {}}

    def test_a_commit_after_an_abort_is_refused(self, options: EngineOptions) -> None:
        """As when a client is closed by one thread and commits in another."""
        producer = raw_producer(options)
        producer.begin_transaction()
        producer.produce(options.changelog(TABLE), b"1", b"key", 0)
        producer.abort_transaction(TIMEOUT_S)
        with pytest.raises(KafkaException):
            producer.commit_transaction(TIMEOUT_S)

        assert load_rows(options, [0])[0].rows == {TABLE: {}}

    def test_records_that_were_deleted_are_gone(self, options: EngineOptions) -> None:
        """The log's first offset says so, its end stays."""
        topic = options.source_topics[0]
        plain = options.clients.producer(options.client_config)
        for value in (b"1", b"2", b"3"):
            plain.produce(topic, value, b"key", 0)
        plain.flush(TIMEOUT_S)
        self.delete_before(topic, 0, 2)

        log = Cluster(options).logs([(topic, 0)])[topic, 0]
        assert (log.first, log.end) == (2, 3)
        assert values(options, topic) == [b"3"]

    def test_a_topic_made_anew_is_another(self, options: EngineOptions) -> None:
        """Its offsets begin again, and its identity is not the one before."""
        topic = options.source_topics[0]
        cluster = Cluster(options)
        before = cluster.logs([(topic, 0)])[topic, 0]
        self.delete_topic(topic)
        make_topics(options, topic)

        after = Cluster(options).logs([(topic, 0)])[topic, 0]
        assert (after.first, after.end) == (0, 0)
        assert after.topic_id not in {"", before.topic_id}

    def test_offsets_of_a_group_that_was_deleted(self, options: EngineOptions) -> None:
        """There are none, and rows are what they were."""
        producer = started(options)
        commit(options, producer, row=b"1", at=7)
        producer.close()
        self.follow(options.app_id, TopicPartition(options.source_topics[0], 0, 7, OFFSETS_MARK))
        self.delete_group(options.app_id)

        assert Cluster(options).committed([0]) == ({0: {}}, set())
        assert load_rows(options, [0])[0].rows == {TABLE: {b"key": b"1"}}

    def test_a_changelog_that_deletes_is_refused(self, options: EngineOptions) -> None:
        """Its clean-up policy is asked for."""
        name = options.changelog(TABLE)
        self.delete_topic(name)
        admin = options.clients.admin(options.client_config)
        new = NewTopic(name, num_partitions=PARTITIONS, replication_factor=1, config={"cleanup.policy": "delete"})
        admin.create_topics([new])[name].result(TIMEOUT_S)

        resource = ConfigResource(ResourceType.TOPIC, name)
        assert admin.describe_configs([resource])[resource].result(TIMEOUT_S)["cleanup.policy"].value == "delete"
        with pytest.raises(BadTopic):
            Cluster(options).check_changelogs()

    def test_what_is_not_there(self, options: EngineOptions) -> None:
        """A topic that nobody made has no identity."""
        admin = options.clients.admin(options.client_config)
        name = f"{options.app_id}-never"
        with pytest.raises(KafkaException):
            admin.describe_topics(TopicCollection([name]))[name].result(TIMEOUT_S)
        place = TopicPartition(options.source_topics[0], 0)
        latest: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # it has none
        assert admin.list_offsets({place: latest})[place].result(TIMEOUT_S).offset == 0


def make_topics(options: EngineOptions, *names: str) -> None:
    """Make topics."""
    admin = options.clients.admin(options.client_config)
    new = [NewTopic(name, num_partitions=PARTITIONS, replication_factor=1, config={}) for name in names]
    for answer in admin.create_topics(new).values():
        answer.result(TIMEOUT_S)


def started(options: EngineOptions, number: int = 0) -> TransactionalProducer:
    """Return a partition's producer, who fences the one before."""
    producer = TransactionalProducer(options, number)
    producer.start()
    return producer


class Stuck:
    """A producer that sets no offsets: it stands in that call until it is given up."""

    def __init__(self, real: object) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the real one's
        return getattr(self._real, name)

    def send_offsets_to_transaction(self, *_: object) -> None:
        """Be given up."""
        raise NotReturned("send_offsets_to_transaction: librdkafka has not returned for 20 s")

    def close(self) -> None:
        """Do not: a call stands in it."""


def raw_producer(options: EngineOptions, transactional_id: str | None = None) -> Any:  # noqa: ANN401 - of either kind
    """Return partition 0's producer, or somebody's, without the engine's wrapping."""
    producer = options.clients.producer(
        {**options.client_config, "transactional.id": transactional_id or options.transactional_id(0)}
    )
    producer.init_transactions(TIMEOUT_S)
    return producer


def commit(
    options: EngineOptions,
    producer: TransactionalProducer,
    *,
    row: bytes,
    at: int,
    more: dict[bytes, bytes | None] | None = None,
    latest: dict[str, dict[bytes, bytes]] | None = None,
    owes: bool = False,
) -> None:
    """Commit an epoch: one row or more, what it publishes, and the position after it."""
    epoch = Epoch()
    epoch.rows = {TABLE: {b"key": row, **(more or {})}}
    epoch.latest = latest or {}
    stands = {topic: Stand(at) for topic in options.source_topics}
    epoch.standing = Standing(1, stands, {TABLE: 1}, owes=owes)
    producer.commit(epoch)


def values(options: EngineOptions, topic: str) -> list[bytes | None]:
    """Return the committed values of a topic's partition 0."""
    return [cast("Any", message.value()) for _, message in read_to_end(options, [(topic, 0)])]
