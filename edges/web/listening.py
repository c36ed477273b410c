"""The socket that the HTTP side listens by: the first thing that `referrals web` does, before it waits for anything.

So a port that somebody has is said at once, also where Kafka and Postgres are away.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from process.settings import Settings

BACKLOG: Final = 2048


class CannotListen(Exception):  # noqa: N818  read as what is wrong
    """The address is taken, or not this machine's; the message names it and the settings."""


def listen(settings: Settings) -> socket.socket:
    """Return a socket that listens where the settings say; raise CannotListen."""
    host, port = settings.web_host, settings.web_port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(BACKLOG)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        msg = (
            f"cannot listen at {host}:{port}: {error.strerror}; choose another REFERRALS_WEB_PORT (0: any that is "
            "free) or REFERRALS_WEB_HOST"
        )
        raise CannotListen(msg) from None
    listening.setblocking(False)  # noqa: FBT003  the standard library's signature
    return listening
