"""Looks at a running installation once a second: a few small requests, so that the cores stay with the components.

Kafka: committed offsets of each component and ends of the topics, one request for each. Milestones and dead letters are
read as they come, committed ones only. Postgres: the latest awards, the busiest mentors.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import psycopg
from confluent_kafka import (
    Consumer,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # not in its __all__

from local.demo.figures import AwardSeen, Figures, MentorSeen, MilestoneSeen, ProcessSeen
from local.installation import COMPONENTS, STREAM, Component
from models.events import MilestoneReached, decode_event
from models.topics import DEAD_LETTERS, MILESTONES, TOPICS
from operations.lag import Lag, Place
from process.administrator import Administrator, offsets_at
from process.headers import headers_of
from process.postgres import session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from local.installation import Installation

LOOK_INTERVAL_S: Final = 1.0
REQUEST_TIMEOUT_S: Final = 5.0
UNHEARD_TIMEOUT_S: Final = 0.5
"""For a group whose coordinator is not there yet."""
LATEST: Final = 30
"""Milestones, awards and mentors kept for the view; no terminal shows more."""
HISTORY: Final = 60
ERROR_NAME: Final = "__connect.errors.exception.class.name"

AWARDS: Final = """
    SELECT a.org_id::text, a.mentor_id::text, d.name, a.awarded_at, count(*) OVER ()
    FROM badge_awards a JOIN badge_definitions d USING (badge_id)
    ORDER BY a.awarded_at DESC, a.confirmed_count DESC LIMIT %s
"""
BUSIEST: Final = """
    SELECT org_id::text, mentor_id::text, total_clicks, pending_attributions, confirmed_attributions,
           conversion_rate, milestones, count(*) OVER ()
    FROM mentor_counts
    ORDER BY confirmed_attributions DESC, total_clicks DESC LIMIT %s
"""


class Watcher:
    """One pair of eyes; `look` is called by one thread."""

    def __init__(self, installation: Installation) -> None:
        settings = installation.settings
        self._installation = installation
        self._settings = settings
        self._admin = Administrator({**settings.kafka_client_config(), "log_level": 2})
        self._partitions = {
            name: len(found.partitions)
            for name, found in self._admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics.items()
        }
        self._consumer = Consumer(
            {
                **settings.kafka_client_config(),
                "group.id": f"{settings.topic_prefix}demo",  # asked for by librdkafka; nothing is committed under it
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "log_level": 2,
            }
        )
        self._consumer.assign([TopicPartition(*place, 0) for place in self._places((MILESTONES, DEAD_LETTERS))])
        self._groups = {
            component.name: Consumer(
                {
                    **settings.kafka_client_config(),
                    "group.id": component.group_id(settings),
                    "enable.auto.commit": False,
                    "isolation.level": "read_uncommitted",  # what is committed now, without waiting for what will be
                    "log_level": 2,
                }
            )
            for component in COMPONENTS.values()
        }
        self._lag = Lag(settings)
        self._database: psycopg.Connection[tuple[Any, ...]] | None = None
        self._looked_s = time.monotonic()
        self._seen = Figures()
        self._committed: dict[Place, int] = {}
        self._heard_of: set[str] = set()
        """Components whose consumer group has answered."""
        self._milestones: deque[MilestoneSeen] = deque(maxlen=LATEST)
        self._milestone_count = 0
        self._dead_letters: Counter[str] = Counter()
        self._history: deque[tuple[float, float, float]] = deque(maxlen=HISTORY)

    def look(self) -> Figures:
        """Return what there is now. What does not answer keeps its figures and is named in `away`."""
        away: list[str] = []
        figures: dict[str, Any] = {name: getattr(self._seen, name) for name in Figures.__dataclass_fields__}
        try:
            figures |= self._offsets()
            self._read_topics()
        except KafkaException:
            if self._history:  # new topics need a moment until they answer
                away.append("Kafka")
        try:
            figures |= self._rows()
        except psycopg.Error:
            self._database = None
            away.append("Postgres")
        supervisor = self._installation.supervisor
        pids, restarts = supervisor.pids, supervisor.restarts
        self._seen = Figures(
            **figures
            | {
                "milestones": self._milestone_count,
                "milestones_latest": tuple(reversed(self._milestones)),
                "dead_letters": dict(self._dead_letters.most_common()),
                "processes": [
                    ProcessSeen(name=name, pid=pids.get(name), restarts=restarts.get(name, 0))
                    for name in self._installation.processes
                ],
                "away": away,
            }
        )
        return self._seen

    def close(self) -> None:
        """Let the connections go, while Kafka is there: librdkafka may wait for ever for a broker that is not."""
        del self._admin
        self._consumer.close()
        for consumer in self._groups.values():
            consumer.close()
        self._lag.close()
        if self._database is not None:
            self._database.close()

    def _offsets(self) -> dict[str, Any]:
        # Committed offsets first: records that come in between then count as lag, never as less than none.
        offsets = {component.name: self._committed_of(component) for component in COMPONENTS.values()}
        ends = self._ends()
        behind = {
            component.name: self._lag.count(
                component.name,
                {place: offsets[component.name].get(place, 0) for place in self._places(component.reads)},
                ends,
            )
            for component in COMPONENTS.values()
        }
        source = [place for place in ends if place[0] in {self._full(topic) for topic in STREAM.reads}]
        committed = offsets[STREAM.name]
        moved = {place[1] for place in source if committed.get(place, 0) != self._committed.get(place, 0)}
        self._committed = committed
        now_s = time.monotonic()
        elapsed_s, self._looked_s = now_s - self._looked_s, now_s
        received, processed = sum(ends[place] for place in source), sum(committed.values())
        rates = ((received - self._seen.received) / elapsed_s, (processed - self._seen.processed) / elapsed_s)
        self._history.append((*rates, behind[STREAM.name]))
        histories = list(zip(*self._history, strict=True))
        return {
            "received": received,
            "received_per_s": rates[0],
            "processed": processed,
            "processed_per_s": rates[1],
            "lags": behind,
            "partitions": self._settings.partitions,
            "partitions_committed": len(moved),
            "received_history": histories[0],
            "processed_history": histories[1],
            "lag_history": histories[2],
        }

    def _ends(self) -> dict[Place, int]:
        return offsets_at(self._admin, OffsetSpec.latest(), self._places(TOPICS), REQUEST_TIMEOUT_S)  # type: ignore[no-untyped-call]

    def _committed_of(self, component: Component) -> dict[Place, int]:
        """Return what a component has committed; nothing while Kafka has not heard of its group.

        Asked by a consumer that never joins: the admin client's way may abort the process when it has to wait for the
        group's coordinator (librdkafka, pull request 5397).
        """
        is_heard_of = component.name in self._heard_of
        timeout_s = REQUEST_TIMEOUT_S if is_heard_of else UNHEARD_TIMEOUT_S
        places = [TopicPartition(*place) for place in self._places(component.reads)]
        try:
            found = self._groups[component.name].committed(places, timeout_s)
        except KafkaException:
            if is_heard_of:
                raise
            return {}
        self._heard_of.add(component.name)
        return {(place.topic, place.partition): place.offset for place in found if place.offset > 0}

    def _read_topics(self) -> None:
        """Take what has come of milestones and dead letters; librdkafka has fetched it meanwhile."""
        while (message := self._consumer.poll(0)) is not None:
            if message.error():
                continue
            if message.topic() == self._full(MILESTONES):
                self._take_milestone(message)
            else:
                headers = headers_of(message)
                self._dead_letters[(dict(headers).get(ERROR_NAME) or b"unknown").decode()] += 1

    def _take_milestone(self, message: Message) -> None:
        event = decode_event(MilestoneReached, message.value())
        _, written_ms = message.timestamp()
        self._milestone_count += 1
        self._milestones.append(
            MilestoneSeen(
                org_id=event.org_id,
                mentor_id=event.mentor_id,
                threshold=event.milestone_threshold,
                seen_at=datetime.fromtimestamp(written_ms / 1000, UTC),
            )
        )

    def _rows(self) -> dict[str, Any]:
        if self._database is None:
            self._database = psycopg.connect(
                self._settings.database_url, **session(self._settings.database_url, "referrals demo")
            )
        awards = self._database.execute(AWARDS, [LATEST]).fetchall()
        busiest = self._database.execute(BUSIEST, [LATEST]).fetchall()
        return {
            "awards": awards[0][4] if awards else 0,
            "awards_latest": [
                AwardSeen(org_id=org_id, mentor_id=mentor_id, badge_name=name, awarded_at=awarded_at)
                for org_id, mentor_id, name, awarded_at, _ in awards
            ],
            "mentors": busiest[0][7] if busiest else 0,
            "busiest": [
                MentorSeen(
                    org_id=org_id,
                    mentor_id=mentor_id,
                    clicks=clicks,
                    pending=pending,
                    confirmed=confirmed,
                    conversion_rate=rate,
                    milestones=milestones,
                )
                for org_id, mentor_id, clicks, pending, confirmed, rate, milestones, _ in busiest
            ],
        }

    def _full(self, topic: Any) -> str:  # noqa: ANN401  models.topics.Topic
        return str(topic.full_name(self._settings.topic_prefix))

    def _places(self, topics: Sequence[Any]) -> list[Place]:
        names = [self._full(topic) for topic in topics]
        return [(name, number) for name in names for number in range(self._partitions[name])]


class Watch:
    """What a thread that looks has seen last."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._looks = 0
        self._figures = Figures()

    def take(self, figures: Figures) -> None:
        """Note a look."""
        with self._changed:
            self._looks += 1
            self._figures = figures
            self._changed.notify_all()

    def next_look(self, timeout_s: float) -> Figures:
        """Wait for a look that begins after this call, at most `timeout_s` seconds, and return it."""
        with self._changed:
            wanted = self._looks + 2  # the next to end may have begun already
            self._changed.wait_for(lambda: self._looks >= wanted, timeout_s)
            return self._figures


@contextmanager
def watching(installation: Installation, show: Callable[[Figures], None]) -> Iterator[Watch]:
    """Look once a second, in a thread of its own, while the body runs; `show` is told each time."""
    watch = Watch()
    is_over = threading.Event()

    def look_again_and_again() -> None:
        watcher = Watcher(installation)
        try:
            while True:
                figures = watcher.look()
                watch.take(figures)
                show(figures)
                if is_over.wait(LOOK_INTERVAL_S):
                    return
        finally:
            watcher.close()

    thread = threading.Thread(target=look_again_and_again, name="watch", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        is_over.set()
        thread.join()
