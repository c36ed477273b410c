"""One schedule of the sinks: two badge consumers and two projections on one database, and what comes of it."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, Final, cast

from models.badges import SEEDED_DEFINITIONS
from models.events import CodeIssued, MentorCounts, MilestoneReached, decode_event, encode_event
from models.identifiers import milestone_id
from models.partitioning import partition_of
from models.topics import CODES, MENTOR_COUNTS, MILESTONES
from sinks.badge_awarder import BadgeAwarder
from sinks.counts_projection import CountsProjection
from sinks.records import DeadLetter
from sinks.sink_task import SinkTask
from tests.factories import ORG, PREFIX, encode, make_code_issued, uuid
from tests.simulation import oracle
from tests.simulation.database import LOST, UNKNOWN, Database, Session, SimulatedBadges, SimulatedCounts, Tables
from tests.simulation.faults import SINK_STEPS, Faults
from tests.simulation.kafka import Data, Kafka, Place
from tests.simulation.loop import Process, SimulatedLoop, Stuck
from tests.simulation.sinks import NeverStopped, SimulatedLetters, SimulatedSource, SinkGroup
from tests.simulation.substitutes import VIRTUAL
from tests.simulation.verdict import WrongResult

PARTITIONS: Final = 2
LASTS_S: Final = 1.5
TEND_S: Final = 0.2
BAD: Final = b"{"
BADGES: Final = "badges"
COUNTS: Final = "counts"
TOPICS: Final = {
    BADGES: [MILESTONES.full_name(PREFIX)],
    COUNTS: [CODES.full_name(PREFIX), MENTOR_COUNTS.full_name(PREFIX)],
}
THRESHOLDS: Final = (1, 5, 10)
MENTORS: Final = 3
_AT: Final = datetime(2026, 11, 20, 10, tzinfo=UTC)


class SinkSchedule:
    """Both sinks, from the first record to the verdict."""

    def __init__(self, seed: int, *, trace: list[str] | None = None) -> None:
        self.random = random.Random(seed)
        self.loop = loop = SimulatedLoop(seed)
        loop.trace = trace
        VIRTUAL.loop = loop
        self.kafka = Kafka(now=loop.time)
        self.database = Database(now=loop.time)
        self.letters: list[DeadLetter] = []
        self.groups = {}
        for name, topics in TOPICS.items():
            for topic in topics:
                self.kafka.make_topic(topic, PARTITIONS)
            self.groups[name] = SinkGroup([(topic, number) for topic in topics for number in range(PARTITIONS)])
        self.world = loop.start("world", lambda: None)
        self.processes: dict[str, Process | None] = {
            f"{name}-{at}": None for name in TOPICS for at in range(self.random.choice((1, 2)))
        }
        self.faults = Faults(
            self.random, loop, is_worker=lambda process: process in self.processes.values(), turns=250, steps=SINK_STEPS
        )
        loop.on_turn = self.faults.at_step
        loop.alarm, loop.on_alarm = self.faults.first_turn, self._strike
        self.lost_commits = {
            self.random.randint(1, 12): self.random.choice((LOST, UNKNOWN))
            for _ in range(self.random.choice((0, 0, 1, 2)))
        }
        self._commits = 0
        self._copy: Tables | None = None
        self.is_restored = self.random.random() < 0.4
        self.arrivals = self._draw()
        self._to_come = len(self.arrivals) + 2 * self.is_restored

    def run(self) -> None:
        """Run it to its end, and look.

        Raises:
            AssertionError: something came out that must not.

        """
        loop = self.loop
        loop.current = self.world
        for at_s, place, data in self.arrivals:
            loop.call_at(at_s, self._arrive, place, data)
        if self.is_restored:
            copied_s = self.random.random() * LASTS_S
            loop.call_at(copied_s, self._copy_database)
            loop.call_at(copied_s + self.random.random() * 2 * LASTS_S, self._restore)
        self._tend()
        try:
            loop.run(self._is_done)
        except Stuck as stuck:
            raise Stuck(f"{stuck}; sinks, positions: {self.database.tables.positions}") from stuck
        self._look()

    # -- what comes --------------------------------------------------------------------------------------------

    def _draw(self) -> list[tuple[float, Place, Data]]:
        randomness = self.random
        arrivals: list[tuple[float, Place, Data]] = []

        def come(topic: str, key: bytes, value: bytes, at_s: float) -> None:
            number = partition_of(key, PARTITIONS)
            arrivals.append((at_s, (topic, number), Data(key, value, [], int(1000 * at_s))))

        milestones, (codes, counts) = TOPICS[BADGES][0], TOPICS[COUNTS]
        for mentor in range(randomness.randint(1, MENTORS)):
            mentor_id, code = uuid(900 + mentor), f"KAT{mentor:05}"
            key = f"{ORG}:{mentor_id}".encode()
            if randomness.random() < 0.9:
                come(codes, code.encode(), _issued(code, mentor_id), randomness.random() * LASTS_S)
            for threshold in THRESHOLDS[: randomness.randint(0, 3)]:
                value = _milestone(mentor_id, threshold)
                for _ in range(1 + (randomness.random() < 0.2)):  # once more: a record may always come twice
                    come(milestones, key, value, randomness.random() * LASTS_S)
            for clicks, at_s in enumerate(
                sorted(randomness.random() * LASTS_S for _ in range(randomness.randint(0, 4)))
            ):
                come(counts, key, _counts(mentor_id, code, clicks), at_s)
        if randomness.random() < 0.3:
            come(randomness.choice((milestones, counts)), b"key", BAD, randomness.random() * LASTS_S)
        return arrivals

    def _arrive(self, place: Place, data: Data) -> None:
        self._to_come -= 1
        self.kafka.log(*place).append(data)

    def _copy_database(self) -> None:
        self._to_come -= 1
        self._copy = self.database.tables.copy()

    def _restore(self) -> None:
        self._to_come -= 1
        if self.loop.trace is not None:
            self.loop.trace.append(f"{self.loop.now:8.3f} the database is RESTORED")
        assert self._copy is not None
        self.database.restore(self._copy)

    # -- who works ---------------------------------------------------------------------------------------------

    def _start(self, name: str) -> None:
        loop = self.loop
        sink = name.partition("-")[0]

        def begin() -> None:
            process = loop.current
            pause = partial(loop.pause, process)
            session = Session(
                self.database, pause=pause, block=loop.block, draw=self._draw_commit, is_dead=lambda: process.is_dead
            )
            source = SimulatedSource(
                self.kafka,
                self.groups[sink],
                sink,
                now=loop.time,
                pause=pause,
                block=loop.block,
                randomness=loop.random,
            )
            made = (
                BadgeAwarder(SimulatedBadges(session))
                if sink == BADGES
                else CountsProjection(
                    SimulatedCounts(session, counts_topic=TOPICS[COUNTS][1]),
                    codes_topic=TOPICS[COUNTS][0],
                    partitions=PARTITIONS,
                )
            )
            task = SinkTask(source=source, sink=made, dead_letters=SimulatedLetters(pause, self.letters))
            loop.run_in_executor(None, task.run, cast("Any", NeverStopped(loop.block))).add_done_callback(
                lambda future: self._ended(process, future)
            )

        self.processes[name] = loop.start(name, begin)

    def _ended(self, process: Process, future: Any) -> None:
        if future.exception() is not None:
            self.loop.unasked.append(future.exception())
        self.loop.kill(process)

    def _tend(self) -> None:
        """Start again who has ended."""
        self.loop.call_later(TEND_S, self._tend)
        for name, process in self.processes.items():
            if process is None or process.is_dead:
                self._start(name)

    def _strike(self) -> None:
        self.faults.at_turn([each for each in self.processes.values() if each is not None and not each.is_dead])
        self.loop.alarm = self.faults.first_turn

    def _draw_commit(self) -> str | None:
        self._commits += 1
        return self.lost_commits.pop(self._commits, None)

    # -- the end -----------------------------------------------------------------------------------------------

    def _is_done(self) -> bool:
        if self.loop.unasked:
            raise self.loop.unasked[0]
        if self._to_come:
            return False
        tables = self.database.tables
        for consumer, topics in TOPICS.items():
            for topic in topics:
                for number, log in enumerate(self.kafka.topics[topic].logs):
                    row = tables.positions.get((consumer, (topic, number)))
                    if row is None or row.next is None or row.next < log.end:
                        return False
        waiting = {key for key in tables.badges.awaiting if key[:2] in tables.badges.mentors}
        return not waiting and not tables.badges.due and self.faults.is_over()

    def _look(self) -> None:
        tables = self.database.tables
        milestones = self._values(TOPICS[BADGES][0])
        codes, counts = (self._values(topic) for topic in TOPICS[COUNTS])
        mentors = {(ORG, decode_event(CodeIssued, value).mentor_id) for value in codes}
        awards = {}
        for value in milestones:
            milestone = decode_event(MilestoneReached, value)
            if (ORG, milestone.mentor_id) in mentors:
                for definition in SEEDED_DEFINITIONS:
                    if definition.threshold <= milestone.confirmed_count:
                        awards[ORG, milestone.mentor_id, definition.badge_id] = milestone.mentor_id
        if tables.badges.awards.keys() != awards.keys():
            raise WrongResult(f"awards {sorted(tables.badges.awards)}, must be {sorted(awards)}")
        last = {}
        for value in counts:
            event = decode_event(MentorCounts, value)
            last[event.org_id, event.mentor_id] = event.total_clicks
        found = {owner: each.event.total_clicks for owner, each in tables.counts.items()}
        if found != last:
            raise WrongResult(f"projected {found}, must be {last}")
        bad = sum(self._all_values(topic).count(BAD) for topics in TOPICS.values() for topic in topics)
        if bool(bad) != bool(self.letters):
            raise WrongResult(f"{bad} records cannot be used, {len(self.letters)} dead letters")

    def _values(self, topic: str) -> list[bytes]:
        return [value for value in self._all_values(topic) if value != BAD]

    def _all_values(self, topic: str) -> list[bytes]:
        return [entry.value or b"" for log in self.kafka.topics[topic].logs for entry in oracle.visible(log)]


@cache
def _issued(code: str, mentor_id: str) -> bytes:
    return encode(make_code_issued(code, mentor_id=mentor_id))


@cache
def _milestone(mentor_id: str, threshold: int) -> bytes:
    return encode_event(
        MilestoneReached(
            milestone_id=milestone_id(ORG, mentor_id, threshold),
            org_id=ORG,
            mentor_id=mentor_id,
            milestone_threshold=threshold,
            confirmed_count=threshold,
            attribution_id=uuid(1),
            reached_at=_AT,
        )
    )


@cache
def _counts(mentor_id: str, code: str, clicks: int) -> bytes:
    return encode_event(
        MentorCounts(
            org_id=ORG, mentor_id=mentor_id, referral_code=code, by_channel={}, milestones=[], total_clicks=clicks
        )
    )
