"""What Kafka knows of partitions: first offset, end, the topic's identity, and the group's offset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Consumer, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # they are not in its __all__

from process.administrator import Administrator
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
        topics = {
            name: answer.result(TIMEOUT_S)
            for name, answer in self._admin.describe_topics(
                TopicCollection(sorted({topic for topic, _ in places})), request_timeout=TIMEOUT_S
            ).items()
        }
        first = self._offsets(self._admin, places, OffsetSpec.earliest())  # type: ignore[no-untyped-call]  # it has none
        end = self._offsets(self._admin, places, OffsetSpec.latest())  # type: ignore[no-untyped-call]  # the same
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

    @staticmethod
    def _offsets(admin: Administrator, places: Sequence[Place], spec: Any) -> dict[Place, int]:  # noqa: ANN401 - untyped
        answers = admin.list_offsets({TopicPartition(*place): spec for place in places}, request_timeout=TIMEOUT_S)
        return {(place.topic, place.partition): answer.result(TIMEOUT_S).offset for place, answer in answers.items()}
