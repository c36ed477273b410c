"""The image: small, not root, read-only, and nothing in it that does not work there."""

from __future__ import annotations

import docker
import pytest
from docker.errors import ContainerError
from docker.models.images import Image

from commands.main import COMMANDS
from tests.containers.engine import ROOT

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
