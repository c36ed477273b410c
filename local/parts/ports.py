"""Ports: which are free, and what to say of one that is not."""

from __future__ import annotations

import random
import socket

from local.parts.errors import PartsError

LOOPBACK = "127.0.0.1"

# Below the range from which systems take the ports of outgoing connections (from 32768 on Linux, 49152 elsewhere). A
# port from that range could be taken while its server is away for a moment; a client that tries again and again can
# even be given the very port it is calling, and so be connected to itself.
_RANGE = range(20_000, 32_000)
_ATTEMPTS_MAX = 100
_LAST = 65_535

TAKEN = "Address already in use"
"""What a server's log says, whoever wrote it, when somebody has taken a port between our look at it and its start."""
START_ATTEMPTS = 3
"""A server that finds its port taken gets another one, so often in all."""


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listened on just now, drawn at random so that two starts do not choose the same.

    Raises PartsError where there are not so many.
    """
    ports: list[int] = []
    for port in random.SystemRandom().sample(_RANGE, _ATTEMPTS_MAX):
        if len(ports) == count:
            break
        if not is_listening(port) and why_not(LOOPBACK, port) is None:
            ports.append(port)
    if len(ports) < count:
        message = (
            f"of {_ATTEMPTS_MAX} ports tried from {_RANGE[0]} to {_RANGE[-1]} at {LOOPBACK}, {len(ports)} are "
            f"free and {count} are needed: end some of what listens there"
        )
        raise PartsError(message)
    return ports


def lost(kind: str, port: int) -> PartsError:
    """Return what is said where a server that was there before finds its port taken: its clients know that one."""
    return PartsError(
        f"port {port} is taken by another program, and {kind} needs it, because what runs knows it by that port: end "
        "that program, or stop this and start it again, which chooses another"
    )


def is_listening(port: int) -> bool:
    """Tell whether somebody accepts connections on the port."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex((LOOPBACK, port)) == 0


def why_not(host: str, port: int) -> str | None:
    """Return why nobody can listen there, in the system's words; None where one can."""
    if port > _LAST:  # the system would take it for another one
        return "there is no such port"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as server:
            # as servers do; connections just closed are no hindrance
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(address)
    except OSError as error:
        return error.strerror or str(error)
    return None
