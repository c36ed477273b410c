"""Rows, positions and topics on a real broker: what a cluster's life does to them, and what a worker makes of it."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Message, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are not in its __all__
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from models.partitioning import partition_of
from models.topics import CLICKS, CODES, DEAD_LETTERS, MENTOR_COUNTS, MILESTONES, REGISTRATIONS, Topic
from process.settings import Settings
from proof.verify.oracle import Oracle
from streams.app import attribution_of, engine_options
from streams.beginning import Beginnings
from streams.engine.deciding import rebuild
from streams.engine.recovery import LOOK_AFTER_S
from streams.eras import Anew
from tests.component import run
from tests.crew import READY, Crew, differences, wait_until
from tests.integration.test_stream_app import committed, counts_of, published, send

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

TABLES: Final = ("mentors", "members", "waiting", "moves")
CODE: Final = "ABCDEFGH"
ORG, MENTOR = str(uuid4()), str(uuid4())
AT: Final = "2026-11-20T10:00:00Z"
CLICKS_SENT: Final = 5
CONFIRMED: Final = 1
TIMEOUT_S: Final = 30.0
BROKER_LOOKS_S: Final = 10.0
"""How often a broker ends the transactions that took too long."""


class Scene:
    """An installation with one worker, started and stopped; what an operator does to its cluster meanwhile."""

    def __init__(self, crew: Crew, settings: Settings) -> None:
        self.crew = crew
        self.settings = settings
        self.home = partition_of(CODE.encode(), settings.partitions)
        self.admin = AdminClient(dict(settings.kafka_client_config()))
        self._workers = 0

    @property
    def worker(self) -> str:
        """The name of the last worker."""
        return f"worker-{self._workers}"

    def start(self) -> None:
        """Start a worker and wait until it has its partitions."""
        self._workers += 1
        self.crew.start(self.worker, "stream")
        self.crew.wait_log(self.worker, READY)

    def stop(self) -> None:
        """Stop it by SIGTERM."""
        self.crew.end(self.worker)

    def click(self, count: int = CLICKS_SENT) -> None:
        """Let so many clicks come."""
        records: list[tuple[Topic, str, dict[str, Any]]] = [
            (CLICKS, CODE, {"click_id": str(uuid4()), "referral_code": CODE, "occurred_at": AT}) for _ in range(count)
        ]
        send(self.settings, records)

    def begin(self) -> None:
        """Let a worker count a code, clicks and a confirmed member, and stop it."""
        self.start()
        issued = {"referral_code": CODE, "org_id": ORG, "mentor_id": MENTOR, "issued_at": AT}
        member = {
            "attribution_id": str(uuid4()),
            "referral_code": CODE,
            "new_member_id": str(uuid4()),
            "status": "confirmed",
            "occurred_at": AT,
        }
        send(self.settings, [(CODES, CODE, issued), (REGISTRATIONS, CODE, member)])
        self.click()
        self.wait_counted(CLICKS_SENT)
        self.stop()

    def counted(self) -> tuple[int, int]:
        """Return the code's published clicks and confirmed members."""
        row = counts_of(self.settings).get(CODE)
        return (0, 0) if row is None else (row["total_clicks"], row["confirmed_attributions"])

    def wait_counted(self, clicks: int) -> None:
        """Wait until so many clicks are counted, and see that they stay so and the member is counted once."""
        wait_until(lambda: self.counted() == (clicks, CONFIRMED), f"{self.counted()} counted, not {clicks}")

    def wait_dead_letters(self, count: int) -> list[Message]:
        """Wait until there are so many, and return them."""
        wait_until(lambda: len(published(self.settings, DEAD_LETTERS)) == count, "no such number of dead letters")
        return sorted(published(self.settings, DEAD_LETTERS), key=lambda letter: letter.offset() or 0)

    def changelog(self, table: str) -> str:
        """Return the name of a table's changelog."""
        return f"{self.settings.app_id}-{table}-changelog"

    def rows(self, table: str) -> dict[bytes, bytes | None]:
        """Return what a table's changelog holds of the code's partition, the engine's own rows with it."""
        found: list[Any] = committed(self.settings, self.changelog(table))
        return {each.key(): each.value() for each in found if each.partition() == self.home}

    def forget_offsets(self) -> None:
        """Delete the group: what `offsets.retention.minutes` does after a week without members."""
        answers = self.admin.delete_consumer_groups([self.settings.app_id], request_timeout=TIMEOUT_S)
        answers[self.settings.app_id].result()

    def reset_offsets(self, offset: int) -> None:
        """Set the group's offsets in the code's partition, as kafka-consumer-groups does."""
        names = [topic.full_name(self.settings.topic_prefix) for topic in (CODES, CLICKS, REGISTRATIONS)]
        places = [TopicPartition(name, self.home, offset) for name in names]
        asked = ConsumerGroupTopicPartitions(self.settings.app_id, places)
        self.admin.alter_consumer_group_offsets([asked])[self.settings.app_id].result()

    def delete_topics(self, *names: str) -> None:
        """Delete topics, and wait until they are gone."""
        for answer in self.admin.delete_topics(list(names), operation_timeout=TIMEOUT_S).values():
            answer.result()
        wait_until(lambda: not set(names) & set(self.admin.list_topics(timeout=5).topics), "the topics stay")

    def make(self, name: str, **config: str) -> None:
        """Make a topic as the installation's are."""
        new = NewTopic(name, num_partitions=self.settings.partitions, config=config)
        self.admin.create_topics([new])[name].result()
        time.sleep(0.5)  # until every request knows it

    def configure(self, name: str, key: str, value: str) -> None:
        """Change a topic's configuration."""
        entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
        self.admin.incremental_alter_configs([resource])[resource].result(TIMEOUT_S)

    def delete_records(self, name: str, before: int) -> None:
        """Delete the records of the code's partition before an offset; -1: all that there are."""
        place = TopicPartition(name, self.home, before)
        self.admin.delete_records([place], request_timeout=TIMEOUT_S)[place].result()

    def state(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `referrals state`."""
        return run(self.settings, "state", *arguments)

    def assert_refused(self, reason: str) -> None:
        """See that the worker says so, that `state show` says the same, and that nothing was counted meanwhile."""
        self.crew.wait_log(self.worker, "partition_refused")
        assert reason in self.crew.log(self.worker)
        shown = self.state("show", "--json")
        assert shown.returncode == 1, shown.stderr
        states = [json.loads(line) for line in shown.stdout.splitlines()]
        assert reason in states[self.home]["refused"]
        assert self.crew.is_running(self.worker)

    def decide(self, *arguments: str) -> None:
        """Run `referrals state accept` or `rebuild`; it succeeds, and the worker takes the partition up by itself."""
        done = self.state(*arguments)
        assert done.returncode == 0, done.stderr
        assert "REFUSED" not in done.stdout

    def assert_exact(self) -> None:
        """Let the oracle find nothing wrong."""
        report = Oracle(self.settings).check(wait_s=60, with_database=False)
        assert report.is_clean, differences(report)
        thresholds = [json.loads(message.value() or b"")["milestone_threshold"] for message in self.milestones()]
        assert thresholds == [1]

    def milestones(self) -> list[Any]:
        """Return the milestones announced."""
        return published(self.settings, MILESTONES)


@pytest.fixture
def scene(settings: Settings, tmp_path: Path) -> Iterator[Scene]:
    """Give an installation that has counted five clicks and a member, and whose worker is stopped."""
    crew = Crew(settings, tmp_path)
    made = Scene(crew, settings)
    try:
        made.begin()
        yield made
    finally:
        crew.stop()


@pytest.mark.parametrize(
    "what", ["expired", *(pytest.param(f"reset to the {at}", marks=pytest.mark.long) for at in ("beginning", "end"))]
)
def test_the_groups_offsets_change_nothing(scene: Scene, what: str) -> None:
    """The workers go on where the rows stand: no click counts again, none is left out, and offsets follow the rows."""
    scene.click(2)
    if what == "expired":
        scene.forget_offsets()
    else:
        scene.reset_offsets(0 if what == "reset to the beginning" else 1_000)
    scene.start()
    scene.wait_counted(CLICKS_SENT + 2)
    scene.assert_exact()
    assert scene.state("show").returncode == 0


def test_changelogs_that_are_gone_are_not_taken_for_empty(scene: Scene) -> None:
    """All deleted while the offsets stay: refused; rebuilt, the counts are what they were and nothing is sent twice."""
    scene.delete_topics(*(scene.changelog(table) for table in TABLES))
    scene.start()
    scene.assert_refused("the changelogs are gone")
    assert f"decide: referrals state rebuild --partition {scene.home}\n" in scene.state("show").stdout
    accepted = scene.state("accept", f"--partition={scene.home}")
    assert (accepted.returncode, accepted.stdout) == (1, "")
    assert "that cannot be accepted, only rebuilt" in accepted.stderr
    scene.click(1)
    scene.decide("rebuild", "--all")
    scene.wait_counted(CLICKS_SENT + 1)
    scene.assert_exact()


@pytest.mark.parametrize("table", [pytest.param("mentors", marks=pytest.mark.long), "members"])
def test_one_emptied_changelog_is_noticed(scene: Scene, table: str) -> None:
    """Records of one partition were deleted, as cleanup.policy=delete does after a while."""
    scene.configure(scene.changelog(table), "cleanup.policy", "compact,delete")
    scene.delete_records(scene.changelog(table), -1)
    scene.configure(scene.changelog(table), "cleanup.policy", "compact")
    scene.start()
    scene.assert_refused("changelog")
    scene.decide("rebuild", f"--partition={scene.home}")
    scene.wait_counted(CLICKS_SENT)
    scene.assert_exact()


def test_a_changelog_that_would_lose_rows_is_refused_at_the_start(scene: Scene) -> None:
    """Somebody has it deleted after a while: no worker starts, and the line says how it is mended."""
    scene.configure(scene.changelog("members"), "cleanup.policy", "delete")
    for arguments in (("stream",), ("topics", "create")):
        done = run(scene.settings, *arguments)
        assert done.returncode == 1
        assert "cleanup.policy=delete, so rows vanish after a while: kafka-configs" in done.stderr


def test_changelogs_are_made_by_command(settings: Settings) -> None:
    """`topics create` makes them as the stream app would, which then needs no right to; again they stand already."""
    for what in ("created", "stands already"):
        made = run(settings, "topics", "create")
        assert made.returncode == 0, made.stderr
        for table in TABLES:
            name = f"{settings.app_id}-{table}-changelog"
            assert f"{name}: {what}, {settings.partitions} partitions, cleanup.policy=compact" in made.stdout


def test_records_deleted_before_they_were_read(scene: Scene) -> None:
    """Retention has passed the position: refused, and accepted as they are the rest counts."""
    scene.click(3)
    scene.delete_records(CLICKS.full_name(scene.settings.topic_prefix), CLICKS_SENT + 2)
    scene.start()
    scene.assert_refused("2 records were deleted before they were read")
    scene.decide("accept", f"--partition={scene.home}")
    scene.wait_counted(CLICKS_SENT + 1)


def test_records_deleted_after_they_were_read(scene: Scene) -> None:
    """That is retention's work: nobody is asked, and what comes then counts."""
    scene.delete_records(CLICKS.full_name(scene.settings.topic_prefix), -1)
    scene.start()
    scene.click(2)
    scene.wait_counted(CLICKS_SENT + 2)


def test_a_source_topic_made_anew(scene: Scene) -> None:
    """Its first records have offsets that were read of the former one: refused, and accepted they count on top."""
    name = CLICKS.full_name(scene.settings.topic_prefix)
    scene.delete_topics(name)
    scene.make(name)
    scene.click(CLICKS_SENT + 2)
    scene.start()
    scene.assert_refused("was deleted and made anew")
    scene.decide("accept", f"--partition={scene.home}")
    scene.wait_counted(2 * CLICKS_SENT + 2)


def test_markers_at_the_end_of_a_log_are_read(scene: Scene) -> None:
    """A transaction's marker is no record; the position moves over it, so retention has nothing to pass."""
    name = CLICKS.full_name(scene.settings.topic_prefix)
    click = {"click_id": str(uuid4()), "referral_code": CODE, "occurred_at": AT}
    producer = Producer({**scene.settings.kafka_client_config(), "transactional.id": f"{name}-marker"})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(name, json.dumps(click), CODE, scene.home)
    producer.commit_transaction()
    scene.start()
    scene.wait_counted(CLICKS_SENT + 1)
    end = CLICKS_SENT + 2  # the click and its marker

    def position() -> int:
        (line,) = scene.state("show", "--json", f"--partition={scene.home}").stdout.splitlines()
        return int(json.loads(line)["positions"][name])

    wait_until(lambda: position() == end, "the position stays before the marker")
    scene.stop()
    scene.delete_records(name, -1)
    scene.start()
    scene.click(1)
    scene.wait_counted(CLICKS_SENT + 2)


def test_another_name_of_the_application_announces_nothing_twice(scene: Scene, tmp_path: Path) -> None:
    """A new group finds nothing kept, counts everything anew, and knows what was announced before its time."""
    renamed = scene.settings.model_copy(update={"app_id": f"{scene.settings.app_id}-renamed"})
    crew = Crew(renamed, tmp_path)
    other = Scene(crew, renamed)
    try:
        other.start()
        other.click(1)
        other.wait_counted(CLICKS_SENT + 1)
        other.assert_exact()
        (counts,) = {message.key() for message in published(renamed, MENTOR_COUNTS)}
        assert counts == f"{ORG}:{MENTOR}".encode()
    finally:
        crew.stop()


@pytest.mark.long
def test_what_was_moved_is_counted_once_after_a_rebuild(scene: Scene) -> None:
    """Clicks in a wrong partition and records that cannot be used: moved again, refused again, counted once."""
    name = CLICKS.full_name(scene.settings.topic_prefix)
    click = {"click_id": str(uuid4()), "referral_code": CODE, "occurred_at": AT}
    producer = Producer(dict(scene.settings.kafka_client_config()))
    wrong = (scene.home + 1) % scene.settings.partitions
    for value in (json.dumps(click).encode(), b"not JSON", json.dumps({**click, "org_id": str(uuid4())}).encode()):
        producer.produce(name, value, None, wrong)
    producer.produce(name, json.dumps(click), None, wrong)
    assert producer.flush(TIMEOUT_S) == 0
    scene.start()
    scene.wait_counted(CLICKS_SENT + 2)
    scene.assert_exact()
    for _ in range(2):
        scene.decide("rebuild", "--all")
        scene.click(1)
    scene.wait_counted(CLICKS_SENT + 4)
    scene.assert_exact()


@pytest.mark.long
def test_an_acceptance_in_the_middle_of_a_rebuild_forgets_nothing(scene: Scene) -> None:
    """What was read before the rebuild, and is read again after the acceptance, still says that it is sent again."""
    name = CLICKS.full_name(scene.settings.topic_prefix)
    producer = Producer(dict(scene.settings.kafka_client_config()))
    producer.produce(name, b"not JSON", CODE, scene.home)
    assert producer.flush(TIMEOUT_S) == 0
    scene.start()
    scene.wait_dead_letters(1)
    scene.stop()
    for decision in (("rebuild", "--all"), ("accept", f"--partition={scene.home}")):
        assert scene.state(*decision).returncode == 0
    scene.start()
    first, again = scene.wait_dead_letters(2)
    assert dict(again.headers() or []).get("referrals.again") == b"1"
    assert "referrals.again" not in dict(first.headers() or [])
    scene.assert_exact()


@pytest.mark.long
def test_moves_from_a_topic_made_anew_count(scene: Scene) -> None:
    """Its offsets begin again below those that were moved before; what comes from there counts."""
    name = CLICKS.full_name(scene.settings.topic_prefix)
    wrong = (scene.home + 1) % scene.settings.partitions

    def move(count: int) -> None:
        producer = Producer(dict(scene.settings.kafka_client_config()))
        for _ in range(count):
            click = {"click_id": str(uuid4()), "referral_code": CODE, "occurred_at": AT}
            producer.produce(name, json.dumps(click), None, wrong)
        assert producer.flush(TIMEOUT_S) == 0

    move(3)
    scene.start()
    scene.wait_counted(CLICKS_SENT + 3)
    scene.stop()
    scene.delete_topics(name)
    scene.make(name)
    move(2)
    scene.start()
    scene.crew.wait_log(scene.worker, "partition_refused")
    scene.decide("accept", f"--partition={scene.home}", f"--partition={wrong}")
    scene.wait_counted(CLICKS_SENT + 5)


def test_an_installation_of_the_version_before_is_taken_up(scene: Scene) -> None:
    """Rows without standing and seals, offsets without a mark: one start, and it goes on where the offsets are."""
    engine = (b"\0standing", b"\0seal", b"\0published")
    producer = Producer(dict(scene.settings.kafka_client_config()))
    for table in TABLES:
        for number in range(scene.settings.partitions):
            for key in engine:
                producer.produce(scene.changelog(table), None, key, number)
    assert producer.flush(TIMEOUT_S) == 0
    names = [topic.full_name(scene.settings.topic_prefix) for topic in (CODES, CLICKS, REGISTRATIONS)]
    places = [TopicPartition(name, scene.home, at) for name, at in zip(names, (1, CLICKS_SENT, 1), strict=True)]
    scene.forget_offsets()
    asked = ConsumerGroupTopicPartitions(scene.settings.app_id, places)
    scene.admin.alter_consumer_group_offsets([asked])[scene.settings.app_id].result()
    scene.start()
    scene.click(2)
    scene.wait_counted(CLICKS_SENT + 2)
    scene.assert_exact()
    scene.stop()
    scene.forget_offsets()  # from now on the rows say it
    scene.start()
    scene.click(1)
    scene.wait_counted(CLICKS_SENT + 3)


def test_an_idle_worker_notices_what_was_decided(scene: Scene) -> None:
    """It commits nothing, so nothing fences it: it sees its changelog grow, and begins anew by itself."""
    scene.start()
    time.sleep(2 * LOOK_AFTER_S)
    scene.decide("rebuild", "--all")
    scene.crew.wait_log(scene.worker, "somebody decided about partitions")
    scene.wait_counted(CLICKS_SENT)
    scene.assert_exact()
    scene.click(1)
    scene.wait_counted(CLICKS_SENT + 1)


@pytest.mark.long
def test_a_rebuild_may_take_longer_than_an_epoch(scene: Scene) -> None:
    """A partition of millions of rows: the broker ends an epoch's transaction after seconds, and not this one."""
    options = engine_options(scene.settings)

    def slow(point: str) -> None:
        if point == "engine.produced":
            time.sleep(1.5 * BROKER_LOOKS_S)

    impatient = dataclasses.replace(options, transaction_timeout_s=1.0, fault_point=slow)
    beginnings = Beginnings(options, scene.settings.topic_prefix)
    anew = Anew(options, beginnings, partial(attribution_of, scene.settings))
    (state,) = rebuild(impatient, [scene.home], begins=anew)
    assert state.reason is None
    scene.start()
    scene.wait_counted(CLICKS_SENT)
    scene.assert_exact()


def test_the_command_names_what_is_wrong_with_its_use(scene: Scene) -> None:
    """Exit code 2 and the remedy; help needs no cluster."""
    for arguments, said in (
        (("rebuild",), "--partition N, or --all"),
        (("accept",), "Missing option"),
        (("show", "--partition=99"), "is not one of 0 to"),
    ):
        done = scene.state(*arguments)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert os.linesep in scene.state("--help").stdout
