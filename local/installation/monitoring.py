"""The ports at which the components of an installation answer /metrics and /health: one for each process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.parts.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from process.settings import Settings


def choose_ports(settings: Settings, processes: Sequence[str]) -> dict[str, int]:
    """Return a port for each process: from the one that was given on, else any that are free; none where it is off."""
    given = settings.monitoring_port
    if given == "off":
        return {}
    ports = [given + number for number in range(len(processes))] if given else free_ports(len(processes))
    return dict(zip(processes, ports, strict=True))
