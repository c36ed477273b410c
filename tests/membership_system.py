"""A membership system: a real HTTP server on loopback that lists members page by page, and misbehaves as it is told."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

LIST = "/members"


@dataclass
class Answer:
    """One answer that is given instead of a page."""

    status: int = 200
    body: bytes | Iterator[bytes] = b""
    """Pieces are sent one by one, each when it is made."""
    headers: dict[str, str] = field(default_factory=dict)


class MembershipSystem:
    """What the server has and what it was asked; a page is asked for by `?from=ROW`."""

    def __init__(self, port: int, scheme: str) -> None:
        self.url = f"{scheme}://127.0.0.1:{port}{LIST}"
        self.rows: Sequence[dict[str, Any]] = []
        self.page_rows = 100
        self.token: str | None = None
        """Asked for; None: anybody may ask."""
        self.script: list[Answer] = []
        """Given first, one for each request."""
        self.script_from = 1
        """The number of the request that is given the script's first answer."""
        self.always: Answer | None = None
        """Given to every request."""
        self.asked: list[str] = []
        """Path and query of each request."""
        self.is_slow = threading.Event()
        """While it is set, no answer is given."""
        self.held: list[str] = []
        """Path and query of each request that now waits for its answer."""

    def answer(self, target: str, authorization: str | None) -> Answer:
        """Return the answer to a request."""
        self.asked.append(target)
        if self.is_slow.is_set():
            self.held.append(target)
            while self.is_slow.is_set():
                time.sleep(0.01)
            self.held.remove(target)
        if self.script and len(self.asked) >= self.script_from:
            return self.script.pop(0)
        if self.always is not None:
            return self.always
        if self.token is not None and authorization != f"Bearer {self.token}":
            return Answer(401)
        query = parse_qs(urlsplit(target).query)
        start = int(query.get("from", ["0"])[0])
        page: dict[str, Any] = {"value": self.rows[start : start + self.page_rows]}
        if start + self.page_rows < len(self.rows):
            page["@odata.nextLink"] = f"{LIST}?from={start + self.page_rows}"
        return Answer(body=json.dumps(page).encode())


@contextmanager
def running_membership_system(*, certificate: Path | None = None) -> Iterator[MembershipSystem]:
    """Run one on a free port for the body; with a certificate and its key in a file, by https."""
    server = _Server(("127.0.0.1", 0), _Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    system = MembershipSystem(server.server_address[1], "http" if certificate is None else "https")
    server.system = system  # type: ignore[attr-defined]  # how the handler finds it
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    serving.start()
    try:
        yield system
    finally:
        system.is_slow.clear()
        server.shutdown()
        serving.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of who leaves in the middle."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        system: MembershipSystem = self.server.system  # type: ignore[attr-defined]  # see above
        answer = system.answer(self.path, self.headers.get("Authorization"))
        self.close_connection = True
        try:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            for piece in [answer.body] if isinstance(answer.body, bytes) else answer.body:
                self.wfile.write(piece)
        except OSError:
            pass  # who asked has gone

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""
