"""One installation on real Kafka and Postgres, as a sink's test needs it: topics, records, processes, rows."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from msgspec import Struct

from models.badges import SEEDED_DEFINITIONS
from models.events import MentorCounts, MilestoneReached, encode_event
from models.topics import CODES, DEAD_LETTERS, MENTOR_COUNTS, MILESTONES, Topic
from operations.topics import create_topics
from process.settings import Settings
from tests.component import Component

DEADLINE_S = 60.0
_SESSIONS = """
    SELECT application_name, state, wait_event, (now() - query_start)::text, left(query, 80) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_BADGE_NAMES = {definition.badge_id: definition.threshold for definition in SEEDED_DEFINITIONS}


class Installation:
    """The topics and the database of one test."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._components: list[Component] = []
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        create_topics(settings)
        self._producer = Producer(
            {**settings.kafka_client_config(), "partitioner": "murmur2", "linger.ms": 0, "log_level": 2}
        )

    def topic(self, topic: Topic) -> str:
        """Return the full name of a topic."""
        return topic.full_name(self.settings.topic_prefix)

    def produce(self, topic: Topic, key: str | None, value: bytes | None) -> None:
        """Produce one record."""
        self._producer.produce(self.topic(topic), key=key, value=value, on_delivery=_delivered)
        assert self._producer.flush(DEADLINE_S) == 0

    def publish(self, *events: Struct) -> None:
        """Produce events to their topics, keyed and partitioned as the contract says."""
        for event in events:
            if isinstance(event, (MilestoneReached, MentorCounts)):
                topic = MILESTONES if isinstance(event, MilestoneReached) else MENTOR_COUNTS
                key = f"{event.org_id}:{event.mentor_id}"
            else:
                topic, key = CODES, event.referral_code  # type: ignore[attr-defined]
            self._producer.produce(self.topic(topic), key=key, value=encode_event(event), on_delivery=_delivered)
        assert self._producer.flush(DEADLINE_S) == 0

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows, identifiers as text."""
        with psycopg.connect(self.settings.database_url, autocommit=True) as connection:
            cursor = connection.execute(sql.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def awards(self, mentor_id: str) -> list[int]:
        """Return the thresholds of the seeded badges that a mentor holds, ascending."""
        rows = self.query("SELECT badge_id::text FROM badge_awards WHERE mentor_id = %s", [mentor_id])
        return sorted(_BADGE_NAMES[badge_id] for (badge_id,) in rows)

    def count(self, table: str) -> int:
        """Return the number of rows in a table."""
        ((count,),) = self.query(f"SELECT count(*) FROM {table}")  # noqa: S608 - a test's own word
        return int(count)

    def dead_letters(self, count: int) -> list[Message]:
        """Read the dead letters topic until `count` have come."""
        consumer = self._reader()
        try:
            letters: list[Message] = []
            deadline = time.monotonic() + DEADLINE_S
            while len(letters) < count and time.monotonic() < deadline:
                letters += consumer.consume(count, 0.2)
            assert len(letters) == count
            return letters
        finally:
            consumer.close()

    def committed(self, component: str) -> int:
        """Return the sum of the offsets that a component's consumer group has committed."""
        names = [self.topic(MILESTONES)] if component == "badges" else [self.topic(CODES), self.topic(MENTOR_COUNTS)]
        consumer = self._consumer(f"{self.settings.topic_prefix}{component}")
        try:
            places = [TopicPartition(name, p) for name in names for p in range(self.settings.partitions)]
            return sum(max(place.offset, 0) for place in consumer.committed(places, DEADLINE_S))
        finally:
            consumer.close()

    def end(self, place: tuple[str, int]) -> int:
        """Return the offset at which the next record of a topic's partition will stand."""
        consumer = self._consumer("reader")
        try:
            return int(consumer.get_watermark_offsets(TopicPartition(*place), DEADLINE_S)[1])
        finally:
            consumer.close()

    def forget_positions(self, component: str) -> None:
        """Let a component, which must not run, read its topics again from their beginning."""
        self.query("DELETE FROM sink_positions WHERE consumer = %s", [f"{self.settings.topic_prefix}{component}"])

    def forget_offsets(self, component: str) -> None:
        """Set a component's consumer group, which must have no members, back to the beginning of its topics."""
        names = [self.topic(MILESTONES)] if component == "badges" else [self.topic(CODES), self.topic(MENTOR_COUNTS)]
        consumer = self._consumer(f"{self.settings.topic_prefix}{component}")
        try:
            places = [TopicPartition(name, p, 0) for name in names for p in range(self.settings.partitions)]
            consumer.commit(offsets=places, asynchronous=False)
        finally:
            consumer.close()

    def start(self, name: str, *, fault: str = "") -> Component:
        """Start `referrals NAME`. `fault` names a point at which it is killed."""
        log = self.settings.data_dir / f"{name}-{len(self._components)}.log"
        self._components.append(Component(name, self.settings, log, fault=fault))
        return self._components[-1]

    @contextmanager
    def running(self, name: str) -> Iterator[Component]:
        """Run a component for the body, then stop it by SIGTERM and see that it ends well."""
        component = self.start(name)
        try:
            yield component
            component.signal(signal.SIGTERM)
            assert component.wait() == 0, component.log
        finally:
            component.kill()

    def explain(self) -> str:
        """Say how far everything is, for the message of a test that fails: nobody can look any more then."""
        states = self.query("SELECT state, count(*) FROM milestones GROUP BY state")
        reasons = self.query("SELECT reason, count(*) FROM badge_decisions GROUP BY reason")
        return "\n".join(
            (
                f"mentors: {self.count('mentors')}, milestones: {states}",
                f"decisions: {reasons}, awards: {self.count('badge_awards')}",
                f"offsets of {MILESTONES.name}, committed and end: {self._offsets()}",
                *(f"session: {row}" for row in self.query(_SESSIONS)),
                *(component.tail() for component in self._components),
            )
        )

    def _offsets(self) -> list[tuple[int, int]]:
        consumer = self._consumer(f"{self.settings.topic_prefix}badges")
        try:
            places = [TopicPartition(self.topic(MILESTONES), p) for p in range(self.settings.partitions)]
            committed = consumer.committed(places, DEADLINE_S)
            return [(place.offset, consumer.get_watermark_offsets(place, DEADLINE_S)[1]) for place in committed]
        finally:
            consumer.close()

    def _consumer(self, group_id: str) -> Consumer:
        return Consumer({**self.settings.kafka_client_config(), "group.id": group_id, "enable.auto.commit": False})

    def _reader(self) -> Consumer:
        consumer = self._consumer("reader")
        consumer.assign([TopicPartition(self.topic(DEAD_LETTERS), p, 0) for p in range(self.settings.partitions)])
        return consumer


def _delivered(error: KafkaError | None, _: Message) -> None:
    """Let `flush` raise what became of a record; by itself it says only that nothing is left to send."""
    if error is not None:
        raise KafkaException(error)


def killed(component: Component) -> bool:
    """Wait for a component to end and tell whether it was killed."""
    assert component.wait() == -signal.SIGKILL, component.log
    return True


def reasons_of(letter: Message) -> dict[str, str]:
    """Return the headers that say why a dead letter is one, by what follows `__connect.errors.` in their names."""
    prefix = "__connect.errors."
    headers = cast("list[tuple[str, bytes]]", letter.headers())
    return {name.removeprefix(prefix): value.decode() for name, value in headers if name.startswith(prefix)}


def wait_until(holds: Callable[[], bool], explain: Callable[[], str] = lambda: "") -> None:
    """Wait for something that another process does; `explain` is asked what else to say where it does not happen."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, f"did not happen within {DEADLINE_S:.0f} s\n{explain()}"
        time.sleep(0.02)
