"""Where a test run takes place: a machine is somebody's, so each day the tests run as if on another one.

What leans on the machine (a time zone, a locale, a port that is free) is then found here and not by the first user.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What is different there."""

    name: str
    """A word for the command line."""
    what: str
    """What it means, for whoever reads the run's output."""
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    taken_ports: Sequence[int] = ()
    """Ports of 127.0.0.1 at which somebody else listens, who never answers."""


ALL: Final = (
    Surroundings(name="plain", what="this machine as it is"),
    Surroundings(name="east", what="fourteen hours ahead of UTC", environment={"TZ": "Pacific/Kiritimati"}),
    Surroundings(name="bare", what="no locale", environment={"LANG": "C", "LC_ALL": "C"}),
    Surroundings(name="crowded", what="the usual ports are taken", taken_ports=(5432, 8080, 9092)),
    Surroundings(name="west", what="eleven hours behind UTC", environment={"TZ": "Pacific/Pago_Pago"}),
)


def of_day(day: date) -> Surroundings:
    """Return the surroundings of a day: each in turn, by the day of the year."""
    return ALL[day.timetuple().tm_yday % len(ALL)]


def named(name: str) -> Surroundings:
    """Return those of a name; KeyError where there are none."""
    return {each.name: each for each in ALL}[name]


def move_to(surroundings: Surroundings) -> None:
    """Let this process, and what it becomes or starts, be there.

    The ports stay taken as long as any of them lives: the sockets are inherited, and nobody holds them here.
    """
    os.environ.update(surroundings.environment)
    for port in surroundings.taken_ports:
        with contextlib.suppress(OSError):  # somebody has it already, which is as good
            listener = socket.create_server(("127.0.0.1", port))
            listener.set_inheritable(True)
            listener.detach()
