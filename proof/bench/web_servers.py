"""The two servers that are compared, each a process of its own, and the load generator as another."""

from __future__ import annotations

import base64
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import httpx
import msgspec
from pydantic import SecretStr

from local.parts import Parts
from process.settings import Settings
from proof.bench.web_load import Found, Order
from proof.bench.worker import Worker, settings_for

OURS: Final = ("-P", "-m", "commands", "web")
BARE: Final = ("-P", "-m", "proof.bench.web_bare")
GENERATOR: Final = (sys.executable, "-P", "-m", "proof.bench.web_load")

HOST: Final = "127.0.0.1"
START_TIMEOUT_S: Final = 60.0


class WrongAnswer(Exception):  # noqa: N818  read as what is wrong
    """A server under measurement answers something else than it should; its figure would be worth nothing."""


class Server:
    """A server that answers."""

    def __init__(self, worker: Worker, port: int) -> None:
        self._worker = worker
        self._port = port

    def wait_until_live(self) -> None:
        """Wait until it answers."""
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while True:
            self._worker.check_alive()
            try:
                httpx.get(f"http://{HOST}:{self._port}/health/live").raise_for_status()
            except httpx.TransportError:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(0.1)
            else:
                return

    def ask(
        self,
        requests: Sequence[bytes],
        *,
        expected: int,
        seconds: float,
        connections: int,
        per_s: float | None = None,
    ) -> tuple[Found, float]:
        """Ask for so long; return what was found, and the server's CPU seconds meanwhile.

        As much as it can answer, or at random times with so many per second.
        """
        cpu_s = self._worker.cpu_s()
        found = make_load(self._port, requests, seconds=seconds, connections=connections, per_s=per_s)
        if set(found.statuses) != {expected}:
            raise WrongAnswer(f"answers with {found.statuses} instead of {expected} alone: {requests[0][:80]!r}...")
        return found, self._worker.cpu_s() - cpu_s


def make_load(
    port: int, requests: Sequence[bytes], *, seconds: float, connections: int, per_s: float | None = None
) -> Found:
    """Run the load generator."""
    order = Order(host=HOST, port=port, requests=list(requests), connections=connections, seconds=seconds, per_s=per_s)
    ran = subprocess.run(GENERATOR, input=msgspec.json.encode(order), stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(ran.stdout, type=Found)


def generator_alone(request: bytes, *, seconds: float, connections: int) -> Found:
    """Return what the generator reaches against a socket that answers at once."""
    with subprocess.Popen([*GENERATOR, "--echo"], stdout=subprocess.PIPE, text=True) as echo:
        try:
            port = int(re.findall(r"\d+", echo.stdout.readline() if echo.stdout else "")[0])
            return make_load(port, [request], seconds=seconds, connections=connections)
        finally:
            echo.kill()


def web_settings(parts: Parts) -> Settings:
    """Return the settings of both servers, with keys made for this run."""
    return settings_for(parts, installation="web", app="web").model_copy(
        update={
            "data_dir": parts.data_dir,
            "jwt_secret": SecretStr(secrets.token_urlsafe(48)),
            "secret_keys": SecretStr(f"1:{base64.b64encode(secrets.token_bytes(32)).decode()}"),
        }
    )


@contextmanager
def running(arguments: Sequence[str], settings: Settings, parts: Parts) -> Iterator[Server]:
    """Run a server on a free port for the body."""
    port = _free_port()
    environment = {
        "REFERRALS_WEB_HOST": HOST,
        "REFERRALS_WEB_PORT": str(port),
        "REFERRALS_DATA_DIR": str(settings.data_dir),
        "REFERRALS_LOG_FORMAT": "json",
        **{
            f"REFERRALS_{name.upper()}": value.get_secret_value()
            for name in ("jwt_secret", "secret_keys")
            if (value := getattr(settings, name)) is not None
        },
    }
    with Worker(arguments, settings=settings, parts=parts, environment=environment) as worker:
        server = Server(worker, port)
        server.wait_until_live()
        yield server


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as bound:
        return int(bound.getsockname()[1])
