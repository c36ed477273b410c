"""A Docker engine for the tests of what runs in containers: the one that DOCKER_HOST names, or one of their own.

Their own is Debian's `docker.io`, started beside whatever else there is, with its data in `.referrals/containers`. No
hub of images need be reached: it is given stand-ins of the same names (`stand_ins.py`). The engine that DOCKER_HOST
names pulls the real ones.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import docker

ROOT: Final = Path(__file__).resolve().parents[2]
WORK: Final = ROOT / ".referrals" / "containers"
ASKED_FOR: Final = "REFERRALS_TEST_CONTAINERS"

_READY_S: Final = 60.0
_STOP_S: Final = 60.0
_BRIDGE: Final = "10.201.0.1/24"
_NETWORKS: Final = "base=10.202.0.0/16,size=24"


def missing() -> str | None:
    """Return why containers cannot be tested here; None where they can."""
    if not os.environ.get(ASKED_FOR):
        return f"takes minutes: set {ASKED_FOR}=1, as docs/containers.md says"
    if "DOCKER_HOST" in os.environ:
        return None
    if os.geteuid() != 0:
        return "an engine of the tests' own needs root; name one in DOCKER_HOST"
    wanted = {"dockerd": "docker.io", "iptables": "iptables", "debootstrap": "debootstrap"}
    absent = [package for tool, package in wanted.items() if shutil.which(tool, path=_path()) is None]
    return (
        f"not installed: {' '.join(absent)} (Debian's packages); or name an engine in DOCKER_HOST" if absent else None
    )


@contextmanager
def engine() -> Iterator[tuple[docker.DockerClient, bool]]:
    """Give a client of an engine, and whether it is the tests' own; that one ends with the body."""
    if "DOCKER_HOST" in os.environ:
        with closing(docker.DockerClient.from_env(timeout=300)) as client:
            yield client, False
        return
    WORK.mkdir(parents=True, exist_ok=True)
    address = f"unix://{WORK / 'docker.sock'}"
    with (WORK / "dockerd.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *("dockerd", "--host", address, "--pidfile", WORK / "dockerd.pid", "--bip", _BRIDGE),
                *("--data-root", WORK / "engine", "--exec-root", WORK / "run", "--default-address-pool", _NETWORKS),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | {"PATH": _path()},
        )
    try:
        with closing(_client(address, process)) as client:
            yield client, True
    finally:
        process.terminate()
        process.wait(_STOP_S)


def _client(address: str, process: subprocess.Popen[bytes]) -> docker.DockerClient:
    """Return a client of an engine that answers."""
    deadline = time.monotonic() + _READY_S
    while not _listens(address.removeprefix("unix://")):
        if process.poll() is not None or time.monotonic() > deadline:
            tail = (WORK / "dockerd.log").read_text(errors="replace")[-2000:]
            message = f"the engine does not answer; the end of {WORK}/dockerd.log:\n{tail}"
            raise RuntimeError(message) from None
        time.sleep(0.1)
    return docker.DockerClient(base_url=address, timeout=300)


def _listens(path: str) -> bool:
    """Tell whether somebody takes connections at a socket."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(path)
        except OSError:
            return False
        return True


def _path() -> str:
    """Return where programs are; those of administrators too, which a shell's path may lack."""
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
