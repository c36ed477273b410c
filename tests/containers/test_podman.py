"""Podman builds and runs the image too: nothing in the Dockerfile is of one builder alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import docker
import pytest

from tests.containers import stand_ins
from tests.containers.engine import ROOT, WORK

pytestmark = pytest.mark.long
NAME = "localhost/referral-streams-by-podman"
BASE = f"docker.io/library/{stand_ins.PYTHON_IMAGE}"
BYTES_MAX = 200_000_000
LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")
"""Podman's defaults are more than every root may give, as one in a sandbox may not."""


@pytest.fixture
def podman(docker_engine: docker.DockerClient) -> Iterator[list[str]]:  # noqa: ARG001  it has made what the base is made of
    """Give podman with storage of its own, and the base image in it."""
    if shutil.which("podman") is None or not (WORK / "python.tar").exists():
        pytest.skip("podman is not installed (Debian's package), or the engine pulls its images")
    store = WORK / "podman"
    runtime = ["--runtime", "runc"] if shutil.which("runc") else []
    command = ["podman", "--root", str(store), "--runroot", str(store / "run"), *runtime]
    change = f"ENV PIP_CERT={stand_ins.AUTHORITIES}"
    run(*command, "import", "--change", change, str(WORK / "python.tar"), BASE)
    yield command
    run(*command, "rmi", "--all", "--force")


def run(*command: str) -> str:
    """Run a command, and return what it prints."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ, cwd=ROOT)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def test_podman_builds_and_runs_it(podman: list[str]) -> None:
    """As small as Docker's, and as confined."""
    run(*podman, "build", "--network=host", "--pull=never", "--tag", NAME, ".")
    size = int(run(*podman, "image", "inspect", "--format", "{{.Size}}", NAME))
    assert size < BYTES_MAX
    confined = ("--read-only", "--cap-drop=ALL", "--network=none", *LIMITS)
    told = run(*podman, "run", "--rm", *confined, NAME, "stream", "--help")
    assert "Run one worker of the stream app" in told
