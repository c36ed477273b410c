"""What chaos tests share: servers that they may kill, and a crew to do it to.

These servers keep what they have acknowledged: no relaxed commits as in other tests.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import parts
from settings import Settings
from tests.crew import READY, Crew


@pytest.fixture(scope="package", name="parts")
def durable_parts() -> Iterator[parts.Parts]:
    """Give a Kafka and a Postgres that lose nothing when they are killed."""
    with parts.start("local", data_dir=None, durable=True, announce=_announce) as running:
        yield running


@pytest.fixture(scope="package")
def migrated_template(parts: parts.Parts) -> str:
    """Give the name of a database with every migration, on these servers."""
    from sinks.migrate import migrate  # noqa: PLC0415 - as tests/conftest.py does

    migrate(parts.create_database("referrals_chaos_template"))
    return "referrals_chaos_template"


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
