"""The sinks where it is the database that is wrong: other columns and versions, locks, badges never announced."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest

from models.events import encode_event
from models.partitioning import partition_of
from process.settings import Settings
from sinks.counts_projection import CountsProjection
from sinks.migrate import migrate
from sinks.positions import Finding, Start
from sinks.postgres_badges import PostgresBadgeRepository
from sinks.postgres_counts import PostgresCountsRepository
from sinks.records import Record
from tests.component import Component
from tests.installation import Installation, reasons_of, wait_until
from tests.milestones import INSTANT, MENTOR, ORG, counts, definition, milestone

pytestmark = pytest.mark.integration

PARTITIONS = 4
NEWER = "9999_of_another_version"


@pytest.fixture
def installation(settings: Settings) -> Installation:
    """Give an installation whose database knows the mentor."""
    installation = Installation(settings.model_copy(update={"partitions": PARTITIONS}))
    installation.query("INSERT INTO organisations VALUES (%s)", [ORG])
    installation.query("INSERT INTO mentors VALUES (%s, %s)", [ORG, MENTOR])
    return installation


def waiting(component: Component) -> list[dict[str, Any]]:
    """Return what it has said of the store."""
    lines = map(json.loads, component.log.splitlines())
    return [line for line in lines if line["event"] == "sink.store_unavailable"]


# -- the schema -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("records", [1, 3])
@pytest.mark.parametrize(
    ("component", "table"), [("badges", "milestones"), ("badges", "badge_awards"), ("counts", "mentor_counts")]
)
def test_column_that_is_not_known(installation: Installation, component: str, table: str, records: int) -> None:
    """A column that must not be NULL and that this program does not fill: it waits, and no record is a dead letter."""
    thresholds = (1, 5, 10)[:records]
    with installation.running(component) as running:
        wait_until(lambda: bool(installation.query("SELECT 1 FROM sink_positions WHERE next_offset IS NOT NULL")))
        installation.query(f"ALTER TABLE {table} ADD COLUMN region text NOT NULL")
        installation.publish(*(milestone(at) if component == "badges" else counts(at) for at in thresholds))
        wait_until(lambda: bool(waiting(running)))
        assert "region" in waiting(running)[0]["error"]
        assert installation.committed(component) == 0
        installation.query(f"ALTER TABLE {table} DROP COLUMN region")
        wait_until(lambda: installation.committed(component) == records)
    assert installation.count(table) == (records if table != "mentor_counts" else 1)
    assert "dead_letter.sent" not in running.log


def test_constraint_of_a_newer_version(installation: Installation) -> None:
    """What a newer schema refuses is not this program's to judge: it waits, and names the migration and the remedy."""
    installation.query("ALTER TABLE milestones ADD CHECK (milestone_threshold < 5)")
    installation.query("INSERT INTO _yoyo_migration (migration_hash, migration_id) VALUES ('x', %s)", [NEWER])
    installation.publish(milestone(1), milestone(5))
    with installation.running("badges") as badges:
        wait_until(lambda: bool(waiting(badges)))
        assert NEWER in waiting(badges)[0]["error"]
        assert installation.committed("badges") == 0
    assert "badges.schema_is_newer" in badges.log
    assert "dead_letter.sent" not in badges.log


def test_constraint_that_only_one_record_breaks(installation: Installation) -> None:
    """The tables are of this program's version and take others: it is the record, and a dead letter."""
    installation.query("ALTER TABLE milestones ADD CHECK (milestone_threshold <> 5)")
    installation.publish(milestone(5))
    with installation.running("badges"):
        wait_until(lambda: installation.committed("badges") == 1)
    (letter,) = installation.dead_letters(1)
    assert "milestones_milestone_threshold_check" in reasons_of(letter)["exception.message"]


@pytest.mark.parametrize("component", ["badges", "counts"])
def test_database_of_an_older_version(installation: Installation, component: str) -> None:
    """It waits from the beginning, says which migrations are missing and what to do, and then goes on."""
    lacking = "0009_functions_of_the_owner"
    where = "FROM _yoyo_migration AS m WHERE migration_id = %s"
    ((row,),) = installation.query(f"SELECT to_jsonb(m)::text {where}", [lacking])
    installation.query(f"DELETE {where}", [lacking])
    installation.publish(milestone(1), counts(1))
    with installation.running(component) as running:
        wait_until(lambda: bool(waiting(running)))
        assert f"lacks {lacking}: run `referrals db migrate`" in waiting(running)[0]["error"]
        assert installation.count("milestones") + installation.count("mentor_counts") == 0
        installation.query(
            "INSERT INTO _yoyo_migration SELECT (jsonb_populate_record(NULL::_yoyo_migration, %s::jsonb)).*", [row]
        )
        wait_until(lambda: installation.committed(component) == 1)


# -- locks ------------------------------------------------------------------------------------------------------


@contextmanager
def transaction_left_open(installation: Installation) -> Iterator[int]:
    """Change a definition in psql and go to lunch; give the session's pid."""
    with psycopg.connect(installation.settings.database_url, application_name="psql") as session:
        session.execute("UPDATE badge_definitions SET threshold = threshold")
        yield session.info.backend_pid
        session.rollback()


@pytest.mark.long
def test_somebody_holds_the_definitions(installation: Installation) -> None:
    """The consumer says who, hears SIGTERM, and when the transaction ends goes on by itself."""
    with transaction_left_open(installation) as pid:
        installation.publish(milestone(1))
        stopped = installation.start("badges")
        wait_until(lambda: any("blocked_by" in line for line in waiting(stopped)))
        assert f"pid {pid} (psql, idle in transaction)" in waiting(stopped)[-1]["blocked_by"]
        stopped.signal(signal.SIGTERM)
        assert stopped.wait() == 0
        other = installation.start("badges")
        wait_until(lambda: bool(waiting(other)))
    try:
        wait_until(lambda: installation.awards(MENTOR) == [1])
        other.signal(signal.SIGTERM)
        assert other.wait() == 0
    finally:
        other.kill()


# -- order ------------------------------------------------------------------------------------------------------

HOME = partition_of(f"{ORG}:{MENTOR}".encode(), PARTITIONS)
ELSEWHERE = (HOME + 1) % PARTITIONS


@pytest.fixture
def projection(database_url: str) -> Iterator[CountsProjection]:
    """Give the sink alone, to which a test hands its records."""
    repository = PostgresCountsRepository(database_url)
    with closing(CountsProjection(repository, codes_topic="codes", partitions=PARTITIONS)) as projection:
        yield projection


def record(confirmed: int, *, partition: int, offset: int = 0, seconds: int = 0) -> Record:
    """Return counts as a record; all say the same of the last event."""
    at = int(INSTANT.timestamp() + seconds) * 1000
    value = encode_event(counts(confirmed))
    return Record(topic="counts", partition=partition, offset=offset, key=None, timestamp=at, value=value)


@pytest.mark.parametrize("in_one_batch", [True, False])
@pytest.mark.parametrize("is_reversed", [True, False])
def test_newer_is_where_the_key_belongs(
    projection: CountsProjection, database_url: str, *, in_one_batch: bool, is_reversed: bool
) -> None:
    """After partitions were added, a mentor's old record in his old partition never overwrites, whenever it is read."""
    records = [
        record(9, partition=HOME, offset=2),
        record(3, partition=ELSEWHERE, offset=700),
        record(2, partition=ELSEWHERE, offset=600),
    ]
    if is_reversed:
        records = [records[2], records[1], records[0]]
    for batch in [records] if in_one_batch else [[each] for each in records]:
        projection.put(batch)
    assert confirmed(database_url) == [9]


def test_of_two_partitions_that_the_key_has_left(projection: CountsProjection, database_url: str) -> None:
    """The one that was counted later stands."""
    third = (HOME + 2) % PARTITIONS
    projection.put([record(5, partition=ELSEWHERE, seconds=10)])
    projection.put([record(2, partition=third, offset=50, seconds=5)])
    assert confirmed(database_url) == [5]
    projection.put([record(6, partition=third, offset=51, seconds=11)])
    assert confirmed(database_url) == [6]


def test_partitions_are_those_that_the_topic_has(projection: CountsProjection, database_url: str) -> None:
    """Where a key belongs follows from the topic as it is, and not from the settings."""
    more = 2 * PARTITIONS + 1
    home = partition_of(f"{ORG}:{MENTOR}".encode(), more)
    assert home != HOME
    start = Start(next=0, topic_id="", partitions=more, finding=Finding.BEGINS)
    projection.positions.claim([("counts", home)])
    projection.begin({("counts", home): start})
    projection.put([record(9, partition=home)])
    projection.put([record(3, partition=HOME, offset=700)])
    assert confirmed(database_url) == [9]


def confirmed(database_url: str) -> list[int]:
    """Return the confirmed counts in the table."""
    with psycopg.connect(database_url) as connection:
        return [count for (count,) in connection.execute("SELECT confirmed_attributions FROM mentor_counts")]


# -- badges that no milestone brings ----------------------------------------------------------------------------

DEFINE = "INSERT INTO badge_definitions (badge_id, org_id, type, threshold, name) VALUES (%s, %s, %s, %s, %s)"


def test_badge_that_no_milestone_brings_is_refused(database_url: str) -> None:
    """With what can be had instead; and it is accepted when REFERRALS_THRESHOLDS has it."""
    badge = definition(3)
    values = [badge.badge_id, badge.org_id, badge.type, badge.threshold, badge.name]
    with psycopg.connect(database_url, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.CheckViolation) as refused:
            connection.execute(DEFINE, values)
        assert "no milestone is announced at 3" in str(refused.value)
        assert "at 1, 5, 10, 25" in str(refused.value.diag.message_hint)
        assert "REFERRALS_THRESHOLDS=1,3,5,10,25" in str(refused.value.diag.message_hint)
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("UPDATE badge_definitions SET threshold = 26 WHERE threshold = 25")
        connection.execute(DEFINE, [*values[:2], "baking", *values[3:]])
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("UPDATE badge_definitions SET type = 'recruitment' WHERE badge_id = %s", values[:1])
        migrate(database_url, thresholds=(1, 3, 5))
        connection.execute("UPDATE badge_definitions SET type = 'recruitment' WHERE badge_id = %s", values[:1])
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("UPDATE badge_definitions SET threshold = 10 WHERE badge_id = %s", values[:1])


def test_badge_consumer_brings_the_thresholds(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """It notes the settings' thresholds, and names the definitions that they do not bring."""
    monkeypatch.setenv("REFERRALS_THRESHOLDS", "1,3,10")
    installation.publish(milestone(1))
    with installation.running("badges") as badges:
        wait_until(lambda: installation.awards(MENTOR) == [1])
    assert installation.query("SELECT threshold FROM milestone_thresholds ORDER BY 1") == [(1,), (3,), (10,)]
    lines = map(json.loads, badges.log.splitlines())
    named = [line for line in lines if line["event"] == "badges.definition_never_announced"]
    assert [(line["threshold"], line["awarded_at"]) for line in named] == [(5, 10), (25, None)]
    assert "REFERRALS_THRESHOLDS=1,3,5,10 " in named[0]["remedy"]


def test_sinks_role_may_note_thresholds_and_positions(database_url: str) -> None:
    """A user who has the role referrals_sinks and no more can do all that the consumer does at its start."""
    url = f"{database_url}?options=-c%20role%3Dreferrals_sinks"
    with closing(PostgresBadgeRepository(url)) as repository:
        assert repository.check_schema() is None
        repository.announce((1, 3))
        repository.positions.claim([("milestones", 0)])
        repository.positions.move({("milestones", 0): 7})
        with repository.trial() as work:
            work.add_mentor(ORG, MENTOR)
            assert len(work.record([milestone(1)])) == 1
        with repository.transaction() as work:
            assert len(work.record([milestone(1)])) == 1
