"""The producer whose sends can be awaited: done means acknowledged, and it never waits for ever."""

from __future__ import annotations

import asyncio

import pytest
from confluent_kafka import KafkaError

from edges.web import producer as module
from edges.web.producer import AcknowledgedProducer, BrokerUnavailable
from models.topics import REGISTRATIONS
from operations.topics import create_topics
from process.settings import Settings
from tests.webhooks import registrations_in

pytestmark = pytest.mark.integration

NOWHERE = {"bootstrap_servers": "127.0.0.1:9"}
VALUE = b'{"n": 1}'


@pytest.fixture
def topic(settings: Settings) -> str:
    """Give the registrations topic's full name."""
    create_topics(settings)
    return REGISTRATIONS.full_name(settings.topic_prefix)


async def test_done_means_acknowledged(settings: Settings, topic: str) -> None:
    """What was awaited is in the topic; so is what was only sent, when the producer is closed."""
    async with AcknowledgedProducer(settings) as producer:
        await asyncio.gather(*(producer.produce(topic, b"ABCDEFGH", VALUE) for _ in range(500)))
        assert await producer.fault() is None
        assert len(await asyncio.to_thread(registrations_in, settings)) == 500
        forgotten = producer.produce(topic, b"ABCDEFGH", VALUE)
        forgotten.cancel()
    assert len(await asyncio.to_thread(registrations_in, settings)) == 501


async def test_a_record_without_acknowledgement_is_given_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no broker a send fails after its time, the fault says why, and closing does not wait for ever."""
    monkeypatch.setitem(module.CONFIG, "message.timeout.ms", 300)
    async with asyncio.timeout(30), AcknowledgedProducer(settings.model_copy(update=NOWHERE)) as producer:
        with pytest.raises(BrokerUnavailable, match="not acknowledged"):
            await producer.produce("registrations", b"ABCDEFGH", VALUE)
        assert "does not answer" in str(await producer.fault())
        producer.produce("registrations", b"ABCDEFGH", VALUE).cancel()


async def test_a_full_queue_refuses_at_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for a broker is bounded."""
    monkeypatch.setitem(module.CONFIG, "message.timeout.ms", 300)
    monkeypatch.setitem(module.CONFIG, "queue.buffering.max.messages", 3)
    async with AcknowledgedProducer(settings.model_copy(update=NOWHERE)) as producer:
        waiting = [producer.produce("registrations", b"ABCDEFGH", VALUE) for _ in range(3)]
        with pytest.raises(BrokerUnavailable, match="too many"):
            producer.produce("registrations", b"ABCDEFGH", VALUE)
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(end) for end in ends} == {BrokerUnavailable}


async def test_after_a_fatal_error_it_goes_on_with_a_new_client(settings: Settings, topic: str) -> None:
    """The client of librdkafka is useless after one; what was under way is told, what comes next is sent by another."""
    async with AcknowledgedProducer(settings) as producer:
        await producer.produce(topic, b"ABCDEFGH", VALUE)
        before = producer.produce(topic, b"ABCDEFGH", VALUE)
        failed = asyncio.get_running_loop().create_future()
        fatal = KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, "lost count", fatal=True)
        client = producer._client  # noqa: SLF001  the error cannot be had in any other way
        producer._settle([(failed, fatal)])  # noqa: SLF001  the same
        with pytest.raises(BrokerUnavailable, match="lost count"):
            await failed
        assert producer._client is not client  # noqa: SLF001  the same
        await before
        await producer.produce(topic, b"ABCDEFGH", VALUE)
    assert len(await asyncio.to_thread(registrations_in, settings)) == 3


async def test_no_such_topic_is_said(settings: Settings) -> None:
    """The fault names the topics and the command."""
    async with AcknowledgedProducer(settings) as producer:
        fault = str(await producer.fault())
    assert f"{settings.topic_prefix}registrations.v1" in fault
    assert "run `referrals topics create`" in fault
