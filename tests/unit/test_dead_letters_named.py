"""Dead letters found by where they stand: near ones are read at once, far ones apart, none that is not there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing

import pytest

from operations.dead_letters import NEAR, DeadLetterReader
from operations.reading import Span
from process.settings import load_settings

TOPIC = "referrals.dead-letters.v1"


class StandIn:
    """A topic of two partitions, each with offsets 10 to 4,999, of which every seventh is no record."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, Span]] = []

    def partitions(self, names: Iterable[str]) -> dict[str, int]:
        """Two."""
        return dict.fromkeys(names, 2)

    def spans(self, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Span]:
        """Return the same of each."""
        return {place: Span(10, 5_000) for place in places}

    def read(self, spans: Mapping[tuple[str, int], Span]) -> Iterator[Message]:
        """Note what is asked for, and yield it."""
        for (_, number), span in spans.items():
            self.asked.append((number, span))
            yield from (Message(number, offset) for offset in range(span.first, span.end) if offset % 7)

    def close(self) -> None:
        """Nothing is open."""


class Message:
    """A record, as far as it is looked at."""

    def __init__(self, partition: int, offset: int) -> None:
        self._place = partition, offset

    def topic(self) -> str:
        """Return the same always."""
        return TOPIC

    def partition(self) -> int:
        """As it was made."""
        return self._place[0]

    def offset(self) -> int:
        """As it was made."""
        return self._place[1]

    def timestamp(self) -> tuple[int, int]:
        """Return the beginning."""
        return 1, 0

    def key(self) -> bytes | None:
        """None."""
        return None

    def value(self) -> bytes:
        """Return an empty object."""
        return b"{}"

    def headers(self) -> list[tuple[str, bytes]]:
        """None."""
        return []


def test_near_ones_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order in which they were asked for; what is before, after, elsewhere or no record is left out."""
    settings = load_settings(bootstrap_servers="127.0.0.1:9", security_protocol="PLAINTEXT")
    with closing(DeadLetterReader(settings)) as reader:
        reader._reader.close()  # noqa: SLF001  it has connected to nothing
        stand_in = StandIn()
        monkeypatch.setattr(reader, "_reader", stand_in)
        far = 100 + NEAR + 50
        asked = [(1, far), (0, 101), (1, 100), (1, 99), (1, 14), (0, 9), (0, 5_000), (2, 100)]
        found = [(letter.partition, letter.offset) for letter in reader.named(asked)]
    assert found == [(1, far), (0, 101), (1, 100), (1, 99)]
    assert stand_in.asked == [(0, Span(101, 102)), (1, Span(14, 101)), (1, Span(far, far + 1))]
