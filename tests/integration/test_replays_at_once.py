"""Two replays of dead letters at once, and a broker that is away in the middle of one: each record is sent once."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from edges.publishing import replaying
from edges.publishing.replaying import CannotReplay, Judge, Replay, Verdict
from local.parts.kafka import LocalKafka
from models.dead_letters import Filter
from models.errors import WaitedTooLong
from models.outgoing import dead_letter
from models.topics import CLICKS, DEAD_LETTERS
from operations.dead_letters import DeadLetterReader
from operations.topics import create_topics
from process.settings import Settings
from streams.engine.batch import SourceRecord
from tests.factories import CODE, make_click

pytestmark = pytest.mark.integration
LETTERS = 4
ALL = Filter(reasons=frozenset(), topics=frozenset(), code=None, since=None, until=None)


def fill(settings: Settings) -> None:
    """Make the topics, and dead letters of as many clicks."""
    create_topics(settings)
    producer = Producer({**settings.kafka_client_config(), "log_level": 2})
    clicks = CLICKS.full_name(settings.topic_prefix)
    for offset in range(LETTERS):
        record = SourceRecord(clicks, 0, offset, 0, CODE.encode(), json.dumps(make_click()).encode(), [])
        sent = dead_letter(DEAD_LETTERS.full_name(settings.topic_prefix), record, WaitedTooLong("too long"))
        producer.produce(sent.topic, sent.value, sent.key, headers=[*sent.headers])
    assert producer.flush(30) == 0


def verdicts(settings: Settings, after_first: Callable[[], None]) -> Iterator[Verdict]:
    """Judge them all, as the command does; something happens behind the first, when that is committed."""
    with closing(DeadLetterReader(settings)) as reader:
        judge = Judge(settings.topic_prefix, reader.replayed())
        for number, letter in enumerate(reader.read(ALL)):
            if number == 1:
                after_first()
            yield judge.judge(letter, datetime.now(UTC))


def replay(settings: Settings, after_first: Callable[[], None] = lambda: None) -> int:
    """Replay everything; return how many were sent."""
    with closing(Replay(settings)) as sender:
        sender.begin()
        sender.send(verdicts(settings, after_first))
        return sender.sent.total()


def sent(settings: Settings) -> Counter[bytes]:
    """Return how often each dead letter stands in the topic of clicks, for who reads what is committed."""
    topic = CLICKS.full_name(settings.topic_prefix)
    reading = {"group.id": f"{settings.topic_prefix}test", "isolation.level": "read_committed"}
    consumer = Consumer({**settings.kafka_client_config(), **reading, "enable.partition.eof": True, "log_level": 2})
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    found: Counter[bytes] = Counter()
    ended = 0
    while ended < len(partitions):
        message = consumer.poll(30)
        assert message is not None
        if message.error():
            ended += 1
        else:
            letter = dict(message.headers() or [])["referrals.replayed"]
            assert isinstance(letter, bytes)
            found[letter] += 1
    consumer.close()
    return found


@pytest.fixture(autouse=True)
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each dead letter be a transaction of its own."""
    monkeypatch.setattr(replaying, "BATCH", 1)


def test_a_second_replay_ends_the_first(settings: Settings) -> None:
    """The second knows what the first has sent, and sends the rest; the first says that there is another."""
    fill(settings)
    others: list[int] = []
    with pytest.raises(CannotReplay, match="another replay has begun meanwhile, and this one has ended: 1 were"):
        replay(settings, after_first=lambda: others.append(replay(settings)))
    assert others == [LETTERS - 1]
    assert sorted(sent(settings).values()) == [1] * LETTERS
    assert replay(settings) == 0


def test_a_broker_that_is_away_in_the_middle(
    own_broker: LocalKafka, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what was sent, and the next one sends the rest, each once."""
    monkeypatch.setattr(replaying, "TRANSACTION_TIMEOUT_S", 3.0)
    monkeypatch.setattr(replaying, "ABORT_TIMEOUT_S", 0.5)
    settings = settings.model_copy(update={"bootstrap_servers": own_broker.bootstrap_servers})
    fill(settings)
    try:
        with pytest.raises(CannotReplay, match="; 1 were replayed before, each noted; run it again for the rest"):
            replay(settings, after_first=lambda: os.kill(own_broker.pid, signal.SIGSTOP))
    finally:
        os.kill(own_broker.pid, signal.SIGCONT)
    assert replay(settings) == LETTERS - 1
    assert sorted(sent(settings).values()) == [1] * LETTERS
