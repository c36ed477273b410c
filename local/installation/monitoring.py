"""The ports at which the components of an installation answer /metrics and /health: one for each process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.parts.ports import free_ports, why_not

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from process.settings import Settings


def choose_ports(settings: Settings, processes: Sequence[str], announce: Callable[[str], None]) -> dict[str, int]:
    """Return a port for each process: from the one that was given on, else any that are free; none where it is off.

    Whether an installation does its work must not depend on who looks at it: where the port of a process is taken, it
    has another. That is said, and known here, since whoever answers at the port would else pass for the process.

    Args:
        settings: the installation's, with the port at which its HTTP side is going to listen.
        processes: what they are called.
        announce: told what whoever reads it may not expect.

    """
    given, host = settings.monitoring_port, settings.monitoring_host
    if given == "off":
        return {}
    if reason := why_not(host, 0):
        announce(
            f"nothing answers /metrics and /health but the HTTP side: REFERRALS_MONITORING_HOST={host} cannot be "
            f"listened at: {reason}"
        )
        return {}
    others = dict(zip(processes, free_ports(len(processes)), strict=True))
    if not given:
        return others
    chosen = {}
    for port, name in enumerate(processes, given):
        reason = "the HTTP side is there" if port == settings.web_port else why_not(host, port)
        chosen[name] = others[name] if reason else port
        if reason:
            announce(
                f"{name} cannot answer /metrics and /health at {host}:{port}: {reason}; it does at port "
                f"{chosen[name]}, and REFERRALS_MONITORING_PORT sets the first of {len(processes)} in a row"
            )
    return chosen
