"""A secured cluster of three brokers of which one is killed under load: nothing lost, nothing counted twice.

Every component comes as its own user to Kafka, behind TLS with ACLs, and by its own login to Postgres.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
import pytest
from confluent_kafka.admin import AdminClient

from local.parts.brokers import BROKERS
from process import topics as topics_of_cluster
from tests.crew import Traffic, events, wait_until
from tests.least_rights import Users
from tests.own_postgres import own_postgres
from tests.secured_cluster import Cluster, secured_cluster

pytestmark = [pytest.mark.long, pytest.mark.chaos, pytest.mark.integration, pytest.mark.timeout(420)]

AWAY_S: Final = 15.0
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


def test_one_of_three_brokers_is_killed(cluster: Cluster, database_url: str, tmp_path: Path) -> None:
    """While it is away the work goes on; when it is back everything is in sync, and the oracle finds nothing wrong."""
    users = Users(cluster, database_url, tmp_path, replication_factor=BROKERS, partitions=6)
    users.run(None, "acls", "apply", "--principals", "User:{component}")
    users.run("topics", "topics", "create")
    standing = topics_of_cluster.describe(AdminClient({"bootstrap.servers": cluster.bootstrap_servers}), users.topics)
    assert {(each.replicas, each.config["min.insync.replicas"]) for each in standing.values()} == {(BROKERS, "2")}

    settings = users.settings("publish")
    with users.at_work("stream", "badges", "counts"):
        traffic = Traffic(events(None, settings, seed=11, mentors=300), settings, events_per_s=200)
        traffic.start()
        users.wait_for(COUNTED, (True,), "500")
        cluster.nodes[0].kill()
        time.sleep(AWAY_S)
        with psycopg.connect(database_url) as connection:
            ((before,),) = connection.execute(SUM).fetchall()
        users.wait_for(COUNTED, (True,), str(before + 500))  # without the broker that was killed
        cluster.nodes[0].start()
        wait_until(lambda: cluster.is_whole(users.topics), "the broker that is back did not catch up")
        traffic.end()
        users.run("verify", "verify", "--wait", "120", "--no-checkpoint")
