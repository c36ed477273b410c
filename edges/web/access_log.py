"""One line for each request: method, route, status and milliseconds.

The route is its template, `/v1/orgs/{org_id}/summary`: no line names an organisation, a mentor or a code, and none has
a query or a token.

Lines of JSON have the form that `process/logs.py` gives to all others, but are encoded here and written a few times a
second: structlog takes 41 us for a line, as much as the rest of a redirect, and this 3. A process that is killed loses
the lines of its last moment.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Self

import msgspec
import structlog
from msgspec import Struct

from process.logs import writes_json

if TYPE_CHECKING:
    from types import TracebackType

    from process.settings import Settings

WRITTEN_AFTER_S: Final = 0.2
LINES_MAX: Final = 1_000
"""So many are written at once, whatever the time."""

_POLLED: Final = frozenset({"/health/live", "/health/ready", "/metrics"})
"""Asked for every few seconds for ever; logged where something is wrong."""

_LOGGER: Final = "web.access"


class _Line(Struct, gc=False):
    method: str
    route: str
    status: int
    ms: float
    timestamp: str
    event: str = "request"
    level: str = "info"
    logger: str = _LOGGER


class AccessLog:
    """Writes the lines; a context manager. Made after `logs.configure`, whose level it keeps to."""

    def __init__(self, settings: Settings) -> None:
        self._is_on = logging.getLogger(_LOGGER).isEnabledFor(logging.INFO)
        self._as_json = writes_json(settings)
        self._log = structlog.get_logger(_LOGGER)
        self._encode_lines = msgspec.json.Encoder().encode_lines
        self._lines: list[_Line] = []
        self._second, self._date = 0, ""

    async def __aenter__(self) -> Self:
        """Begin."""
        self._loop = asyncio.get_running_loop()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write what is left."""
        self._write()

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        """Log a request that was answered."""
        if not self._is_on or (route in _POLLED and status == HTTPStatus.OK):
            return
        ms = round(seconds * 1000, 2)
        if not self._as_json:
            self._log.info("request", method=method, route=route, status=int(status), ms=ms)
            return
        second, microsecond = divmod(time.time_ns() // 1_000, 1_000_000)
        if second != self._second:
            self._second, self._date = second, datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        now = f"{self._date}.{microsecond:06}Z"
        if not self._lines:
            self._loop.call_later(WRITTEN_AFTER_S, self._write)
        self._lines.append(_Line(method, route, status, ms, now))
        if len(self._lines) >= LINES_MAX:
            self._write()

    def _write(self) -> None:
        if self._lines:
            lines, self._lines = self._lines, []
            sys.stderr.write(self._encode_lines(lines).decode())
            sys.stderr.flush()
