"""Connections of strangers, on a server of ours with an application that only answers: bounds, deadlines, h2c."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import uvicorn

from edges.web import connections
from edges.web.connections import HEAD_BYTES_MAX, HEADERS_MAX, BoundedConnection, BoundedServer, connections_max

pytestmark = pytest.mark.integration

SOON_S = 20.0
ROOM = 5


async def echo(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  ASGI's
    """Answer with the method and the body."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return
        body, more = body + message["body"], message["more_body"]
    answer = scope["method"].encode() + b" " + body
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(answer)).encode())]}
    )
    await send({"type": "http.response.body", "body": answer})


async def pour(_scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401  ASGI's
    """Answer with more than a client takes who reads nothing."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(400):
        await send({"type": "http.response.body", "body": bytes(1_000_000), "more_body": True})


class Client:
    """A connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Send, unless the other side has closed."""
        self._writer.write(data)
        try:
            await self._writer.drain()
        except ConnectionError:
            return

    async def answer(self) -> tuple[bytes, bytes]:
        """Return the next answer's status and body."""
        async with asyncio.timeout(SOON_S):
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            return head.split(b" ")[1], await self._reader.readexactly(length)

    async def ends(self) -> bytes:
        """Wait until the other side closes, and return what it has said till then."""
        said = b""
        async with asyncio.timeout(SOON_S):
            try:
                while part := await self._reader.read(65_536):
                    said += part
            except ConnectionError:
                pass
        return said

    def close(self) -> None:
        """Close it."""
        self._writer.close()


Connect = Callable[[], Awaitable[Client]]


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[Connect]:  # noqa: ANN401  ASGI's
    """Run a server with room for a few connections."""
    protocol: Any = partial(BoundedConnection, room=ROOM)
    config = uvicorn.Config(
        app, port=0, http=protocol, ws="none", lifespan="off", log_config=None, timeout_keep_alive=75
    )
    server = BoundedServer(config)
    serving = asyncio.create_task(server._serve())  # noqa: SLF001  without signals, as ours
    clients: list[Client] = []
    while not server.started:  # noqa: ASYNC110  it knows of no event
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]

    async def connect() -> Client:
        clients.append(Client(*await asyncio.open_connection("127.0.0.1", port)))
        return clients[-1]

    try:
        yield connect
    finally:
        for client in clients:
            client.close()
        server.should_exit = server.force_exit = True
        await serving


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Give what connects to a server that echoes."""
    async with running(echo) as connect:
        yield connect


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let deadlines be short."""
    for name in ("HEAD_S", "BODY_S", "WRITE_S"):
        monkeypatch.setattr(connections, name, 0.2)


async def test_requests_one_after_another(connect: Connect) -> None:
    """On one connection, with and without bodies, in one piece or many."""
    client = await connect()
    await client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nab")
    assert await client.answer() == (b"200", b"POST ab")
    for byte in b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\ncd\r\n0\r\n\r\n":
        await client.send(bytes([byte]))
    assert await client.answer() == (b"200", b"POST cd")
    await client.send(b"GET /1 HTTP/1.1\r\nhost: x\r\n\r\nGET /2 HTTP/1.1\r\nhost: x\r\n\r\n")
    assert [await client.answer(), await client.answer()] == [(b"200", b"GET ")] * 2


@pytest.mark.parametrize("pieces", [1, 7, 1_000])
@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"content-length: 4\r\n", b"body"),
        (b"transfer-encoding: chunked\r\n", b"4\r\nbody\r\n0\r\n\r\n"),
        (b"content-length: 0\r\n", b""),
    ],
)
async def test_a_client_that_would_rather_speak_http_2(
    connect: Connect, framing: bytes, body: bytes, pieces: int
) -> None:
    """Java's HttpClient asks for h2c with its first request; it is answered as asked, and the connection goes on."""
    client = await connect()
    request = (
        b"POST / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nHost: x\r\nHTTP2-Settings: AAEAAEAAAAIA"
        b"AAABAAMAAABkAAQBAAAAAAUAAEAA\r\nUpgrade: h2c\r\nUser-Agent: Java-http-client/17\r\n%b\r\n%b" % (framing, body)
    )
    size = -(-len(request) // pieces)
    for start in range(0, len(request), size):
        await client.send(request[start : start + size])
    expected = b"POST body" if body else b"POST "
    assert await client.answer() == (b"200", expected)
    await client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nab")
    assert await client.answer() == (b"200", b"POST ab")
    await client.send(request + request)
    assert [await client.answer(), await client.answer()] == [(b"200", expected)] * 2


async def test_a_websocket_is_not_spoken(connect: Connect) -> None:
    """It is a request like others."""
    client = await connect()
    await client.send(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
    assert await client.answer() == (b"200", b"GET ")


async def test_large_heads(connect: Connect) -> None:
    """One that is too large, or has too many headers, is answered 431, in one piece or without an end; others pass."""
    good = await connect()
    await good.send(b"GET / HTTP/1.1\r\nhost: x\r\nx: %b\r\n\r\n" % (b"x" * (HEAD_BYTES_MAX - 1_000)))
    assert await good.answer() == (b"200", b"GET ")
    await good.send(b"POST / HTTP/1.1\r\ncontent-length: 100000\r\n\r\n" + bytes(100_000))
    assert (await good.answer())[0] == b"200"
    for head in (
        b"GET / HTTP/1.1\r\nx: %b\r\n\r\n" % (b"x" * HEAD_BYTES_MAX),
        b"GET /%b HTTP/1.1\r\n\r\n" % (b"x" * HEAD_BYTES_MAX),
        b"GET / HTTP/1.1\r\n%b\r\n" % (b"x: y\r\n" * (HEADERS_MAX + 1)),
        b"GET / HTTP/1.1\r\nx: %b" % (b"x" * 8_000_000),
    ):
        client = await connect()
        sending = asyncio.create_task(client.send(head))
        assert (await client.ends()).startswith(b"HTTP/1.1 431 ")
        await sending
        client.close()


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", b""),
        (b"\r\n", b""),
        (b"GET / HT", b"HTTP/1.1 408 "),
        (b"GET / HTTP/1.1\r\nhost: x\r\n", b"HTTP/1.1 408 "),
        (b"POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\nabc", b""),
        (b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\n", b"HTTP/1.1 200 OK"),
    ],
)
async def test_silence(connect: Connect, sent: bytes, said: bytes) -> None:
    """Who says nothing, or no more, is not waited for."""
    client = await connect()
    await client.send(sent)
    heard = await client.ends()
    assert heard.startswith(said) if said else heard == b""


@pytest.mark.usefixtures("hasty")
async def test_a_client_that_takes_nothing() -> None:
    """An answer that nobody takes ends, and with it what it holds."""
    async with running(pour) as connect:
        client = await connect()
        await client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await asyncio.sleep(2.5)  # two looks at the connections
        assert len(await client.ends()) < 400_000_000


async def test_silent_connections_shut_nobody_out(connect: Connect) -> None:
    """Where there is no room, the one that has waited longest for a request goes; one in the middle of one stays."""
    busy = await connect()
    await busy.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\na")
    silent = [await connect() for _ in range(ROOM * 4)]
    person = await connect()
    await person.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert await person.answer() == (b"200", b"GET ")
    await busy.send(b"b")
    assert await busy.answer() == (b"200", b"POST ab")
    assert await silent[0].ends() == b""


async def test_no_room_at_all(connect: Connect) -> None:
    """Where every connection is in the middle of a request, another is told to come again."""
    for _ in range(ROOM):
        client = await connect()
        await client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\na")
        await asyncio.sleep(0.05)  # until the server has read it
    other = await connect()
    assert (await other.ends()).startswith(b"HTTP/1.1 503 ")


def test_as_many_connections_as_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer than the process may open, so that files and databases have theirs."""
    for allowed, taken in ((1_024, 824), (100, 50), (1_000_000, 4_000), (-1, 4_000)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, allowed=allowed: (allowed, allowed))
        assert connections_max() == taken
