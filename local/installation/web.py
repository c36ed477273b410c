"""Where an installation's HTTP side is: its port, its address, and whether it is ready."""

from __future__ import annotations

import socket
import urllib.request
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from local.parts import PartsError
from local.parts.ports import LOOPBACK, free_ports

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from process.settings import Settings

WEB: Final = "web"
"""The command that runs it; it reads no topic, so it is none of the components that share partitions."""

LOGIN: Final = "referrals_web"
"""Its user in a Postgres of ours, with the role referrals_app and nothing else."""

_ANSWER_TIMEOUT_S: Final = 2.0
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  what is recognised, not what is listened at


def choose_port(settings: Settings, kept: Path | None, announce: Callable[[str], None]) -> int:
    """Return the port that was given; else the one of the last start, so that links which were shared go on working.

    Else the usual one, or any that is free where somebody has it, which is said.

    Args:
        settings: the installation's.
        kept: the file that keeps the port from one start to the next; None: none does.
        announce: told what whoever reads it may not expect.

    Raises:
        PartsError: the port that was given is taken.

    """
    if settings.is_given("web_port") and settings.web_port:
        if not _is_free(settings.web_host, settings.web_port):
            msg = f"REFERRALS_WEB_PORT={settings.web_port} cannot be listened at; give another, or 0 for any free one"
            raise PartsError(msg)
        return settings.web_port
    usual = settings.web_port
    last = _read_port(kept)
    port = next((each for each in (last, usual) if each and _is_free(settings.web_host, each)), None)
    if port is None:
        port = free_ports(1)[0]
        if last or usual:
            announce(f"port {last or usual} is taken by another program: the HTTP side is at port {port}")
    if last and last != port:
        announce(f"links with port {last} lead here again after a start when it is free; REFERRALS_WEB_PORT sets one")
    elif kept is not None and not last:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(f"{port}\n")
    return port


def _read_port(kept: Path | None) -> int | None:
    try:
        return int(kept.read_text()) if kept is not None else None
    except (OSError, ValueError):  # the first start
        return None


def web_url(settings: Settings) -> str:
    """Return the address for a browser on this machine."""
    return url_of(settings.web_host, settings.web_port)


def url_of(host: str, port: int) -> str:
    """Return the address, on this machine, of what listens there."""
    host = LOOPBACK if host in _EVERYWHERE else host
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_ready(settings: Settings) -> bool:
    """Tell whether it answers, and has Kafka, its topics and Postgres."""
    try:
        with urllib.request.urlopen(f"{web_url(settings)}/health/ready", timeout=_ANSWER_TIMEOUT_S) as answer:  # noqa: S310  an address of our own
            return bool(answer.status == HTTPStatus.OK)
    except OSError:  # nobody listens yet; or 503, which is an OSError as well
        return False


def _is_free(host: str, port: int) -> bool:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
    except OSError:
        return False
    return True
