"""For how long brokers have not answered a consumer, by what librdkafka counts of each.

A broker that is stopped, or lies behind a network that swallows everything, ends no connection: librdkafka reports it
when a request has gone unanswered for its whole timeout, after a minute or more. Its statistics show at once that
nothing comes. Of interest are the brokers that the reader cannot do without: the leaders of what it reads, which answer
each fetch within half a second even where there is nothing, and its group's coordinator, which answers the heartbeats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct, field
from msgspec.json import Decoder

if TYPE_CHECKING:
    from collections.abc import Collection

INTERVAL_MS: Final = 5_000
"""How often librdkafka counts. A few kilobytes of JSON, and one more for each partition."""
COORDINATOR: Final = "GroupCoordinator"
"""What librdkafka calls it, whichever broker it is."""

_UP: Final = "UP"


class _Partition(Struct, frozen=True):
    broker: int = -1
    """Node id of who is asked for its records; -1: nobody is known."""


class _Topic(Struct, frozen=True):
    partitions: dict[str, _Partition]


class _Broker(Struct, frozen=True):
    nodeid: int
    state: str
    rx: int
    """Answers that have come, ever."""
    waitresp_cnt: int
    """Requests that wait for one."""


class _Statistics(Struct, frozen=True):
    brokers: dict[str, _Broker] = field(default_factory=dict)
    topics: dict[str, _Topic] = field(default_factory=dict)


_decoder: Final = Decoder(_Statistics)


class Answers:
    """What one consumer has heard; looked at by its thread, asked by any."""

    def __init__(self) -> None:
        self.silent_s = 0.0
        """For how long the most silent of the brokers that it needs had not answered, when it was last looked."""
        self._counted: dict[str, int] = {}
        self._heard_s: dict[str, float] = {}

    def look(self, statistics: str | bytes, reads: Collection[tuple[str, int]], now_s: float) -> None:
        """Take a count: librdkafka's JSON, the partitions that are read, and the time by a clock that only goes on."""
        found = _decoder.decode(statistics)
        by_id = {broker.nodeid: name for name, broker in found.brokers.items() if broker.nodeid >= 0}
        asked = {_asked(found, topic, partition) for topic, partition in reads}
        needed = {COORDINATOR, *(by_id.get(number, f"broker {number}") for number in asked)}
        heard_s = {}
        for name in needed:
            broker = found.brokers.get(name)
            is_heard = broker is not None and (
                broker.rx != self._counted.get(name) or (broker.state == _UP and not broker.waitresp_cnt)
            )
            heard_s[name] = now_s if is_heard else self._heard_s.get(name, now_s)
        self._counted = {name: broker.rx for name, broker in found.brokers.items()}
        self._heard_s = heard_s
        self.silent_s = now_s - min(heard_s.values())


def _asked(found: _Statistics, topic: str, partition: int) -> int:
    """Return who is asked for a partition's records."""
    known = found.topics.get(topic)
    return (_Partition() if known is None else known.partitions.get(str(partition), _Partition())).broker
