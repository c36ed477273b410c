"""Events per second of the engine and of plain Faust, in alternating rounds over topics that stand before they start.

A round, the same way for both:

1. The topics of counts and milestones are made anew, and the worker gets an app id that nobody had before it: it
   begins with nothing, and nothing was announced before its time.
2. It starts, reads the codes and then the events, and this is measured, from outside: the clock starts when its rows
   have a first event, so start-up and codes are excluded, and stops when the last of the counts is readable
   (read_committed). The events that were in the rows when the clock started are not counted.
3. All offsets must then be committed, and counts and milestones be those of the oracle.

Plain Faust does not read the codes first: for it the group's offsets of the events are set to their ends, it processes
the codes, is stopped, and the offsets are set to 0; its clock starts when the first of its counts is readable, and the
share of events that were in the counts then is not counted. The engine's positions are in its changelogs, where no tool
moves them, and it needs no such help.

For the engine the last count and the last offset are of one transaction. Plain Faust commits its offsets up to 2.8 s
after the last count: this time is not charged to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from statistics import median
from typing import Final
from uuid import uuid4

from local.parts import Parts
from models.topics import CLICKS, CODES, MENTOR_COUNTS, MILESTONES, REGISTRATIONS
from operations.topics import create_topics
from process.settings import Settings
from proof.bench.clock import Clock
from proof.bench.cluster import Position, Watch, publish, read, read_counts
from proof.bench.expected import Expected, WrongResult
from proof.bench.load import Load, Population
from proof.bench.machine import foreign_cpu_s
from proof.bench.standings import Standings
from proof.bench.worker import ENGINE, PARTITIONS, PLAIN_FAUST, Crew, Worker, settings_for, wait_committed

RATIO_REQUIRED: Final = {"uniform": 30.0, "zipf": 75.0}

POLL_S: Final = 0.05
"""How often the ends of the counts topic are asked for: the error at either end of a measurement."""
COMMITTED_POLL_S: Final = 0.5
SETTLED_S: Final = 1.5
"""Nothing more may come for so long before the worker is stopped: plain Faust commits before its sends have ended."""
TIMEOUT_S: Final = 900.0
FIRST_APP: Final = "0"


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A program that does the job."""

    name: str
    arguments: Sequence[str]
    events: int
    """How many events it is measured with."""
    attempts: int
    """How often a round is tried before a wrong result ends the run."""
    reads_codes_first: bool
    """Whether it needs no help to know the codes before the events."""
    workers: int = 1
    partitions: int = PARTITIONS
    replicas: int = 1
    """Of each of its topics."""
    knows_codes: bool = False
    """Whether it has taken in the codes, and was stopped, before the events are there: it is measured once then."""


@dataclass(frozen=True, kw_only=True)
class Round:
    """One measurement."""

    contender: str
    events: int
    """Events processed while the clock ran."""
    wall_s: float
    cpu_s: float
    """CPU time of the worker meanwhile."""
    foreign_cpus: float
    """CPUs busy meanwhile with what is neither the worker nor Kafka nor this benchmark."""

    @property
    def events_per_s(self) -> float:
        """Return the throughput."""
        return self.events / self.wall_s

    @property
    def cpu_s_per_million(self) -> float:
        """Return the worker's CPU seconds for a million events."""
        return self.cpu_s / self.events * 1e6


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The rounds of a population: engine, plain, engine, plain, ..."""

    population: Population
    rounds: Sequence[Round]

    @property
    def is_comparison(self) -> bool:
        """Tell whether there is more than one contender."""
        return len({one.contender for one in self.rounds}) > 1

    @property
    def ratio(self) -> float:
        """Return the median of the ratios of the pairs: engine to plain Faust."""
        pairs = zip(self.rounds[::2], self.rounds[1::2], strict=True)
        return median(engine.events_per_s / plain.events_per_s for engine, plain in pairs)

    @property
    def cpu_ratio(self) -> float:
        """Return the same of CPU seconds for an event, plain Faust to engine: it depends less on who else is busy."""
        pairs = zip(self.rounds[::2], self.rounds[1::2], strict=True)
        return median(plain.cpu_s_per_million / engine.cpu_s_per_million for engine, plain in pairs)

    @property
    def ratio_required(self) -> float:
        """Return what the ratio must reach."""
        return RATIO_REQUIRED[self.population.name]


def engine_contender(events: int, *, name: str = "engine") -> Contender:
    """Return `referrals stream`."""
    return Contender(
        name=name,
        arguments=ENGINE,
        events=events,
        attempts=1,
        reads_codes_first=True,
    )


def plain_contender(events: int) -> Contender:
    """Return the plain Faust app; it was seen to lose an event without any failure."""
    return Contender(name="plain Faust", arguments=PLAIN_FAUST, events=events, attempts=3, reads_codes_first=False)


def compare(
    parts: Parts,
    population: Population,
    contenders: Sequence[Contender],
    *,
    rounds: int,
    announce: Callable[[str], None],
) -> Comparison:
    """Measure the contenders in turn, `rounds` times each. Raises WrongResult where one counts wrong."""
    sources = [Source(parts, population, contender, announce) for contender in contenders]
    measured = []
    for number in range(rounds):
        for source in sources:
            measured.append(one := source.measure())
            announce(f"{population.name}, {one.contender}, round {number + 1}: {one.events_per_s:,.0f} events/s")
    return Comparison(population=population, rounds=measured)


class Source:
    """The topics with a contender's load."""

    def __init__(
        self, parts: Parts, population: Population, contender: Contender, announce: Callable[[str], None]
    ) -> None:
        self._parts = parts
        self._contender = contender
        self._announce = announce
        self._apps = count()
        self._name = f"bench-{uuid4().hex[:8]}-{population.name}"
        self._expected = Expected()
        load = Load(population)
        settings = self._settings("load")
        create_topics(settings)
        announce(f"publishing {population.mentors:,} codes and {contender.events:,} events for {contender.name}")
        publish(self._expected.noting(load.codes()), settings)
        if contender.knows_codes:
            self._take_codes_in()
        publish(self._expected.noting(load.events(contender.events)), settings)

    def measure(self) -> Round:
        """Return a measurement whose result is right; one that is wrong is void and done again."""
        for attempt in range(self._contender.attempts):
            try:
                return self._attempt()
            except WrongResult as error:
                if attempt == self._contender.attempts - 1:
                    raise
                self._announce(f"{self._contender.name} counted wrong, measuring again: {error}")
        raise AssertionError

    def _take_codes_in(self) -> None:
        """Let the app that will be measured know the codes: many times the mentors are many times the codes."""
        settings = self._settings(FIRST_APP)
        watch = Watch(settings)
        try:
            with self._worker(settings) as worker:
                wait_committed(watch, worker, watch.ends([CODES.full_name(settings.topic_prefix)]))
        finally:
            watch.close()

    def _attempt(self) -> Round:
        settings = self._settings(f"{next(self._apps)}")
        watch, standings = Watch(settings), Standings(settings)
        prefix = settings.topic_prefix
        counts, milestones = MENTOR_COUNTS.full_name(prefix), MILESTONES.full_name(prefix)
        codes, events = [CODES.full_name(prefix)], [CLICKS.full_name(prefix), REGISTRATIONS.full_name(prefix)]
        try:
            watch.delete([counts, milestones])
            create_topics(settings)
            event_ends = watch.ends(events)
            if not self._contender.reads_codes_first:
                watch.move(event_ends)
                with self._worker(settings) as worker:
                    wait_committed(watch, worker, watch.ends(codes))
                watch.move(dict.fromkeys(event_ends, 0))
            before = watch.ends([counts, milestones])
            with self._worker(settings) as worker:
                clock = self._time(watch, standings, worker, counts, event_ends)
            found, found_early = read_counts(settings, counts, before, clock.early)
            self._expected.check(found, [value for _, value in read(settings, milestones, before)])
        finally:
            standings.close()
            watch.close()
        first, last = clock.first, clock.last
        wall_s = last.at_s - first.at_s
        return Round(
            contender=self._contender.name,
            events=round(clock.processed(self._contender.events, early=found_early, counts=found)),
            wall_s=wall_s,
            cpu_s=last.worker_cpu_s - first.worker_cpu_s,
            foreign_cpus=(last.foreign_cpu_s - first.foreign_cpu_s) / wall_s,
        )

    def _time(
        self,
        watch: Watch,
        standings: Standings,
        worker: Crew,
        counts: str,
        event_ends: dict[Position, int],
    ) -> Clock[_Moment]:
        """Watch until all events are committed."""
        topics = list({topic for topic, _ in event_ends})
        early = visible = watch.ends([counts])
        begun = 0
        first: _Moment | None = None
        last: _Moment | None = None
        committed_looked_s = float("-inf")
        deadline_s = time.monotonic() + TIMEOUT_S
        while True:
            now = _Moment.of(worker, self._parts)
            ends = watch.ends([counts])
            if ends != visible:
                visible, last = ends, now
            if first is None:
                standing = standings.look(watch)
                begun = sum(standing.get(place, 0) for place in event_ends)
                if begun or (last is not None and not self._contender.reads_codes_first):
                    first, early = now, ends
            if last is not None and now.at_s > committed_looked_s + COMMITTED_POLL_S:
                committed_looked_s = now.at_s
                is_settled = now.at_s > last.at_s + SETTLED_S
                if first is not None and is_settled and watch.committed(topics) == event_ends:
                    return Clock(first=first, last=last, early=early, begun=begun)
            if now.at_s > deadline_s:
                raise TimeoutError(f"{self._contender.name} did not catch up within {TIMEOUT_S:.0f} s")
            time.sleep(POLL_S)

    def _settings(self, app: str) -> Settings:
        one = self._contender
        return settings_for(
            self._parts, installation=self._name, app=app, partitions=one.partitions, replicas=one.replicas
        )

    def _worker(self, settings: Settings) -> Crew:
        arguments, parts = self._contender.arguments, self._parts
        numbers = range(self._contender.workers)
        return Crew([Worker(arguments, settings=settings, parts=parts, name=f"worker-{each}") for each in numbers])


@dataclass(frozen=True, kw_only=True)
class _Moment:
    """CPU times at a moment."""

    at_s: float
    worker_cpu_s: float
    foreign_cpu_s: float

    @classmethod
    def of(cls, worker: Crew, parts: Parts) -> _Moment:
        return cls(at_s=time.monotonic(), worker_cpu_s=worker.cpu_s(), foreign_cpu_s=foreign_cpu_s(parts, worker.pids))
