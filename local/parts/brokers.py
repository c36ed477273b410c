"""Three brokers on this machine as one Kafka, each a controller too: any one of them may be away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from local.parts.kafka import LocalKafka, new_id

BROKERS: Final = 3


class Broker(LocalKafka):
    """One of them."""

    replicas = BROKERS
    session_ms = 5_000
    """One that a machine of two cores keeps, though three brokers start on it."""
    peers: Sequence[Broker]
    """All of them, itself among them."""
    common_id: str

    def join(self, number: int, peers: Sequence[Broker], cluster_id: str) -> None:
        """Take a place among the others; before `prepare`."""
        self.number, self.peers, self.common_id = number, peers, cluster_id
        self._was_ready = True  # its ports are known to the others, so they stay

    @property
    def voters(self) -> str:
        """The controllers of its cluster."""
        return ",".join(each.as_voter for each in self.peers)

    @property
    def cluster_id(self) -> str:
        """The id with which new storage is formatted."""
        return self.common_id


class ReplicatedKafka:
    """The brokers as one `Kafka`."""

    kind = f"{BROKERS} brokers of {LocalKafka.kind}"

    def __init__(self, brokers: Sequence[Broker]) -> None:
        """Make these brokers one cluster; before they are prepared."""
        self.brokers = brokers
        cluster_id = new_id()
        for number, broker in enumerate(brokers, 1):
            broker.join(number, brokers, cluster_id)

    @property
    def bootstrap_servers(self) -> str:
        """All addresses."""
        return ",".join(broker.bootstrap_servers for broker in self.brokers)

    @property
    def pid(self) -> int:
        """The process id of the first."""
        return self.brokers[0].pid

    @property
    def pids(self) -> list[int]:
        """The process ids."""
        return [broker.pid for broker in self.brokers]

    def prepare(self) -> None:
        """Write their configurations and begin to format."""
        for broker in self.brokers:
            broker.prepare()

    def begin(self) -> None:
        """Start all without waiting: a quorum needs more than one."""
        for broker in self.brokers:
            broker.begin()

    def start(self) -> None:
        """Start all and wait until clients can use them."""
        self.begin()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until clients can use each."""
        for broker in self.brokers:
            broker.wait_ready()

    def stop(self) -> None:
        """Stop all in order."""
        for broker in self.brokers:
            broker.stop()

    def kill(self) -> None:
        """Kill all, as a power cut would."""
        for broker in self.brokers:
            broker.kill()

    def close(self) -> None:
        """Stop all for good."""
        for broker in self.brokers:
            broker.close()
