"""A broker whose connections end, when the test says, with the answer to a request of one kind outstanding."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from local.parts.kafka import LocalKafka
from tests.own_kafka import own_kafka

LENGTH: Final = struct.Struct(">i")
KIND: Final = struct.Struct(">h")


class Cutter:
    """Stands before a broker, on an address of its own; passes everything on but what is to be cut."""

    def __init__(self, broker: tuple[str, int]) -> None:
        self._broker = broker
        self._door = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._door.getsockname()[1]}"
        self._kind = -1
        self._times = 0
        self._is_answered = False
        self._clients: set[socket.socket] = set()
        self.cuts = 0
        """How many connections were ended."""
        threading.Thread(target=self._let_in, name="cutter", daemon=True).start()

    def cut(self, kind: int, times: int, *, answered: bool = False) -> None:
        """End the connections of the next requests of a kind.

        Args:
            kind: its number in Kafka's protocol.
            times: of how many.
            answered: when the broker has answered, so that it has done what it was asked, instead of before it hears.

        """
        self._kind, self._times, self._is_answered, self.cuts = kind, times, answered, 0

    def cut_all(self) -> None:
        """End all connections that there are."""
        _end(*self._clients)

    def close(self) -> None:
        """Let nobody in any more."""
        self._door.close()

    def _let_in(self) -> None:
        with suppress(OSError):  # the door is closed
            while True:
                client, _ = self._door.accept()
                threading.Thread(target=self._serve, args=(client,), name="cutter", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._clients.add(client)
        with suppress(ConnectionRefusedError), client, socket.create_connection(self._broker) as broker:
            back = threading.Thread(target=self._back, args=(client, broker), name="cutter", daemon=True)
            back.start()
            self._forth(client, broker)
            back.join()
        self._clients.discard(client)

    def _forth(self, client: socket.socket, broker: socket.socket) -> None:
        with suppress(OSError), client.makefile("rb") as requests:
            while head := requests.read(LENGTH.size):
                body = requests.read(*LENGTH.unpack(head))
                if KIND.unpack_from(body)[0] == self._kind and self.cuts < self._times:
                    self.cuts += 1
                    if self._is_answered:
                        self._hear_alone(client, broker, head + body)
                    break
                broker.sendall(head + body)
        _end(client, broker)

    def _hear_alone(self, client: socket.socket, broker: socket.socket, request: bytes) -> None:
        """Let the broker do it, and keep the answer: the client is gone by then."""
        _end(client)
        broker.sendall(request)
        broker.recv(1 << 16)

    @staticmethod
    def _back(client: socket.socket, broker: socket.socket) -> None:
        with suppress(OSError):
            while answers := broker.recv(1 << 16):
                client.sendall(answers)
        _end(client, broker)


def _end(*connections: socket.socket) -> None:
    for connection in connections:
        with suppress(OSError):  # it has ended
            connection.shutdown(socket.SHUT_RDWR)


class BehindCutter(LocalKafka):
    """Tells everybody the cutter's address for its own."""

    cutter: Cutter

    def __init__(self, *given: Any, **options: Any) -> None:  # noqa: ANN401  as they are
        super().__init__(*given, **options)
        host, port = self.bootstrap_servers.rsplit(":", 1)
        self.cutter = Cutter((host, int(port)))

    def prepare(self) -> None:
        """Write it so."""
        super().prepare()
        properties = self._directory / "server.properties"
        text, count = re.subn(
            r"^(advertised\.listeners=\w+://)\S+$",
            rf"\g<1>{self.cutter.address}",
            properties.read_text(),
            flags=re.MULTILINE,
        )
        assert count == 1
        properties.write_text(text)


@contextmanager
def cut_kafka(directory: Path) -> Iterator[Cutter]:
    """Run such a broker for the body."""
    with own_kafka(BehindCutter, directory) as kafka:
        try:
            yield kafka.cutter
        finally:
            kafka.cutter.close()
