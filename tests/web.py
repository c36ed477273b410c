"""The HTTP side for tests: a real server on real Kafka and Postgres, clients, and tokens.

    async with running_web(settings) as web:
        answer = await web.get("/health/ready")
        answer = await web.get(f"/v1/orgs/{ORG}/summary", headers=bearer("coordinator", org_id=ORG))

`settings` is conftest's; `running_web` adds the secret that `bearer` signs with, and takes a free port. `web_process`
does the same with `referrals web` in a process of its own.
"""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import jwt
from pydantic import SecretStr

from edges.registry.tokens import Role
from edges.web.server import WebServer
from edges.web.services import Services, open_services
from local.installation.starting import as_environment
from local.parts.databases import with_user
from process.fault_points import VARIABLE
from process.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
DEADLINE_S = 60.0
JWT_SECRET = "a secret of the tests, long enough for HS256"  # noqa: S105  it guards nothing
SECRET_KEYS = f"1:{base64.b64encode(bytes(32)).decode()}"


class Web(httpx.AsyncClient):
    """A client of a running server; `services` are the server's own."""

    def __init__(self, url: str, services: Services) -> None:
        super().__init__(base_url=url, timeout=30.0)
        self.services = services


@asynccontextmanager
async def running_web(settings: Settings, **changed: object) -> AsyncIterator[Web]:
    """Run the server on a free port in this event loop for the body; `changed` are settings."""
    settings = with_tokens(settings, **changed)
    async with open_services(settings) as services:
        server = WebServer(services)
        serving = asyncio.create_task(server.run_until_stopped())
        try:
            async with Web(server.url, services) as client:
                yield client
        finally:
            server.stop()
            await serving


class WebProcess:
    """`referrals web`, running."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdout is not None
        self.url = process.stdout.readline().strip()
        """Where it listens, as it prints it; empty where it has ended instead."""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Wait for its end and return its exit code and its log."""
        log = self._process.communicate(timeout=DEADLINE_S)[1]
        return self._process.returncode, log


@contextmanager
def web_process(settings: Settings, *, fault: str = "", **changed: object) -> Iterator[WebProcess]:
    """Run `referrals web` on a free port for the body; `fault` names a point at which it is killed."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("REFERRALS_")}
    given = as_environment(with_tokens(settings, **changed))
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "commands", "web"],
        cwd=ROOT,
        env={**ours, **given, "REFERRALS_LOG_FORMAT": "json", VARIABLE: fault},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield WebProcess(process)
        finally:
            process.kill()


def with_tokens(settings: Settings, **changed: object) -> Settings:
    """Return the settings with a free port and the secret that the tests' tokens are signed with."""
    ours = {
        "web_port": 0,
        "jwt_secret": SecretStr(JWT_SECRET),
        "secret_keys": SecretStr(SECRET_KEYS),
        "web_database_url": as_web_login(str(changed.get("database_url", settings.database_url))),
    }
    return settings.model_copy(update=ours | changed)


def as_web_login(database_url: str) -> str:
    """Return the address of a database by the HTTP side's own login, which the tests' migrations make."""
    return with_user(database_url, "referrals_web", "of-the-tests")


def make_token(role: Role = "coordinator", *, org_id: str, subject: str | None = None, **changed: object) -> str:
    """Return a token that is valid unless `changed` says otherwise; a claim changed to None is left out."""
    now_s = int(time.time())
    claims = {
        "iss": "referrals",
        "aud": "referrals",
        "sub": subject or str(uuid4()),
        "org": org_id,
        "role": role,
        "iat": now_s,
        "exp": now_s + 600,
    } | changed
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, JWT_SECRET, "HS256")


def bearer(role: Role = "coordinator", *, org_id: str, subject: str | None = None) -> dict[str, str]:
    """Return the headers of a request with a token."""
    return {"Authorization": f"Bearer {make_token(role, org_id=org_id, subject=subject)}"}
