"""What the cluster says of an application's topics and offsets, asked in few requests for many partitions."""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec, TopicMetadata  # type: ignore[attr-defined]  # not in its __all__
from msgspec import Struct

from process import topics
from process.administrator import Administrator, answer_to, cluster_metadata, described, offsets_at
from process.leaders import PASSING
from process.offset_marks import is_marked
from streams.engine.changelog import read_to_end
from streams.engine.errors import BadTopic, NotCoPartitioned
from streams.engine.standing import OFFSETS_MARK, STANDING_KEY, Log, decode_standing

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from streams.engine.options import EngineOptions

TIMEOUT_S: Final = 30.0
METADATA_TIMEOUT_S: Final = 5.0
GROUPS_KNOWN_S: Final = 10.0
"""So long brokers may take to say which groups there are."""
LOOK_AGAIN_S: Final = 0.1
COMPACT: Final = "compact"
"""The clean-up policy of a changelog: the last row of each key, for ever."""

CHANGELOG_BOUNDS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "segment.bytes": 64 * 1024 * 1024,
        "segment.ms": 24 * 60 * 60 * 1000,
        "min.compaction.lag.ms": 0,
        "max.compaction.lag.ms": 24 * 60 * 60 * 1000,
        "min.cleanable.dirty.ratio": 0.5,
    }
)
"""A worker that takes a partition over reads at most about twice its rows and one segment of 64 MiB, not the 1 GiB that
is never compacted by default; and what was deleted is gone after two days or so."""

MAKE: Final = "run `referrals topics create`"

NOT_ITS_OWN: Final = frozenset({KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.TOPIC_AUTHORIZATION_FAILED})
"""What the cluster answers to a user that has no business with a group or topic."""

Place = tuple[str, int]
"""Topic and partition."""

log = structlog.get_logger("engine")


class MadeTopic(Struct, frozen=True):
    """One of the application's own topics after `make_changelogs`."""

    topic: topics.StandingTopic
    is_new: bool
    mended: list[str]
    """What was set on one that stood already, and what it was."""
    cautions: list[str]
    """What somebody should know of it, with the remedy."""


class Cluster:
    """The cluster as the application's group sees it. All methods block."""

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._consumer: Consumer | None = None
        self._admin: Administrator | None = None
        self._is_name_checked = False
        self._said: set[str] = set()

    @property
    def partitions(self) -> int:
        """How many partitions of each source the application counts on."""
        return self._options.partitions

    def check_topics(self) -> None:
        """See that the topics stand, and the sources with the partitions that the application counts on.

        Raises:
            NotCoPartitioned: a source is missing, or has another number; keys would be looked for in wrong places.
            BadTopic: one that the application writes to is missing.
            NameTaken: the application must not work under its name.
            KafkaException: the cluster does not answer.

        """
        found = self._topics()
        for topic in self._options.source_topics:
            partitions = len(found[topic].partitions) if topic in found else 0
            if partitions != self._options.partitions:
                has = (
                    f"has {partitions} partitions" if partitions else "does not exist or this user may not DESCRIBE it"
                )
                hint = self._options.partitions_hint
                raise NotCoPartitioned(f"topic {topic} {has}, expected {self._options.partitions} partitions{hint}")
        for topic in self._options.output_topics:
            if topic not in found:
                raise BadTopic(f"topic {topic} has not been created, or this user may not see it: {MAKE}")
        if not self._is_name_checked:
            self._options.check_name(self)
            self._is_name_checked = True

    def check_changelogs(self) -> None:
        """See that the changelogs keep every row, where it is looked for, and that all topics take records.

        One that is missing is made if this user may, with as many replicas as the source topics have: a new version may
        have one table more. What goes on and somebody should know is logged, once.

        Raises:
            BadTopic: one is missing, would lose rows, or takes no records.
            KafkaException: the cluster does not answer.

        """
        others = [*self._options.source_topics, *self._options.output_topics]
        wanted = self._own_topics(1)
        found = topics.describe(self._administering(), [*others, *wanted])
        if missing := wanted.keys() - found.keys():
            sources = [found[topic] for topic in self._options.source_topics if topic in found]
            self._make(missing, max([1, *(topic.replicas for topic in sources)]))
            found = topics.describe(self._administering(), [*others, *wanted], made=missing)
        self._check(found)
        for name, topic in found.items():
            own = wanted.get(name, topics.WantedTopic(name=name, partitions=topic.partitions, replicas=1))
            for caution in topics.cautions(topic, own):
                if caution not in self._said:
                    self._said.add(caution)
                    log.warning("topic_caution", caution=caution)

    def make_changelogs(self, *, replication_factor: int) -> list[MadeTopic]:
        """Make the application's own topics that are missing, and check and mend those that stand.

        Raises:
            BadTopic: one that stood already is not as it must be; it is not changed. Or this user may not make it.
            NameTaken: the application must not work under its name, so nothing is made under it.
            KafkaException: the cluster does not answer, or refuses.

        """
        wanted = self._own_topics(replication_factor)
        admin = self._administering()
        standing = self.topic_names()
        self._options.check_name(self)
        made = self._make(wanted.keys() - standing, replication_factor)
        found = topics.describe(admin, list(wanted), made=wanted)
        self._check(found)
        return [
            MadeTopic(
                topic=topic,
                is_new=name in made,
                mended=topics.mend(admin, topic, wanted[name]),
                cautions=topics.cautions(topic, wanted[name], is_mended=True),
            )
            for name, topic in found.items()
        ]

    def _make(self, names: Collection[str], replicas: int) -> set[str]:
        wanted = self._own_topics(replicas)
        try:
            return topics.make(self._administering(), [wanted[name] for name in sorted(names)])
        except topics.NotAllowed as error:
            raise BadTopic(f"{error}: {MAKE}") from error

    def _own_topics(self, replicas: int) -> dict[str, topics.WantedTopic]:
        """Return the topics that nobody but this application uses, as they must be, by name."""
        leader = topics.WantedTopic(name=self._options.leader_topic, partitions=1, replicas=replicas)
        changelogs = [
            topics.WantedTopic(
                name=self._options.changelog(table),
                partitions=self._options.partitions,
                replicas=replicas,
                config={topics.POLICY: COMPACT},
                bounds=CHANGELOG_BOUNDS,
            )
            for table in self._options.tables
        ]
        return {topic.name: topic for topic in (*changelogs, leader)}

    def _check(self, found: Mapping[str, topics.StandingTopic]) -> None:
        """See that changelogs keep all rows where they are looked for, and that all topics take records."""
        largest = self._options.record_bytes_max
        faults = [
            fault
            for name, topic in found.items()
            for fault in topics.faults(topic, batch_bytes=largest.get(name, topics.BATCH_BYTES))
        ]
        changelogs = [self._options.changelog(table) for table in self._options.tables]
        for topic in [found[name] for name in changelogs if name in found]:
            if topic.partitions != self._options.partitions:
                faults.append(
                    f"changelog {topic.name} has {topic.partitions} partitions, expected {self._options.partitions}: "
                    f"rows are looked for in the partition of their source{self._options.partitions_hint}"
                )
            policy = topic.config.get(topics.POLICY, COMPACT)
            if policy != COMPACT:
                faults.append(
                    f"changelog {topic.name} has cleanup.policy={policy}, so rows vanish after a while: "
                    f"kafka-configs --alter --entity-type topics --entity-name {topic.name} "
                    f"--add-config cleanup.policy={COMPACT}"
                )
        if faults:
            raise BadTopic("\n".join(faults))

    def topic_names(self) -> set[str]:
        """Return the names of all topics that this user may see."""
        return set(self._topics())

    def with_offsets(self, names: Collection[str]) -> set[str]:
        """Return those of the topics, which need not be the application's, of which the group has offsets.

        A group that this user may not see has none for him: librdkafka would look for its coordinator until the time is
        up, so the brokers are asked first which groups there are.
        """
        begun_s = time.monotonic()
        while True:  # a broker that has just started does not know its groups yet
            # Each broker is asked, and one that is away is waited for to the end of the request's time.
            groups = self._administering().list_consumer_groups(request_timeout=METADATA_TIMEOUT_S).result(TIMEOUT_S)
            if not groups.errors or time.monotonic() > begun_s + GROUPS_KNOWN_S:
                break
            time.sleep(LOOK_AGAIN_S)
        if not groups.errors and self._options.app_id not in {group.group_id for group in groups.valid}:
            return set()
        found = self._topics()
        asked = [TopicPartition(name, number) for name in names if name in found for number in found[name].partitions]
        answers = self._in_group().committed(asked, TIMEOUT_S) if asked else []
        return {place.topic for place in answers if place.offset >= 0}

    def has_state(self) -> bool:
        """Tell whether anything is kept under the application's name: rows, or offsets of its sources."""
        offsets = self.with_offsets(self._options.source_topics)
        return bool(offsets) or any(changelog.end for changelog in self.changelogs().values())

    def has_state_of_sources(self) -> bool:
        """Tell whether what is kept under the application's name stands at its sources: offsets, or the rows say so.

        May read a whole changelog. What this user may not see is not its.
        """
        try:
            if self.with_offsets(self._options.source_topics):
                return True
            places = [place for place in self._first_changelog() if place[1] < self._options.partitions]
            standings = [
                message.value() for _, message in read_to_end(self._options, places) if message.key() == STANDING_KEY
            ]
        except KafkaException as error:
            if error.args[0].code() in NOT_ITS_OWN:
                return False
            raise
        stands = [standing for row in standings if (standing := decode_standing(row)) is not None]
        return any(not standing.sources.keys().isdisjoint(self._options.source_topics) for standing in stands)

    def _first_changelog(self) -> list[Place]:
        name = self._options.standing_changelog
        found = self._topics()
        return [(name, number) for number in found[name].partitions] if name in found else []

    def group(self) -> Any:  # noqa: ANN401 - librdkafka's opaque group metadata
        """Return what a transaction needs to set offsets in the group's name."""
        return self._in_group().consumer_group_metadata()

    def committed(self, numbers: Collection[int]) -> tuple[dict[int, dict[str, int]], set[int]]:
        """Return the group's offsets, partition -> topic -> offset, and which partitions' came with a standing.

        A coordinator that has just come, and loads, is waited for.
        """
        asked = [TopicPartition(topic, number) for number in numbers for topic in self._options.source_topics]
        offsets: dict[int, dict[str, int]] = {number: {} for number in numbers}
        marked: set[int] = set()
        for answer in self._offsets_of_group(asked) if asked else ():
            if answer.offset >= 0:
                offsets[answer.partition][answer.topic] = answer.offset
                if is_marked(answer, OFFSETS_MARK):
                    marked.add(answer.partition)
        return offsets, marked

    def _offsets_of_group(self, asked: list[TopicPartition]) -> list[TopicPartition]:
        def ask(within_s: float) -> list[TopicPartition]:
            answers: list[TopicPartition] = self._in_group().committed(asked, within_s)
            for answer in answers:
                if answer.error is not None:
                    raise KafkaException(answer.error)
            return answers

        return answer_to(ask, TIMEOUT_S, PASSING)

    def sources(self, numbers: Collection[int]) -> dict[int, dict[str, Log]]:
        """Return the source topics' partitions: number -> topic -> what is there of it."""
        topics = self._options.source_topics
        logs = self.logs([(topic, number) for number in numbers for topic in topics])
        return {number: {topic: logs[topic, number] for topic in topics} for number in numbers}

    def changelogs(self) -> dict[Place, Log]:
        """Return all partitions of all changelogs that exist, by table and number."""
        names = {self._options.changelog(table): table for table in self._options.tables}
        existing = self._topics()
        places = [(name, number) for name in names if name in existing for number in existing[name].partitions]
        return {(names[name], number): log for (name, number), log in self.logs(places).items()}

    def ends_of_standings(self, numbers: Collection[int]) -> dict[int, int]:
        """Return how far the partitions' first changelog goes: it grows with each epoch, and each decision."""
        places = [(self._options.standing_changelog, number) for number in numbers]
        return {number: each.end for (_, number), each in self.logs(places).items()}

    def logs(self, places: Collection[Place]) -> dict[Place, Log]:
        """Return first offset, end and identity of partitions that exist."""
        if not places:
            return {}
        admin = self._administering()
        topics = described(admin, {topic for topic, _ in places}, TIMEOUT_S)
        first = offsets_at(admin, OffsetSpec.earliest(), places, TIMEOUT_S)  # type: ignore[no-untyped-call]  # it has none
        end = offsets_at(admin, OffsetSpec.latest(), places, TIMEOUT_S)  # type: ignore[no-untyped-call]  # the same
        return {place: Log(first[place], end[place], str(topics[place[0]].topic_id)) for place in places}

    def _topics(self) -> Mapping[str, TopicMetadata]:
        return cluster_metadata(self._in_group().list_topics, timeout=METADATA_TIMEOUT_S).topics

    def _in_group(self) -> Consumer:
        """Return a consumer that is in the group's name but not in the group: for its offsets and metadata."""
        if self._consumer is None:
            config = {**self._options.client_config, "group.id": self._options.app_id}
            self._consumer = self._options.clients.consumer(config)
        return self._consumer

    def _administering(self) -> Administrator:
        if self._admin is None:
            self._admin = self._options.clients.admin(self._options.client_config)
        return self._admin
