"""An upgrade under load from a version that really was: its worker and sinks beside today's, then today's alone.

The checkout has the older one in its history. In docs/upgrade.md's order: tables and topics first, then one component
after the other; today's `verify` finds nothing wrong at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
import pytest

from process.settings import Settings
from proof.verify.oracle import Oracle
from tests.component import ROOT
from tests.crew import CATCH_UP_S, Traffic, differences, events, wait_until
from tests.older_version import Version, unpack

pytestmark = [pytest.mark.long, pytest.mark.chaos, pytest.mark.integration, pytest.mark.timeout(590)]

BEFORE_FORMATS: Final = "8f872e0^"
"""The last version whose rows do not say in which format they are written."""
BEFORE_STANDINGS: Final = "5f98e5e"
"""The first version: its rows do not say where they stand, the group's offsets do. The name is the old one for all."""
SINKS: Final = ("badges", "counts")
STARTED: Final = [("a", "stream"), ("b", "stream"), *((name, name) for name in SINKS)]
COUNTED: Final = "SELECT coalesce(sum(total_clicks + confirmed_attributions), 0)::bigint FROM mentor_counts"


@pytest.fixture
def migrated_template() -> str:
    """Give a database without tables: the older version makes its own."""
    return "template1"


@pytest.fixture
def versions(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Iterator[tuple[Version, Version]]:
    """Give the older one and today's."""
    folder = tmp_path / "older"
    if why := unpack(request.param, folder):
        pytest.skip(why)
    old, new = Version(folder, settings, tmp_path), Version(ROOT, settings, tmp_path)
    try:
        yield old, new
    finally:
        old.kill()
        new.kill()


def counted(settings: Settings) -> int:
    """Return how much is in Postgres."""
    with psycopg.connect(settings.database_url) as connection:
        ((found,),) = connection.execute(COUNTED).fetchall()
    return int(found)


def wait_for_more(settings: Settings, what: str) -> None:
    """Wait until more has come through whoever is at work now."""
    before = counted(settings)
    wait_until(lambda: counted(settings) > before + 200, f"nothing is counted by {what}")


@pytest.mark.parametrize("versions", [BEFORE_FORMATS, BEFORE_STANDINGS], indirect=True)
def test_an_upgrade_from_a_version_that_was(versions: tuple[Version, Version], settings: Settings) -> None:
    """Two workers and the sinks of it, replaced one after the other while events come."""
    old, new = versions
    old.run("db", "migrate")
    old.run("topics", "create")
    for name, component in {
        "old-a": "stream",
        "old-b": "stream",
        "old-badges": "badges",
        "old-counts": "counts",
    }.items():
        old.start(name, component)
    traffic = Traffic(events(None, settings, seed=21, mentors=300), settings, events_per_s=150)
    traffic.start()
    wait_for_more(settings, "the older version")

    new.run("db", "migrate")
    new.run("topics", "create")
    wait_for_more(settings, "the older version on today's tables")
    for component in SINKS:
        new.start(f"new-{component}", component)
    new.start("new-a", "stream")
    wait_until(lambda: "partitions_ready" in new.log("new-a"), f"no partitions: {new.log('new-a')[-2000:]}")
    wait_for_more(settings, "both versions side by side")
    for name in ("old-badges", "old-counts", "old-a"):
        old.end(name)
    wait_for_more(settings, "one worker of each version")
    new.start("new-b", "stream")
    wait_until(lambda: "partitions_ready" in new.log("new-b"), f"no partitions: {new.log('new-b')[-2000:]}")
    old.end_all()
    wait_for_more(settings, "today's version alone")
    traffic.end()
    report = Oracle(settings).check(wait_s=CATCH_UP_S, with_database=True)
    assert report.is_clean, differences(report)
    for name in ("new-a", "new-b"):
        assert '"refused":[]' in new.log(name)
        assert new.log(name).count('"refused":[') == new.log(name).count('"refused":[]'), "a partition was refused"
    new.end_all()
