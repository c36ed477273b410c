"""The access log has the form of every other line."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from edges.web.access_log import AccessLog
from process import logs
from process.settings import load_settings


@pytest.fixture(autouse=True)
def configured() -> Iterator[None]:
    """Leave logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def test_a_line_has_the_fields_of_other_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON: event, level, logger and time as structlog writes them, and what was asked and answered."""
    settings = load_settings(log_format="json")
    logs.configure(settings)
    async with AccessLog(settings) as log:
        log.note("GET", "/r/{code}", 302, 0.00123)
        log.note("GET", "/health/live", 200, 0.001)  # polled, and well
        log.note("GET", "/health/ready", 503, 0.001)
    structlog.get_logger("web.access").info("request")
    first, second, other = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert {name: first[name] for name in ("method", "route", "status", "ms")} == {
        "method": "GET",
        "route": "/r/{code}",
        "status": 302,
        "ms": 1.23,
    }
    assert second["route"] == "/health/ready"
    for name in ("event", "level", "logger"):
        assert first[name] == other[name]
    assert len(first["timestamp"]) == len(other["timestamp"])
    assert first["timestamp"][10:11] + first["timestamp"][-1] == "TZ"


async def test_lines_on_a_terminal_and_silence(capsys: pytest.CaptureFixture[str]) -> None:
    """As text it is structlog's own line; below the level it is none."""
    settings = load_settings(log_format="text")
    logs.configure(settings)
    async with AccessLog(settings) as log:
        log.note("GET", "/r/{code}", 302, 0.00123)
    assert "route=/r/{code}" in capsys.readouterr().err
    quiet = load_settings(log_format="json", log_level="warning")
    logs.configure(quiet)
    async with AccessLog(quiet) as log:
        log.note("GET", "/r/{code}", 302, 0.00123)
    assert capsys.readouterr().err == ""
