"""Three brokers, each a controller too, behind TLS and with ACLs as the single one of secured_kafka."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient

from local.parts.aot import cache_for
from local.parts.brokers import BROKERS, Broker, ReplicatedKafka
from local.parts.jars import fetch
from local.parts.running import Running, cache_dir
from tests.guarded_kafka import TIMEOUT_S
from tests.secured_kafka import SecuredKafka


class Node(Broker, SecuredKafka):
    """One of several."""


class Cluster(ReplicatedKafka):
    """All of them; a `SecuredBrokers`."""

    def __init__(self, directory: Path, jars: list[Path], **options: Any) -> None:  # noqa: ANN401 - LocalKafka's
        numbers = range(1, BROKERS + 1)
        self.nodes: Sequence[Node] = [Node(directory / str(number), jars, **options) for number in numbers]
        super().__init__(self.nodes)
        for node in self.nodes:
            node.authority = self.nodes[0].authority

    @property
    def folder(self) -> Path:
        """Where the certificates are."""
        return self.nodes[0].folder

    def at(self, listener: str) -> str:
        """Return the addresses of a listener."""
        return ",".join(node.at(listener) for node in self.nodes)

    def password_of(self, user: str) -> str:
        """Return what a user proves himself with."""
        return self.nodes[0].password_of(user)

    def let_in(self, *users: str) -> None:
        """Give users their passwords."""
        self.nodes[0].let_in(*users)

    def is_whole(self, topics: Sequence[str]) -> bool:
        """Tell whether every partition of these topics has all its replicas in sync."""
        found = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0}).list_topics(
            timeout=TIMEOUT_S
        )
        return all(
            len(partition.isrs) == BROKERS for name in topics for partition in found.topics[name].partitions.values()
        )


@contextmanager
def secured_cluster(directory: Path) -> Iterator[Cluster]:
    """Run one for the body."""
    running = Running(temporary_dir=None)
    jars = fetch(cache_dir() / "jars", url=None, announce=lambda _: None)
    aot_cache = cache_for(jars, cache_dir() / "aot", running=running, announce=lambda _: None)
    cluster = Cluster(directory, jars, durable=False, running=running, aot_cache=aot_cache)
    try:
        cluster.prepare()
        cluster.start()
        yield cluster
    finally:
        cluster.close()
        running.close()
