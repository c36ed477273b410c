"""What a contender works on: topics with a load that all read, and topics of results that are new and his own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Final
from uuid import uuid4

from confluent_kafka import KafkaException

from local.parts import Parts
from models.topics import CLICKS, CODES, DEAD_LETTERS, MENTOR_COUNTS, MILESTONES, REGISTRATIONS, Topic
from operations.topics import create_topics, wanted_topic
from process import topics as cluster
from process.administrator import Administrator
from process.settings import Settings
from proof.bench.cluster import GroupBusy, Position, Watch, publish, read, read_counts
from proof.bench.expected import Expected
from proof.bench.load import Load, Population
from proof.bench.peers.contenders import Announce, Command, Contender
from proof.bench.standings import Standings
from proof.bench.worker import Worker, WorkerEnded, settings_for, wait_committed

CHANGELOG: Final = Topic(name="changelog", compacted=True)
"""For peers that write one themselves."""
FAILURES: Final = (GroupBusy, KafkaException, TimeoutError, WorkerEnded)
"""What ends a contender's measurement, and not the run."""


@dataclass(frozen=True, kw_only=True)
class Results:
    """What stands in the topics of a contender."""

    counts: dict[bytes, bytes]
    """The last value of each key."""
    counts_before: dict[bytes, bytes]
    """The same of records below the given offsets."""
    milestones: list[bytes]


class Scene:
    """A contender's own names and topics, over the topics of a source."""

    def __init__(self, parts: Parts, contender: Contender, command: Command, settings: Settings) -> None:
        self.parts = parts
        self.contender = contender
        self._command = command
        self._settings = settings
        self._sinks = sinks_of(contender, settings)
        prefix = settings.topic_prefix
        self.watch = Watch(settings)
        self._standings = Standings(settings)
        self.counts, self._milestones = (
            each.full_name(self._sinks.topic_prefix) for each in (MENTOR_COUNTS, MILESTONES)
        )
        self.codes = [CODES.full_name(prefix)]
        self.events = [CLICKS.full_name(prefix), REGISTRATIONS.full_name(prefix)]
        self.code_ends = self.watch.ends(self.codes)
        self.event_ends = self.watch.ends(self.events)

    def prepare(self) -> None:
        """Make the topics of results; let who does not read the codes first process them alone."""
        make_sinks(self._sinks)
        if not self.contender.reads_codes_first:
            self.watch.move(self.event_ends)
            with self.start() as worker:
                wait_committed(self.watch, worker, self.code_ends)
            self.watch.move(dict.fromkeys(self.event_ends, 0))

    def start(self) -> Worker:
        """Start the contender."""
        return start(self.contender, self._command, settings=self._settings, parts=self.parts)

    def begun(self) -> int | None:
        """Return how many events are processed by now, as far as that is known; None: not all codes are.

        The engine's rows say it: a partition has no event before its codes. Of others the group's offsets say when the
        codes are processed, and of the events nothing.
        """
        standing = self._standings.look(self.watch)
        if events := sum(standing.get(place, 0) for place in self.event_ends):
            return events
        return 0 if self.watch.committed(self.codes) == self.code_ends else None

    def is_done(self) -> bool:
        """Tell whether the offsets of all events are committed."""
        return self.watch.committed(self.events) == self.event_ends

    def results(self, before: dict[Position, int]) -> Results:
        """Read counts and milestones; `before` are offsets of the counts."""
        counts, counts_before = read_counts(self._sinks, self.counts, dict.fromkeys(before, 0), before)
        since = {(self._milestones, number): 0 for _, number in before}
        milestones = [value for _, value in read(self._sinks, self._milestones, since)]
        return Results(counts=counts, counts_before=counts_before, milestones=milestones)

    def clean(self) -> None:
        """Delete what the contender has written, and his own topics."""
        if not self.contender.is_peer:
            self.watch.delete([self.counts, self._milestones])
        self.watch.delete_all_of(self._settings.app_id)
        self.watch.close()
        self._standings.close()


class Source:
    """A population's codes and events, which all contenders read that are measured with so many."""

    def __init__(self, parts: Parts, population: Population, events: int, announce: Announce) -> None:
        self._parts = parts
        self._apps = count(1)
        self._name = f"peers-{uuid4().hex[:8]}-{population.name}-{events}"
        self.population = population
        self.events = events
        self.expected = Expected()
        settings = settings_for(parts, installation=self._name, app="load")
        create_topics(settings)
        announce(f"publishing {population.mentors:,} codes and {events:,} events, {population.name}")
        load = Load(population)
        publish(self.expected.noting(load.codes()), settings)
        publish(self.expected.noting(load.events(events)), settings)

    @contextmanager
    def scene(self, contender: Contender, command: Command) -> Iterator[Scene]:
        """Give a contender an app id that nobody had before it, and clean up behind it."""
        app = f"{contender.name}-{next(self._apps):03}"
        scene = Scene(self._parts, contender, command, settings_for(self._parts, installation=self._name, app=app))
        try:
            scene.prepare()
            yield scene
        finally:
            scene.clean()


def sinks_of(contender: Contender, settings: Settings) -> Settings:
    """Return the settings with the prefix of the topics that the contender writes to."""
    prefix = f"{settings.app_id}." if contender.is_peer else settings.topic_prefix
    return settings.model_copy(update={"topic_prefix": prefix})


def make_sinks(sinks: Settings) -> None:
    """Make the topics that are written to, where they do not stand."""
    topics = [wanted_topic(topic, sinks) for topic in (MENTOR_COUNTS, MILESTONES, DEAD_LETTERS, CHANGELOG)]
    admin = Administrator({**sinks.kafka_client_config(), "log_level": 2})
    cluster.describe(admin, [topic.name for topic in topics], made=cluster.make(admin, topics))


def start(contender: Contender, command: Command, *, settings: Settings, parts: Parts) -> Worker:
    """Start a contender."""
    state = parts.data_dir / f"{settings.app_id}-state"
    state.mkdir(exist_ok=True)
    environment = {
        "PEER_BOOTSTRAP_SERVERS": parts.bootstrap_servers,
        "PEER_GROUP": settings.app_id,
        "PEER_SOURCE_PREFIX": settings.topic_prefix,
        "PEER_SINK_PREFIX": sinks_of(contender, settings).topic_prefix,
        "PEER_STATE_DIR": str(state),
        **command.environment,
    }
    return Worker(
        command.arguments,
        settings=settings,
        parts=parts,
        environment=environment if contender.is_peer else {},
        program=command.program,
        name=contender.name,
    )
