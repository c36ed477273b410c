"""Real Kafka and Postgres from wheels and jars: start, stop, crashes, two at once, an ordinary user."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from local.parts import Parts, PartsError, jars, running, start
from local.parts.kafka import MESSAGE_BYTES_MAX
from local.parts.ports import free_ports
from process.settings import Settings, load_settings

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534


def quiet(line: str) -> None:
    """Say nothing."""


def wait_until(holds: Callable[[], bool], timeout_s: float = 30) -> None:
    """Wait for something that other processes do."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def write_both(at: Parts) -> None:
    """Leave a topic with one record and a table with one row."""
    admin = AdminClient({"bootstrap.servers": at.bootstrap_servers})
    admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(30)
    producer = Producer({"bootstrap.servers": at.bootstrap_servers, "message.max.bytes": MESSAGE_BYTES_MAX})
    producer.produce("kept", b"x" * 1_000_000)
    assert producer.flush(30) == 0
    with psycopg.connect(at.database_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1")


def assert_both(at: Parts) -> None:
    """Find what `write_both` left."""
    consumer = Consumer({"bootstrap.servers": at.bootstrap_servers, "group.id": "x", "auto.offset.reset": "earliest"})
    consumer.subscribe(["kept"])
    try:
        message = consumer.poll(30)
        assert message is not None
        assert message.error() is None
    finally:
        consumer.close()
    with psycopg.connect(at.database_url) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1,)


@contextmanager
def started_elsewhere(
    data_dir: Path, *, python: str = sys.executable, env: dict[str, str] | None = None, uid: int | None = None
) -> Iterator[Owner]:
    """Run `referrals parts` as a user does, until it has printed its addresses."""
    with subprocess.Popen(
        [python, "-P", "-m", "commands", "parts", "--json", "--parts=local", "--data-dir", str(data_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
        user=uid,
        cwd="/",
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            line = process.stdout.readline()
            assert line, process.stderr.read()
            yield Owner(process, json.loads(line))
        finally:
            process.kill()


class Owner:
    """A process that runs parts, and what it started."""

    def __init__(self, process: subprocess.Popen[str], addresses: dict[str, str]) -> None:
        self.process = process
        self.addresses = addresses
        self.children = psutil.Process(process.pid).children(recursive=True)

    @property
    def ports(self) -> list[int]:
        """The ports of Kafka and Postgres."""
        urls = (f"kafka://{self.addresses['bootstrap_servers']}", self.addresses["database_url"])
        return [urlsplit(url).port or 0 for url in urls]

    def children_run(self) -> bool:
        """Tell whether anything it started still runs; what was killed but not reaped yet does not."""
        return any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in self.children)


def test_kafka_killed_or_stopped_keeps_address_and_data(parts: Parts, tmp_path: Path) -> None:
    """Both servers, killed and stopped and started again, answer at the same address with the same data."""
    with start_durable(tmp_path) as own:
        write_both(own)
        addresses = own.environment()
        for part in (own.kafka, own.postgres):
            before = part.pid
            part.kill()
            assert not psutil.pid_exists(before)
            part.start()
            assert part.pid != before
            part.stop()
            part.start()
        assert own.environment() == addresses
        assert_both(own)
        assert own.bootstrap_servers != parts.bootstrap_servers


def test_data_is_kept_in_a_data_dir(tmp_path: Path) -> None:
    """A second run on the same directory finds the first one's topics and tables."""
    with start_durable(tmp_path) as first:
        write_both(first)
    with start_durable(tmp_path) as second:
        assert_both(second)


@pytest.mark.long
def test_a_port_taken_meanwhile_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody listens on a server's port by the time it starts: it starts with another one.

    Where its clients know the port, because it has been there, it is said: the port, whose it is, and what to do.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for part, wanted in {"kafka": [*free_ports(1), port], "postgres": [port]}.items():
            offered = iter([wanted])
            monkeypatch.setattr(
                f"local.parts.{part}.free_ports",
                lambda count, offered=offered: next(offered, None) or free_ports(count),
            )
        with start("local", data_dir=None, durable=False, announce=quiet) as at:
            write_both(at)
            assert_both(at)
            for server, address in ((at.kafka, at.bootstrap_servers), (at.postgres, at.database_url.partition("@")[2])):
                known = int(address.partition("/")[0].rpartition(":")[2])
                assert known != port
                server.kill()
                with (
                    socket.create_server(("127.0.0.1", known)),
                    pytest.raises(PartsError, match=f"port {known} is taken"),
                ):
                    server.start()
                server.start()


def test_temporary_data_is_removed() -> None:
    """Without a directory nothing is left, neither data nor processes nor the record of them."""
    with start("local", data_dir=None, durable=False, announce=quiet) as own:
        directory, pids = own.data_dir, [own.kafka.pid, own.postgres.pid]
        assert (directory / "kafka").is_dir()
    assert not directory.exists()
    assert not any(psutil.pid_exists(pid) for pid in pids)
    records = (running.cache_dir() / "running").glob(f"{os.getpid()}-*.json")
    assert not any(str(directory) in record.read_text() for record in records)


def test_one_owner_for_a_directory(tmp_path: Path) -> None:
    """A second run on a directory in use is refused with a line that names it."""
    with started_elsewhere(tmp_path), pytest.raises(PartsError, match="in use by another run") as error:
        start_durable(tmp_path).__enter__()
    assert str(tmp_path) in str(error.value)


@pytest.mark.long
def test_two_at_once_do_not_collide(tmp_path: Path) -> None:
    """Two runs at the same time have addresses of their own."""
    with started_elsewhere(tmp_path / "one") as one, started_elsewhere(tmp_path / "two") as two:
        assert not set(one.ports) & set(two.ports)


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.long), signal.SIGTERM])
def test_a_signal_stops_everything_and_ends_well(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM stop both servers, and the exit code is 0."""
    with started_elsewhere(tmp_path) as owner:
        owner.process.send_signal(number)
        assert owner.process.wait(30) == 0
        assert not owner.children_run()


def test_a_killed_owner_leaves_nothing_running(tmp_path: Path) -> None:
    """After SIGKILL of the owner its servers end by themselves, and the next start has the data."""
    with started_elsewhere(tmp_path) as owner:
        owner.process.kill()
        owner.process.wait()
        wait_until(lambda: not owner.children_run())
    with start_durable(tmp_path) as own:
        assert own.data_dir == tmp_path


def test_the_next_start_cleans_up_after_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What outlives a killed owner (as it can where the kernel does not help) is stopped, its data removed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    left = tmp_path / "left"
    left.mkdir()
    code = (
        "import os, pathlib, subprocess, sys; from local.parts.running import Running\n"
        f"record = Running(temporary_dir=pathlib.Path({str(left)!r}))\n"
        "command = [sys.executable, '-S', '-c', 'import time; time.sleep(600)']\n"
        "child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "record.add(child.pid)\n"
        "print(child.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    output = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=ROOT).stdout
    child = psutil.Process(int(output))
    assert child.is_running()

    assert running.clean_up() == 1

    assert not psutil.pid_exists(child.pid) or child.status() == psutil.STATUS_ZOMBIE
    assert not left.exists()
    assert running.clean_up() == 0


def test_a_process_that_got_the_number_later_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record is of a process, not of its number."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"]) as process:
        own = running.Identity.of(process.pid)
        assert own.find() is not None
        assert own._replace(created_at=own.created_at - 60).find() is None
        process.kill()


def test_a_corrupt_jar_is_fetched_again(tmp_path: Path) -> None:
    """A jar that was cut short or changed is replaced by the right one; the others are left as they are."""
    store = tmp_path / "jars"
    shutil.copytree(running.cache_dir() / "jars", store)
    small = {"slf4j-simple", "jopt-simple", "jspecify"}
    three = [jar for jar in jars.listed() if jar.artifact in small]
    paths = jars.fetch(store, three, url=None, announce=quiet)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}
    cut, changed, whole = paths
    cut.write_bytes(before[cut][0][:1000])
    changed.write_bytes(b"x" + before[changed][0][1:])

    assert jars.fetch(store, three, url=None, announce=quiet) == paths

    assert [path.read_bytes() for path in paths] == [before[path][0] for path in paths]
    assert whole.stat().st_mtime_ns == before[whole][1]


def test_a_wrong_jar_is_refused(tmp_path: Path) -> None:
    """A jar whose hash is not the committed one is not used, and the error names it."""
    jar = next(jar for jar in jars.listed() if jar.artifact == "jspecify")._replace(sha256="0" * 64)
    with pytest.raises(PartsError, match=r"org\.jspecify:jspecify:1\.0\.0.*SHA-256"):
        jars.fetch(tmp_path, [jar], url=None, announce=quiet)


def test_given_addresses_come_first(parts: Parts) -> None:
    """`auto` takes the addresses that were given, says so, and neither stops nor starts what others run."""
    said: list[str] = []
    given = load_settings(bootstrap_servers=parts.bootstrap_servers, database_url=parts.database_url)
    with start_auto(given, said) as found:
        assert (found.bootstrap_servers, found.database_url) == (parts.bootstrap_servers, parts.database_url)
        with pytest.raises(PartsError, match="others run"):
            found.kafka.kill()
    assert "REFERRALS_BOOTSTRAP_SERVERS" in said[-1]


def test_external_without_address_is_refused() -> None:
    """`external` needs the addresses, and names the one that is missing."""
    with pytest.raises(PartsError, match="REFERRALS_BOOTSTRAP_SERVERS"):
        start("external", data_dir=None, durable=False, settings=load_settings(), announce=quiet).__enter__()


def test_docker_without_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker that was asked for and is not there is an error, not another choice made in silence."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(PartsError, match="no engine answers"):
        start("docker", data_dir=None, durable=False, announce=quiet).__enter__()


def test_servers_listen_on_loopback_alone(parts: Parts) -> None:
    """Nothing that was started can be reached from another machine, and Postgres wants its password."""
    for part in (parts.kafka, parts.postgres):
        listening = [c for c in psutil.Process(part.pid).net_connections() if c.status == psutil.CONN_LISTEN]
        assert listening
        assert all(socket.inet_pton(c.family, c.laddr.ip)[-4:] == b"\x7f\x00\x00\x01" for c in listening)
    address = parts.database_url.rpartition("@")[2]
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://referrals:wrong@{address}")


@pytest.mark.skipif(os.geteuid() != 0, reason="run as an ordinary user, every other test here shows it")
@pytest.mark.long
def test_an_ordinary_user_can_run_them(tmp_path: Path) -> None:
    """A user without any right, and with no home, runs both servers."""
    home = tmp_path / "home"
    home.mkdir()
    # pytest's own directories; how many there are depends on whether it runs side by side
    made = [each for each in tmp_path.parents if Path(tempfile.gettempdir()) in each.parents]
    for directory in (home, tmp_path, *made):
        directory.chmod(0o755)
    cache = home / "cache" / "referral-streams"
    shutil.copytree(running.cache_dir() / "jars", cache / "jars")  # spares a download of 44 MB
    for path in (home, *home.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    site_packages = str(Path(psycopg.__file__).parents[1])
    env = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "PYTHONPATH": f"{ROOT}:{site_packages}"}
    python = interpreter_for_everybody(env)
    with started_elsewhere(home / "data", python=python, env=env, uid=NOBODY) as owner:
        assert {child.uids().real for child in owner.children} == {NOBODY}
        owner.process.terminate()
        assert owner.process.wait(30) == 0
        assert not owner.children_run()


def interpreter_for_everybody(env: dict[str, str]) -> str:
    """Return a Python of our version that another user may run, which one in root's home is not."""
    name = f"python3.{sys.version_info[1]}"
    for python in (sys.executable, f"/usr/local/bin/{name}", f"/usr/bin/{name}"):
        with contextlib.suppress(OSError):
            command = [python, "-P", "-m", "commands", "parts", "--help"]
            if subprocess.run(command, check=False, capture_output=True, env=env, user=NOBODY, cwd="/").returncode == 0:
                return python
    pytest.skip("no Python of this version, or not this checkout, can be reached by another user")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root must become somebody else for Postgres")
def test_root_runs_postgres_as_somebody_else(tmp_path: Path) -> None:
    """Root's Postgres runs without root's rights: in a user namespace, and as nobody, on the data of the other."""
    for identity, user in (("namespace", 0), ("nobody", NOBODY)):
        code = (
            "import sys, pathlib, psutil\nfrom local import parts\nfrom local.parts import postgres\n"
            f"postgres._identity = lambda: {identity!r}\n"
            f"data_dir = pathlib.Path({str(tmp_path)!r})\n"
            "with parts.start('local', data_dir=data_dir, durable=True, announce=print) as own:\n"
            "    print('UID', psutil.Process(own.postgres.pid).uids().real)\n"
        )
        result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=ROOT)
        assert result.returncode == 0, result.stderr
        assert f"UID {user}\n" in result.stdout


def start_durable(directory: Path) -> AbstractContextManager[Parts]:
    """Start local parts whose data is kept."""
    return start("local", data_dir=directory, durable=True, announce=quiet)


def start_auto(settings: Settings, said: list[str]) -> AbstractContextManager[Parts]:
    """Start what the settings ask for."""
    return start("auto", data_dir=None, durable=False, settings=settings, announce=said.append)
