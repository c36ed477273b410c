"""What the cluster says of an application's topics and offsets, asked in few requests for many partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are not in its __all__
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from streams.engine.errors import BadChangelog, NotCoPartitioned
from streams.engine.standing import OFFSETS_MARK, Log

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from streams.engine.options import EngineOptions

TIMEOUT_S: Final = 30.0
METADATA_TIMEOUT_S: Final = 5.0
COMPACT: Final = "compact"
"""The clean-up policy of a changelog: the last row of each key, for ever."""

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
                has = (
                    f"has {partitions} partitions" if partitions else "does not exist or this user may not DESCRIBE it"
                )
                raise NotCoPartitioned(f"topic {topic} {has}, expected {self._options.partitions} partitions")

    def check_changelogs(self) -> None:
        """See that those changelogs that exist keep every row, where it is looked for.

        Raises:
            BadChangelog: one has a clean-up policy that deletes, or another number of partitions.
            KafkaException: the cluster does not answer.

        """
        found = self._in_group().list_topics(timeout=METADATA_TIMEOUT_S).topics
        names = [name for table in self._options.tables if (name := self._options.changelog(table)) in found]
        for name in names:
            if len(found[name].partitions) != self._options.partitions:
                raise BadChangelog(
                    f"changelog {name} has {len(found[name].partitions)} partitions, expected "
                    f"{self._options.partitions}: rows are looked for in the partition of their source"
                )
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        for resource, answer in (self._administering().describe_configs(resources) if resources else {}).items():
            policy = answer.result(TIMEOUT_S)["cleanup.policy"].value
            if policy != COMPACT:
                raise BadChangelog(
                    f"changelog {resource.name} has cleanup.policy={policy}, so rows vanish after a while: "
                    f"kafka-configs --alter --entity-type topics --entity-name {resource.name} "
                    f"--add-config cleanup.policy={COMPACT}"
                )

    def make_changelogs(self, *, replication_factor: int) -> list[tuple[str, bool]]:
        """Make the changelogs that are missing, and check all; return each name, and whether it is new.

        Raises:
            BadChangelog: one that stood already is not as it must be; it is not changed.
            KafkaException: the cluster does not answer, or refuses.

        """
        names = [self._options.changelog(table) for table in self._options.tables]
        standing = self._in_group().list_topics(timeout=METADATA_TIMEOUT_S).topics
        missing = [
            NewTopic(
                name,
                num_partitions=self._options.partitions,
                replication_factor=replication_factor,
                config={"cleanup.policy": COMPACT},
            )
            for name in names
            if name not in standing
        ]
        made = set()
        for name, answer in (self._administering().create_topics(missing) if missing else {}).items():
            try:
                answer.result(TIMEOUT_S)
                made.add(name)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # somebody was faster, which is as good
                    raise
        self.check_changelogs()
        return [(name, name in made) for name in names]

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
            config = {**self._options.client_config, "group.id": self._options.app_id}
            self._consumer = self._options.clients.consumer(config)
        return self._consumer

    def _administering(self) -> AdminClient:
        if self._admin is None:
            self._admin = self._options.clients.admin(self._options.client_config)
        return self._admin
