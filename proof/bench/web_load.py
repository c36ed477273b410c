"""The load generator: HTTP/1.1 over kept connections, by raw sockets and epoll, in a process of its own.

    python -m proof.bench.web_load          reads an order from standard input, prints what was found
    python -m proof.bench.web_load --echo   answers every request at once, with nothing: what the generator reaches

A request is bytes made before, an answer is its status and its length; so it takes a tenth of the CPU that a server on
asyncio takes to answer. Two kinds of load:

- *closed*: every connection sends its next request when it has the answer to the last: as much as the server can do.
- *open*: requests come at random times (Poisson) at a given rate, whatever the server does; one that finds no free
  connection waits, and its time runs from when it was due, so a server that stands still is seen as what it is.
  The generator itself is late by up to a millisecond (epoll's), which is charged to the server.
"""

from __future__ import annotations

import itertools
import random
import re
import select
import socket
import sys
import time
from collections import Counter, deque
from typing import Final

import msgspec
from msgspec import Struct

SEED: Final = 7
CHUNK: Final = 65_536
PATIENCE_S: Final = 10.0
"""The longest that an answer may take before the load is given up."""

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_EMPTY: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Order(Struct, frozen=True, kw_only=True):
    """A load to be made."""

    host: str
    port: int
    requests: list[bytes]
    """Sent in turn, over and over."""
    connections: int
    seconds: float
    per_s: float | None = None
    """Requests per second of an open load; None: closed."""


class Found(Struct, frozen=True, kw_only=True):
    """What came of it."""

    seconds: float
    statuses: dict[int, int]
    """Answers by status."""
    latencies_s: list[float]
    """From when each request was sent, of an open load was due, to the end of its answer."""
    cpu_s: float
    """CPU time of the generator."""

    @property
    def answers(self) -> int:
        """Return how many requests were answered."""
        return sum(self.statuses.values())

    @property
    def per_s(self) -> float:
        """Return how many were answered in a second."""
        return self.answers / self.seconds


class Stalled(Exception):  # noqa: N818  read as what happened
    """The server has closed a connection or does not answer."""


class Connection:
    """A connection with at most one request under way."""

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port), PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due_s = 0.0
        self._held = b""

    def send(self, request: bytes, due_s: float) -> None:
        """Send a request; the kernel's buffer takes it whole."""
        self.due_s = due_s
        self.socket.sendall(request)

    def receive(self) -> int:
        """Take what came, and return the status where the answer is whole, else 0."""
        came = self.socket.recv(CHUNK)
        if not came:
            raise Stalled("the server has closed a connection")
        held = self._held + came if self._held else came
        end = held.find(b"\r\n\r\n")
        if end >= 0:
            length = _LENGTH.search(held, 0, end)
            if length is None:
                raise Stalled(f"an answer without a length: {held[:end]!r}")
            if len(held) == end + 4 + int(length[1]):
                self._held = b""
                return int(held[9:12])
        self._held = held
        return 0


class Load:
    """Connections to one server."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._requests = itertools.cycle(order.requests)
        self._statuses: Counter[int] = Counter()
        self._latencies_s: list[float] = []
        self._under_way = 0
        self._poll = select.epoll()
        self._connections: dict[int, Connection] = {}
        for _ in range(order.connections):
            connection = Connection(order.host, order.port)
            self._connections[connection.socket.fileno()] = connection
            self._poll.register(connection.socket, select.EPOLLIN)

    def run(self) -> Found:
        """Make the load, once."""
        try:
            return self._run()
        finally:
            self._poll.close()
            for connection in self._connections.values():
                connection.socket.close()

    def _run(self) -> Found:
        cpu_s, started_s = time.process_time(), time.perf_counter()
        if self._order.per_s is None:
            self._run_closed(started_s + self._order.seconds)
        else:
            self._run_open(started_s, self._order.per_s)
        found = Found(
            seconds=time.perf_counter() - started_s,
            statuses=dict(self._statuses),
            latencies_s=self._latencies_s,
            cpu_s=time.process_time() - cpu_s,
        )
        while self._under_way:  # not counted any more, but not cut off either
            self._answered(PATIENCE_S)
        return found

    def _run_closed(self, until_s: float) -> None:
        for connection in self._connections.values():
            self._send(connection, time.perf_counter())
        while (now_s := time.perf_counter()) < until_s:
            for connection in self._answered(PATIENCE_S):
                self._latencies_s.append(now_s - connection.due_s)
                self._send(connection, now_s)

    def _run_open(self, started_s: float, per_s: float) -> None:
        chance = random.Random(SEED)
        free = deque(self._connections.values())
        due: deque[float] = deque()
        next_s, until_s = started_s, started_s + self._order.seconds
        while next_s < until_s or due or self._under_way:
            now_s = time.perf_counter()
            while next_s <= now_s and next_s < until_s:
                due.append(next_s)
                next_s += chance.expovariate(per_s)
            while due and free:
                self._send(free.popleft(), due.popleft())
            # Either the next request is due, or an answer makes a connection free.
            wait_s = max(0.0, next_s - time.perf_counter()) if next_s < until_s else PATIENCE_S
            for connection in self._answered(wait_s):
                self._latencies_s.append(time.perf_counter() - connection.due_s)
                free.append(connection)

    def _send(self, connection: Connection, due_s: float) -> None:
        connection.send(next(self._requests), due_s)
        self._under_way += 1

    def _answered(self, wait_s: float) -> list[Connection]:
        """Wait for a part of an answer, and return the connections whose answers are whole now."""
        came = self._poll.poll(wait_s)
        if not came and wait_s >= PATIENCE_S:
            raise Stalled(f"no answer within {PATIENCE_S:.0f} s")
        answered = []
        for number, _ in came:
            connection = self._connections[number]
            status = connection.receive()
            if status:
                self._statuses[status] += 1
                self._under_way -= 1
                answered.append(connection)
        return answered


def answer_at_once() -> None:
    """Answer whatever comes with nothing, on a port that is printed; a request comes in one piece."""
    listening = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    poll = select.epoll()
    poll.register(listening, select.EPOLLIN)
    connections: dict[int, socket.socket] = {}
    while True:
        for number, _ in poll.poll():
            if number == listening.fileno():
                connection, _ = listening.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[connection.fileno()] = connection
                poll.register(connection, select.EPOLLIN)
            elif connections[number].recv(CHUNK):
                connections[number].sendall(_EMPTY)
            else:
                poll.unregister(number)
                connections.pop(number).close()


def main() -> None:
    """Do what is ordered."""
    if "--echo" in sys.argv:
        answer_at_once()
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    sys.stdout.buffer.write(msgspec.json.encode(Load(order).run()))


if __name__ == "__main__":
    main()
