"""Events per second of each contender, in rounds that take turns, over topics that stand before anybody starts.

A round, the same way for all:

1. The contender gets an app id that nobody had before it, and topics of counts and milestones that are new and empty.
2. It starts, and is watched from outside, every 50 ms. The clock starts at the first look at which all codes are
   committed and counts are readable (read_committed); it stops when the last count is. So start-up and codes are not
   measured. What was processed before the clock started is known from the counts that were readable then: their share
   of what is counted in the end is the share of events that is left out.
3. All offsets must then be committed, and counts and milestones be those of the oracle. Else the round is wrong, and
   its figure void.

Plain Faust does not read the codes first: for it the group's offsets of the events are set to their ends, it processes
the codes, is stopped, and the offsets are set to 0.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import count
from typing import Any, Final
from uuid import uuid4

import orjson
from confluent_kafka.admin import AdminClient

from local.parts import Parts
from models.topics import CLICKS, CODES, DEAD_LETTERS, MENTOR_COUNTS, MILESTONES, REGISTRATIONS, Topic
from operations.topics import create_topics, wanted_topic
from process import topics as cluster
from process.settings import Settings
from proof.bench.cluster import Position, Watch, publish, read_messages
from proof.bench.expected import Expected, WrongResult
from proof.bench.load import Load, LoadRecord, Population
from proof.bench.machine import cpu_s, foreign_cpu_s, tree_cpu_s
from proof.bench.peers.contenders import Announce, Command, Contender
from proof.bench.worker import Worker, WorkerEnded, settings_for, wait_committed

POLL_S: Final = 0.05
"""How often the ends of the counts topic are asked for: the error at either end of a measurement."""
LEAST_S: Final = 0.5
"""A shorter measurement says nothing."""
SETTLED_S: Final = 3.0
"""Nothing more may come for so long before a contender is stopped."""
TIMEOUT_S: Final = 600.0
CHANGELOG: Final = Topic(name="changelog", compacted=True)
"""For peers that write one themselves."""


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one round of a contender gave."""

    contender: str
    population: str
    number: int
    fault: str = ""
    """Why it has no figure; empty where it has."""
    events: float = 0.0
    """Events processed while the clock ran."""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    """CPU time of the contender, with all processes that it started, meanwhile."""
    broker_cpu_s: float = 0.0
    foreign_cpus: float = 0.0
    """CPUs busy meanwhile with what is neither the contender nor Kafka nor this benchmark."""

    @property
    def events_per_s(self) -> float:
        """Return the throughput."""
        return self.events / self.wall_s

    @property
    def cpu_s_per_million(self) -> float:
        """Return the contender's CPU seconds for a million events."""
        return self.cpu_s / self.events * 1e6

    @property
    def broker_cpu_s_per_million(self) -> float:
        """Return the broker's CPU seconds for a million events."""
        return self.broker_cpu_s / self.events * 1e6

    def as_data(self) -> dict[str, Any]:
        """Return it for a file."""
        figures = {} if self.fault else {"events_per_s": self.events_per_s, "cpu_s_per_million": self.cpu_s_per_million}
        return asdict(self) | figures


class Source:
    """A population's codes and events, which all contenders read that are measured with so many."""

    def __init__(self, parts: Parts, population: Population, events: int, announce: Announce) -> None:
        self._parts = parts
        self._population = population
        self._events = events
        self._apps = count(1)
        self._name = f"peers-{uuid4().hex[:8]}-{population.name}-{events}"
        self._expected = Expected()
        settings = settings_for(parts, installation=self._name, app="load")
        create_topics(settings)
        announce(f"publishing {population.mentors:,} codes and {events:,} events, {population.name}")
        load = Load(population)
        publish(map(self._expect, load.codes()), settings)
        publish(map(self._expect, load.events(events)), settings)

    def measure(self, contender: Contender, command: Command, *, number: int) -> Round:
        """Return a round of a contender; one that is wrong, or did not come to its end, says why."""
        empty = Round(contender=contender.name, population=self._population.name, number=number)
        app = f"{contender.name}-{next(self._apps):03}"
        settings = settings_for(self._parts, installation=self._name, app=app)
        watch = Watch(settings)
        try:
            return self._attempt(contender, command, settings, watch, empty)
        except WrongResult as error:
            return replace(empty, fault=f"WRONG: {error}")
        except (WorkerEnded, TimeoutError) as error:
            return replace(empty, fault=f"failed: {error}")
        finally:
            if not contender.is_peer:
                names = [topic.full_name(settings.topic_prefix) for topic in (MENTOR_COUNTS, MILESTONES)]
                watch.delete(names)
            watch.delete_all_of(settings.app_id)
            watch.close()

    def _attempt(self, contender: Contender, command: Command, settings: Settings, watch: Watch, empty: Round) -> Round:
        prefix, sinks = settings.topic_prefix, sinks_of(contender, settings)
        make_sinks(sinks)
        counts, milestones = (each.full_name(sinks.topic_prefix) for each in (MENTOR_COUNTS, MILESTONES))
        codes, events = [CODES.full_name(prefix)], [CLICKS.full_name(prefix), REGISTRATIONS.full_name(prefix)]
        code_ends, event_ends = watch.ends(codes), watch.ends(events)
        if not contender.reads_codes_first:
            watch.move(event_ends)
            with start(contender, command, settings=settings, parts=self._parts) as worker:
                wait_committed(watch, worker, code_ends)
            watch.move(dict.fromkeys(event_ends, 0))
        with start(contender, command, settings=settings, parts=self._parts) as worker:
            first, early, last = self._time(watch, worker, counts, code_ends, event_ends)
        begun: dict[bytes, bytes] = {}
        latest: dict[bytes, bytes] = {}
        beginning = dict.fromkeys(early, 0)
        for message in read_messages(sinks, counts, beginning):
            key, value = message.key() or b"", message.value() or b""
            latest[key] = value
            if (message.offset() or 0) < early[counts, message.partition() or 0]:
                begun[key] = value
        announced = read_messages(sinks, milestones, {(milestones, number): 0 for _, number in early})
        self._expected.check(latest, [message.value() or b"" for message in announced])
        wall_s = last.at_s - first.at_s
        if wall_s < LEAST_S:
            return replace(empty, fault=f"too short: right, but done within {wall_s:.2f} s; it takes more events")
        begun_share = _counted(begun.values()) / _counted(latest.values())
        return replace(
            empty,
            events=self._events * (1 - begun_share),
            wall_s=wall_s,
            cpu_s=last.cpu_s - first.cpu_s,
            broker_cpu_s=last.broker_cpu_s - first.broker_cpu_s,
            foreign_cpus=(last.foreign_cpu_s - first.foreign_cpu_s) / wall_s,
        )

    def _time(
        self,
        watch: Watch,
        worker: Worker,
        counts: str,
        code_ends: Mapping[Position, int],
        event_ends: Mapping[Position, int],
    ) -> tuple[_Moment, dict[Position, int], _Moment]:
        """Watch until all is done; return when the clock started, what was readable then, and when it stopped."""
        codes, events = list({topic for topic, _ in code_ends}), list({topic for topic, _ in event_ends})
        ends = early = watch.ends([counts])
        first: _Moment | None = None
        last = _Moment.of(worker, self._parts)
        deadline_s = time.monotonic() + TIMEOUT_S
        while True:
            time.sleep(POLL_S)
            knows_codes = first is not None or watch.committed(codes) == code_ends
            now, found = _Moment.of(worker, self._parts), watch.ends([counts])
            if found != ends:
                ends, last = found, now
            if first is None and knows_codes and any(ends.values()):
                first, early, last = now, ends, now
            is_settled = first is not None and now.at_s > last.at_s + SETTLED_S
            if first is not None and is_settled and watch.committed(events) == event_ends:
                return first, early, last
            if now.at_s > deadline_s:
                missing = sum(event_ends.values()) - sum(watch.committed(events).values())
                raise TimeoutError(f"{missing:,} events were not processed within {TIMEOUT_S:.0f} s")

    def _expect(self, record: LoadRecord) -> LoadRecord:
        self._expected.take(record)
        return record


def _counted(rows: Iterable[bytes]) -> int:
    """Return how many clicks and registrations stand in mentors' counts."""
    counts = map(orjson.loads, rows)
    return sum(each["total_clicks"] + each["pending_attributions"] + each["confirmed_attributions"] for each in counts)


def sinks_of(contender: Contender, settings: Settings) -> Settings:
    """Return the settings with the prefix of the topics that the contender writes to."""
    prefix = f"{settings.app_id}." if contender.is_peer else settings.topic_prefix
    return settings.model_copy(update={"topic_prefix": prefix})


def make_sinks(sinks: Settings) -> None:
    """Make the topics that are written to, where they do not stand."""
    topics = [wanted_topic(topic, sinks) for topic in (MENTOR_COUNTS, MILESTONES, DEAD_LETTERS, CHANGELOG)]
    admin = AdminClient({**sinks.kafka_client_config(), "log_level": 2})
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


@dataclass(frozen=True, kw_only=True)
class _Moment:
    """CPU times at a moment."""

    at_s: float
    cpu_s: float
    broker_cpu_s: float
    foreign_cpu_s: float

    @classmethod
    def of(cls, worker: Worker, parts: Parts) -> _Moment:
        worker.check_alive()
        return cls(
            at_s=time.monotonic(),
            cpu_s=tree_cpu_s(worker.pid),
            broker_cpu_s=cpu_s(parts.kafka.pid),
            foreign_cpu_s=foreign_cpu_s(parts, [worker.pid]),
        )
