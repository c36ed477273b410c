"""What Kafka knows of partitions: first offset, end, the topic's identity, and the group's offset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # they are not in its __all__

from process.administrator import Administrator, described, offsets_at
from process.offset_marks import is_marked
from sinks.positions import OFFSETS_MARK, Log, Place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TIMEOUT_S: Final = 10.0


class KafkaLogs:
    """Asks the cluster; all methods block."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Make it without connecting; `config` is how to reach Kafka."""
        self._config = {**config, "log_level": 2}
        self._admin: Administrator | None = None

    def look(self, consumer: Consumer, places: Sequence[Place]) -> dict[Place, Log]:
        """Return how partitions are, as the consumer's group sees them.

        Raises:
            KafkaException: the cluster does not answer, or not all of it.

        """
        if self._admin is None:
            self._admin = Administrator(self._config)
        topics = described(self._admin, {topic for topic, _ in places}, TIMEOUT_S)
        first = offsets_at(self._admin, OffsetSpec.earliest(), places, TIMEOUT_S)  # type: ignore[no-untyped-call]  # it has none
        end = offsets_at(self._admin, OffsetSpec.latest(), places, TIMEOUT_S)  # type: ignore[no-untyped-call]  # the same
        logs = {}
        for answer in consumer.committed([TopicPartition(*place) for place in places], TIMEOUT_S):
            if answer.error is not None:
                raise KafkaException(answer.error)
            place = (answer.topic, answer.partition)
            logs[place] = Log(
                first=first[place],
                end=end[place],
                topic_id=str(topics[answer.topic].topic_id),
                partitions=len(topics[answer.topic].partitions),
                committed=answer.offset if answer.offset >= 0 else None,
                is_marked=is_marked(answer, OFFSETS_MARK),
            )
        return logs
