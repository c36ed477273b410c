"""Clicks on their way to a real Kafka: whoever dies or goes away in between, each is in the topic once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING
from unittest.mock import Mock

import pytest
from confluent_kafka import Producer

from edges.web.clicks import recorder as recorder_module
from edges.web.clicks.recorder import ClickRecorder
from edges.web.clicks.segments import decode_line, find_segments
from local.parts.kafka import LocalKafka
from models.topics import CLICKS
from operations.topics import create_topics
from process.fault_points import VARIABLE
from process.settings import Settings, SettingsError
from tests.clicks import clicks_in_topic
from tests.factories import CODE

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60.0
PACE_S = 0.002

# Records clicks until it is killed; prints the number of each when it is kept.
RECORDING = f"""
import asyncio, itertools, sys
from process import logs
from process.settings import load_settings
from edges.web.clicks.recorder import ClickRecorder

async def main():
    settings = load_settings()
    logs.configure(settings)
    async with ClickRecorder(settings) as recorder:
        print("ready", flush=True)
        for number in itertools.count(int(sys.argv[1])):
            recorder.record({CODE!r}, str(number))
            print(number, flush=True)
            await asyncio.sleep({PACE_S})

asyncio.run(main())
"""


@pytest.fixture
def installed(settings: Settings) -> Settings:
    """Give the settings of an installation with its topics."""
    settings = settings.model_copy(update={"partitions": 3})
    create_topics(settings)
    return settings


class Recording:
    """A process that records clicks, each with a number as its channel."""

    def __init__(self, settings: Settings, first: int, fault: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", RECORDING, str(first)],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "REFERRALS_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
                "REFERRALS_TOPIC_PREFIX": settings.topic_prefix,
                "REFERRALS_DATA_DIR": str(settings.data_dir),
                VARIABLE: fault,
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        self.next = first
        """One more than the last number that was kept."""

    @property
    def _stdout(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def wait_ready(self) -> None:
        """Wait until it records."""
        assert self._stdout.readline() == "ready\n"

    def end(self) -> int:
        """Read what it has kept until it ends, and return its exit code."""
        for line in self._stdout:
            if line.endswith("\n") and line != "ready\n":
                self.next = int(line) + 1
        return self.process.wait(DEADLINE_S)


@contextmanager
def recording(settings: Settings, first: int, *, fault: str = "") -> Iterator[Recording]:
    """Run a process that records clicks from a number on; at the end it is killed if need be."""
    running = Recording(settings, first, fault)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.communicate()


async def publish_rest(settings: Settings, *more: int) -> None:
    """Go on with the spool as the next process does, record more, and wait until everything is published."""
    async with ClickRecorder(settings) as recorder:
        for number in more:
            recorder.record(CODE, str(number))
        await until(lambda: is_published(recorder))


def numbers_in_topic(settings: Settings) -> Counter[int]:
    """Return how often each number is in the topic."""
    return Counter(int(click.channel or -1) for click in clicks_in_topic(settings))


def numbers_on_disk(settings: Settings) -> set[int]:
    """Return the numbers of the clicks in the spool's files, published or not."""
    lines = [
        line
        for segment in find_segments(settings.data_dir / "spool")
        for line in segment.path.read_bytes().split(b"\n")
    ]
    return {int(click.value.rpartition(b'"share_channel":"')[2][:-3]) for line in lines if (click := decode_line(line))}


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # noqa: ASYNC110  a thread's doing
            await asyncio.sleep(0.05)


def is_published(recorder: ClickRecorder) -> bool:
    """Tell whether nothing waits."""
    return figure(recorder, "referrals_spool_bytes") == 0


def figure(recorder: ClickRecorder, name: str, reason: str | None = None) -> float:
    """Return one of the recorder's metrics."""
    samples = [sample for metric in recorder.collect() for sample in metric.samples if sample.name == name]
    return next(sample.value for sample in samples if sample.labels.get("reason") == reason)


@pytest.mark.parametrize("fault", ["spool.appended:40", "spool.produced", "spool.produced:4", "spool.committed:4"])
async def test_killed_at(installed: Settings, fault: str) -> None:
    """Killed at each named point while clicks come, and started again: each click that was kept arrives once."""
    with recording(installed, 0, fault=fault) as running:
        assert running.end() == -signal.SIGKILL
    killed_at = running.next
    # The one that it was about to print may have been kept as well: then it stands in the file.
    kept = numbers_on_disk(installed) | set(range(killed_at))
    assert kept in (set(range(killed_at)), set(range(killed_at + 1)))
    if fault.startswith("spool.appended"):
        assert killed_at in kept
    await publish_rest(installed, killed_at + 1)
    assert numbers_in_topic(installed) == Counter(kept | {killed_at + 1})


async def test_killed_again_and_again(installed: Settings) -> None:
    """Killed at any moment, many times over the same spool."""
    chance = random.Random(7)
    kept: set[int] = set()
    first = 0
    for _ in range(6):
        with recording(installed, first) as running:
            running.wait_ready()
            await asyncio.sleep(chance.uniform(0.02, 0.4))
            running.process.kill()
            running.end()
        kept |= set(range(first, running.next)) | numbers_on_disk(installed)
        first = running.next + 1
    await publish_rest(installed)
    assert numbers_in_topic(installed) == Counter(kept)


@pytest.mark.long
async def test_broker_away(installed: Settings, own_broker: LocalKafka) -> None:
    """While the broker is away for longer than a transaction may last, clicks are kept; then each arrives once."""
    number = 0
    async with ClickRecorder(installed) as recorder:

        async def record_for(seconds: float) -> None:
            nonlocal number
            end_s = time.monotonic() + seconds
            while time.monotonic() < end_s:
                recorder.record(CODE, str(number))
                number += 1
                await asyncio.sleep(PACE_S)

        await record_for(0.5)
        recorder.record(CODE, str(number))
        number += 1
        own_broker.kill()
        try:
            await record_for(12)
            assert figure(recorder, "referrals_spool_bytes") > 0
        finally:
            restarting = asyncio.create_task(asyncio.to_thread(own_broker.start))
            await record_for(1)
            await restarting
        await until(lambda: is_published(recorder))
        assert figure(recorder, "referrals_clicks_recorded_total") == number
    assert numbers_in_topic(installed) == Counter(range(number))


async def test_broker_away_over_a_restart(installed: Settings) -> None:
    """Clicks of a process that never met a broker are published by the next one."""
    away = installed.model_copy(update={"bootstrap_servers": "127.0.0.1:9"})
    async with ClickRecorder(away) as recorder:
        for number in range(10):
            recorder.record(CODE, str(number))
    await publish_rest(installed)
    assert numbers_in_topic(installed) == Counter(range(10))


async def test_bound(installed: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the bound the newest clicks are dropped and counted, and that is said once; the others arrive."""
    log = Mock()
    monkeypatch.setattr(recorder_module, "log", log)
    away = installed.model_copy(update={"bootstrap_servers": "127.0.0.1:9", "spool_bytes_max": 4096})
    async with ClickRecorder(away) as recorder:
        for number in range(200):
            recorder.record(CODE, str(number))
        kept = int(figure(recorder, "referrals_clicks_recorded_total"))
        assert 10 < kept < 40
        assert figure(recorder, "referrals_clicks_dropped_total", "bound") == 200 - kept
    assert [call.args for call in log.error.call_args_list] == [("clicks_dropped",)]
    await publish_rest(installed)
    await publish_rest(installed, 200)
    assert numbers_in_topic(installed) == Counter([*range(kept), 200])


async def test_stop_publishes_what_is_there(installed: Settings) -> None:
    """A process that stops in order leaves nothing behind while Kafka is there."""
    async with ClickRecorder(installed) as recorder:
        for number in range(3_000):
            recorder.record(CODE, str(number))
    assert is_published(recorder)
    assert numbers_in_topic(installed) == Counter(range(3_000))


async def test_topic_made_later(settings: Settings) -> None:
    """Without the topic clicks wait; they arrive when it is made."""
    settings = settings.model_copy(update={"partitions": 3})
    async with ClickRecorder(settings) as recorder:
        recorder.record(CODE, "0")
        await asyncio.sleep(1)
        assert not is_published(recorder)
        create_topics(settings)
        await until(lambda: is_published(recorder))
    assert numbers_in_topic(settings) == Counter([0])


async def test_one_process_for_a_spool(installed: Settings) -> None:
    """A second process with the same directory is refused."""
    async with ClickRecorder(installed):
        with pytest.raises(SettingsError, match="REFERRALS_SPOOL_DIR"):
            ClickRecorder(installed)


async def test_fenced(installed: Settings) -> None:
    """Somebody else with the spool's transactional id ends a producer, and the next one goes on: once each."""
    async with ClickRecorder(installed) as recorder:
        recorder.record(CODE, "0")
        await until(lambda: is_published(recorder))
        spool_id = (installed.data_dir / "spool" / "position").read_text().split()[0]
        intruder = Producer(
            {
                **installed.kafka_client_config(),
                "transactional.id": f"{installed.topic_prefix}clicks-{spool_id}",
                "log_level": 0,
            }
        )
        intruder.init_transactions(DEADLINE_S)
        intruder.begin_transaction()
        intruder.produce(CLICKS.full_name(installed.topic_prefix), b"never committed", CODE.encode())
        intruder.flush(DEADLINE_S)
        for number in range(1, 50):
            recorder.record(CODE, str(number))
        await until(lambda: is_published(recorder))
    assert numbers_in_topic(installed) == Counter(range(50))
