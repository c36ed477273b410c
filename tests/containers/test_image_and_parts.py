"""The image: small, not root, read-only, and nothing in it that does not work there; and `--parts=docker`.

One file, because continuous integration runs it, and files run side by side: all its tests share an engine.
"""

from __future__ import annotations

import docker
import psycopg
import pytest
from confluent_kafka.admin import AdminClient
from docker.errors import ContainerError
from docker.models.images import Image

from commands.main import COMMANDS
from local import parts
from tests.containers.engine import ROOT
from tests.containers.stack import address_of, wait_until

BYTES_MAX = 200_000_000
FOLDERS = ["commands", "edges", "models", "operations", "process", "proof", "sinks", "streams"]
OF_CHECKOUTS = {"demo", "test", "up", "parts", "schemas", "bench"}


def run(engine: docker.DockerClient, image: Image, *command: str, entrypoint: list[str] | None = None) -> str:
    """Run a container to its end, as confined as compose does, and return what it prints."""
    return engine.containers.run(
        str(image.id),
        list(command),
        entrypoint=entrypoint,
        remove=True,
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        network_mode="none",
    ).decode()


def test_it_is_small(image: Image) -> None:
    """Less than 200 MB, with what it stands on."""
    layers = [(entry["Size"], entry["CreatedBy"]) for entry in image.history()]
    assert image.attrs["Size"] < BYTES_MAX, layers


def test_it_is_not_root(docker_engine: docker.DockerClient, image: Image) -> None:
    """Neither its user nor anything that would make one of it."""
    assert image.attrs["Config"]["User"] == "10001"
    told = run(
        docker_engine, image, "-c", "id -u; find / -xdev -perm /6000 -type f 2>/dev/null; true", entrypoint=["sh"]
    )
    assert told.split() == ["10001"]


def test_it_has_only_commands_that_work_in_it(docker_engine: docker.DockerClient, image: Image) -> None:
    """Help lists them, each of them loads, and one that is a checkout's says so."""
    listed = run(docker_engine, image, "--help")
    told = [name for name in COMMANDS if f"│ {name} " in listed]
    assert told == [name for name in COMMANDS if name not in OF_CHECKOUTS]
    script = " && ".join(f"python -P -m commands {name} --help >/dev/null" for name in told)
    run(docker_engine, image, "-c", script, entrypoint=["sh"])
    with pytest.raises(ContainerError) as refused:
        run(docker_engine, image, "demo")
    assert refused.value.exit_status == 2
    assert "`referrals demo` is not in this image" in str(refused.value)


def test_everything_in_it_loads(docker_engine: docker.DockerClient, image: Image) -> None:
    """No module needs what only a checkout has: each is imported, and nothing of tests or benchmarks is there."""
    assert imported(docker_engine, image) == [*FOLDERS, "without", "OpenTelemetry"]


@pytest.mark.long
def test_with_what_sends_traces(docker_engine: docker.DockerClient) -> None:
    """Where that is asked for: it is there, and still small."""
    traced, _ = docker_engine.images.build(path=str(ROOT), buildargs={"TRACES": "1"}, network_mode="host", rm=True)
    test_it_is_small(traced)
    assert imported(docker_engine, traced) == FOLDERS


def imported(docker_engine: docker.DockerClient, image: Image) -> list[str]:
    """Import every module of an image, and return its folders; and the words, where it has not what sends traces."""
    script = (
        "import importlib.util, pkgutil, pathlib\n"
        "left_out = set() if importlib.util.find_spec('opentelemetry') else {'process.otlp'}\n"
        "for package in sorted(each.name for each in pathlib.Path('/app').iterdir()):\n"
        "    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + '.'):\n"
        "        if not module.name.endswith('__main__') and module.name not in left_out:\n"
        "            importlib.import_module(module.name)\n"
        "print(*sorted(each.name for each in pathlib.Path('/app').iterdir()))\n"
        "left_out and print('without OpenTelemetry')\n"
    )
    return run(docker_engine, image, "-P", "-c", script, entrypoint=["python"]).split()


def test_it_has_a_health_check_of_its_own(docker_engine: docker.DockerClient, image: Image) -> None:
    """It says who does not answer, and does so in a fraction of a second."""
    check = image.attrs["Config"]["Healthcheck"]["Test"]
    assert check[:2] == ["CMD", "python"]
    with pytest.raises(ContainerError):
        run(docker_engine, image, *check[2:], entrypoint=["python"])


@pytest.mark.usefixtures("servers")
def test_docker_parts_live_through_a_crash(docker_engine: docker.DockerClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Testcontainers starts both; they keep address and data over a kill, and are gone afterwards."""
    monkeypatch.setenv("DOCKER_HOST", address_of(docker_engine))
    monkeypatch.setenv("TESTCONTAINERS_RYUK_DISABLED", "true")  # one more image, for who is killed before `close`
    before = {each.id for each in docker_engine.containers.list(all=True)}
    said: list[str] = []
    with parts.start("docker", data_dir=None, durable=False, announce=said.append) as running:
        assert "apache/kafka" in said[-1]
        assert "postgres:18 in Docker" in said[-1]
        url = running.create_database("kept")
        running.postgres.kill()
        running.postgres.start()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        running.kafka.kill()
        running.kafka.start()
        assert AdminClient({"bootstrap.servers": running.bootstrap_servers}).list_topics(timeout=10).brokers
        assert running.kafka.pid > 1
        ours = [each for each in docker_engine.containers.list() if each.id not in before]
        assert len(ours) == 2
        for container in ours:
            ports = container.attrs["HostConfig"]["PortBindings"].values()
            assert {binding["HostIp"] for port in ports for binding in port} == {"127.0.0.1"}
    wait_until(lambda: {each.id for each in docker_engine.containers.list(all=True)} <= before, "containers are left")
