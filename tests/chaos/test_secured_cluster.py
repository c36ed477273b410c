"""A secured cluster of three brokers of which one is killed under load: nothing lost, nothing counted twice.

Then the source topics get more partitions, as `state reshard` does it, and all of it goes on. Every component comes as
its own user to Kafka, behind TLS with ACLs, and by its own login to Postgres.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
import pytest
from confluent_kafka import Consumer, TopicCollection

from local.parts.brokers import BROKERS
from models.topics import CLICKS, CODES, PARTITION_CHANGES
from process import topics as topics_of_cluster
from process.administrator import Administrator
from sinks.kafka_logs import KafkaLogs
from streams.engine.clients import LibrdkafkaClients
from tests.crew import Traffic, events, wait_until
from tests.least_rights import Users
from tests.own_postgres import own_postgres
from tests.secured_cluster import Cluster, secured_cluster

pytestmark = [pytest.mark.long, pytest.mark.chaos, pytest.mark.integration, pytest.mark.timeout(600)]

AWAY_S: Final = 15.0
ASKING: Final = 8
"""Clients, each of which takes some broker for the controller: one of them will have taken the one that is killed."""
PARTITIONS: Final = 6
MORE: Final = 12
SUM: Final = "SELECT coalesce(sum(total_clicks + confirmed_attributions), 0)::bigint FROM mentor_counts"
COUNTED: Final = f"SELECT ({SUM}) > %s::bigint"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Give one."""
    with secured_cluster(tmp_path / "cluster") as cluster:
        yield cluster


@pytest.fixture
def database_url(tmp_path: Path) -> Iterator[str]:
    """Give a database of this test's own Postgres."""
    with own_postgres(tmp_path / "postgres") as url:
        yield url


class Asking:
    """Clients that are kept, as a sink has one, and a worker."""

    def __init__(self, users: Users[Cluster]) -> None:
        at_sink, at_worker = (users.settings(name).kafka_client_config() for name in ("counts", "stream"))
        self._topic = CODES.full_name(users.prefix)
        self._consumer = Consumer({**at_sink, "group.id": f"{users.prefix}counts"})
        self._logs = [KafkaLogs(at_sink) for _ in range(ASKING)]
        self._admins = [LibrdkafkaClients().admin(at_worker) for _ in range(ASKING)]

    def ask(self) -> None:
        """See that each is answered, in far less than the time of a client that waits for a broker that is away."""
        for logs in self._logs:
            assert logs.look(self._consumer, [(self._topic, 0)])
        for admin in self._admins:
            assert admin.describe_topics(TopicCollection([self._topic]), request_timeout=10)[self._topic].result(10)


def test_one_of_three_brokers_is_killed(cluster: Cluster, database_url: str, tmp_path: Path) -> None:
    """While it is away the work goes on; when it is back everything is in sync, and the oracle finds nothing wrong."""
    users = Users(cluster, database_url, tmp_path, replication_factor=BROKERS, partitions=PARTITIONS)
    users.run(None, "acls", "apply", "--principals", "User:{component}")
    users.run("topics", "topics", "create")
    standing = topics_of_cluster.describe(Administrator({"bootstrap.servers": cluster.bootstrap_servers}), users.topics)
    assert {(each.replicas, each.config["min.insync.replicas"]) for each in standing.values()} == {(BROKERS, "2")}

    settings = users.settings("publish")
    with users.at_work("stream", "badges", "counts"):
        traffic = Traffic(events(None, settings, seed=11, mentors=300), settings, events_per_s=200)
        traffic.start()
        users.wait_for(COUNTED, (True,), "500")
        asking = Asking(users)
        asking.ask()
        cluster.nodes[0].kill()
        time.sleep(AWAY_S)
        asking.ask()
        with psycopg.connect(database_url) as connection:
            ((before,),) = connection.execute(SUM).fetchall()
        users.wait_for(COUNTED, (True,), str(before + 500))  # without the broker that was killed
        cluster.nodes[0].start()
        wait_until(lambda: cluster.is_whole(users.topics), "the broker that is back did not catch up")
        traffic.end()
        users.run("verify", "verify", "--wait", "120", "--no-checkpoint")
    add_partitions(users, cluster)


def add_partitions(users: Users[Cluster], cluster: Cluster) -> None:
    """Let there be twice as many, each with all replicas; what was counted goes along, and the work goes on."""
    users.run(None, "state", "reshard", f"--partitions={MORE}", "--yes")
    users.change(partitions=MORE)
    grown = [CLICKS.full_name(users.prefix), *users.own.changelogs]
    looked_at = [*users.topics, PARTITION_CHANGES.full_name(users.prefix)]
    standing = topics_of_cluster.describe(Administrator({"bootstrap.servers": cluster.bootstrap_servers}), looked_at)
    assert {standing[name].partitions for name in grown} == {MORE}
    assert {each.replicas for each in standing.values()} == {BROKERS}
    assert cluster.is_whole(looked_at)
    settings = users.settings("publish")
    with users.at_work("stream", "badges", "counts"):
        traffic = Traffic(events(5_000, settings, seed=12, mentors=300), settings, events_per_s=None)
        traffic.start()
        traffic.finish()
        users.run("verify", "verify", "--wait", "120", "--no-checkpoint")
