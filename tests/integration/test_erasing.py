"""A member is erased from a real installation, and his id is looked for in every file of broker and database.

Under the settings that `topics create` makes, what Kafka cannot delete at once is still there, and is exactly what the
command names, with the time. Then the same topics get intervals of a second, and it goes.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are not in its __all__
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from local import parts as local_parts
from local.parts.kafka import LocalKafka
from models.changes import MEMBERS, WAITING
from models.partitioning import partition_of
from models.topics import CODES, DEAD_LETTERS, REGISTRATIONS, Topic
from process.settings import Settings, load_settings
from tests.crew import READY, ROOT, Crew, wait_until
from tests.factories import make_code_issued, make_registration
from tests.own_kafka import own_kafka

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

PARTITIONS: Final = 2
ANNAS, LATES = "ANNA000001", "1ATE000003"
DAY: Final = timedelta(days=1)
COUNTS: Final = "SELECT pending_attributions, confirmed_attributions FROM mentor_counts"


class QuickKafka(LocalKafka):
    """Looks all the time for what is to be deleted and compacted, and stores records so that they can be read."""

    def prepare(self) -> None:
        """Write the configuration with its intervals."""
        super().prepare()
        with (self._directory / "server.properties").open("a") as file:
            file.write(
                "log.retention.check.interval.ms=300\nlog.initial.task.delay.ms=0\nlog.segment.delete.delay.ms=0\n"
                "log.cleaner.backoff.ms=200\ncompression.type=uncompressed\n"
            )


class Scene:
    """The running installation, and a member whose id nobody else has."""

    def __init__(self, settings: Settings, crew: Crew, broker: Path, places: list[Path]) -> None:
        self.settings = settings
        self.crew = crew
        self.member = str(uuid.uuid4())
        self._broker = broker
        self._places = places
        self._others = 0

    def send(self, topic: Topic, key: str, event: Any, *, partition: int = -1) -> None:  # noqa: ANN401  an event or bytes
        """Send an event, or bytes that are none."""
        producer = Producer({**self.settings.kafka_client_config(), "partitioner": "murmur2_random"})
        value = event if isinstance(event, bytes) else json.dumps(event).encode()
        producer.produce(topic.full_name(self.settings.topic_prefix), value, key, partition)
        assert producer.flush(30) == 0

    def register(self, status: str = "confirmed", *, code: str = ANNAS, partition: int = -1, minute: int = 0) -> None:
        """Let an event of the member come."""
        event = make_registration(1, status, minute, referral_code=code, new_member_id=self.member.upper())
        self.send(REGISTRATIONS, code, event | {"attribution_id": str(uuid.uuid4())}, partition=partition)

    def others(self) -> None:
        """Let somebody else come, and wait, in the partition of each code: only then are segments closed."""
        self._others += 1
        for code in (ANNAS, LATES):
            self.send(REGISTRATIONS, code, make_registration(100 + self._others, "withdrawn", referral_code=code))
            home = partition_of(code.encode(), PARTITIONS)
            names = (f"NEVER{number:05}" for number in itertools.count(self._others * 100))
            unissued = next(name for name in names if partition_of(name.encode(), PARTITIONS) == home)
            self.send(REGISTRATIONS, unissued, make_registration(1, "withdrawn", referral_code=unissued))

    def erase(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Run the command and return what it says; the id is in none of it."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "commands", "erase-member", "-", "--json", *arguments],
            cwd=ROOT, env=self.crew.environment(), input=self.member, capture_output=True, text=True, check=False,
            timeout=120,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert self.member not in (done.stdout + done.stderr).lower()
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def counts(self) -> tuple[Any, ...] | None:
        """Return Anna's pending and confirmed members, as Postgres has them."""
        with psycopg.connect(self.settings.database_url) as connection:
            return connection.execute(COUNTS).fetchone()

    def topics_with_id(self) -> set[str]:
        """Return the topics with a file in which the id stands; nothing else on this machine has one."""
        member = uuid.UUID(self.member)
        needles = [self.member.encode(), self.member.upper().encode(), member.bytes, member.hex.encode()]
        found = set()
        for place in [self._broker, *self._places]:
            for file in place.rglob("*"):
                try:
                    content = file.read_bytes() if file.is_file() else b""
                except OSError:  # it has been removed meanwhile
                    continue
                if any(needle in content for needle in needles):
                    assert place is self._broker, file
                    found.add(file.parent.name.rpartition("-")[0])
        return found

    def configure(self, topics: list[str], **config: int) -> None:
        """Set figures on topics."""
        entries = [
            ConfigEntry(name.replace("_", "."), str(value), incremental_operation=AlterConfigOpType.SET)
            for name, value in config.items()
        ]
        admin = AdminClient({**self.settings.kafka_client_config()})
        resources = [ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries) for topic in topics]
        for answer in admin.incremental_alter_configs(resources).values():
            answer.result()


@pytest.fixture
def scene(parts: local_parts.Parts, database_url: str, tmp_path: Path) -> Iterator[Scene]:
    """Give the installation: worker, badge consumer and projection on a Kafka of their own."""
    with own_kafka(QuickKafka, tmp_path / "kafka") as kafka:
        settings = load_settings(
            bootstrap_servers=kafka.bootstrap_servers,
            database_url=database_url,
            partitions=PARTITIONS,
            data_dir=tmp_path / "data",
        )
        (logs := tmp_path / "logs").mkdir()
        crew = Crew(settings, logs)
        for name, component in (("worker", "stream"), ("badges", "badges"), ("counts", "counts")):
            crew.start(name, component)
        try:
            crew.wait_log("worker", READY)
            postgres = parts.postgres
            places = [logs, *(tmp_path / name for name in ("data",)), *_database_files(postgres)]
            yield Scene(settings, crew, tmp_path / "kafka", places)
        finally:
            crew.stop()


def _database_files(postgres: Any) -> list[Path]:  # noqa: ANN401  one of several kinds
    """Return where Postgres keeps everything, its write-ahead log included; nowhere we can look, if in a container."""
    with psycopg.connect(postgres.maintenance_url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        row = connection.execute("SHOW data_directory").fetchone()
    place = Path(str(row[0])) if row else Path("/nowhere")
    return [place] if place.is_dir() else []


def test_the_id_goes_and_the_counts_stay(scene: Scene) -> None:
    """At once from rows and tables, and from every file by the time that the command names."""
    settings, member = scene.settings, scene.member
    registrations, letters = (t.full_name(settings.topic_prefix) for t in (REGISTRATIONS, DEAD_LETTERS))
    members, waiting = (f"{settings.app_id}-{table}-changelog" for table in (MEMBERS, WAITING))
    scene.send(CODES, ANNAS, make_code_issued(ANNAS))
    scene.register("pending_signup")
    scene.register("confirmed", minute=3, partition=1 - partition_of(ANNAS.encode(), PARTITIONS))
    scene.register("confirmed", code=LATES)
    scene.send(REGISTRATIONS, ANNAS, b'{"new_member_id": "%s"' % member.encode())
    scene.send(REGISTRATIONS, ANNAS, make_registration(2, "pending_signup"))
    wait_until(lambda: scene.counts() == (1, 1), "nothing is counted")
    wait_until(lambda: scene.topics_with_id() == {registrations, letters, members, waiting}, "it is not everywhere")

    begun = datetime.now(UTC)
    looked = scene.erase("--dry-run")
    assert [pair["state"] for pair in looked["pairs"]] == ["not erased yet"] * 2
    assert {each["topic"] for each in looked["remains"] if each["held"]} == {members, waiting}
    told = scene.erase("--yes")

    assert told["done"]
    assert [(pair["referral_code"], pair["state"], pair["registrations"]) for pair in told["pairs"]] == [
        (LATES, "erased now", 1),
        (ANNAS, "erased now", 3),
    ]
    assert scene.topics_with_id() == {each["topic"] for each in told["remains"]}
    assert {each["topic"] for each in told["remains"]} == {registrations, letters, members, waiting}
    assert not any(each["held"] for each in told["remains"])
    _is_gone_in(told, begun, registrations, 3_650 * DAY + timedelta(days=7))  # and the broker's segment.ms
    _is_gone_in(told, begun, letters, 3_650 * DAY + timedelta(days=7))
    _is_gone_in(told, begun, members, 3 * DAY)
    _is_gone_in(told, begun, waiting, DAY)

    scene.register("withdrawn", minute=9)
    scene.send(CODES, LATES, make_code_issued(LATES, mentor_id=str(uuid.uuid4())))
    scene.crew.assert_exact()
    again = scene.erase("--yes")
    assert [(pair["state"], pair["came_after"]) for pair in again["pairs"]] == [
        ("erased before", 0),
        ("erased before", 1),
    ]

    scene.configure(
        [members, waiting], segment_ms=200, max_compaction_lag_ms=200, delete_retention_ms=200,
        min_cleanable_dirty_ratio=0,
    )  # fmt: skip
    _wait_gone(scene, {members, waiting})
    scene.configure([registrations, letters], segment_ms=200, retention_ms=2_000)
    _wait_gone(scene, {registrations, letters})
    assert scene.erase() == {"done": True, "pairs": [], "remains": []}
    assert scene.counts() == (1, 1)


def _is_gone_in(told: dict[str, Any], begun: datetime, topic: str, after: timedelta) -> None:
    """See that what is last there is gone by a time so long after the erasure, within minutes."""
    last = max(datetime.fromisoformat(each["gone_by"]) for each in told["remains"] if each["topic"] == topic)
    assert abs(last - begun - after) < timedelta(minutes=15), (topic, told["remains"])


def _wait_gone(scene: Scene, topics: set[str]) -> None:
    """Wait until topics have the id no more, while somebody else writes to them."""

    def gone() -> bool:
        scene.others()
        return not scene.topics_with_id() & topics

    wait_until(gone, f"it is still in one of {topics}")
