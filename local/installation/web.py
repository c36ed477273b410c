"""Where an installation's HTTP side is: its port, its address, and whether it is ready."""

from __future__ import annotations

import urllib.request
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from local.parts import PartsError
from local.parts.ports import LOOPBACK, free_ports, why_not

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
        PartsError: the port that was given is taken, or the host is none of this machine's.

    """
    given = settings.web_port if settings.is_given("web_port") else 0
    if reason := why_not(settings.web_host, given):
        msg = (
            f"the HTTP side cannot listen at {settings.web_host}:{given}: {reason}; choose another REFERRALS_WEB_PORT "
            "(0: any that is free) or REFERRALS_WEB_HOST"
        )
        raise PartsError(msg)
    if given:
        return given
    usual = settings.web_port
    last = _read_port(kept)
    port = next((each for each in (last, usual) if each and not why_not(settings.web_host, each)), None)
    if port is None:
        port = free_ports(1)[0]
        if last or usual:
            announce(
                f"port {last or usual} is taken by another program: the HTTP side is at port {port}; "
                "REFERRALS_WEB_PORT sets one"
            )
    if last and last != port:
        announce(f"links with port {last} lead here again after a start when it is free")
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
