"""An organisation with a mentor and a membership system, on real Kafka and Postgres, to be reconciled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psycopg
from confluent_kafka import Consumer, Producer, TopicPartition

from edges.reconciliation.configuring import configure_source
from edges.reconciliation.mapping import Reading
from edges.reconciliation.reconciler import Reconciler
from edges.reconciliation.runs import Run, Source
from edges.reconciliation.store import RunStore
from edges.reconciliation.walk import Job
from models.partitioning import partition_of
from models.topics import CODES, REGISTRATIONS
from operations.topics import create_topics
from process.fault_points import VARIABLE
from process.settings import Settings
from tests.membership_system import MembershipSystem
from tests.registry import SECRET_KEYS

ROOT: Final = Path(__file__).resolve().parents[1]
CODE: Final = "ANNA000001"
OTHER_CODE: Final = "BERT000002"
DEADLINE_S: Final = 60.0
DAY: Final = f"{datetime.now(UTC) - timedelta(days=3):%Y-%m-%d}"
"""The day of the scene: times in the future are refused, and nobody knows where this machine's clock stands."""


def member_id(number: int) -> str:
    """Return a member's id."""
    return f"0c000000-0000-4000-8000-{number:012}"


def at(minute: int) -> str:
    """Return a time of the scene."""
    return f"{DAY}T10:{minute:02}:00Z"


def row(number: int, minute: int = 0, **changed: object) -> dict[str, Any]:
    """Return what the membership system says of a member: confirmed, with the scene's code."""
    return {"member_id": member_id(number), "referral_code": CODE, "confirmed_at": at(minute)} | changed


class Scene:
    """Two organisations with a code each; the first one's membership system is given."""

    def __init__(self, settings: Settings, system: MembershipSystem) -> None:
        self.settings = settings
        self.system = system
        self.org_id = str(uuid4())
        self.other_org_id = str(uuid4())
        create_topics(settings)
        self._producer = Producer(
            {**settings.kafka_client_config(), "partitioner": "murmur2", "linger.ms": 0, "log_level": 2}
        )
        for org_id, code in ((self.org_id, CODE), (self.other_org_id, OTHER_CODE)):
            mentor_id = str(uuid4())
            self.query("INSERT INTO organisations VALUES (%s)", org_id)
            self.query("INSERT INTO mentors VALUES (%s, %s)", org_id, mentor_id)
            self.query("INSERT INTO referral_codes VALUES (%s, %s, %s, %s)", code, org_id, mentor_id, at(0))
            issued = {"referral_code": code, "org_id": org_id, "mentor_id": mentor_id, "issued_at": at(0)}
            self._producer.produce(CODES.full_name(settings.topic_prefix), json.dumps(issued), code)
        assert self._producer.flush(DEADLINE_S) == 0

    # -- what is there -------------------------------------------------------------------------------------------

    def registration(self, number: int, status: str = "confirmed", minute: int = 0, **changed: object) -> None:
        """Put a Registration into the topic; `key` and `partition` place it elsewhere than its code does."""
        key, partition = changed.pop("key", CODE), changed.pop("partition", None)
        event = {
            "attribution_id": str(uuid4()),
            "referral_code": CODE,
            "new_member_id": member_id(number),
            "status": status,
            "occurred_at": at(minute),
        }
        place = partition_of(CODE.encode(), self.settings.partitions) if partition is None else partition
        self.produce(json.dumps(event | changed).encode(), key, place)

    def produce(self, value: bytes, key: object, partition: object) -> None:
        """Put any record into the registrations topic."""
        name = REGISTRATIONS.full_name(self.settings.topic_prefix)
        self._producer.produce(name, value, key, partition)  # type: ignore[arg-type]  # a test's own values
        assert self._producer.flush(DEADLINE_S) == 0

    def registrations(self) -> list[dict[str, Any]]:
        """Return the events of the registrations topic, each in the partition and under the key of its code."""
        settings = self.settings
        consumer = Consumer(
            {
                **settings.kafka_client_config(),
                "group.id": "test",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
            }
        )
        name = REGISTRATIONS.full_name(settings.topic_prefix)
        consumer.assign([TopicPartition(name, number, 0) for number in range(settings.partitions)])
        found = []
        unfinished = settings.partitions
        while unfinished:
            for message in consumer.consume(1_000, 0.2):
                if message.error() is not None:
                    unfinished -= 1
                    continue
                event = json.loads(message.value() or b"")
                code = event["referral_code"].encode()
                assert (message.key(), message.partition()) == (code, partition_of(code, settings.partitions))
                found.append(event)
        consumer.close()
        return found

    def statuses(self) -> list[tuple[int, str]]:
        """Return number and status of each member's events in the topic, in the topic's order."""
        return [(int(event["new_member_id"][-12:]), event["status"]) for event in self.registrations()]

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement as who owns the tables, and return its rows."""
        with psycopg.connect(self.settings.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def runs(self) -> list[dict[str, Any]]:
        """Return the runs that are kept, in the order in which they began."""
        found = self.query("SELECT to_jsonb(run) FROM reconciliation_runs AS run ORDER BY started_at")
        return [each for (each,) in found]

    # -- reconciling ---------------------------------------------------------------------------------------------

    def configure(self, url: str | None = None, *, org_id: str | None = None, **given: Any) -> None:  # noqa: ANN401  a source's
        """Say where an organisation's members are listed: the first one's, in its own membership system."""
        reading = Reading(**{name: given.pop(name) for name in ("fields", "statuses", "marks") if name in given})
        usual: dict[str, Any] = {
            "kind": "odata",
            "url": url or f"{self.system.url}?since={{since}}",
            "reading": reading,
        }
        source = Source(**(usual | given))
        configure_source(self.settings.database_url, org_id or self.org_id, source, with_new_token=False)

    def reconcile(self, **options: Any) -> list[Run]:  # noqa: ANN401  the reconciler's
        """Reconcile every organisation that has a source, in this process."""
        since = options.pop("since", None)
        with RunStore(self.settings.database_url) as store:
            jobs = [
                Job(org_id, source, since)
                for org_id in store.organisations()
                if (source := store.source(org_id)) is not None
            ]
            return Reconciler(self.settings, store, **options).reconcile(jobs)

    def counts(self, **options: Any) -> dict[str, int]:  # noqa: ANN401  the reconciler's
        """Reconcile the one organisation that has a source, and return the counts that are not zero."""
        (run,) = self.reconcile(**options)
        assert run.error is None, run.error
        return {name: count for name in run.counts.__struct_fields__ if (count := getattr(run.counts, name))}

    @contextmanager
    def command(self, *arguments: str, fault: str = "", **environment: str) -> Iterator[subprocess.Popen[str]]:
        """Start `referrals reconcile` for the body; `fault` names a point at which it is killed."""
        settings = self.settings
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "commands", "reconcile", *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                "COLUMNS": "200",
                "REFERRALS_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
                "REFERRALS_DATABASE_URL": settings.database_url,
                "REFERRALS_TOPIC_PREFIX": settings.topic_prefix,
                "REFERRALS_PARTITIONS": str(settings.partitions),
                "REFERRALS_SECRET_KEYS": SECRET_KEYS,
                "REFERRALS_LOG_FORMAT": "json",
                VARIABLE: fault,
                **environment,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, *arguments: str, text: str = "", fault: str = "", **environment: str) -> tuple[int, str, str]:
        """Run `referrals reconcile` to its end and return its exit code and what it says."""
        with self.command(*arguments, fault=fault, **environment) as process:
            output, errors = process.communicate(text, timeout=DEADLINE_S)
            return process.returncode, output, errors
