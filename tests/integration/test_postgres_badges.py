"""The repository in Postgres, held to what every badge repository must do, and what only a server can show."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime

import psycopg
import pytest
from msgspec import structs

from local.parts import Parts
from models.badges import BadgeDefinition, Reason, decide_all
from sinks.badge_repository import BadgeRepository
from sinks.errors import StoreUnavailable
from sinks.postgres import Database, query
from sinks.postgres_badges import PostgresBadgeRepository
from tests.badge_repository_suite import BadgeRepositorySuite, Reasons, claim_and_decide, decide_and_save_new
from tests.milestones import MENTOR, ORG, definition, milestone, new_id

pytestmark = pytest.mark.integration


@pytest.fixture
def repository(database_url: str) -> Iterator[PostgresBadgeRepository]:
    """Give the repository of a migrated database."""
    with closing(PostgresBadgeRepository(database_url)) as repository:
        yield repository


class TestPostgresBadgeRepository(BadgeRepositorySuite):
    """The suite, on Postgres."""

    @pytest.fixture(autouse=True)
    def _remember_url(self, database_url: str) -> None:
        self.url = database_url

    def add_mentor(self, repository: BadgeRepository, org_id: str = ORG, mentor_id: str = MENTOR) -> None:  # noqa: ARG002
        """Insert the rows that the projection inserts."""
        insert_mentor(self.url, org_id, mentor_id)

    def define(self, repository: BadgeRepository, badge: BadgeDefinition) -> None:  # noqa: ARG002
        """Insert a definition."""
        insert_definition(self.url, badge)

    def awards(self, repository: BadgeRepository) -> dict[tuple[str, str, str], str]:  # noqa: ARG002
        """Return the rows of badge_awards."""
        with psycopg.connect(self.url) as connection:
            return {
                (org_id, mentor_id, badge_id): milestone_id
                for org_id, mentor_id, badge_id, milestone_id in connection.execute(
                    "SELECT org_id::text, mentor_id::text, badge_id::text, milestone_id::text FROM badge_awards"
                )
            }

    def reasons(self, repository: BadgeRepository) -> Reasons:  # noqa: ARG002
        """Return the rows of badge_decisions."""
        with psycopg.connect(self.url) as connection:
            return {
                ((org_id, mentor_id, threshold), badge_id): Reason(reason)
                for org_id, mentor_id, threshold, badge_id, reason in connection.execute(
                    "SELECT org_id::text, mentor_id::text, milestone_threshold, badge_id::text, reason "
                    "FROM badge_decisions"
                )
            }


def test_changed_definition_is_compared_again(repository: PostgresBadgeRepository, database_url: str) -> None:
    """A threshold lowered turns `below_threshold` into an award for milestones recorded before."""
    insert_mentor(database_url, ORG, MENTOR)
    badge = definition(10)
    insert_definition(database_url, badge)
    with repository.transaction() as work:
        decide_and_save_new(work, milestone(5))
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE badge_definitions SET threshold = 5 WHERE badge_id = %s", [badge.badge_id])
    claim_and_decide(repository)
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT reason FROM badge_decisions WHERE badge_id = %s", [badge.badge_id])
        assert found.fetchall() == [("awarded",)]


def test_definition_that_comes_during_a_batch(repository: PostgresBadgeRepository, database_url: str) -> None:
    """A definition committed while a batch that did not see it is under way is compared with that batch too."""
    insert_mentor(database_url, ORG, MENTOR)
    badge = definition(1)
    definer = threading.Thread(target=insert_definition, args=[database_url, badge])
    with repository.transaction() as work:
        new = work.record([milestone(5)])
        facts = work.facts(new)
        definer.start()
        wait_for_lock(database_url)
        work.save(decide_all(new, facts))
    definer.join()
    assert claim_and_decide(repository) == 1
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT count(*) FROM badge_awards WHERE badge_id = %s", [badge.badge_id])
        assert found.fetchone() == (1,)


@pytest.mark.parametrize(
    "instant", ["2026-11-20T10:30:00+23:59", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59"]
)
def test_any_offset_of_time_is_kept(repository: PostgresBadgeRepository, database_url: str, instant: str) -> None:
    """RFC 3339 allows offsets up to 23:59, Postgres up to 15:59: the instant is kept all the same.

    Also where UTC has no form for it: else nobody's milestone would be decided again as long as this one stands.
    """
    reached = structs.replace(milestone(1), reached_at=datetime.fromisoformat(instant))
    with repository.transaction() as work:
        decide_and_save_new(work, reached)
    insert_mentor(database_url, ORG, MENTOR)
    with repository.transaction() as work:
        assert work.claim(1) == [reached]


def test_two_instances_decide_a_waiting_milestone_once(repository: PostgresBadgeRepository, database_url: str) -> None:
    """What one instance has claimed another passes over."""
    with repository.transaction() as work:
        decide_and_save_new(work, milestone(1))
    insert_mentor(database_url, ORG, MENTOR)
    with (
        closing(PostgresBadgeRepository(database_url)) as another,
        repository.transaction() as one,
        another.transaction() as other,
    ):
        assert len(one.claim(10)) == 1
        assert other.claim(10) == []


def test_no_plan_is_kept(database_url: str) -> None:
    """A statement is planned for its batch and for the tables as they are then, however often it was run before."""
    with closing(Database(database_url, application_name="test")) as database:
        for _ in range(20):
            with database.transaction() as connection:
                query(connection, "claim_milestones", {"limit": 1})
        with database.transaction() as connection:
            assert connection.execute("SELECT name FROM pg_prepared_statements").fetchall() == []


def test_an_instance_that_stands_still_holds_nobody_up(
    repository: PostgresBadgeRepository, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one instance has written and not committed before it froze is another's to write after a while."""
    monkeypatch.setattr("sinks.postgres.SILENCE_S", 1.0)
    with pytest.raises(StoreUnavailable), repository.transaction() as frozen:  # noqa: PT012 - the transaction is what ends
        assert len(frozen.record([milestone(1)])) == 1
        with closing(PostgresBadgeRepository(database_url)) as another, another.transaction() as work:
            assert len(work.record([milestone(1)])) == 1
    with repository.transaction() as work:
        assert work.record([milestone(1)]) == []


def test_errors_tell_the_store_from_the_record(repository: PostgresBadgeRepository) -> None:
    """A value that Postgres cannot hold is the record's fault; a missing table is the store's."""
    with pytest.raises(psycopg.DataError), repository.transaction() as work:
        work.record([milestone(2**70)])
    with repository.transaction() as work:
        assert work.claim(1) == []


def test_database_that_is_not_migrated(parts: Parts) -> None:
    """Without tables the store is unavailable, and the message names the remedy."""
    url = parts.create_database(f"test_{new_id()}")
    with (
        closing(PostgresBadgeRepository(url)) as repository,
        pytest.raises(StoreUnavailable, match="referrals db migrate"),
    ):
        repository.definitions()


def test_lost_connection_is_unavailable_and_then_mended(repository: PostgresBadgeRepository, database_url: str) -> None:
    """A connection cut in the middle of a transaction undoes it; the next use connects again and may have news."""
    repository.has_news()
    with pytest.raises(StoreUnavailable):  # noqa: PT012, SIM117 - the transaction is what must end
        with repository.transaction() as work:
            work.record([milestone(1)])
            with psycopg.connect(database_url, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'referrals badges' AND datname = current_database()"
                )
            work.claim(1)
    assert repository.has_news()
    with repository.transaction() as work:
        assert len(work.record([milestone(1)])) == 1


def insert_mentor(url: str, org_id: str, mentor_id: str) -> None:
    """Insert the rows that the projection inserts for an issued code."""
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO organisations VALUES (%s) ON CONFLICT DO NOTHING", [org_id])
        connection.execute("INSERT INTO mentors VALUES (%s, %s)", [org_id, mentor_id])


def insert_definition(url: str, badge: BadgeDefinition) -> None:
    """Insert a badge definition."""
    values = [badge.badge_id, badge.org_id, badge.type, badge.threshold, badge.name]
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO badge_definitions VALUES (%s, %s, %s, %s, %s)", values)


def wait_for_lock(url: str) -> None:
    """Wait until somebody waits for an advisory lock."""
    with psycopg.connect(url, autocommit=True) as connection:
        while (
            connection.execute(
                "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            ).fetchone()
            is None
        ):
            time.sleep(0.01)
