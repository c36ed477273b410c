"""docker-compose.yml as an operator runs it, under a name and ports of the tests' own."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import docker
from docker.models.containers import Container
from docker.models.images import Image

from local.parts.ports import LOOPBACK, free_ports
from local.parts.running import cache_dir
from process.settings import Settings, load_settings
from proof.verify.oracle import Oracle
from tests.containers.engine import ROOT

IMAGE: Final = "referral-streams"
COMPONENTS: Final = ("stream", "badges", "counts", "web")
COMPOSE: Final = "github.com/docker/compose/v2/cmd@v2.32.4"
"""As a Go module, for machines that have an engine and no compose."""

_PROJECT: Final = "referrals-test"
_PASSWORD: Final = "of-the-tests"  # noqa: S105  of a database that lives for minutes, on the loopback address
_START_S: Final = 240
_WAIT_S: Final = 60.0


def find_compose() -> list[str] | None:
    """Return how compose is started; None where there is none, and no Go to make it with."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            told = subprocess.run([*command, "version", "--short"], check=False, capture_output=True, text=True)
            if told.returncode == 0 and told.stdout.lstrip("v").startswith(("2.", "3.", "4.", "5.")):
                return command
    made = cache_dir() / "compose" / "cmd"
    if made.exists():
        return [str(made)]
    go = shutil.which("go")
    if go is None:
        return None
    environment = os.environ | {"GOBIN": str(made.parent), "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
    subprocess.run([go, "install", COMPOSE], check=True, env=environment)
    return [str(made)]


class Stack:
    """The project of docker-compose.yml, with its containers."""

    def __init__(self, client: docker.DockerClient, compose: list[str]) -> None:
        kafka, postgres, self.web_port, ui, self.prometheus_port, grafana = free_ports(6)
        ports = {"KAFKA": kafka, "POSTGRES": postgres, "WEB": self.web_port, "KAFKA_UI": ui, "GRAFANA": grafana}
        self._client = client
        self._compose = [*compose, "--project-name", _PROJECT, "--file", str(ROOT / "docker-compose.yml")]
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("REFERRALS_")},
            **{f"{name}_PORT": str(port) for name, port in ports.items()},
            "PROMETHEUS_PORT": str(self.prometheus_port),
            "DOCKER_HOST": address_of(client),
            "POSTGRES_PASSWORD": _PASSWORD,
            "REFERRALS_JWT_SECRET": secrets.token_hex(32),
            "REFERRALS_SECRET_KEYS": f"1:{base64.b64encode(secrets.token_bytes(32)).decode()}",
        }
        self.settings: Settings = load_settings(
            bootstrap_servers=f"{LOOPBACK}:{kafka}",
            database_url=f"postgresql://referrals:{_PASSWORD}@{LOOPBACK}:{postgres}/referrals",
            security_protocol="PLAINTEXT",
        )

    def compose(
        self, *arguments: str, check: bool = True, given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run compose."""
        done = subprocess.run(
            [*self._compose, *arguments],
            env=self._environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=_START_S,
            input=given,
        )
        assert not check or done.returncode == 0, f"compose {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done

    def up(self, *services: str) -> None:
        """Start services and wait until each is healthy, or done."""
        self.compose("up", "--detach", "--no-build", "--wait", "--wait-timeout", str(_START_S), *services)

    def scale(self, workers: int) -> list[Container]:
        """Have so many workers, beside those that run; return those that are new, once they are healthy."""
        before = {each.id for each in self.containers("stream")}
        self.compose(
            "up", "--detach", "--no-build", "--no-deps", "--no-recreate", "--scale", f"stream={workers}", "stream"
        )
        new = [each for each in self.containers("stream") if each.id not in before]
        for each in new:
            wait_until(lambda each=each: health(each) == "healthy", f"{each.name} is not healthy")  # type: ignore[misc]
        return new

    def command(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run one of our commands in a container of its own, as an operator does."""
        return self.compose("run", "--rm", "--no-TTY", "--no-deps", "migrations", *arguments, check=False, given=given)

    def containers(self, service: str, *, stopped: bool = False) -> list[Container]:
        """Return a service's containers, in their order."""
        labels = [f"com.docker.compose.project={_PROJECT}", f"com.docker.compose.service={service}"]
        found = self._client.containers.list(
            all=stopped, filters={"label": [*labels, "com.docker.compose.oneoff=False"]}
        )
        return sorted(found, key=lambda each: str(each.name))

    def assert_exact(self) -> None:
        """Wait for the end of all lag, and let the oracle find nothing wrong."""
        report = Oracle(self.settings).check(wait_s=_WAIT_S * 2, with_database=True)
        assert report.is_clean, "\n".join(str(each) for each in report.differences[:20]) or report.unprocessed

    def down(self) -> None:
        """End and remove everything, data too."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")


def health(container: Container) -> str:
    """Return what the engine says of a container's health."""
    container.reload()
    return str(container.attrs["State"].get("Health", {}).get("Status", "none"))


def events_of(container: Container, event: str) -> list[dict[str, Any]]:
    """Return the lines that a component has logged of an event."""
    lines = container.logs().decode(errors="replace").splitlines()
    return [found for line in lines if line.startswith("{") and (found := json.loads(line)).get("event") == event]


def inside(container: Container, *command: str) -> list[str]:
    """Run a command in a container, and return the words that it prints."""
    code, told = container.exec_run(list(command))
    assert code == 0, told
    assert isinstance(told, bytes)
    return told.decode().split()


def process_of(container: Container) -> int:
    """Return the component's process id, in the machine's view: init's only child."""
    init = int(container.attrs["State"]["Pid"])
    (child,) = Path(f"/proc/{init}/task/{init}/children").read_text().split()
    return int(child)


def wait_until(holds: Callable[[], bool], failure: str, *, wait_s: float = _WAIT_S) -> float:
    """Wait for something that others do; return how long it took, in seconds."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() < started + wait_s, f"{failure} within {wait_s:.0f} s"
        time.sleep(0.1)
    return time.monotonic() - started


def address_of(client: docker.DockerClient) -> str:
    """Return an engine's address, as DOCKER_HOST has it."""
    if client.api.base_url != "http+docker://localhost":
        return str(client.api.base_url).replace("http://", "tcp://")
    adapter: Any = client.api.get_adapter(client.api.base_url)
    return f"unix://{adapter.socket_path}"


def tag_another_version(engine: docker.DockerClient, image: Image) -> None:
    """Let the image's name mean another one: the same program, but it calls itself 9.9.9."""
    script = (
        "import pathlib, re\n"
        "place = pathlib.Path('/app/process/version.py')\n"
        "place.write_text(re.sub(r'\"[0-9.]+\"', '\"9.9.9\"', place.read_text()))\n"
        "[each.unlink() for each in place.parent.glob('__pycache__/version.*')]\n"
    )
    container = engine.containers.create(str(image.id), entrypoint=["python", "-c"], command=[script], user="0")
    container.start()
    assert container.wait()["StatusCode"] == 0
    config = image.attrs["Config"]
    changes = [
        f"USER {config['User']}",
        f"ENTRYPOINT {json.dumps(config['Entrypoint'])}",
        f"CMD {json.dumps(config['Cmd'])}",
    ]
    container.commit(repository=IMAGE, tag="latest", changes=changes)
    container.remove()
