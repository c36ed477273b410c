"""The sinks put together from the settings; commands and tests start them here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from models.partition_changes import Homes
from models.topics import CLICKS, CODES, DEAD_LETTERS, MENTOR_COUNTS, MILESTONES, REGISTRATIONS, REPLAYS
from operations.partition_changes import read_changes
from operations.reading import CannotRead
from process.tracing import open_tracer
from sinks.badge_awarder import BadgeAwarder
from sinks.counts_projection import CountsProjection
from sinks.dead_letters import DeadLetterTopic
from sinks.errors import StoreUnavailable
from sinks.history import History
from sinks.kafka_source import KafkaSource
from sinks.letters import Letters, Unlisted
from sinks.metrics import DecisionMetrics, SinkMetrics
from sinks.postgres_badges import PostgresBadgeRepository
from sinks.postgres_counts import PostgresCountsRepository
from sinks.postgres_history import PostgresHistory
from sinks.postgres_letters import PostgresLetters
from sinks.sink_task import Sink, SinkTask
from sinks.tracing import AwardSpans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client.registry import Collector

    from models.topics import Topic
    from process.settings import Settings


def badge_consumer(settings: Settings) -> SinkTask:
    """Return the badge consumer: milestones to awards. Consumer group: topic prefix and `badges`."""
    repository = PostgresBadgeRepository(settings.database_url, consumer=_group(settings, BadgeAwarder.name))
    group = _group(settings, BadgeAwarder.name)
    tracer = open_tracer(BadgeAwarder.name, settings)
    spans = None if tracer is None else AwardSpans(tracer, group=group)
    return _task(settings, BadgeAwarder(repository, thresholds=settings.thresholds, spans=spans), MILESTONES)


def counts_projection(settings: Settings) -> SinkTask:
    """Return the projection of codes and counts into Postgres. Consumer group: topic prefix and `counts`."""
    repository = PostgresCountsRepository(
        settings.database_url,
        counts_topic=MENTOR_COUNTS.full_name(settings.topic_prefix),
        consumer=_group(settings, CountsProjection.name),
    )
    sink = CountsProjection(
        repository, codes_topic=CODES.full_name(settings.topic_prefix), partitions=settings.partitions
    )
    return _task(settings, sink, CODES, MENTOR_COUNTS)


def metrics_of(tasks: Sequence[SinkTask]) -> list[Collector]:
    """Return what a component shows of its work: of each of its sinks."""
    sinks = {task.sink.name: (task.state, task.source) for task in tasks}
    metrics: list[Collector] = [SinkMetrics(sinks, unsent={Letters.name})]
    metrics += [DecisionMetrics(task.sink.decided) for task in tasks if isinstance(task.sink, BadgeAwarder)]
    return metrics


def history(settings: Settings) -> SinkTask:
    """Return what adds up when things happened. Consumer group: topic prefix and `history`."""
    store = PostgresHistory(
        settings.database_url,
        consumer=_group(settings, History.name),
        waiting_max=settings.waiting_records_max,
        waiting_age_s=settings.waiting_age_s,
    )
    sink = History(
        store,
        clicks_topic=CLICKS.full_name(settings.topic_prefix),
        registrations_topic=REGISTRATIONS.full_name(settings.topic_prefix),
        homes=lambda partitions: _homes(settings, partitions),
    )
    return _task(settings, sink, CLICKS, REGISTRATIONS)


def _homes(settings: Settings, partitions: int) -> Homes:
    """Return where codes belong and belonged; raise StoreUnavailable, to be tried again, while that is not settled."""
    try:
        changes = read_changes(settings)
    except CannotRead as error:
        raise StoreUnavailable(str(error)) from error
    if changes and not changes[-1].is_done:
        raise StoreUnavailable("the number of partitions is being changed: run `referrals state reshard` to its end")
    return Homes(changes, partitions)


def letters(settings: Settings) -> SinkTask:
    """Return what lists dead letters by organisation. Consumer group: topic prefix and `letters`.

    The topic of the notes is named by a pattern, because there is none before the first replay.
    """
    store = PostgresLetters(settings.database_url, consumer=_group(settings, Letters.name))
    sink = Letters(store, letters_topic=DEAD_LETTERS.full_name(settings.topic_prefix))
    notes = f"^{re.escape(REPLAYS.full_name(settings.topic_prefix))}$"
    source = _source(settings, sink, [DEAD_LETTERS.full_name(settings.topic_prefix), notes])
    return SinkTask(source=source, sink=sink, dead_letters=Unlisted())


def _group(settings: Settings, name: str) -> str:
    return f"{settings.topic_prefix}{name}"


def _task(settings: Settings, sink: Sink, *topics: Topic) -> SinkTask:
    return SinkTask(
        source=_source(settings, sink, [topic.full_name(settings.topic_prefix) for topic in topics]),
        sink=sink,
        dead_letters=DeadLetterTopic(
            config=settings.kafka_client_config(), topic=DEAD_LETTERS.full_name(settings.topic_prefix), stage=sink.name
        ),
    )


def _source(settings: Settings, sink: Sink, topics: list[str]) -> KafkaSource:
    return KafkaSource(
        config=settings.kafka_client_config(),
        topics=topics,
        group_id=_group(settings, sink.name),
        session_timeout_s=settings.session_timeout_s,
        keeps_positions=False,
    )
