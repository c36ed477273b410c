"""One schedule: an installation with two workers, its records, its faults, and what must have come of it."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from models.attribution import Attribution, Rules
from models.changes import TABLES
from models.moves import forgotten
from models.outgoing import AGAIN
from models.topics import SOURCES, TOPICS
from streams.beginning import Beginnings
from streams.engine.batch import Rows, Work
from streams.engine.deciding import accept, rebuild
from streams.engine.errors import EngineError
from streams.engine.options import EngineOptions
from streams.eras import Anew
from tests.factories import CODES_TOPIC, PREFIX
from tests.simulation import oracle
from tests.simulation.acts import Act, Actor, Outcome, Sources
from tests.simulation.clients import FakeClients
from tests.simulation.events import LASTS_S, Arrival, draw_arrivals
from tests.simulation.faults import Faults
from tests.simulation.kafka import Kafka, Transaction
from tests.simulation.loop import Process, SimulatedLoop, Stuck
from tests.simulation.membership import Coordinator
from tests.simulation.poisoned import PoisonedWork
from tests.simulation.substitutes import VIRTUAL
from tests.simulation.verdict import look
from tests.simulation.worker import Cluster, Worker

APP_ID: Final = "simulated"
PARTITIONS: Final = (1, 1, 2)
"""With one, workers contend for it; with two, records are in wrong partitions too."""
WORKERS: Final = 2
ACTS_SHARE: Final = 0.35
TEND_S: Final = 0.25
SOURCE_TOPICS: Final = tuple(topic.full_name(PREFIX) for topic in SOURCES)
RULES: Final = Rules(topic_prefix=PREFIX, thresholds=(1, 2, 4))


def make_options(partitions: int) -> EngineOptions:
    """Return the wiring of the stream app as `streams.app` has it, with short times."""
    return EngineOptions(
        app_id=APP_ID,
        source_topics=SOURCE_TOPICS,
        read_first=CODES_TOPIC,
        tables=TABLES,
        partitions=partitions,
        transaction_timeout_s=1.0,
        rest_s_max=0.02,
        calm_s=0.1,
        backlog_records=3 * partitions,
        behind_s=0.8,
        epoch_s_max=0.4,
        follow_s=0.2,
        follow_behind_s=0.8,
        rows_at_once=1,
        again_header=AGAIN,
        forget=lambda rows, topic: {"moves": forgotten(rows["moves"], topic)},
    )


class Schedule:
    """An installation, from its first record to the oracle's verdict."""

    def __init__(self, seed: int, *, trace: list[str] | None = None) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.loop = loop = SimulatedLoop(seed)
        loop.trace = trace
        VIRTUAL.loop = loop
        self.kafka = Kafka(now=loop.time)
        self.partitions = partitions = self.random.choice(PARTITIONS)
        self.attribution = Attribution(RULES, partitions=partitions)
        options = replace(
            make_options(partitions),
            begin_work=self._begin_work,
            publish=self.attribution.publish,
            set_aside=self.attribution.set_aside,
            now_ms=lambda: VIRTUAL.time_ns() // 1_000_000,
        )
        self.shared = Cluster(loop, self.kafka, options, Coordinator(partitions, loop.random))
        self.shared.begin = self._begin
        for topic in TOPICS:
            self.kafka.make_topic(topic.full_name(PREFIX), partitions, **topic.config())
        self.kafka.make_topic(self.shared.options.leader_topic, 1)
        for table in TABLES:
            self.kafka.make_topic(self.shared.options.changelog(table), partitions, **{"cleanup.policy": "compact"})
        self.world = loop.start("world", lambda: None)
        self.workers: list[Process | None] = [None] * WORKERS
        self._working: list[Worker | None] = [None] * WORKERS
        self.faults = Faults(self.random, loop, is_worker=lambda process: process in self.workers)
        self.shared.loses_fetches = self.faults.lost_fetches
        self.shared.draw = self.faults.answer
        loop.on_turn = self.faults.at_step
        loop.background, loop.on_background = self.kafka.unwritten, self._write_marker
        loop.alarm, loop.on_alarm = self.faults.first_turn, self._strike
        self.sources = Sources(self.kafka, SOURCE_TOPICS)
        self.act = self.random.choice(list(Act)) if self.random.random() < ACTS_SHARE else Act.NOTHING
        self.outcome = Outcome()
        self._is_held = self._has_acted = False
        self.is_conclusive = True
        """Whether there is a verdict: not where what was lost cannot be seen from the logs."""
        self._undecided: set[int] = set()
        self._operator: Process | None = None
        self.arrivals = draw_arrivals(self.random, partitions)
        self._fails_now_and_then = self.random.random() < 0.1
        self._to_come = len(self.arrivals)

    def run(self) -> None:
        """Run it to its end, and look.

        Raises:
            AssertionError: something came out that must not.

        """
        loop = self.loop
        loop.current = self.world
        for arrival in self.arrivals:
            loop.call_at(arrival.at_s, self._arrive, arrival)
        for slot in range(WORKERS):
            loop.call_at(self.random.choice((0.0, 0.0, 0.3, LASTS_S)), self._start, slot)
        if self.act is not Act.NOTHING:
            loop.call_at(self.random.random() * 1.5 * LASTS_S, self._halt)
        else:
            self._has_acted = True
        self._tend()
        try:
            loop.run(self._is_done)
        except Stuck as stuck:
            last = self.shared.left[-1:] or "nobody left"
            raise Stuck(f"{stuck}; {self.act}, refused: {self.shared.refused}, left last: {last}") from stuck
        if loop.unasked:
            raise loop.unasked[0]
        if self.is_conclusive:
            look(self.kafka, self.shared.options, self.attribution, self.sources, self.outcome, self.shared.told)

    # -- what happens ------------------------------------------------------------------------------------------

    def _arrive(self, arrival: Arrival) -> None:
        if self.act is Act.SOURCE_CUT and self._undecided:  # see `Act.SOURCE_CUT`
            self.loop.call_later(TEND_S, self._arrive, arrival)
            return
        self._to_come -= 1
        log = self.kafka.log(*arrival.place)
        if self.random.random() < 0.1:  # a transaction of somebody else's, given up
            given_up = Transaction(self.loop.now)
            log.append(arrival.data, given_up)
            self.kafka._decide(given_up, "aborted")
        log.append(arrival.data)

    def _start(self, slot: int) -> None:
        if self._is_held:
            self.loop.call_later(TEND_S, self._start, slot)
            return

        def begin() -> None:
            self._working[slot] = worker = Worker(self.shared)
            worker.run()

        self.workers[slot] = self.loop.start(f"worker-{slot}", begin)

    def _tend(self) -> None:
        """Start again who has ended; let the coordinator abort what is open for too long."""
        loop = self.loop
        loop.call_later(TEND_S, self._tend)
        self.kafka.expire()
        if self._is_held:
            self._act_when_quiet()
            return
        for slot, process in enumerate(self.workers):
            if process is not None and not process.is_dead:
                if (worker := self._working[slot]) is not None:
                    worker.note_refusals()
            elif process is not None:
                self.workers[slot] = self._working[slot] = None
                loop.call_later(self.random.choice((0.1, 0.3, 1.0)), self._start, slot)

    # -- an act, and what is decided about it ------------------------------------------------------------------

    def _halt(self) -> None:
        """Stop every worker, for an act."""
        self._is_held = True
        for process in self.workers:
            if process is not None:
                self.loop.kill(process)

    def _act_when_quiet(self) -> None:
        """Do the act once the group is empty and no transaction is open."""
        kafka, loop = self.kafka, self.loop
        undecided = any(log.undecided for topic in kafka.topics.values() for log in topic.logs)
        if not self.shared.coordinator.is_empty(loop.now) or undecided or kafka.unwritten:
            return
        actor = Actor(kafka, self.shared.options, self.sources, self.random)
        self.outcome = outcome = actor.do(self.act)
        if loop.trace is not None:
            loop.trace.append(f"{loop.now:8.3f} ACT {self.act}: refused {outcome.refused}, {outcome.decide}")
        if outcome.app_id is not None:
            self.shared.options = replace(self.shared.options, app_id=outcome.app_id)
            self.shared.coordinator = Coordinator(self.partitions, loop.random)
        if outcome.undo is not None:
            loop.call_later(1.0, outcome.undo)
        self._is_held = False
        self._undecided = set(outcome.refused)
        self._ask_operator()

    def _ask_operator(self) -> None:
        """Let an operator decide about each partition that is refused, and only about these."""
        if self._undecided and not self.shared.refused and self.outcome.is_hidden():
            self.is_conclusive = False
        if not self._undecided or not self.is_conclusive:
            self._has_acted = True
            self._undecided = set()
            return
        self.loop.call_later(1.0, self._ask_operator)
        if self._operator is not None and not self._operator.is_dead:
            return
        numbers = self._undecided & self.shared.refused
        if numbers:
            self._operator = self.loop.start("operator", partial(self._operate, sorted(numbers)))

    def _operate(self, numbers: list[int]) -> None:
        loop = self.loop
        process = loop.current
        pause = partial(loop.pause, process)
        options = replace(self.shared.options, clients=FakeClients(self.kafka, pause=pause), fault_point=pause)

        def decide() -> None:
            if self.outcome.decide == "accept":
                done = accept(options, numbers)
            else:
                done = rebuild(options, numbers, begins=Anew(options, Beginnings(options, PREFIX), self._fold))
            try:
                for state in done:
                    self._undecided.discard(state.number)
                    if self.outcome.cut is not None and state.positions is not None:
                        self.sources.count_from(self.outcome.cut, state.positions[self.outcome.cut[0]])
                    self.shared.refused.discard(state.number)
            except EngineError:
                pass  # a worker has fenced the command: it is run again
            finally:
                loop.kill(process)

        loop.run_in_executor(None, decide)

    def _write_marker(self) -> None:
        self.kafka.write_marker(int(self.loop.random.random() * len(self.kafka.unwritten)))

    def _strike(self) -> None:
        self.faults.at_turn([process for process in self.workers if process is not None and not process.is_dead])
        self.loop.alarm = self.faults.first_turn

    def _begin_work(self, rows: Rows, number: int) -> Work:
        return PoisonedWork(self.attribution, rows, partition=number, fails=self._fails)

    def _fails(self) -> bool:
        return self._fails_now_and_then and self.loop.random.random() < 0.3

    def _fold(self, partitions: int) -> Attribution:
        return Attribution(self.attribution.rules, partitions=partitions)

    def _begin(self, options: EngineOptions, numbers: Collection[int]) -> Mapping[int, Rows]:
        return Beginnings(options, PREFIX)(numbers)

    def _is_done(self) -> bool:
        kafka = self.kafka
        if (
            self._to_come
            or not self._has_acted
            or self.shared.refused
            or kafka.unwritten
            or any(known.is_open for known in kafka.coordinated.values())
        ):
            return False
        offsets = kafka.group(self.shared.options.app_id).offsets
        for topic in SOURCE_TOPICS:
            for number, log in enumerate(kafka.topics[topic].logs):
                if log.has_more(offsets.get((topic, number), (0, ""))[0]):
                    return False
        return all(self._is_read(number) for number in range(self.partitions)) and self.faults.is_over()

    def _is_read(self, number: int) -> bool:
        """Tell whether a partition's rows say that everything was read: the group's offsets anybody may have set."""
        positions = oracle.positions_of(self.kafka, self.shared.options, number)
        return all(not self.kafka.log(topic, number).has_more(positions.get(topic, 0)) for topic in SOURCE_TOPICS)
