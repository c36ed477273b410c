"""Lag as the demo and the dashboard show it, on real Kafka."""

from __future__ import annotations

from contextlib import closing

import pytest
from confluent_kafka import Producer

from models.topics import MILESTONES
from operations.lag import Lag
from operations.topics import create_topics
from process.settings import Settings
from tests.crew import wait_until

pytestmark = pytest.mark.integration

RECORDS = 3
MARKER = 1


def test_transaction_markers_are_no_lag(settings: Settings) -> None:
    """Records not committed are lag, the markers after them are none; while something moves nobody knows better.

    So it is with the first look: who opens a page once a week sees no other.
    """
    producer, topic = begun(settings)
    producer.commit_transaction()
    ends = {(topic, 0): RECORDS + MARKER}
    with closing(Lag(settings)) as lag:
        behind_by_all = {(topic, 0): 0}
        for group in ("some", "other"):
            assert lag.count(group, {(topic, 0): 1}, ends) == RECORDS - 1, "the first look"
        assert lag.count("some", behind_by_all, ends) == RECORDS + MARKER, "it moves: nobody knows better yet"
        wait_until(lambda: lag.count("some", behind_by_all, ends) == RECORDS, "the marker was not told from records")
        assert lag.locate("some", behind_by_all, ends) == {(topic, 0): RECORDS}
        assert lag.count("other", {(topic, 0): RECORDS}, ends) == 0, "the marker alone is looked at at once"
        assert lag.locate("other", {(topic, 0): RECORDS}, ends) == {}
        assert lag.count("some", behind_by_all, ends) == RECORDS
        assert lag.count("other", {(topic, 0): RECORDS + MARKER}, ends) == 0


def test_what_a_transaction_still_hides_is_lag(settings: Settings) -> None:
    """However often it is looked at: its records will come."""
    producer, topic = begun(settings)
    producer.flush()
    ends = {(topic, 0): RECORDS}
    with closing(Lag(settings)) as lag:
        for _ in range(3):
            assert lag.count("some", {(topic, 0): 0}, ends) == RECORDS
    producer.commit_transaction()


def begun(settings: Settings) -> tuple[Producer, str]:
    """Return a producer that has given records to a transaction, and their topic."""
    create_topics(settings)
    topic = MILESTONES.full_name(settings.topic_prefix)
    producer = Producer({**settings.kafka_client_config(), "transactional.id": settings.topic_prefix, "log_level": 2})
    producer.init_transactions()
    producer.begin_transaction()
    for _ in range(RECORDS):
        producer.produce(topic, b"{}", partition=0)
    return producer, topic
