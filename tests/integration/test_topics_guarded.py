"""Topics on a real broker: what is wrong with one is said, with the remedy, and a worker needs no right to make any."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are not in its __all__
    AclOperation,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)
from pydantic import SecretStr

from local.installation.starting import as_environment
from models.topics import CLICKS, CODES, MENTOR_COUNTS, MILESTONES
from process.settings import Settings, load_settings
from tests.component import environment
from tests.crew import READY, ROOT, wait_until
from tests.guarded_kafka import PASSWORD, TIMEOUT_S, USER, GuardedKafka, allow
from tests.integration.test_stream_app import counts_of, published, send
from tests.own_kafka import own_kafka

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

CODE: Final = "ABCDEFGH"
AT: Final = "2026-11-20T10:00:00Z"


def run(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that ends."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "commands", *arguments],
        cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def admin_of(settings: Settings) -> AdminClient:
    """Return an administrator's client."""
    return AdminClient({"bootstrap.servers": settings.bootstrap_servers})


def configure(settings: Settings, name: str, key: str, value: str) -> None:
    """Set something on a topic."""
    entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
    admin = admin_of(settings)  # to be kept until it has answered
    admin.incremental_alter_configs([resource])[resource].result(TIMEOUT_S)


def configuration(settings: Settings, name: str) -> dict[str, str]:
    """Return a topic's configuration."""
    resource = ConfigResource(ResourceType.TOPIC, name)
    admin = admin_of(settings)
    answer = admin.describe_configs([resource])[resource].result(TIMEOUT_S)
    return {key: str(entry.value) for key, entry in answer.items()}


def delete(settings: Settings, name: str) -> None:
    """Delete a topic, and wait until it is gone."""
    admin = admin_of(settings)
    admin.delete_topics([name], operation_timeout=TIMEOUT_S)[name].result()
    wait_until(lambda: name not in admin.list_topics(timeout=TIMEOUT_S).topics, f"{name} stays")


@pytest.mark.parametrize("topic", ["milestones.v1", "streams-members-changelog"])
def test_a_topic_that_takes_no_record_is_named(settings: Settings, topic: str) -> None:
    """More in-sync replicas demanded than there are: no worker starts, nothing is changed, and the remedy works."""
    assert run(environment(settings), "topics", "create").returncode == 0
    name = f"{settings.topic_prefix}{topic}"
    configure(settings, name, "min.insync.replicas", "2")
    for arguments in (("topics", "create"), ("stream",)):
        done = run(environment(settings), *arguments)
        assert done.returncode == 1
        assert f"{name}: found min.insync.replicas=2 and 1 replica, so no record is ever acknowledged" in done.stderr
        assert f"--entity-name {name} --add-config min.insync.replicas=1" in done.stderr
    assert configuration(settings, name)["min.insync.replicas"] == "2"


def test_a_topic_that_is_missing_is_named(settings: Settings) -> None:
    """One that is written to: each epoch would fail. The worker says which command makes it."""
    assert run(environment(settings), "topics", "create").returncode == 0
    name = MILESTONES.full_name(settings.topic_prefix)
    delete(settings, name)
    done = run(environment(settings), "stream")
    assert done.returncode == 1
    assert f"topic {name} has not been created" in done.stderr
    assert "run `referrals topics create`" in done.stderr


def test_older_versions_are_bounded_on_topics_that_stand_too(settings: Settings) -> None:
    """What the broker's defaults had is set and said, once; what somebody has set himself stays, and is said."""
    counts = MENTOR_COUNTS.full_name(settings.topic_prefix)
    changelog = f"{settings.app_id}-members-changelog"
    made = {"cleanup.policy": "compact", "max.compaction.lag.ms": "7200000"}
    new = [NewTopic(name, num_partitions=settings.partitions, config=made) for name in (counts, changelog)]
    admin = admin_of(settings)
    for answer in admin.create_topics(new).values():
        answer.result(TIMEOUT_S)
    first, second = (run(environment(settings), "topics", "create") for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "set segment.ms=3600000, was 604800000" in first.stdout
    assert "set segment.bytes=67108864, was 1073741824" in first.stdout
    assert "set " not in second.stdout
    said = f"{counts}: found max.compaction.lag.ms=7200000, wanted 3600000 at most; set it with kafka-configs"
    assert said in first.stderr
    assert said in second.stderr
    found = configuration(settings, counts)
    assert float(found["min.cleanable.dirty.ratio"]) == pytest.approx(
        MENTOR_COUNTS.bounds()["min.cleanable.dirty.ratio"]
    )
    assert (found["segment.ms"], found["max.compaction.lag.ms"]) == ("3600000", "7200000")
    assert configuration(settings, changelog)["segment.ms"] == "86400000"


def test_new_topics_are_bounded_from_the_start(settings: Settings) -> None:
    """Nothing is left to a broker's default, not even how many replicas must be in sync."""
    assert run(environment(settings), "topics", "create").returncode == 0
    counts = configuration(settings, MENTOR_COUNTS.full_name(settings.topic_prefix))
    assert {key: float(counts[key]) for key in MENTOR_COUNTS.bounds()} == pytest.approx(MENTOR_COUNTS.bounds())
    assert counts["min.insync.replicas"] == "1"
    codes = configuration(settings, CODES.full_name(settings.topic_prefix))
    assert codes["segment.ms"] == "604800000", "the codes topic is nobody's to make smaller"


@pytest.mark.long
def test_older_versions_go_once_their_segment_is_closed(settings: Settings) -> None:
    """The same bounds, of a second instead of an hour: the last segment keeps them until the next record closes it."""
    assert run(environment(settings), "topics", "create").returncode == 0
    name = MENTOR_COUNTS.full_name(settings.topic_prefix)
    for key in ("segment.ms", "max.compaction.lag.ms"):
        configure(settings, name, key, "1000")
    producer = Producer(settings.kafka_client_config())

    def write(key: str, value: str) -> None:
        producer.produce(name, value, key, 0)
        assert producer.flush(TIMEOUT_S) == 0

    for version in range(10):
        write("mentor", str(version))
    time.sleep(1.5)
    assert len(published(settings, MENTOR_COUNTS)) == 10, "nothing came that would close the segment"
    write("another", "0")
    wait_until(lambda: len(published(settings, MENTOR_COUNTS)) == 2, "older versions stay")
    assert {message.key(): message.value() for message in published(settings, MENTOR_COUNTS)} == {
        b"mentor": b"9",
        b"another": b"0",
    }


class Guarded:
    """An installation on a guarded broker: made by the administrator, worked by a user who may create nothing."""

    def __init__(self, servers: str, directory: Path) -> None:
        self.settings = self._settings(servers)
        self.of_administrator = self.environment(servers)
        self.of_user: dict[str, str] = {}
        self.log = directory / "worker.log"

    @staticmethod
    def _settings(servers: str, **security: Any) -> Settings:  # noqa: ANN401 - of any field
        return load_settings(
            bootstrap_servers=servers, topic_prefix="guarded.", partitions=4, log_format="json", **security
        )

    def environment(self, servers: str, **security: Any) -> dict[str, str]:  # noqa: ANN401 - the same
        """Return the environment of who comes by this address and in this way."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("REFERRALS_")}
        return inherited | as_environment(self._settings(servers, **security))

    def make(self) -> None:
        """Make the topics, let the user read and write what begins with the prefix, and issue a code."""
        done = run(self.of_administrator, "topics", "create")
        assert done.returncode == 0, done.stderr
        admin, prefix = admin_of(self.settings), self.settings.topic_prefix
        allow(admin, ResourceType.TOPIC, prefix, AclOperation.READ, AclOperation.WRITE)
        allow(admin, ResourceType.GROUP, prefix, AclOperation.READ)
        allow(admin, ResourceType.TRANSACTIONAL_ID, prefix, AclOperation.WRITE)
        issued = {"referral_code": CODE, "org_id": str(uuid4()), "mentor_id": str(uuid4()), "issued_at": AT}
        send(self.settings, [(CODES, CODE, issued)])

    def count(self, clicks: int) -> None:
        """Run a worker as the user until so many clicks of the code are counted; it stops well."""
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "commands", "stream"],
                cwd=ROOT, env=self.of_user, stdout=output, stderr=output,
            )  # fmt: skip
        try:
            wait_until(lambda: READY in self.log.read_text() or process.poll() is not None, "no partitions")
            click = {"click_id": str(uuid4()), "referral_code": CODE, "occurred_at": AT}
            send(self.settings, [(CLICKS, CODE, click)])
            wait_until(
                lambda: counts_of(self.settings).get(CODE, {}).get("total_clicks") == clicks, self.log.read_text()
            )
            process.send_signal(signal.SIGTERM)
            assert process.wait(TIMEOUT_S) == 0, self.log.read_text()
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Give one: topics made, and rights to everything that begins with the prefix, but none to create."""
    directory = tmp_path_factory.mktemp("guarded")
    with own_kafka(GuardedKafka, directory / "kafka") as kafka:
        made = Guarded(kafka.bootstrap_servers, directory)
        made.of_user = made.environment(
            kafka.guarded_servers,
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="PLAIN",
            sasl_username=USER,
            sasl_password=SecretStr(PASSWORD),
        )
        made.make()
        yield made


def test_a_worker_needs_no_right_to_create_topics(guarded: Guarded) -> None:
    """It counts, with rights to what begins with the prefix alone; what it may not look at it says."""
    guarded.count(1)
    assert "cannot be checked; allow this user DescribeConfigs on it" in guarded.log.read_text()
    guarded.log.write_text("")
    allow(admin_of(guarded.settings), ResourceType.TOPIC, guarded.settings.topic_prefix, AclOperation.DESCRIBE_CONFIGS)
    guarded.count(2)
    assert "topic_caution" not in guarded.log.read_text()


@pytest.mark.parametrize("own", ["moves-changelog", "__assignor-__leader"])
def test_what_is_missing_is_named_to_who_may_not_make_it(guarded: Guarded, own: str) -> None:
    """The worker ends, and says which command makes it; that command makes it, and refuses the user itself."""
    name = f"{guarded.settings.topic_prefix}stream-{own}"
    delete(guarded.settings, name)
    refused = run(guarded.of_user, "stream")
    assert refused.returncode == 1
    assert f"topic {name} is missing, and this user may not create it: run `referrals topics create`" in refused.stderr
    assert run(guarded.of_user, "topics", "create").returncode == 1
    made = run(guarded.of_administrator, "topics", "create")
    assert made.returncode == 0, made.stderr
    assert f"{name}: created" in made.stdout
