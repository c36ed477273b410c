"""What was committed, once it can be seen: a commit is answered before the ends of its transaction are written."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from typing import Final

from confluent_kafka import IsolationLevel, Message, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # not in its __all__

from process.administrator import Administrator
from streams.engine import changelog
from streams.engine.changelog import Loaded
from streams.engine.clients import LibrdkafkaClients
from streams.engine.options import EngineOptions

SETTLE_S: Final = 5.0
"""Then a transaction is open on purpose."""
TIMEOUT_S: Final = 30.0
LOOK_AGAIN_S: Final = 0.01


def load_rows(options: EngineOptions, partitions: Collection[int]) -> dict[int, Loaded]:
    """Return what is kept of source partitions, when all of it can be seen."""
    settle(options, [(options.changelog(table), number) for table in options.tables for number in partitions])
    return changelog.load_rows(options, partitions)


def read_to_end(
    options: EngineOptions,
    places: Collection[tuple[str, int]],
    *,
    ends: dict[tuple[str, int], int] | None = None,
) -> Iterator[tuple[tuple[str, int], Message]]:
    """Yield what is committed in topics' partitions, when all of it can be seen."""
    settle(options, places)
    return changelog.read_to_end(options, places, ends=ends)


def settle(options: EngineOptions, places: Collection[tuple[str, int]]) -> None:
    """Wait until no transaction is open in these partitions; the simulation's end at once."""
    if not isinstance(options.clients, LibrdkafkaClients):
        return
    admin = options.clients.admin(options.client_config)
    until_s = time.monotonic() + SETTLE_S
    while _ends(admin, places, IsolationLevel.READ_COMMITTED) != _ends(admin, places, IsolationLevel.READ_UNCOMMITTED):
        if time.monotonic() > until_s:
            return
        time.sleep(LOOK_AGAIN_S)


def _ends(
    admin: Administrator, places: Collection[tuple[str, int]], isolation: IsolationLevel
) -> dict[tuple[str, int], int]:
    asked = {TopicPartition(*place): OffsetSpec.latest() for place in places}  # type: ignore[no-untyped-call]
    found = admin.list_offsets(asked, isolation_level=isolation, request_timeout=TIMEOUT_S)
    return {(place.topic, place.partition): answer.result().offset for place, answer in found.items()}
