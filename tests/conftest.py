"""What tests share: real Kafka and Postgres, started once for a session, and names of its own for each test."""

from __future__ import annotations

import os
import signal
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final, cast

import psycopg
import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from local import parts
from local.parts import Kafka
from local.parts.kafka import LocalKafka
from process.settings import Settings, load_settings
from sinks.migrate import migrate
from tests.own_kafka import own_kafka
from tests.web import as_web_login

TEMPLATE = "referrals_template"
TIMEOUT_S: Final = 30.0
PARTITIONS = 4
"""A third of the default: a broker of many tests has thousands as it is."""


def pytest_configure() -> None:
    """Stop on SIGTERM as on Ctrl-C, so that fixtures stop what they started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what takes long on both cores, unless it is asked for."""
    if os.environ.get("REFERRALS_TEST_LONG") == "1":
        return
    reason = pytest.mark.skip(reason="takes long: REFERRALS_TEST_LONG=1 asks for it")
    for item in items:
        if item.get_closest_marker("long") is not None:
            item.add_marker(reason)


@pytest.fixture(scope="session", name="parts")
def running_parts() -> Iterator[parts.Parts]:
    """Give a Kafka and a Postgres; local ones, or containers with REFERRALS_TEST_PARTS=docker."""
    kind = cast("parts.Kind", os.environ.get("REFERRALS_TEST_PARTS", "local"))
    with parts.start(kind, data_dir=None, durable=False, in_memory=True, announce=_announce) as running:
        _move_away(running)
        yield running


def _move_away(running: parts.Parts) -> None:
    """Let Postgres live a day ahead of UTC, as somebody's may: what takes its time zone for UTC is seen anywhere."""
    with psycopg.connect(running.postgres.maintenance_url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET timezone = 'Pacific/Kiritimati'")
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="session")
def migrated_template(parts: parts.Parts) -> str:
    """Give the name of a database with every migration, from which others are copied in 20 ms."""
    url = parts.create_database(TEMPLATE)
    migrate(url, web_database_url=as_web_login(url))
    return TEMPLATE


@pytest.fixture
def database_url(parts: parts.Parts, migrated_template: str) -> Iterator[str]:
    """Give the address of a migrated database that only this test uses.

    It is removed after the test: hundreds of them would be gigabytes, written to disk and taken away at the end.
    """
    name = f"test_{uuid.uuid4().hex}"
    yield parts.create_database(name, template=migrated_template)
    parts.drop_database(name)


@pytest.fixture
def topic_prefix() -> str:
    """Give a topic prefix that only this test uses."""
    return f"test-{uuid.uuid4().hex[:12]}."


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[LocalKafka]:
    """Give a Kafka that a test may take away, and to which its settings lead.

    The shared one, with the topics of all tests, takes long to come back.
    """
    with own_kafka(LocalKafka, tmp_path / "kafka") as kafka:
        yield kafka


@pytest.fixture
def settings(
    request: pytest.FixtureRequest, parts: parts.Parts, database_url: str, topic_prefix: str, tmp_path: Path
) -> Iterator[Settings]:
    """Give the settings of an installation that only this test uses; its topics are removed after the test."""
    has_own = "own_broker" in request.fixturenames
    kafka: Kafka = request.getfixturevalue("own_broker") if has_own else parts.kafka
    yield load_settings(
        bootstrap_servers=kafka.bootstrap_servers,
        database_url=database_url,
        topic_prefix=topic_prefix,
        app_id=f"{topic_prefix}streams",
        partitions=PARTITIONS,
        data_dir=tmp_path / "data",
    )
    if not has_own:
        _remove_topics(kafka.bootstrap_servers, topic_prefix)


def _remove_topics(bootstrap_servers: str, prefix: str) -> None:
    """Remove the topics of an installation.

    Whoever asks a cluster for its topics gets all of them with all their partitions, and each transactional producer
    asks: with the topics of the tests before, a worker's start would cost more with each test.
    """
    admin = _admin(bootstrap_servers)
    names = [name for name in admin.list_topics(timeout=TIMEOUT_S).topics if name.startswith(prefix)]
    for answer in (admin.delete_topics(names) if names else {}).values():
        with suppress(KafkaException):  # somebody was faster
            answer.result(TIMEOUT_S)


@cache
def _admin(bootstrap_servers: str) -> AdminClient:
    """Return the one client that removes topics: each has threads and connections of its own."""
    return AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})


def _announce(line: str) -> None:
    """Say what takes time, past pytest's capture."""
    print(line, file=sys.__stderr__, flush=True)
