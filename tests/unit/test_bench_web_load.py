"""The load generator of `bench web`: every answer is counted once, however it comes, and nothing is left under way."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from proof.bench.web_load import Load, Order, Stalled

PIECES = (b"HTTP/1.1 202 Accepted\r\nConte", b"nt-Length: 5\r\n\r", b"\nhe", b"llo")


class Answering(threading.Thread):
    """Answers every request in pieces; the first on each connection with another status."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.requests: list[bytes] = []
        self.closes = False

    def run(self) -> None:
        """Take connections."""
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            number = 0
            while request := connection.recv(1_000):
                self.requests.append(request)
                if self.closes:
                    return
                first, *rest = PIECES
                for piece in (first if number else first.replace(b"202 Accepted", b"404 Not Found"), *rest):
                    connection.sendall(piece)
                number += 1


@contextmanager
def answering() -> Iterator[Answering]:
    """Run a server for the body."""
    server = Answering()
    server.start()
    try:
        yield server
    finally:
        server.listening.close()


def order(server: Answering, *, per_s: float | None = None) -> Order:
    """Return a short load."""
    port = server.listening.getsockname()[1]
    requests = [b"GET /1 HTTP/1.1\r\n\r\n", b"GET /2 HTTP/1.1\r\n\r\n"]
    return Order(host="127.0.0.1", port=port, requests=requests, connections=3, seconds=0.2, per_s=per_s)


def test_closed_load_counts_every_answer_by_its_status() -> None:
    """As many connections as ordered, each with its first answer; requests in turn; none cut off."""
    with answering() as server:
        found = Load(order(server)).run()
        assert found.statuses[404] == 3
        assert set(found.statuses) == {202, 404}
        assert found.answers == len(found.latencies_s)
        assert len(server.requests) == found.answers + 3  # those under way at the end were answered, not counted
        assert {server.requests.count(request) for request in set(server.requests)} <= {
            len(server.requests) // 2,
            len(server.requests) // 2 + 1,
        }


def test_open_load_sends_what_is_due_and_waits_for_all() -> None:
    """The same number of requests each time, because the seed is fixed, and an answer to each."""
    with answering() as server:
        found = [Load(order(server, per_s=200.0)).run() for _ in range(2)]
        assert found[0].answers == found[1].answers > 20
        assert len(server.requests) == sum(one.answers for one in found)
        assert all(len(one.latencies_s) == one.answers for one in found)


def test_a_server_that_leaves_ends_the_load() -> None:
    """A connection that is closed is no answer."""
    with answering() as server:
        server.closes = True
        with pytest.raises(Stalled, match="closed"):
            Load(order(server)).run()
