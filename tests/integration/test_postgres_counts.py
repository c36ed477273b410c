"""Codes and counts in Postgres, held to what every repository of them must do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from sinks.counts_repository import Owner
from sinks.postgres_counts import PostgresCountsRepository
from tests.counts_repository_suite import CountsRepositorySuite

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
