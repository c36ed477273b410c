"""Who gives tokens to the users of a secured Kafka, for a short while each; and can be told to refuse."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote_plus

from local.parts.ports import LOOPBACK

LIFE_S: Final = 300


class Tokens(ThreadingHTTPServer):
    """Answers as RFC 6749, section 4.4.3, whoever knows his password."""

    def __init__(self, password_of: Callable[[str], str], *, life_s: int, certificate: Path | None) -> None:
        super().__init__((LOOPBACK, 0), _Answer)
        self.password_of = password_of
        self.life_s = life_s
        self.is_open = True
        """Whether anybody is given any."""
        self.given = Counter[str]()
        """How many, by user."""
        self.refused = Counter[str]()
        self._scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self._scheme = "https"

    @property
    def url(self) -> str:
        """Where they are given."""
        return f"{self._scheme}://{LOOPBACK}:{self.server_port}/token"

    def handle_error(self, *_: Any) -> None:  # noqa: ANN401 - the base's
        """Say nothing of who does not believe our certificate."""


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Tokens

    def do_POST(self) -> None:
        """Give one, or refuse."""
        asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        by = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
        user, password = map(unquote_plus, by.split(":", 1))
        is_right = password == self.server.password_of(user) and asked["grant_type"] == ["client_credentials"]
        is_given = is_right and self.server.is_open
        (self.server.given if is_given else self.server.refused)[user] += 1
        now, life_s = int(time.time()), self.server.life_s
        claims = {"sub": user, "iat": now, "exp": now + life_s, "scope": asked.get("scope", [""])[0]}
        answer = {"access_token": _unsigned(claims), "token_type": "Bearer", "expires_in": life_s}
        text = json.dumps(answer if is_given else {"error": "invalid_client"}).encode()
        self.send_response(200 if is_given else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - the base's
        """Say nothing."""


def _unsigned(claims: dict[str, Any]) -> str:
    """Return a token as Kafka's own validator for tests takes them (RFC 7515, appendix A.5)."""
    parts = [
        base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in ({"alg": "none"}, claims)
    ]
    return f"{'.'.join(parts)}."


@contextmanager
def giver_of_tokens(
    password_of: Callable[[str], str], *, life_s: int = LIFE_S, certificate: Path | None = None
) -> Iterator[Tokens]:
    """Run one for the body, behind TLS if it has a certificate (with its key)."""
    server = Tokens(password_of, life_s=life_s, certificate=certificate)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
