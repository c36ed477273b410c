"""How many records a consumer group is behind.

The end offset minus the committed one is too much: what is written in transactions has markers between the records,
which are offsets but no records, and the last one of a partition would count as lag for ever. So where neither offset
moves any more, the rest is read once and its records are counted; and at once where it is so small that it may be
markers alone, or with the first look at a group, when nobody knows yet whether anything moves.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, TopicPartition

from process.administrator import cluster_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from process.settings import Settings

GAP_READ_MAX: Final = 1_000
"""A larger rest is lag without a look; reading it would cost those who work on it."""
MARKERS_MAX: Final = 2
"""What a partition at rest ends in: the marker of the last transaction, and of one that was given up."""
READ_TIMEOUT_S: Final = 0.5
FIRST_READ_TIMEOUT_S: Final = 5.0
"""The same with the first look at a group: brokers are found first. It ends when everything is read."""

Place = tuple[str, int]
"""Topic and partition."""


class Gap(NamedTuple):
    """What a group has not committed of a partition."""

    topic: str
    partition: int
    committed: int
    end: int

    @property
    def size(self) -> int:
        """How many offsets that are."""
        return self.end - self.committed


class Lag:
    """The lag of consumer groups, from one look to the next."""

    def __init__(self, settings: Settings) -> None:
        self._consumer = Consumer(
            {
                **settings.kafka_client_config(),
                "group.id": f"{settings.topic_prefix}lag",  # asked for by librdkafka; nothing is committed
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 20,
                "log_level": 2,
            }
        )
        self._known: dict[str, dict[Gap, int | None]] = {}
        """By group: the gaps of its last look, and the records in each where they were counted."""

    def count(self, group: str, committed: Mapping[Place, int], ends: Mapping[Place, int]) -> int:
        """Return the records between the group's committed offsets and the ends; raise KafkaException without Kafka."""
        return sum(self.locate(group, committed, ends).values())

    def locate(self, group: str, committed: Mapping[Place, int], ends: Mapping[Place, int]) -> dict[Place, int]:
        """Return them for each partition; one that is read to its end is left out."""
        is_first = group not in self._known
        before = self._known.get(group, {})
        gaps = [Gap(*place, offset, ends[place]) for place, offset in committed.items() if offset < ends[place]]
        known = {gap: before.get(gap) for gap in gaps}
        uncounted = [gap for gap in gaps if known[gap] is None and gap.size <= GAP_READ_MAX]
        if is_first:
            for topic in {gap.topic for gap in uncounted}:
                # Its leaders; by itself the client looks each second.
                cluster_metadata(self._consumer.list_topics, topic, FIRST_READ_TIMEOUT_S)
        asked = [gap for gap in uncounted if is_first or gap in before or gap.size <= MARKERS_MAX]
        known.update(self._read(asked, FIRST_READ_TIMEOUT_S if is_first else READ_TIMEOUT_S))
        self._known[group] = known
        found = {(gap.topic, gap.partition): gap.size if count is None else count for gap, count in known.items()}
        return {place: records for place, records in found.items() if records}

    def close(self) -> None:
        """Let the connections go."""
        self._consumer.close()

    def _read(self, gaps: list[Gap], timeout_s: float) -> dict[Gap, int]:
        """Return the records in the gaps; one that is not read to its end in time is left for the next look."""
        if not gaps:
            return {}
        found = dict.fromkeys(gaps, 0)
        unread = {(gap.topic, gap.partition): gap for gap in gaps}
        self._consumer.assign([TopicPartition(gap.topic, gap.partition, gap.committed) for gap in gaps])
        deadline_s = time.monotonic() + timeout_s
        while unread and (left_s := deadline_s - time.monotonic()) > 0:
            message = self._consumer.poll(left_s)
            if message is None:
                break
            gap = unread.get((message.topic() or "", message.partition() or 0))
            error = message.error()
            if gap is None or (error is not None and error.code() != KafkaError._PARTITION_EOF):  # noqa: SLF001  librdkafka's public name begins so
                continue
            offset = message.offset() or 0
            if error is None and offset < gap.end:
                found[gap] += 1
            if error is not None and offset < gap.end:
                del found[gap]  # a transaction is not over yet, and nothing behind its beginning is shown
            if error is not None or offset >= gap.end - 1:
                del unread[gap.topic, gap.partition]
        self._consumer.unassign()
        return {gap: count for gap, count in found.items() if gap not in unread.values()}
