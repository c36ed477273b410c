"""What is measured: a process of its own, with its CPU time."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Self

from local.parts import Parts
from local.parts.process import launch, stop, tail
from process.settings import Settings, load_settings
from proof.bench.cluster import Position, Watch
from proof.bench.machine import cpu_s

ENGINE: Final = ("-P", "-m", "commands", "stream")
BADGES: Final = ("-P", "-m", "commands", "badges")
COUNTS: Final = ("-P", "-m", "commands", "counts")
# The log level that Faust's documentation uses: at `warn` a worker logs for its spinner at DEBUG, and loses 9 %.
PLAIN_FAUST: Final = ("-P", "-m", "faust", "-A", "proof.bench.plain_faust", "worker", "-l", "info")

PARTITIONS: Final = 12
STOP_GRACE_S: Final = 30.0
COMMITTED_POLL_S: Final = 0.2
COMMITTED_TIMEOUT_S: Final = 900.0


class WorkerEnded(Exception):  # noqa: N818  read as what happened
    """The process under measurement has ended by itself; the message shows the end of its log."""


def settings_for(
    parts: Parts, *, installation: str, app: str, partitions: int = PARTITIONS, replicas: int = 1
) -> Settings:
    """Return the settings of an app over an installation's topics."""
    return load_settings(
        bootstrap_servers=parts.bootstrap_servers,
        database_url=parts.database_url,
        topic_prefix=f"{installation}.",
        app_id=f"{installation}-{app}",
        partitions=partitions,
        replication_factor=replicas,
    )


class Worker:
    """A process, Python unless said otherwise. A context manager: it is stopped by SIGTERM at the end."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        settings: Settings,
        parts: Parts,
        environment: Mapping[str, str] | None = None,
        program: str = sys.executable,
        name: str = "",
    ) -> None:
        """Start it; `environment` is what it is given beside what every component needs.

        A `program` other than Python needs a `name` for its log.
        """
        env = {
            **os.environ,
            **(environment or {}),
            **parts.environment(),
            "REFERRALS_TOPIC_PREFIX": settings.topic_prefix,
            "REFERRALS_APP_ID": settings.app_id,
            "REFERRALS_PARTITIONS": str(settings.partitions),
            "REFERRALS_REPLICATION_FACTOR": str(settings.replication_factor),
            "FAUST_DATADIR": str(parts.data_dir / "faust"),  # else a directory for each app id in the current one
        }
        self._log = parts.data_dir / f"{settings.app_id}-{name or f'{arguments[2]}-{arguments[-1]}'}.log"
        self._process = launch([program, *arguments], log=self._log, env=env)
        parts.running.add(self._process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def stop(self) -> None:
        """Stop the process; nothing happens to one that has ended."""
        stop(self._process, with_signal=signal.SIGTERM, grace_s=STOP_GRACE_S)

    def check_alive(self) -> None:
        """Raise WorkerEnded if it has ended."""
        if self._process.poll() is not None:
            raise WorkerEnded(f"exit code {self._process.returncode}; the end of {self._log}:\n{tail(self._log)}")

    def cpu_s(self) -> float:
        """Return the CPU time used so far, user and system, of all its threads."""
        self.check_alive()
        return cpu_s(self.pid)


class Crew:
    """Workers of one app, as one. A context manager like each of them."""

    def __init__(self, workers: Iterable[Worker]) -> None:
        """Take workers that are started."""
        self._workers = list(workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.stop()

    @property
    def pids(self) -> list[int]:
        """The process ids."""
        return [worker.pid for worker in self._workers]

    def check_alive(self) -> None:
        """Raise WorkerEnded if one has ended."""
        for worker in self._workers:
            worker.check_alive()

    def cpu_s(self) -> float:
        """Return the CPU time that all have used so far."""
        return sum(worker.cpu_s() for worker in self._workers)


def wait_committed(watch: Watch, worker: Worker | Crew, ends: Mapping[Position, int]) -> None:
    """Wait until the group has committed up to these ends."""
    topics = list({topic for topic, _ in ends})
    deadline_s = time.monotonic() + COMMITTED_TIMEOUT_S
    while watch.committed(topics) != ends:
        worker.check_alive()
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"{topics} were not processed within {COMMITTED_TIMEOUT_S:.0f} s")
        time.sleep(COMMITTED_POLL_S)
