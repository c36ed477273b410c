"""The consumers of examples/, on real Kafka: each milestone once, whatever is sent twice, aborted, or read again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest
from confluent_kafka import Producer

from models.events import MilestoneReached
from models.milestones import milestone_record
from models.topics import MILESTONES
from operations.topics import create_topics
from process.settings import Settings
from tests.examples import EXAMPLES, Prepare, java
from tests.milestones import milestone, new_id
from tests.snippets import run_by

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


class Sender:
    """Sends milestones as the stream app does, by transactions."""

    def __init__(self, settings: Settings) -> None:
        create_topics(settings)
        self.topic = settings.topic_prefix + MILESTONES.name
        self.producer = Producer(
            {**settings.kafka_client_config(), "transactional.id": settings.app_id, "partitioner": "murmur2"}
        )
        self.producer.init_transactions(30)

    def send(self, *milestones: MilestoneReached, kind: str | None = None, aborted: bool = False) -> None:
        """Send milestones, as of another kind if need be, and commit them or not."""
        self.producer.begin_transaction()
        for each in milestones:
            record = milestone_record(self.topic, f"{each.org_id}:{each.mentor_id}".encode(), each)
            value, headers = record.value or b"", record.headers
            if kind is not None:
                value = value.replace(each.event_type.encode(), kind.encode())
                headers = [(name, kind.encode() if name == "ce_type" else said) for name, said in headers]
            self.producer.produce(record.topic, value, record.key, headers=list(headers))
        if aborted:
            self.producer.flush(30)  # the broker has them, and they are in the log
            self.producer.abort_transaction(30)
        else:
            self.producer.commit_transaction(30)


@contextmanager
def running(command: list[str], settings: Settings, **env: str) -> Iterator[Iterable[str]]:
    """Run a consumer and give the lines that it prints; at the end it is stopped as a service manager does."""
    ours = {
        "REFERRALS_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "REFERRALS_TOPIC_PREFIX": settings.topic_prefix,
    }
    with subprocess.Popen(
        command, env=os.environ | ours | env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield (line for line in process.stdout if not line.startswith("SLF4J"))
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) in {0, 128 + signal.SIGTERM}  # Java ends so, however well it ends
        finally:
            process.kill()


def on_the_page(directory: Path, name: str, _maven_url: str | None) -> list[str]:
    """Return the command of the example in Python as the page has it, beside the program; it says where awards go."""
    shutil.copy(EXAMPLES / f"python/{name}.py", directory)
    (block,) = run_by("tests/integration/test_badge_teams.py", "docs/badge-teams.md")
    assert f"{name}.py" in block.text
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return ["/bin/bash", "-euc", f"cd {directory}; PATH={path} exec {block.text}"]


@pytest.mark.parametrize(
    "prepared", [on_the_page, pytest.param(java, marks=pytest.mark.long)], ids=lambda prepared: prepared.__name__
)
def test_each_milestone_is_awarded_once(settings: Settings, tmp_path: Path, prepared: Prepare) -> None:
    """Sent twice, in an aborted transaction, of another kind, and all read again by another group."""
    command = [*prepared(tmp_path, "badge_consumer", settings.maven_url), str(tmp_path / "awards")]
    sender = Sender(settings)
    anna, bert, clara = new_id(), new_id(), new_id()
    first, fifth, berts = milestone(1, mentor_id=anna), milestone(5, mentor_id=anna), milestone(1, mentor_id=bert)
    sender.send(milestone(1, mentor_id=clara), aborted=True)
    sender.send(milestone(10, mentor_id=bert), kind="another_kind")
    sender.send(first, berts, fifth, first)
    with running(command, settings, GROUP=f"{settings.topic_prefix}one") as lines:
        seen = [line.split()[0] for line in islice(lines, 3)]
    assert sorted(seen) == sorted(each.milestone_id for each in (first, fifth, berts))
    assert seen.index(first.milestone_id) < seen.index(fifth.milestone_id), "a mentor's milestones come in their order"

    last = [milestone(25, mentor_id=mentor) for mentor in (anna, bert, clara)]  # behind all that each of them has
    sender.send(*last)
    with running(command, settings, GROUP=f"{settings.topic_prefix}two") as lines:
        again = {line.split()[0] for line in islice(lines, 3)}
    assert again == {each.milestone_id for each in last}, "what is read again, or was aborted, is awarded"
