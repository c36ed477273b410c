"""One engine, build and installation for all tests of containers; skipped, with the reason, where that cannot be."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest
from docker.models.images import Image

from tests.containers import stand_ins
from tests.containers.engine import ROOT, engine, missing
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
    """Give an engine that has, or can pull, what our files build on."""
    with engine() as (client, is_ours):
        if is_ours:
            stand_ins.make_all(client)
        yield client


@pytest.fixture(scope="session")
def image(docker_engine: docker.DockerClient) -> Image:
    """Give the image of this checkout's Dockerfile."""
    built, _ = docker_engine.images.build(path=str(ROOT), tag=IMAGE, network_mode="host", rm=True)
    return built


@pytest.fixture(scope="module")
def stack(docker_engine: docker.DockerClient, image: Image) -> Iterator[Stack]:  # noqa: ARG001  compose runs it
    """Give docker-compose.yml's installation, with everything but what only shows it in a browser."""
    compose = find_compose()
    if compose is None:
        pytest.skip("neither compose nor Go, with which it could be made, is installed")
    installation = Stack(docker_engine, compose)
    try:
        installation.up("kafka", "postgres", *COMPONENTS, "prometheus")
        yield installation
    finally:
        installation.down()
