"""One topic is read before the others: what is held until it is, without a broker."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from faust.types import TP

from streams.engine.engine import Engine
from streams.engine.partition import SourcePartition
from streams.engine.recovery import ChangelogRecovery
from tests.simulation.worker import Recovery
from tests.unit.engine.changes import OTHER_TOPIC, TOPIC, make_found, make_options

READ, UNREAD = 2, 3
FIRST = OTHER_TOPIC
END = 100
"""Of the topic that is read first, as `make_found` has it."""


class Consumer:
    """What is held."""

    def __init__(self) -> None:
        self.held: set[TP] = set()

    def assignment(self) -> set[TP]:
        """Both partitions of both topics."""
        return {TP(topic, number) for topic in (TOPIC, FIRST) for number in (READ, UNREAD)}

    def hold(self, tps: set[TP]) -> None:
        """Hold these."""
        self.held = tps

    def release(self, tps: set[TP]) -> None:
        """Hold them no more."""
        self.held = self.held - tps

    def covered(self) -> dict[TP, tuple[int, int]]:
        """All that was looked at are records."""
        return {}


def begin() -> tuple[Engine, Consumer, ChangelogRecovery]:
    """Give a worker that has taken two partitions over and fetched nothing; in one of them the topic is read."""
    engine, consumer = Engine(make_options()), Consumer()
    for number, at in ((READ, END), (UNREAD, 0)):
        engine.partitions[number] = SourcePartition(engine.options, number)
        engine.partitions[number].take_over({"stock": {}, "totals": {}}, {TOPIC: 0, FIRST: at}, make_found())
    recovery = Recovery(cast("Any", SimpleNamespace(engine=engine, consumer=consumer)))
    return engine, consumer, recovery


def end(engine: Engine) -> None:
    """Let the producers go."""
    for partition in engine.partitions.values():
        partition.producer.close()


def test_the_others_are_held_until_it_is_read_to_where_it_ended() -> None:
    """The takeover has asked where; a consumer that has fetched nothing could not say."""

    async def scene() -> list[set[TP]]:
        engine, consumer, recovery = begin()
        reading = asyncio.create_task(recovery.read_first(recovery.hold()))
        seen = []
        for at in (0, END - 1):
            engine.partitions[UNREAD].positions[FIRST] = at
            await asyncio.sleep(0.1)
            seen.append(consumer.held)
        engine.partitions[UNREAD].positions[FIRST] = END
        await reading
        end(engine)
        return [*seen, consumer.held]

    assert asyncio.run(scene()) == [{TP(TOPIC, UNREAD)}, {TP(TOPIC, UNREAD)}, set()]


def test_what_was_read_while_the_flow_began_is_released_too() -> None:
    """Records may flow before it is looked for the first time."""

    async def scene() -> set[TP]:
        engine, consumer, recovery = begin()
        held = recovery.hold()
        engine.partitions[UNREAD].positions[FIRST] = END
        await recovery.read_first(held)
        end(engine)
        return consumer.held

    assert asyncio.run(scene()) == set()
