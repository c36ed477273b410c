"""Workers that start themselves afresh: same process, no descriptor more, out of the group at once, deaf to nothing."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psutil
import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # it is not in its __all__

from local.parts.ports import free_ports
from process.afresh import STARTS_VARIABLE
from process.settings import Settings, load_settings
from streams.engine.epoch import Epoch
from streams.engine.errors import Fenced
from streams.engine.options import EngineOptions
from streams.engine.producer import TransactionalProducer
from tests.component import Component
from tests.crew import READY, Crew, events, wait_until
from tests.monitoring import scrape, url_in

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

AFRESH: Final = "worker_starts_afresh"
RESTARTS: Final = 3
"""tests/unit/test_afresh.py does 20."""
TIMEOUT_S: Final = 30.0
LONG_PAUSE: Final = "5"
"""So many failed starts make the next pause the longest there is."""


@pytest.fixture
def crew(settings: Settings, tmp_path: Path) -> Iterator[Crew]:
    """Give an installation without a worker."""
    running = Crew(settings, tmp_path)
    try:
        yield running
    finally:
        running.stop()


class Fencer:
    """Takes the transactional ids of all partitions, as a worker that owns them does, and lets records come."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._seed = 0

    def fence(self) -> None:
        """Fence every owner, and give each something to commit."""
        for number in range(self._settings.partitions):
            config = {**self._settings.kafka_client_config(), "transactional.id": f"{self._settings.app_id}-{number}"}
            Producer(config).init_transactions(TIMEOUT_S)
        self._seed += 1
        producer = Producer({**self._settings.kafka_client_config(), "partitioner": "murmur2_random"})
        for topic, key, value, _ in events(400, self._settings, seed=self._seed, mentors=50):
            producer.produce(topic.full_name(self._settings.topic_prefix), value, key)
        assert producer.flush(TIMEOUT_S) == 0


def members(settings: Settings) -> set[str]:
    """Return the ids of the group's members, as the broker has them."""
    admin = AdminClient(dict(settings.kafka_client_config()))
    (answer,) = admin.describe_consumer_groups([settings.app_id]).values()
    return {member.member_id for member in answer.result(TIMEOUT_S).members}


@pytest.mark.long
def test_restarts_keep_the_process_and_no_descriptors(crew: Crew, settings: Settings) -> None:
    """Each start has what the first had, and who started the worker has the same child."""
    fencer = Fencer(settings)
    crew.start("worker")
    crew.wait_log("worker", READY)
    worker = psutil.Process(crew.pid("worker"))
    given = [worker.num_fds()]
    for number in range(1, RESTARTS + 1):
        fencer.fence()
        crew.wait_log("worker", AFRESH, times=number)
        crew.wait_log("worker", READY, times=number + 1)
        given.append(worker.num_fds())
    # A start has six descriptors for each librdkafka client, one for each partition at least, and connections.
    assert max(given) < given[0] + 6 * settings.partitions, given
    assert worker.is_running()
    counted = scrape(url_in(crew.log("worker")))  # by the first start and the ones after it
    assert counted.of("stream_restarts_total", reason="Fenced") == counted.of("stream_fenced_total") == RESTARTS
    assert counted.of("stream_restarts_total") == RESTARTS


def test_who_is_fenced_while_he_produces_is_told_so(settings: Settings) -> None:
    """There librdkafka says that the producer is of no use any more, and not why."""
    client: dict[str, Any] = {**settings.kafka_client_config(), "log_level": "0"}
    changelog = f"{settings.app_id}-rows-changelog"
    admin = AdminClient(client)
    admin.create_topics([NewTopic(changelog, 1)])[changelog].result(TIMEOUT_S)

    def be_fenced(point: str) -> None:
        if point != "engine.begun":
            return
        Producer({**client, "transactional.id": f"{settings.app_id}-0"}).init_transactions(TIMEOUT_S)
        with suppress(KafkaException):
            while True:  # until the client has noticed
                owner._producer.produce(changelog, b"")  # noqa: SLF001 - what an epoch of many rows does
                time.sleep(0.01)

    options = EngineOptions(
        app_id=settings.app_id, source_topics=("some",), read_first="some", tables=("rows",), partitions=1,
        client_config=client, fault_point=be_fenced,
    )  # fmt: skip
    owner = TransactionalProducer(options, 0)
    owner.start()
    epoch = Epoch()
    epoch.rows = {"rows": {b"key": b"row"}}
    with pytest.raises(Fenced, match="_FENCED"):
        owner.commit(epoch)
    owner.close()


def test_a_worker_that_starts_afresh_leaves_the_group_first(
    crew: Crew, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker has given its place away before it is back, however long a session is; and so with SIGTERM."""
    monkeypatch.setenv("REFERRALS_SESSION_TIMEOUT_S", "120")
    crew.start("left")
    crew.wait_log("left", READY)
    before = members(settings)
    monkeypatch.setenv(STARTS_VARIABLE, LONG_PAUSE)
    crew.start("right")
    crew.wait_log("right", READY)
    (right,) = members(settings) - before
    Fencer(settings).fence()
    crew.wait_log("right", AFRESH)
    assert right not in members(settings)

    crew.wait_log("right", READY, times=2)
    crew.end("right")
    wait_until(lambda: len(members(settings)) <= 1, "who stopped is still a member")


def test_a_fenced_worker_in_its_pause_can_be_stopped(
    crew: Crew, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop to which the signal would have been told is gone."""
    monkeypatch.setenv(STARTS_VARIABLE, LONG_PAUSE)
    crew.start("worker")
    crew.wait_log("worker", READY)
    Fencer(settings).fence()
    crew.wait_log("worker", AFRESH)
    crew.end("worker")
    assert crew.log("worker").count(READY) == 1


def test_a_worker_without_a_broker_can_be_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No broker is there, so it starts again and again; SIGTERM ends it in the pause between."""
    (port,) = free_ports(1)
    settings = load_settings(bootstrap_servers=f"127.0.0.1:{port}", data_dir=tmp_path)
    monkeypatch.setenv(STARTS_VARIABLE, LONG_PAUSE)
    worker = Component("stream", settings, tmp_path / "worker.log")
    try:
        wait_until(lambda: AFRESH in worker.log, "it does not start afresh")
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 128 + signal.SIGTERM
        assert worker.log.count(AFRESH) == 1
    finally:
        worker.kill()
