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
from tempfile import TemporaryDirectory
from typing import Final

import docker

ROOT: Final = Path(__file__).resolve().parents[2]
WORK: Final = ROOT / ".referrals" / "containers"
ASKED_FOR: Final = "REFERRALS_TEST_CONTAINERS"
TRY: Final = "try"
"""Its value for who does not know whether the machine lets an engine start; with any other it is a failure if not."""

_READY_S: Final = 60.0
_STOP_S: Final = 60.0
_BRIDGE: Final = "10.201.0.1/24"
_NETWORKS: Final = "base=10.202.0.0/16,size=24"


def is_own() -> bool:
    """Tell whether the engine is the tests' own, and pulls nothing."""
    return "DOCKER_HOST" not in os.environ


class CannotStart(RuntimeError):  # noqa: N818  read as what is wrong
    """No engine of the tests' own starts on this machine, or its containers reach nothing."""


def missing() -> str | None:
    """Return why containers cannot be tested here; None where they can."""
    if not os.environ.get(ASKED_FOR):
        return f"builds images: set {ASKED_FOR}=1, as docs/containers.md says"
    if not is_own():
        return None
    if os.geteuid() != 0:
        return "an engine of the tests' own needs root; name one in DOCKER_HOST"
    wanted = {"dockerd": "docker.io", "iptables": "iptables", "debootstrap": "debootstrap"}
    absent = [package for tool, package in wanted.items() if shutil.which(tool, path=_path()) is None]
    return (
        f"not installed: {' '.join(absent)} (Debian's packages); or name an engine in DOCKER_HOST" if absent else None
    )


@contextmanager
def engine() -> Iterator[docker.DockerClient]:
    """Give a client of an engine; one of the tests' own ends with the body. Raises CannotStart."""
    if not is_own():
        with closing(docker.DockerClient.from_env(timeout=300)) as client:
            yield client
        return
    WORK.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(ignore_cleanup_errors=True) as place:  # sockets' paths are short
        address = f"unix://{place}/docker.sock"
        with (WORK / "dockerd.log").open("wb") as log:
            process = subprocess.Popen(
                [
                    *("dockerd", "--host", address, "--pidfile", f"{place}/pid", "--exec-root", f"{place}/run"),
                    *("--data-root", WORK / "engine", "--bip", _BRIDGE, "--default-address-pool", _NETWORKS),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"PATH": _path()},
            )
        try:
            with closing(_client(address, process)) as client:
                yield client
        finally:
            process.terminate()
            process.wait(_STOP_S)
            for mounted in Path(place, "run/netns").glob("*"):
                subprocess.run([shutil.which("umount", path=_path()) or "umount", mounted], check=False)


def _client(address: str, process: subprocess.Popen[bytes]) -> docker.DockerClient:
    """Return a client of an engine that answers."""
    deadline = time.monotonic() + _READY_S
    while not _listens(address.removeprefix("unix://")):
        if process.poll() is not None or time.monotonic() > deadline:
            tail = (WORK / "dockerd.log").read_text(errors="replace")[-2000:]
            message = f"the engine does not answer; the end of {WORK}/dockerd.log:\n{tail}"
            raise CannotStart(message)
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
