"""Keeps Kafka and Postgres running under `up`, as the supervisor keeps the components."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NoReturn

import psutil

from local.parts import PartsError
from local.parts.kafka import LocalKafka
from local.parts.postgres import LocalPostgres

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.installation.starting import Installation

LOOK_INTERVAL_S: Final = 1.0


def tend(installation: Installation, announce: Callable[[str], None]) -> NoReturn:
    """Start a local Kafka or Postgres again whenever it has ended, until interrupted.

    It keeps its address and its data, so the components go on by themselves. What others run is theirs to start.
    """
    parts = [installation.parts.kafka, installation.parts.postgres]
    ours = [part for part in parts if isinstance(part, LocalKafka | LocalPostgres)]
    while True:
        for part in ours:
            if not _runs(part.pid):
                announce(f"{part.kind} has ended, starting it again")
                try:
                    part.start()
                    announce(f"{part.kind} is back")
                except PartsError as error:
                    announce(str(error))
        time.sleep(LOOK_INTERVAL_S)


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
