"""What a connection may cost before anybody knows who is there: bounds and deadlines, in front of the application.

uvicorn takes any number of connections, request heads of any size, and waits for ever for the rest of one. Here a
connection is given up that is silent, or slow, for too long; a head that is too large is answered 431; and where there
are as many connections as descriptors allow, the one that has been waiting longest for a request makes room for a new
one, so that a thousand silent ones shut nobody out.

It costs a request two readings of the clock: deadlines are kept as numbers, and looked at once a second.
"""

from __future__ import annotations

import asyncio
import resource
from typing import TYPE_CHECKING, Any, Final

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from collections.abc import Iterable

HEAD_S: Final = 10.0
"""How long a request's head may take, from the connection or from its first byte."""
BODY_S: Final = 30.0
"""How long a body may take; the largest that is taken has 32 KiB."""
WRITE_S: Final = 30.0
"""How long a client may take nothing of an answer that is ready."""
HEAD_BYTES_MAX: Final = 32 * 1024
"""Of address and headers together; browsers send one or two KiB, proxies pass on 8 to 32."""
HEADERS_MAX: Final = 100
CONNECTIONS_MAX: Final = 4_000
DESCRIPTORS_LEFT: Final = 200
"""Descriptors that are not for connections: files of the spool, Postgres, Kafka's brokers."""
CONNECTIONS_MIN: Final = 50

SWEEP_TICKS: Final = 10
"""Of uvicorn, which ticks ten times a second."""

_NEVER: Final = float("inf")


def connections_max() -> int:
    """Return how many connections the process takes: as many as its descriptors allow, up to CONNECTIONS_MAX."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return CONNECTIONS_MAX
    return max(CONNECTIONS_MIN, min(CONNECTIONS_MAX, descriptors - DESCRIPTORS_LEFT))


class BoundedConnection(HttpToolsProtocol):
    """A connection of uvicorn's, with bounds; given to it as its protocol class."""

    def __init__(self, *given: Any, room: int, **named: Any) -> None:  # noqa: ANN401  uvicorn's own
        """Take, beside what uvicorn gives, how many connections there may be."""
        super().__init__(*given, **named)
        self._room = room
        self._deadline_s = _NEVER
        self._write_deadline_s = _NEVER
        self._waits_since_s = self.loop.time()
        self._is_in_head = False
        self._head_bytes = 0

    # The connection ---------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request; make room where there is none."""
        super().connection_made(transport)
        self._deadline_s = self._waits_since_s + HEAD_S
        if len(self.connections) > self._room:
            self._make_room()

    @property
    def is_waiting(self) -> bool:
        """Whether no request is being read or answered."""
        return self.cycle is None or self.cycle.response_complete

    def expire(self, now_s: float) -> None:
        """Give the connection up if its time is over."""
        if now_s > self._write_deadline_s:
            self.transport.abort()  # it would wait for the client to take the rest
        elif now_s > self._deadline_s:
            if self._is_in_head and self._head_bytes:
                self._refuse(b"408 Request Timeout")
            elif self.is_waiting:
                self.transport.close()
            else:
                self.transport.abort()  # in the middle of a body; the application learns that it ended

    def _make_room(self) -> None:
        waiting = [each for each in self.connections if isinstance(each, BoundedConnection) and each.is_waiting]
        oldest = min(waiting, key=lambda each: each._waits_since_s)  # noqa: SLF001  of its own class; self is one
        if oldest is self:
            self._refuse(b"503 Service Unavailable")
        else:
            self.connections.discard(oldest)  # at once: others may come before it is told that it is lost
            oldest.transport.abort()

    def _refuse(self, status: bytes) -> None:
        """Answer without the application, and close."""
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 %b\r\nconnection: close\r\ncontent-length: 0\r\n\r\n" % status)
            self.transport.close()

    def pause_writing(self) -> None:
        """Note that the client takes nothing just now."""
        super().pause_writing()
        self._write_deadline_s = self.loop.time() + WRITE_S

    def resume_writing(self) -> None:
        """Note that it takes something again."""
        super().resume_writing()
        self._write_deadline_s = _NEVER

    # What comes in ----------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Read on; stop where a head becomes too large."""
        if self.transport.is_closing():
            return
        if self._deadline_s == _NEVER and self.is_waiting:  # also for what begins no request, like empty lines
            self._deadline_s = self.loop.time() + HEAD_S
        self._head_bytes += len(data)
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._read_on(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
            return
        if self._is_in_head and self._head_bytes > HEAD_BYTES_MAX:
            self._refuse(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._is_in_head = True
        if not self.is_waiting:  # sent before the answer to the one before; its time begins with its turn
            self._deadline_s = _NEVER

    def on_headers_complete(self) -> None:
        """Hand the request over, or refuse it."""
        self._is_in_head = False
        self._deadline_s = self.loop.time() + BODY_S
        if self.url.startswith(
            b"//"
        ):  # an address that ended with a slash, and a path put behind it; else read as a host
            self.url = b"/" + self.url.lstrip(b"/")
        # What came may have been more than the head, so it is measured where it can have been too large.
        if len(self.headers) > HEADERS_MAX or (
            self._head_bytes > HEAD_BYTES_MAX and _size(self.url, self.headers) > HEAD_BYTES_MAX
        ):
            self.app = _too_large
        super().on_headers_complete()
        self.app = self.config.loaded_app
        self._head_bytes = 0

    def on_message_complete(self) -> None:
        """Note that the request is whole."""
        if self.parser.should_upgrade():
            return  # its body has not been read
        self._deadline_s = _NEVER
        self._head_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request; uvicorn closes the connection if none comes."""
        self._waits_since_s = self.loop.time()
        if self._is_in_head:
            self._deadline_s = self._waits_since_s + HEAD_S
        super().on_response_complete()

    def _read_on(self, rest: bytes) -> None:
        """Read the body of a request that asks for another protocol, which is not spoken here.

        Java's HttpClient asks for h2c with every first request; the parser stops behind its head. Another one takes the
        body, after a head that says only how long it is.
        """
        framing = [
            b"%b: %b\r\n" % header for header in self.headers if header[0] in {b"content-length", b"transfer-encoding"}
        ]
        self.parser = httptools.HttpRequestParser(_Rest(self))
        self.parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % b"".join(framing))
        if rest:
            self.data_received(rest)


class _Rest:
    """Tells a connection what its second parser reads, but for the head that the first has read already."""

    def __init__(self, connection: BoundedConnection) -> None:
        self._connection = connection
        self._is_within = True
        self.on_body = connection.on_body

    def on_message_begin(self) -> None:
        if not self._is_within:
            self._connection.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._is_within:
            self._connection.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_within:
            self._connection.on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self._is_within:
            self._connection.on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_within = False
        self._connection.on_message_complete()


class BoundedServer(uvicorn.Server):
    """A server that gives up connections whose time is over."""

    async def on_tick(self, counter: int) -> bool:
        """Do what uvicorn does ten times a second, and look at the connections once a second."""
        if counter % SWEEP_TICKS == 0:
            now_s = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, BoundedConnection):
                    connection.expire(now_s)
        return await super().on_tick(counter)


def _size(url: bytes, headers: Iterable[tuple[bytes, bytes]]) -> int:
    return len(url) + sum(len(name) + len(value) + 4 for name, value in headers)


async def _too_large(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401, ARG001  ASGI's signature
    headers = [(b"content-length", b"0"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 431, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
