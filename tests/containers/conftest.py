"""One engine, build and installation for all tests of containers; skipped, with the reason, where that cannot be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import docker
import pytest
from docker.errors import DockerException
from docker.models.images import Image

from local.parts.docker import KAFKA_IMAGE, POSTGRES_IMAGE
from tests.containers import stand_ins
from tests.containers.engine import ASKED_FOR, ROOT, TRY, CannotStart, engine, missing
from tests.containers.stack import COMPONENTS, IMAGE, Stack, find_compose


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and skip them where there are no containers."""
    reason = missing()
    for item in items:
        if item.path.is_relative_to(ROOT / "tests/containers"):
            item.add_marker(pytest.mark.containers)
            item.add_marker(pytest.mark.timeout(900))  # of the first one are the stand-ins, the build and the start
            if reason is not None:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[docker.DockerClient]:
    """Give an engine that has, or can pull, what our image builds on."""
    with ExitStack() as running:
        try:
            client = running.enter_context(engine())
            stand_ins.make(client, stand_ins.PYTHON_IMAGE)
            stand_ins.check_network(client)
        except (CannotStart, DockerException, OSError) as error:  # an OSError: it answers no more
            if os.environ[ASKED_FOR] != TRY:
                raise
            pytest.skip(f"no containers on this machine: {error}")
        yield client


@pytest.fixture(scope="session")
def servers(docker_engine: docker.DockerClient) -> None:
    """Let the engine have, or pull, Kafka and Postgres."""
    stand_ins.make(docker_engine, KAFKA_IMAGE, POSTGRES_IMAGE)


@pytest.fixture(scope="session")
def image(docker_engine: docker.DockerClient) -> Image:
    """Give the image of this checkout's Dockerfile."""
    built, _ = docker_engine.images.build(path=str(ROOT), tag=IMAGE, network_mode="host", rm=True)
    return built


@pytest.fixture(scope="module")
def stack(docker_engine: docker.DockerClient, image: Image, servers: None) -> Iterator[Stack]:  # noqa: ARG001  compose runs them
    """Give docker-compose.yml's installation, with everything but what only shows it in a browser."""
    compose = find_compose()
    if compose is None:
        pytest.skip("neither compose nor Go, with which it could be made, is installed")
    stand_ins.make(docker_engine, stand_ins.PROMETHEUS_IMAGE)
    installation = Stack(docker_engine, compose)
    try:
        installation.up("kafka", "postgres", *COMPONENTS, "prometheus")
        yield installation
    finally:
        installation.down()
