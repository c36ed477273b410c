"""Kafka and Postgres in containers, by testcontainers, where Docker is asked for."""

from __future__ import annotations

import secrets
from typing import Any

from local.parts.databases import USER
from local.parts.errors import PartsError
from local.parts.jars import KAFKA_VERSION
from local.parts.kafka import MESSAGE_BYTES_MAX, wait_for_broker
from local.parts.ports import LOOPBACK, free_ports
from local.parts.postgres import wait_for_server

KAFKA_IMAGE = f"apache/kafka:{KAFKA_VERSION}"
POSTGRES_IMAGE = "postgres:18"

_PING_TIMEOUT_S = 3
_STOP_GRACE_S = 20

_KAFKA_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": "1@localhost:9093",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "message.max.bytes": str(MESSAGE_BYTES_MAX),
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.partition.verification.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
}


def require_engine() -> None:
    """Raise PartsError where no Docker engine answers."""
    import docker  # noqa: PLC0415  only who asks for Docker needs it

    try:
        docker.DockerClient.from_env(timeout=_PING_TIMEOUT_S).ping()
    except docker.errors.DockerException as error:
        message = (
            f"Docker was asked for, but no engine answers ({error}). Start it, or leave the choice to --parts=auto."
        )
        raise PartsError(message) from None


class _Container:
    """A container with one port, on the loopback address, that stays the same over a restart."""

    def __init__(self, image: str, port: int) -> None:
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415  only who asks for Docker needs it

        self.kind = f"{image} in Docker"
        (self._port,) = free_ports(1)
        self._container: Any = DockerContainer(image)
        ports: Any = {f"{port}/tcp": (LOOPBACK, self._port)}
        self._container.ports = ports  # its methods bind to every address
        self._is_created = False

    @property
    def pid(self) -> int:
        """The process id in the engine's view."""
        engine = self._container.get_wrapped_container()
        engine.reload()
        return int(engine.attrs["State"]["Pid"])

    def prepare(self) -> None:
        """Nothing is to be made; the image is pulled at the start."""

    def begin(self) -> None:
        """Start the container without waiting."""
        if self._is_created:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._is_created = True

    def stop(self) -> None:
        """Stop in order."""
        self._container.get_wrapped_container().stop(timeout=_STOP_GRACE_S)

    def kill(self) -> None:
        """Kill at once, as a crash would."""
        self._container.get_wrapped_container().kill()

    def close(self) -> None:
        """Remove the container."""
        if self._is_created:
            self._container.stop()


class DockerKafka(_Container):
    """Apache's own image; testcontainers' KafkaContainer fits Confluent's only."""

    def __init__(self) -> None:
        super().__init__(KAFKA_IMAGE, 9092)
        settings = _KAFKA_SETTINGS | {
            "listeners": "PLAINTEXT://0.0.0.0:9092,CONTROLLER://localhost:9093",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap_servers}",
        }
        for name, value in settings.items():
            self._container.with_env(f"KAFKA_{name.upper().replace('.', '_')}", value)

    @property
    def bootstrap_servers(self) -> str:
        """The broker's address on this machine."""
        return f"{LOOPBACK}:{self._port}"

    def start(self) -> None:
        """Start the broker and wait until clients can use it."""
        self.begin()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until the broker answers clients."""
        wait_for_broker(self.bootstrap_servers)


class DockerPostgres(_Container):
    """The official image."""

    def __init__(self) -> None:
        super().__init__(POSTGRES_IMAGE, 5432)
        self._password = secrets.token_urlsafe(24)
        self._container.with_env("POSTGRES_USER", USER)
        self._container.with_env("POSTGRES_PASSWORD", self._password)
        self._container.with_env("POSTGRES_DB", "postgres")

    @property
    def maintenance_url(self) -> str:
        """The address of the database from which others are created."""
        return f"postgresql://{USER}:{self._password}@{LOOPBACK}:{self._port}/postgres"

    def start(self) -> None:
        """Start the server and wait until clients can use it."""
        self.begin()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until the server takes connections."""
        wait_for_server(self.maintenance_url)
