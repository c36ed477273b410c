"""Codes and counts in Postgres, held to what every repository of them must do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime

import psycopg
import pytest
from msgspec import structs

from process.postgres import session
from sinks.counts_repository import Counts, Owner
from sinks.postgres_counts import PostgresCountsRepository
from sinks.records import Record
from tests.counts_repository_suite import CountsRepositorySuite
from tests.milestones import MENTOR, ORG, code_issued, counts

pytestmark = pytest.mark.integration


class TestPostgresCountsRepository(CountsRepositorySuite):
    """The suite, on Postgres."""

    @pytest.fixture(autouse=True)
    def _remember_url(self, database_url: str) -> None:
        self.url = database_url

    @pytest.fixture
    def repository(self, database_url: str) -> Iterator[PostgresCountsRepository]:
        """Give the repository of a migrated database."""
        with closing(PostgresCountsRepository(database_url)) as repository:
            yield repository

    @pytest.fixture
    def another(self, database_url: str) -> Iterator[PostgresCountsRepository]:
        """Give another process's, on the same database."""
        with closing(PostgresCountsRepository(database_url)) as repository:
            yield repository

    def codes(self) -> dict[str, Owner]:
        """Return the rows of referral_codes."""
        with psycopg.connect(self.url) as connection:
            found = connection.execute("SELECT referral_code, org_id::text, mentor_id::text FROM referral_codes")
            return {code: (org_id, mentor_id) for code, org_id, mentor_id in found}

    def confirmed(self) -> dict[Owner, int]:
        """Return the rows of mentor_counts."""
        with psycopg.connect(self.url) as connection:
            found = connection.execute(
                "SELECT org_id::text, mentor_id::text, confirmed_attributions FROM mentor_counts"
            )
            return {(org_id, mentor_id): confirmed for org_id, mentor_id, confirmed in found}


@pytest.mark.parametrize("instant", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59"])
def test_an_instant_without_a_form_in_utc_is_kept(database_url: str, instant: str) -> None:
    """Else the mentor's row would stay as it is for ever: his latest event is in each of his counts."""
    at = datetime.fromisoformat(instant)
    record = Record(topic="counts", partition=0, offset=1, key=None, value=b"{}")
    event = structs.replace(counts(1), last_event_at=at)
    with closing(PostgresCountsRepository(database_url)) as repository, repository.transaction() as work:
        assert work.insert_codes([structs.replace(code_issued(), issued_at=at)])
        work.put_counts({(ORG, MENTOR): Counts(record, event, key_partition=0)})
    with psycopg.connect(database_url, **session(database_url, "test")) as connection:
        kept = connection.execute(
            "SELECT issued_at, last_event_at FROM referral_codes JOIN mentor_counts USING (org_id)"
        )
        assert kept.fetchall() == [(at, at)]
