"""`/metrics`, `/health/live` and `/health/ready` of a component, at a port of its own.

Answered by threads of the standard library's server, which read what the component notes for itself: so nothing in
its work waits for a scrape, and a component that stands still is seen from outside. Nothing is said of anybody:
no organisation, mentor, member or code.

Whether a component does its work must not depend on who looks at it: a port that is taken is said, and another is used.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from process.lines import json_line
from process.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prometheus_client import Metric

    from process.settings import Settings

PORTS: Final = {"stream": 9464, "badges": 9465, "counts": 9466, "mail": 9467}
"""Where components answer unless told otherwise."""

CONNECTIONS_MAX: Final = 16
"""More at a time are closed unanswered: each has a thread."""
PATIENCE_S: Final = 5.0
"""How long who has connected has for a request."""

METRICS: Final = "/metrics"
LIVE: Final = "/health/live"
READY: Final = "/health/ready"

_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"

log = structlog.get_logger("monitoring")


class Health(Protocol):
    """How a component is, as it knows itself; asked from other threads, and must not wait for anything."""

    def live(self) -> Mapping[str, str]:
        """Return what stands still, and how long; a start afresh is then the cure. Empty where it lives."""

    def ready(self) -> Mapping[str, str]:
        """Return what is missing for its work to be up to date; empty where nothing is."""


class Monitoring:
    """The server of one component; `close` ends it."""

    def __init__(self, component: str, settings: Settings, health: Health, collectors: Sequence[Collector]) -> None:
        """Listen and answer from now on.

        Raises:
            OSError: the host is none of this machine's.

        """
        self._registry = CollectorRegistry()
        for collector in (*collectors, _Component(component, health)):
            self._registry.register(collector)
        ProcessCollector(registry=self._registry)
        self._server = _listen(component, settings, self._registry, health)
        host, port = self._server.server_address[:2]
        self.url = f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"
        threading.Thread(target=self._server.serve_forever, name="monitoring", daemon=True).start()
        log.info("monitoring_listens", component=component, url=self.url)

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()


def start_monitoring(
    component: str, settings: Settings, *, health: Health, collectors: Sequence[Collector]
) -> Monitoring | None:
    """Answer from now on, as the settings say; None where they say `off`, or where nobody can listen."""
    if settings.monitoring_port == "off":
        return None
    try:
        return Monitoring(component, settings, health, collectors)
    except OSError as error:
        log.error(  # noqa: TRY400 - the reason says all
            "monitoring_cannot_listen",
            host=settings.monitoring_host,
            reason=error.strerror or str(error),
            remedy="set REFERRALS_MONITORING_HOST to an address of this machine; the work goes on without",
        )
        return None


class _Component(Collector):
    """Which component this is, and how it is."""

    def __init__(self, component: str, health: Health) -> None:
        self._component = component
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """Yield it."""
        build = GaugeMetricFamily("referrals_build_info", "Component and version.", labels=["component", "version"])
        build.add_metric([self._component, VERSION], 1)
        yield build
        yield GaugeMetricFamily("referrals_live", f"1 if {LIVE} says so, else 0.", value=not self._health.live())
        yield GaugeMetricFamily("referrals_ready", f"1 if {READY} says so, else 0.", value=not self._health.ready())


class _Server(ThreadingHTTPServer):
    """Answers a few at a time, each in a thread."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], registry: CollectorRegistry, health: Health) -> None:
        self.address_family = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0][0]
        self.registry = registry
        self.health = health
        self._room = threading.Semaphore(CONNECTIONS_MAX)
        super().__init__(address, _Request)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the base's signature
        """Answer in a thread, where there is room for one."""
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the same
        """Answer; in the thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the same
        """Say nothing of who went away."""

    def server_bind(self) -> None:
        """Listen, without asking the name service who we are, as the base's base does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()


class _Request(BaseHTTPRequestHandler):
    """One request."""

    server: _Server
    timeout = PATIENCE_S

    def do_GET(self) -> None:
        """Answer."""
        path = self.path.partition("?")[0]
        if path == METRICS:
            self._answer(HTTPStatus.OK, _TEXT, generate_latest(self.server.registry))
        elif path == LIVE:
            self._say("alive", "standing", self.server.health.live())
        elif path == READY:
            self._say("ready", "waiting", self.server.health.ready())
        else:
            self._answer(HTTPStatus.NOT_FOUND, _TEXT, f"there are {METRICS}, {LIVE} and {READY}\n".encode())

    def do_HEAD(self) -> None:
        """Answer without the body."""
        self.do_GET()

    def _say(self, well: str, unwell: str, missing: Mapping[str, str]) -> None:
        status = HTTPStatus.SERVICE_UNAVAILABLE if missing else HTTPStatus.OK
        told = {"status": unwell if missing else well, **({"missing": dict(missing)} if missing else {})}
        self._answer(status, "application/json", json_line(told).encode() + b"\n")

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            with suppress(ConnectionError):
                self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's signature
        """Say nothing: whoever asks every few seconds is no news."""


def _listen(component: str, settings: Settings, registry: CollectorRegistry, health: Health) -> _Server:
    """Listen at the port that was given, or the component's usual one, or any that is free where somebody has it."""
    host = settings.monitoring_host
    given = settings.monitoring_port
    wanted = PORTS.get(component, 0) if given is None else int(given)
    try:
        return _Server((host, wanted), registry, health)
    except OSError as error:
        if not wanted:
            raise
        server = _Server((host, 0), registry, health)
        if given is not None:
            log.warning(
                "monitoring_port_taken",
                host=host,
                port=wanted,
                reason=error.strerror or str(error),
                remedy="give each component of a machine another REFERRALS_MONITORING_PORT; until then it is another",
            )
        return server
