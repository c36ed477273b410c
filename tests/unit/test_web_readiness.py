"""Whether the HTTP side is ready: what publishes clicks and codes may stand while Kafka and Postgres answer."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from edges.registry.outbox import OutboxRelay
from edges.web.clicks import producer as module
from edges.web.clicks.producer import ClickProducer, NotPublished
from edges.web.clicks.recorder import ClickRecorder
from edges.web.clicks.spool import Batch
from edges.web.readiness import YOUNG_S, WebHealth
from process.settings import Settings, load_settings
from tests.monitoring import read


class Answering:
    """Kafka, or Postgres, as it answers those who ask whether it can be used."""

    def __init__(self) -> None:
        self.is_away = False

    async def fault(self) -> str | None:
        """Say how it is."""
        return "does not answer" if self.is_away else None


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give settings of nobody's Kafka."""
    return load_settings(data_dir=tmp_path, bootstrap_servers="127.0.0.1:1")


async def test_each_part_is_named_and_told_to_alerts(settings: Settings) -> None:
    """Clicks that wait for half a minute, a relay that stands as long; neither where it is less."""
    kafka, postgres, relay, clicks = Answering(), Answering(), OutboxRelay(settings), ClickRecorder(settings)
    health = WebHealth(producer=cast("Any", kafka), database=cast("Any", postgres), relay=relay, clicks=clicks)
    registry = CollectorRegistry()
    registry.register(health)

    def told() -> float:
        return read(generate_latest(registry).decode()).of("referrals_ready")

    assert await health.missing() == {}
    assert told() == 1
    clicks.record("ANNA000001", None)
    assert await health.missing() == {}  # it waits since now
    clicks._publisher._stands_since_s = time.monotonic() - YOUNG_S  # noqa: SLF001 - nobody waits so long
    assert set(await health.missing()) == {"clicks"}
    assert told() == 0
    relay._turned_s -= YOUNG_S  # noqa: SLF001 - the same
    postgres.is_away = True
    assert set(await health.missing()) == {"postgres", "clicks", "codes"}
    assert read(generate_latest(registry).decode()).of("referrals_live") == 1


def test_clicks_that_get_into_kafka_do_not_wait_however_many_follow(settings: Settings) -> None:
    """What was published last counts, and that nothing waits."""
    clicks = ClickRecorder(settings)
    publisher, spool = clicks._publisher, clicks._spool  # noqa: SLF001 - without a thread
    assert clicks.waits_s == 0
    clicks.record("ANNA000001", None)
    assert clicks.waits_s < YOUNG_S
    publisher._stands_since_s = time.monotonic() - YOUNG_S  # noqa: SLF001 - the same
    assert clicks.waits_s >= YOUNG_S
    spool.note(spool.read().ends_at)
    assert clicks.waits_s == 0
    clicks.record("ANNA000001", None)
    assert clicks.waits_s < YOUNG_S


def test_a_call_that_does_not_return_is_given_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """As librdkafka's was seen not to: the thread that publishes goes on, with another producer."""
    monkeypatch.setattr(module, "HANGS_S", 0.1)
    producer = ClickProducer(settings, "spool", time_left_s=lambda: 60.0)
    for_ever = threading.Event()

    class Hanging:
        def begin_transaction(self) -> None:
            """Begin it."""

        def produce(self, *_: object) -> None:
            """Take it."""

        def send_offsets_to_transaction(self, *_: object) -> None:
            """Do not return."""
            for_ever.wait()

    producer._producer = cast("Any", Hanging())  # noqa: SLF001 - in librdkafka's place
    try:
        with pytest.raises(NotPublished, match="send_offsets_to_transaction: librdkafka has not returned"):
            producer.publish(Batch(clicks=[], ends_at=1))
    finally:
        for_ever.set()
