"""Which Kafka and which Postgres, and their life from start to end: the one entrance to this package."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeVar

import psutil

from local.parts.databases import DATABASE, create_database, drop_database
from local.parts.errors import PartsError
from local.parts.external import ExternalKafka, ExternalPostgres
from local.parts.running import Running, cache_dir, clean_up
from process.settings import Settings, load_settings

if TYPE_CHECKING:
    from local.parts.kafka import LocalKafka

OneBroker = TypeVar("OneBroker", bound="LocalKafka")

MEMORY: Final = Path("/dev/shm")  # noqa: S108  a directory of an unguessable name is made in it
MEMORY_FREE_MIN: Final = 8 * 1024**3
"""Bytes; a group of tests needs a small part of it. A container has 64 MiB there unless told otherwise."""

Kind = Literal["auto", "local", "docker", "external"]


class Part(Protocol):
    """A server that tests may kill and start again, at the same address and with the same data."""

    @property
    def kind(self) -> str:
        """What it is, in words."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def prepare(self) -> None:
        """Make what it needs before its first start."""

    def begin(self) -> None:
        """Start it without waiting."""

    def start(self) -> None:
        """Start it and wait until clients can use it."""

    def wait_ready(self) -> None:
        """Wait until clients can use it."""

    def stop(self) -> None:
        """Stop it in order."""

    def kill(self) -> None:
        """Kill it, as a crash would."""

    def close(self) -> None:
        """Stop it for good."""


class Kafka(Part, Protocol):
    """A Kafka."""

    @property
    def bootstrap_servers(self) -> str:
        """Its addresses."""


class Postgres(Part, Protocol):
    """A Postgres server."""

    @property
    def maintenance_url(self) -> str:
        """The address of the database from which others are created."""


class Parts:
    """A Kafka and a Postgres that run.

    `data_dir` is where local ones keep data and logs; `running` notes further processes for the next start's clean-up.
    """

    def __init__(
        self, kafka: Kafka, postgres: Postgres, *, database_url: str, data_dir: Path, running: Running
    ) -> None:
        self.kafka = kafka
        self.postgres = postgres
        self.database_url = database_url
        self.data_dir = data_dir
        self.running = running

    @property
    def bootstrap_servers(self) -> str:
        """Kafka's addresses."""
        return self.kafka.bootstrap_servers

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database unless there is one of this name, and return its address."""
        return create_database(self.postgres.maintenance_url, name, template)

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        drop_database(self.postgres.maintenance_url, name)

    def environment(self) -> dict[str, str]:
        """Return the settings by which a component finds these parts."""
        found = {"REFERRALS_BOOTSTRAP_SERVERS": self.bootstrap_servers, "REFERRALS_DATABASE_URL": self.database_url}
        if not isinstance(self.kafka, ExternalKafka):  # ours speak plaintext, on the loopback address alone
            found["REFERRALS_SECURITY_PROTOCOL"] = "PLAINTEXT"
        return found


@contextmanager
def start(
    kind: Kind = "auto",
    *,
    data_dir: Path | None,
    durable: bool,
    in_memory: bool = False,
    settings: Settings | None = None,
    as_shipped: bool = False,
    replicated: bool = False,
    announce: Callable[[str], None],
) -> Iterator[Parts]:
    """Start Kafka and Postgres, give them to the body of the `with`, and stop what was started after it.

    `auto` takes the addresses of `settings` (default: the environment's) where they were given, and starts local
    servers for the rest. `data_dir` keeps the data; with None it goes into a temporary directory, removed at the end.
    `in_memory` lets that directory be in memory, where there is plenty, for a run that does not grow.
    `durable=False` spares every sync to disk, for data that is thrown away. `as_shipped` starts a local Kafka as others
    run it, not tuned for quick starts on a small machine; `replicated`, three brokers instead of one. `announce` is
    told in lines of text what runs and why, and what takes time. What a killed owner left behind is stopped and removed
    first.

    Raises PartsError.
    """
    settings = settings or load_settings()
    with ExitStack() as cleanup:
        if left := clean_up():
            announce(f"stopped what {left} killed run{'s' if left > 1 else ''} had left behind")
        if data_dir is None:
            directory = Path(tempfile.mkdtemp(prefix="referrals-", dir=_memory() if in_memory else None))
        else:
            directory = data_dir.resolve()
        running = Running(temporary_dir=directory if data_dir is None else None)
        cleanup.callback(running.close)
        if data_dir is None:
            cleanup.callback(shutil.rmtree, directory, ignore_errors=True)
        else:
            _lock(directory, cleanup)

        def local_kafka() -> Kafka:
            from local.parts.aot import cache_for  # noqa: PLC0415  each choice imports what it needs
            from local.parts.jars import fetch  # noqa: PLC0415  the same
            from local.parts.kafka import LocalKafka  # noqa: PLC0415  the same

            jars = fetch(cache_dir() / "jars", url=settings.maven_url, announce=announce)
            aot_cache = None if as_shipped else cache_for(jars, cache_dir() / "aot", running=running, announce=announce)

            def broker(kind: type[OneBroker], name: str) -> OneBroker:
                return kind(
                    directory / name,
                    jars,
                    durable=durable,
                    running=running,
                    aot_cache=aot_cache,
                    as_shipped=as_shipped,
                )

            if not replicated:
                return broker(LocalKafka, "kafka")
            from local.parts.brokers import BROKERS, Broker, ReplicatedKafka  # noqa: PLC0415  the same

            return ReplicatedKafka([broker(Broker, f"kafka-{number}") for number in range(1, BROKERS + 1)])

        def local_postgres() -> Postgres:
            from local.parts.postgres import LocalPostgres  # noqa: PLC0415  the same

            return LocalPostgres(directory / "postgres", durable=durable, running=running)

        kafka, kafka_reason = _choose_kafka(kind, settings, local_kafka)
        postgres, postgres_reason = _choose_postgres(kind, settings, local_postgres)
        announce(f"parts: Kafka: {kafka.kind} ({kafka_reason}); Postgres: {postgres.kind} ({postgres_reason})")

        cleanup.callback(kafka.close)
        cleanup.callback(postgres.close)
        kafka.prepare()
        postgres.prepare()
        postgres.begin()
        kafka.begin()
        postgres.wait_ready()
        is_external = isinstance(postgres, ExternalPostgres)
        database_url = settings.database_url if is_external else create_database(postgres.maintenance_url, DATABASE)
        kafka.wait_ready()
        yield Parts(kafka, postgres, database_url=database_url, data_dir=directory, running=running)


def _memory() -> Path | None:
    """Return where files are in memory, if there is plenty of it."""
    try:
        free = min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available)
    except OSError:  # there is none but on Linux
        return None
    return MEMORY if free > MEMORY_FREE_MIN and os.access(MEMORY, os.W_OK) else None


def _choose_kafka(kind: Kind, settings: Settings, local: Callable[[], Kafka]) -> tuple[Kafka, str]:
    if _is_external(kind, settings, "bootstrap_servers"):
        return ExternalKafka(settings.bootstrap_servers, "REFERRALS_BOOTSTRAP_SERVERS"), "REFERRALS_BOOTSTRAP_SERVERS"
    if kind == "docker":
        from local.parts.docker import DockerKafka, require_engine  # noqa: PLC0415  only who asks for Docker needs it

        require_engine()
        return DockerKafka(), "asked for"
    return local(), _local_reason(kind, "REFERRALS_BOOTSTRAP_SERVERS")


def _choose_postgres(kind: Kind, settings: Settings, local: Callable[[], Postgres]) -> tuple[Postgres, str]:
    if _is_external(kind, settings, "database_url"):
        return ExternalPostgres(settings.database_url, "REFERRALS_DATABASE_URL"), "REFERRALS_DATABASE_URL"
    if kind == "docker":
        from local.parts.docker import DockerPostgres, require_engine  # noqa: PLC0415  only who asks for Docker needs it

        require_engine()
        return DockerPostgres(), "asked for"
    return local(), _local_reason(kind, "REFERRALS_DATABASE_URL")


def _is_external(kind: Kind, settings: Settings, field: str) -> bool:
    if kind == "external" and not settings.is_given(field):
        message = f"--parts=external needs REFERRALS_{field.upper()}, which is not set"
        raise PartsError(message)
    return kind == "external" or (kind == "auto" and settings.is_given(field))


def _local_reason(kind: Kind, variable: str) -> str:
    return "asked for" if kind == "local" else f"local, {variable} is not set"


def _lock(directory: Path, cleanup: ExitStack) -> None:
    """Let one owner use a data directory at a time."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = cleanup.enter_context((directory / "lock").open("a"))
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        message = f"{directory} is in use by another run: stop that, or choose another directory with --data-dir"
        raise PartsError(message) from None
    except OSError as error:
        message = f"{directory} cannot be used for data ({error.strerror}): choose another one with --data-dir"
        raise PartsError(message) from None
