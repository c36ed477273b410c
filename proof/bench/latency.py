"""From a confirmed registration produced to its milestone readable, and to the award row committed.

One worker and one badge consumer under a steady load: of ten events eight are clicks of many mentors, one is a pending
and one a confirmed registration of a mentor who had none before, so each confirmed one reaches the first threshold. All
times are read from one clock, in this process:

    produced   just before the producer is given the record
    acked      when its delivery report came (acks=all)
    milestone  when a read_committed consumer returned the milestone
    award      when the notice of a trigger on badge_awards came, which Postgres sends after the commit; how long such a
               notice takes is measured apart, and makes the figures too high, never too low
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random
from typing import Final, Self
from uuid import uuid4

import orjson
import psycopg
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, Producer, TopicPartition

from edges.publishing.producer import CONFIG
from local.parts import Parts
from models.identifiers import milestone_id
from models.topics import CODES, MILESTONES
from operations.topics import create_topics
from process.administrator import cluster_metadata
from process.settings import Settings
from proof.bench.cluster import REQUEST_TIMEOUT_S, Watch, publish
from proof.bench.load import CHANNELS, Load, LoadRecord, Mentor, Population, click, make_uuid, occurs_at, registration
from proof.bench.machine import foreign_cpu_s
from proof.bench.worker import BADGES, COUNTS, ENGINE, Worker, settings_for, wait_committed
from sinks.migrate import migrate

CLICKED_MENTORS: Final = 10_000
"""Mentors whom the clicks fall on, uniformly."""
EVENTS_PER_MEASURED: Final = 10
CONFIRMED_AFTER: Final = 5
"""Place of the confirmed registration among the ten; the pending one is the first."""
FIRST_THRESHOLD: Final = 1
WARM_UP_S: Final = 60.0
"""Load before the measured one: caches fill, and the broker's Java compiles, which after ten seconds takes a third of
two cores still."""
GATHERED_FROM: Final = 5_000.0
"""Events per second from which the sender gathers records for a millisecond, as whoever sends so many does; each by
itself, the broker would have more work with requests than with what is in them."""
GATHER_MS: Final = 1.0
REPORTS_EVERY: Final = 256
"""Records after which delivery reports are taken where the sender never waits."""
POLL_S: Final = 0.002
"""A client's poll counts in whole milliseconds: one of less is none, and to wait by it takes a core from who is
measured."""
ARRIVAL_TIMEOUT_S: Final = 30.0
PROJECTED_TIMEOUT_S: Final = 120.0
NOTICES: Final = 200
"""Notices by which their own delay is measured."""
CHANNEL: Final = "bench_awards"

_TRIGGER: Final = f"""
CREATE OR REPLACE FUNCTION bench_notice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_notify('{CHANNEL}', NEW.milestone_id::text); RETURN NULL; END $$;
CREATE OR REPLACE TRIGGER bench_notice AFTER INSERT ON badge_awards FOR EACH ROW EXECUTE FUNCTION bench_notice();
"""


@dataclass
class Times:
    """When what happened to each measured registration, by the id of its milestone; seconds of one clock."""

    produced: dict[str, float] = field(default_factory=dict)
    acked: dict[str, float] = field(default_factory=dict)
    milestone: dict[str, float] = field(default_factory=dict)
    award: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Latencies:
    """Seconds for each measured registration."""

    produced_at_s: Sequence[float]
    """When, since the load began."""
    produced_to_acked_s: Sequence[float]
    produced_to_milestone_s: Sequence[float]
    acked_to_milestone_s: Sequence[float]
    produced_to_award_s: Sequence[float]
    """Empty where awards were not measured."""
    notice_s: Sequence[float]
    """What a notice takes by itself, from the commit's answer to its arrival."""
    events_per_s: float
    """The pace that was kept."""
    foreign_cpus: float
    """CPUs busy meanwhile with what is neither this benchmark nor Kafka nor the workers; Postgres is among it."""


Acts = Mapping[str, tuple[float, Callable[[Settings], object]]]
"""What happens under the load: its name -> seconds since the load began, and who does it."""


def start_engine(settings: Settings, parts: Parts) -> Worker:
    """Start `referrals stream`."""
    return Worker(ENGINE, settings=settings, parts=parts)


def measure_latency(  # noqa: PLR0913 - all but the first are said by name
    parts: Parts,
    *,
    events_per_s: float,
    seconds: float,
    awards: bool,
    announce: Callable[[str], None],
    start: Callable[[Settings, Parts], Worker] = start_engine,
    sinks_of: Callable[[Settings], Settings] = lambda settings: settings,
    acts: Acts | None = None,
    warm_up_s: float = WARM_UP_S,
) -> Latencies:
    """Run the load and return what was measured. Raises TimeoutError where a milestone or an award does not come.

    Args:
        parts: Kafka and, for awards, Postgres.
        events_per_s: the pace of the load.
        seconds: its length, after those of warming up, which do not count.
        awards: whether awards are measured too.
        announce: told what is done.
        start: starts who is measured, over the given settings' topics.
        sinks_of: the settings with the prefix under which he publishes milestones.
        acts: what happens meanwhile, each in a thread of its own.
        warm_up_s: seconds of the load before.

    """
    installation = f"bench-{uuid4().hex[:8]}-latency"
    settings = settings_for(parts, installation=installation, app="streams")
    create_topics(settings)
    measured = int((warm_up_s + seconds) * events_per_s / EVENTS_PER_MEASURED)
    load = Load(Population(name="latency", mentors=measured + CLICKED_MENTORS, zipf_exponent=0.0))
    publish(load.codes(), settings)
    times = Times()
    pids: list[int] = []
    with ExitStack() as running:
        if awards:
            migrate(settings.database_url)
            announce("projecting the codes into Postgres")
            _project_codes(parts, settings, len(load.mentors))
            pids.append(running.enter_context(Worker(BADGES, settings=settings, parts=parts)).pid)
        worker = running.enter_context(start(settings, parts))
        watch = Watch(settings)
        running.callback(watch.close)
        pids.append(worker.pid)
        wait_committed(watch, worker, watch.ends([CODES.full_name(settings.topic_prefix)]))
        milestones = running.enter_context(_Readers(sinks_of(settings), times, awards=awards))
        announce(f"{events_per_s:g} events/s for {warm_up_s:g} + {seconds:g} s")
        sender = _Sender(settings, times, gather_ms=GATHER_MS if events_per_s >= GATHERED_FROM else 0.0)
        events = list(_events(load, measured))  # before, so that it takes no core from who is measured
        gc.collect()
        gc.freeze()  # else they are walked again and again, and who sends and notes stands still meanwhile
        started_s, foreign_before_s = time.perf_counter(), foreign_cpu_s(parts, pids)
        for at_s, act in (acts or {}).values():
            timer = threading.Timer(at_s, act, [settings])
            running.callback(timer.cancel)
            timer.start()
        sender.send(events, events_per_s)
        foreign_cpus = (foreign_cpu_s(parts, pids) - foreign_before_s) / (time.perf_counter() - started_s)
        milestones.wait(measured)
        worker.check_alive()
        notice_s = milestones.notice_s()
    skipped = int(warm_up_s * events_per_s / EVENTS_PER_MEASURED)
    ids = list(times.produced)[skipped:]
    return Latencies(
        produced_at_s=[times.produced[one] - started_s for one in ids],
        produced_to_acked_s=[times.acked[one] - times.produced[one] for one in ids],
        produced_to_milestone_s=[times.milestone[one] - times.produced[one] for one in ids],
        acked_to_milestone_s=[times.milestone[one] - times.acked[one] for one in ids],
        produced_to_award_s=[times.award[one] - times.produced[one] for one in ids] if awards else [],
        notice_s=notice_s,
        events_per_s=sender.events_per_s,
        foreign_cpus=foreign_cpus,
    )


def _events(load: Load, measured: int) -> Iterator[tuple[LoadRecord, str | None]]:
    """Yield each event, and with a confirmed registration the id of the milestone it reaches."""
    random = Random(load.seed)
    fresh, clicked = load.mentors[:measured], load.mentors[measured:]
    for number in range(measured * EVENTS_PER_MEASURED):
        occurred_at = occurs_at(number)
        mentor = fresh[number // EVENTS_PER_MEASURED]
        place = number % EVENTS_PER_MEASURED
        if place == 0:
            member, channel = make_uuid(random), random.choice(CHANNELS)
            yield registration(random, mentor, member, channel, status="pending_signup", occurred_at=occurred_at), None
        elif place == CONFIRMED_AFTER:
            record = registration(random, mentor, member, channel, status="confirmed", occurred_at=occurred_at)
            yield record, _milestone_of(mentor)
        else:
            yield click(random, random.choice(clicked), random.choice(CHANNELS), occurred_at=occurred_at), None


def _milestone_of(mentor: Mentor) -> str:
    return milestone_id(mentor.org_id, mentor.mentor_id, FIRST_THRESHOLD)


class _Sender:
    """Sends events at a pace; where nothing is gathered each by itself, as webhooks do."""

    def __init__(self, settings: Settings, times: Times, *, gather_ms: float) -> None:
        self._producer = Producer(
            {**settings.kafka_client_config(), **CONFIG, "linger.ms": gather_ms, "delivery.report.only.error": False}
        )
        self._prefix = settings.topic_prefix
        self._times = times
        self.events_per_s = 0.0

    def send(self, events: Sequence[tuple[LoadRecord, str | None]], events_per_s: float) -> None:
        started_s = time.perf_counter()
        sent = 0
        for record, milestone in events:
            due_s = started_s + sent / events_per_s
            while (ahead_s := due_s - time.perf_counter()) > 0:
                if ahead_s < POLL_S:
                    time.sleep(ahead_s)
                    ahead_s = 0.0
                self._producer.poll(ahead_s)  # takes delivery reports as they come
            topic = self._prefix + record.topic.name
            if milestone is None:
                self._producer.produce(topic, record.value, record.key)
            else:
                self._times.produced[milestone] = time.perf_counter()
                self._producer.produce(topic, record.value, record.key, -1, self._note(milestone))
            sent += 1
            if sent % REPORTS_EVERY == 0:
                self._producer.poll(0)
        self.events_per_s = sent / (time.perf_counter() - started_s)
        self._producer.flush(ARRIVAL_TIMEOUT_S)

    def _note(self, milestone: str) -> Callable[[object, Message], None]:
        def acked(error: object, message: Message) -> None:
            self._times.acked[milestone] = time.perf_counter()
            if error is not None:
                raise KafkaException(error, message)

        return acked


class _Readers:
    """Two threads that note when a milestone is readable and when an award is committed."""

    def __init__(self, settings: Settings, times: Times, *, awards: bool) -> None:
        self._settings = settings
        self._times = times
        self._stop = threading.Event()
        self._notices: dict[str, float] = {}
        self._threads = [threading.Thread(target=self._read_milestones, daemon=True)]
        if awards:
            self._listening = threading.Event()
            self._threads.append(threading.Thread(target=self._listen, daemon=True))
        self._awards = awards

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        if self._awards:
            self._listening.wait(ARRIVAL_TIMEOUT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait(self, measured: int) -> None:
        """Wait until all that was measured has come."""
        expected = [self._times.milestone, *([self._times.award] if self._awards else [])]
        deadline_s = time.monotonic() + ARRIVAL_TIMEOUT_S
        while any(len(arrived) < measured for arrived in expected):
            if time.monotonic() > deadline_s:
                found = " and ".join(f"{len(arrived):,}" for arrived in expected)
                raise TimeoutError(f"of {measured:,} milestones (and awards) {found} came")
            time.sleep(0.1)

    def notice_s(self) -> list[float]:
        """Measure how long a notice takes by itself."""
        if not self._awards:
            return []
        sent: dict[str, float] = {}
        with psycopg.connect(self._settings.database_url, autocommit=True) as connection:
            for number in range(NOTICES):
                connection.execute("SELECT pg_notify(%s, %s)", [CHANNEL, f"notice {number}"])
                sent[f"notice {number}"] = time.perf_counter()
                time.sleep(0.005)
        time.sleep(0.2)
        return [max(self._notices[one] - at_s, 0.0) for one, at_s in sent.items()]

    def _read_milestones(self) -> None:
        topic = MILESTONES.full_name(self._settings.topic_prefix)
        consumer = Consumer(
            {
                **self._settings.kafka_client_config(),
                "group.id": f"{self._settings.app_id}-reader",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
            }
        )
        found = cluster_metadata(consumer.list_topics, topic, REQUEST_TIMEOUT_S).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in found])
        while not self._stop.is_set():
            message = consumer.poll(0.2)
            if message is None:
                continue
            at_s = time.perf_counter()
            if (error := message.error()) is not None:
                raise KafkaException(error)
            self._times.milestone[orjson.loads(message.value() or b"")["milestone_id"]] = at_s
        consumer.close()

    def _listen(self) -> None:
        with psycopg.connect(self._settings.database_url, autocommit=True) as connection:
            connection.execute(_TRIGGER)
            connection.execute(f"LISTEN {CHANNEL}")
            self._listening.set()
            while not self._stop.is_set():
                for notice in connection.notifies(timeout=0.2):
                    at_s = time.perf_counter()
                    is_award = not notice.payload.startswith("notice")
                    (self._times.award if is_award else self._notices)[notice.payload] = at_s


def _project_codes(parts: Parts, settings: Settings, codes: int) -> None:
    """Let the projection make the mentors known to the badge consumer, and end it: it is not what is measured."""
    deadline_s = time.monotonic() + PROJECTED_TIMEOUT_S
    with (
        Worker(COUNTS, settings=settings, parts=parts) as worker,
        psycopg.connect(settings.database_url, autocommit=True) as connection,
    ):
        while True:
            row = connection.execute("SELECT count(*) FROM referral_codes").fetchone()
            if row is not None and row[0] >= codes:
                return
            worker.check_alive()
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"of {codes:,} codes {row} were projected within {PROJECTED_TIMEOUT_S:.0f} s")
            time.sleep(0.5)
