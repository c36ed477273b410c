"""Numbers of partitions that the source topics have had, and which records came under which.

A record that was counted before a change stays where it is, so a code has records in the partition where it belonged
and in the one where it belongs. The number grows to a multiple: a code's partitions are all in one *class*, the
partitions of one remainder by the first number, and a class is checked as a whole, its records in the order of the
changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from proof.verify.reading import Span, Spans


class Change(NamedTuple):
    """One change that is over."""

    former: int
    """Partitions before it."""
    read_to: Mapping[str, Sequence[int]]
    """Source topic -> of each former partition, the offset of the first record that was not counted before it."""


class Part(NamedTuple):
    """Records of one partition that came under one number of partitions."""

    partition: int
    span: Span


class Layouts:
    """The changes of an installation, in their order."""

    def __init__(self, changes: Sequence[Change], partitions: int) -> None:
        """Take the changes, and how many partitions there are now."""
        self._changes = changes
        self.numbers = [*(change.former for change in changes), partitions]
        """How many there have been, the first number first."""
        self.classes = self.numbers[0]
        """How many classes there are: they have the numbers of the first partitions."""

    def members(self, number: int) -> range:
        """Return the partitions of a class."""
        return range(number, self.numbers[-1], self.classes)

    def partitions_at(self, topic: str, partition: int, offset: int) -> int:
        """Return how many partitions there were when a record was counted."""
        for change in self._changes:
            if offset < _end(change, topic, partition):
                return change.former
        return self.numbers[-1]

    def parts(self, topic: str, number: int, spans: Spans) -> Iterator[Part]:
        """Yield what there is of a class's partitions of a topic, in the order in which it was counted."""
        begun: dict[int, int] = {}
        for at, partitions in enumerate(self.numbers):
            for partition in range(number, partitions, self.classes):
                span = spans[topic, partition]
                begin = max(span.first, begun.get(partition, 0))
                end = span.end
                if at < len(self._changes):
                    end = min(end, _end(self._changes[at], topic, partition))
                if begin < end:
                    yield Part(partition, Span(begin, end))
                begun[partition] = max(begin, end)


def _end(change: Change, topic: str, partition: int) -> int:
    read_to = change.read_to.get(topic, ())
    return read_to[partition] if partition < len(read_to) else 0


def changes_in(values: Sequence[bytes], prefix: str) -> list[Change]:
    """Return the changes that are over, by what their topic holds: of each the last record stands."""
    by_number: dict[int, dict[str, Any]] = {}
    for value in values:
        found = orjson.loads(value)
        by_number[found["number"]] = found
    return [
        Change(found["former"], {topic.removeprefix(prefix): ends for topic, ends in found["read_to"].items()})
        for _, found in sorted(by_number.items())
        if found["is_done"]
    ]
