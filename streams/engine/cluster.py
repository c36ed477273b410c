"""What the cluster says of an application's topics and offsets, asked in few requests for many partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Consumer, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # they are not in its __all__

from streams.engine.errors import NotCoPartitioned
from streams.engine.standing import OFFSETS_MARK, Log

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from streams.engine.options import EngineOptions

TIMEOUT_S: Final = 30.0
METADATA_TIMEOUT_S: Final = 5.0

Place = tuple[str, int]
"""Topic and partition."""


class Cluster:
    """The cluster as the application's group sees it. All methods block."""

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._consumer: Consumer | None = None
        self._admin: AdminClient | None = None

    def check_topics(self) -> None:
        """See that the source topics have the partitions that the application counts on.

        Raises:
            NotCoPartitioned: one is missing, or has another number; keys would be looked for in wrong places.
            KafkaException: the cluster does not answer.

        """
        found = self._in_group().list_topics(timeout=METADATA_TIMEOUT_S).topics
        for topic in self._options.source_topics:
            partitions = len(found[topic].partitions) if topic in found else 0
            if partitions != self._options.partitions:
                raise NotCoPartitioned(
                    f"topic {topic} has {partitions or 'not been created'}{' partitions' if partitions else ''}, "
                    f"expected {self._options.partitions} partitions"
                )

    def group(self) -> Any:  # noqa: ANN401 - librdkafka's opaque group metadata
        """Return what a transaction needs to commit offsets in the group's name."""
        return self._in_group().consumer_group_metadata()

    def committed(self, numbers: Collection[int]) -> tuple[dict[int, dict[str, int]], set[int]]:
        """Return the group's offsets, partition -> topic -> offset, and which partitions' came with a standing.

        What an open transaction is about to change is waited for.
        """
        asked = [TopicPartition(topic, number) for number in numbers for topic in self._options.source_topics]
        offsets: dict[int, dict[str, int]] = {number: {} for number in numbers}
        marked: set[int] = set()
        for answer in self._in_group().committed(asked, TIMEOUT_S) if asked else ():
            if answer.error is not None:
                raise KafkaException(answer.error)
            if answer.offset >= 0:
                offsets[answer.partition][answer.topic] = answer.offset
                if answer.metadata == OFFSETS_MARK:
                    marked.add(answer.partition)
        return offsets, marked

    def sources(self, numbers: Collection[int]) -> dict[int, dict[str, Log]]:
        """Return the source topics' partitions: number -> topic -> what is there of it."""
        topics = self._options.source_topics
        logs = self.logs([(topic, number) for number in numbers for topic in topics])
        return {number: {topic: logs[topic, number] for topic in topics} for number in numbers}

    def changelogs(self) -> dict[Place, Log]:
        """Return all partitions of all changelogs that exist, by table and number."""
        names = {self._options.changelog(table): table for table in self._options.tables}
        existing = self._in_group().list_topics(timeout=METADATA_TIMEOUT_S).topics
        places = [(name, number) for name in names if name in existing for number in existing[name].partitions]
        return {(names[name], number): log for (name, number), log in self.logs(places).items()}

    def logs(self, places: Collection[Place]) -> dict[Place, Log]:
        """Return first offset, end and identity of partitions that exist."""
        if not places:
            return {}
        admin = self._administering()
        ids = {
            name: str(answer.result(TIMEOUT_S).topic_id)
            for name, answer in admin.describe_topics(TopicCollection(sorted({topic for topic, _ in places}))).items()
        }
        first = self._offsets(admin, places, OffsetSpec.earliest())  # type: ignore[no-untyped-call]  # it has none
        end = self._offsets(admin, places, OffsetSpec.latest())  # type: ignore[no-untyped-call]  # the same
        return {place: Log(first[place], end[place], ids[place[0]]) for place in places}

    @staticmethod
    def _offsets(admin: AdminClient, places: Iterable[Place], spec: Any) -> dict[Place, int]:  # noqa: ANN401
        asked = {TopicPartition(*place): spec for place in places}
        answers = admin.list_offsets(asked, request_timeout=TIMEOUT_S)
        return {(place.topic, place.partition): answer.result(TIMEOUT_S).offset for place, answer in answers.items()}

    def _in_group(self) -> Consumer:
        """Return a consumer that is in the group's name but not in the group: for its offsets and metadata."""
        if self._consumer is None:
            self._consumer = Consumer({**self._options.client_config, "group.id": self._options.app_id})
        return self._consumer

    def _administering(self) -> AdminClient:
        if self._admin is None:
            self._admin = AdminClient(dict(self._options.client_config))
        return self._admin
