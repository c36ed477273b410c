"""Memory of a worker under a steady load over a long time, with a state that does not grow.

The same mentors are clicked and the same members confirmed and withdrawn in turn, so after the first pass every row is
there: what the worker's resident set grows by after that is not rows. At the end counts and milestones must be those of
the oracle.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from statistics import linear_regression
from typing import Final
from uuid import uuid4

import psutil
from confluent_kafka import Producer

from edges.publishing.producer import CONFIG
from local.parts import Parts
from models.topics import CLICKS, CODES, MENTOR_COUNTS, MILESTONES, REGISTRATIONS
from operations.topics import create_topics
from process.settings import Settings
from proof.bench.cluster import Watch, publish, read
from proof.bench.expected import Expected
from proof.bench.load import CHANNELS, Load, LoadRecord, Population, click, make_uuid, occurs_at, registration
from proof.bench.worker import ENGINE, Worker, settings_for, wait_committed

POPULATION: Final = Population(name="soak", mentors=10_000, zipf_exponent=0.0)
EVENTS_PER_REGISTRATION: Final = 5
WARM_UP_S: Final = 300.0
"""Until caches, arenas and the members' rows are there."""
SAMPLE_S: Final = 5.0
PACE_S: Final = 0.005
"""Events that are due are sent so often."""
FLUSH_S: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class Soak:
    """What was seen after the warm-up."""

    events: int
    seconds: float
    rss_mb: Sequence[tuple[float, float]]
    """Seconds since the start of the load, and the worker's resident set then."""

    @property
    def growth_mb_per_h(self) -> float:
        """The slope of the line through the samples."""
        at_s, rss_mb = zip(*self.rss_mb, strict=True)
        return linear_regression(at_s, rss_mb).slope * 3600


def measure_soak(parts: Parts, *, minutes: float, events_per_s: float, announce: Callable[[str], None]) -> Soak:
    """Run the load for so long. Raises WrongResult where the counts or milestones at its end are not what they must."""
    settings = settings_for(parts, installation=f"bench-{uuid4().hex[:8]}-soak", app="streams")
    create_topics(settings)
    prefix = settings.topic_prefix
    load, expected = Load(POPULATION), Expected()
    publish(expected.noting(load.codes()), settings)
    watch = Watch(settings)
    try:
        with Worker(ENGINE, settings=settings, parts=parts) as worker:
            wait_committed(watch, worker, watch.ends([CODES.full_name(prefix)]))
            announce(f"{events_per_s:g} events/s for {minutes:g} minutes")
            events = expected.noting(_events(load))
            found = _soak(settings, worker, events, seconds=60 * minutes, events_per_s=events_per_s)
            wait_committed(watch, worker, watch.ends([topic.full_name(prefix) for topic in (CLICKS, REGISTRATIONS)]))
        counts, milestones = MENTOR_COUNTS.full_name(prefix), MILESTONES.full_name(prefix)
        beginning = dict.fromkeys(watch.ends([counts, milestones]), 0)
        expected.check(
            dict(read(settings, counts, beginning)), [value for _, value in read(settings, milestones, beginning)]
        )
    finally:
        watch.close()
    return found


def _soak(
    settings: Settings, worker: Worker, events: Iterator[LoadRecord], *, seconds: float, events_per_s: float
) -> Soak:
    producer = Producer({**settings.kafka_client_config(), **CONFIG})
    process = psutil.Process(worker.pid)
    samples: list[tuple[float, float]] = []
    started_s = time.monotonic()
    sent, sampled_s = 0, 0.0
    while (now_s := time.monotonic() - started_s) < seconds:
        while sent < now_s * events_per_s:
            topic, key, value = next(events)
            producer.produce(settings.topic_prefix + topic.name, value, key)
            sent += 1
        producer.poll(PACE_S)
        if now_s - sampled_s >= SAMPLE_S:
            sampled_s = now_s
            worker.check_alive()
            if now_s > min(WARM_UP_S, seconds / 2):
                samples.append((now_s, process.memory_info().rss / 1e6))
    if unanswered := producer.flush(FLUSH_S):
        raise TimeoutError(f"{unanswered} events were not acknowledged")
    return Soak(events=sent, seconds=time.monotonic() - started_s, rss_mb=samples)


def _events(load: Load) -> Iterator[LoadRecord]:
    random = Random(load.seed)
    members = [(mentor, make_uuid(random), random.choice(CHANNELS)) for mentor in load.mentors]
    number = 0
    while True:
        for status in ("confirmed", "withdrawn"):
            for member in members:
                for _ in range(EVENTS_PER_REGISTRATION - 1):
                    at = occurs_at(number)
                    yield click(random, random.choice(load.mentors), random.choice(CHANNELS), occurred_at=at)
                    number += 1
                yield registration(random, *member, status=status, occurred_at=occurs_at(number))
                number += 1
