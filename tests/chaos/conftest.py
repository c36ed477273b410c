"""What chaos tests share: servers that they may kill, and a crew to do it to.

These servers keep what they have acknowledged: no relaxed commits as in other tests.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are not in its __all__
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from local import parts
from process.settings import Settings
from tests.crew import READY, Crew

BROKER = "1"


@pytest.fixture(scope="package", name="parts")
def durable_parts() -> Iterator[parts.Parts]:
    """Give a Kafka and a Postgres that lose nothing when they are killed; Kafka checks what it does by default."""
    with parts.start("local", data_dir=None, durable=True, announce=_announce) as running:
        _verify_partitions(running.bootstrap_servers)
        yield running
        running.kafka.kill()  # their data is thrown away: ending them in order would take as long as half a test


def _verify_partitions(bootstrap_servers: str) -> None:
    """Let the broker verify the partitions of transactions as other clusters do; the brokers of `parts` do not."""
    name, value = "transaction.partition.verification.enable", "true"
    broker = ConfigResource(
        ResourceType.BROKER,
        BROKER,
        incremental_configs=[ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)],
    )
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    admin.incremental_alter_configs([broker])[broker].result(30.0)


@pytest.fixture(scope="package")
def migrated_template(parts: parts.Parts) -> str:
    """Give the name of a database with every migration, on these servers."""
    from sinks.migrate import migrate  # noqa: PLC0415 - as tests/conftest.py does

    migrate(parts.create_database("referrals_chaos_template"))
    return "referrals_chaos_template"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Give the settings of an installation with the default number of partitions."""
    return settings.model_copy(update={"partitions": Settings.model_fields["partitions"].default})


@pytest.fixture
def crew(settings: Settings, tmp_path: Path) -> Iterator[Crew]:
    """Give an installation with two stream workers, a badge consumer and a projection, all running."""
    running = Crew(settings, tmp_path)
    for name in ("left", "right"):
        running.start(name)
    for component in ("badges", "counts"):
        running.start(component, component)
    try:
        for name in ("left", "right"):
            running.wait_log(name, READY)
        yield running
    finally:
        running.stop()


def _announce(line: str) -> None:
    print(line, file=sys.__stderr__, flush=True)
