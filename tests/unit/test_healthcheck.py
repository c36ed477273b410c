"""The image's health check: whoever answers in the container is asked, and what stands still is ended if wanted."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from process import healthcheck
from process.monitoring import PORTS
from process.settings import Settings


@contextmanager
def component(status: int) -> Iterator[int]:
    """Answer /health/live with a status at a port, which is given."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health/live" else 404)
            self.end_headers()
            self.wfile.write(b'{"fold": "stands since 70 s"}')

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def ask(port: int) -> subprocess.CompletedProcess[str]:
    """Run the check as the image does, with a component's port in the environment."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "process.healthcheck"],
        env={"PYTHONPATH": str(Path(healthcheck.__file__).parents[1]), "REFERRALS_MONITORING_PORT": str(port)}
        | {"REFERRALS_WEB_PORT": "1", "REFERRALS_MONITORING_HOST": "::"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_ports_are_those_of_the_settings() -> None:
    """The module is too quick to import the settings, so it has their defaults a second time."""
    assert set(healthcheck.MONITORING_PORTS) == set(PORTS.values())
    assert Settings.model_fields["web_port"].default == healthcheck.WEB_PORT
    monitoring = [("127.0.0.1", port) for port in healthcheck.MONITORING_PORTS]
    assert healthcheck.addresses({}) == [*monitoring, ("127.0.0.1", 8080)]
    assert healthcheck.addresses({"REFERRALS_MONITORING_PORT": "off"}) == [*monitoring, ("127.0.0.1", 8080)]
    given = {"REFERRALS_MONITORING_HOST": "10.0.0.7", "REFERRALS_MONITORING_PORT": "9", "REFERRALS_WEB_HOST": "::"}
    assert healthcheck.addresses(given) == [("10.0.0.7", 9), ("127.0.0.1", 8080)]


def test_what_lives_is_healthy() -> None:
    """A component that says 200 is."""
    with component(200) as port:
        checked = ask(port)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_what_stands_still_is_not() -> None:
    """One that says 503 is not, and what it says is passed on: `docker inspect` shows it."""
    with component(503) as port:
        checked = ask(port)
    assert checked.returncode == 1
    assert "503" in checked.stdout
    assert "stands since 70 s" in checked.stdout


def test_nobody_there_is_not_healthy() -> None:
    """Nobody listens."""
    checked = ask(2)
    assert (checked.returncode, checked.stdout) == (1, "nobody listens at a component's port\n")


def test_it_imports_next_to_nothing() -> None:
    """It is run every few seconds, beside the component."""
    code = "import sys; known = set(sys.modules); import process.healthcheck; print(*sys.modules)"
    root = Path(healthcheck.__file__).parents[1]
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert not {"pydantic", "structlog", "asyncio", "process.settings"} & set(told.stdout.split())


def test_the_third_failure_in_a_row_ends(tmp_path: Path) -> None:
    """But none before the component has answered once, and one success begins anew."""
    failures = tmp_path / "failures"
    answers = [False] * 5 + [True, False, False, True, False, False, False, False]
    ends = [healthcheck.end_after(failures, is_live=live) for live in answers]
    assert ends == [False] * 11 + [True, True]


def test_only_what_init_has_started_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The component dies; init, this check and what an operator runs beside it do not."""
    for number, parent in (("1", 0), ("7", 1), ("9", 7), ("20", 0)):
        (tmp_path / number).mkdir()
        (tmp_path / number / "stat").write_text(f"{number} (py (th) on) S {parent} 7 7 0")
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda number, _: killed.append(number))
    healthcheck.end_component(tmp_path)
    assert killed == [7]
