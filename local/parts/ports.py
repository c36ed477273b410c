"""Free ports on the loopback address."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"

# Below the range from which systems take the ports of outgoing connections (from 32768 on Linux, 49152 elsewhere). A
# port from that range could be taken while its server is away for a moment; a client that tries again and again can
# even be given the very port it is calling, and so be connected to itself.
_RANGE = range(20_000, 32_000)
_ATTEMPTS_MAX = 100


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listened on just now, drawn at random so that two starts do not choose the same."""
    ports: list[int] = []
    for port in random.SystemRandom().sample(_RANGE, _ATTEMPTS_MAX):
        if len(ports) < count and not is_listening(port) and _can_bind(port):
            ports.append(port)
    return ports


def is_listening(port: int) -> bool:
    """Tell whether somebody accepts connections on the port."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex((LOOPBACK, port)) == 0


def _can_bind(port: int) -> bool:
    with socket.socket() as server:
        server.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as servers do; connections just closed are no hindrance
        try:
            server.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
