"""Behind a real PgBouncer in transaction mode: what a session keeps is lost there, or is somebody else's later.

That whole components do their work behind it is shown in test_secured.py; here is what each part of them relies on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final
from uuid import uuid4

import psycopg
import pytest

from edges.reconciliation.errors import StoreFailed
from edges.reconciliation.runs import Run
from edges.reconciliation.store import RunStore
from edges.registry.database import owner_database
from edges.web.database import Database
from operations.tables import tables
from process.settings import Settings, SettingsError, load_settings
from sinks import logins
from sinks.migrate import migrate
from sinks.postgres_badges import PostgresBadgeRepository
from tests.factories import ORG
from tests.own_postgres import own_postgres
from tests.pgbouncer import pgbouncer

pytestmark = pytest.mark.integration

TIMES: Final = 12
"""psycopg prepares a statement that comes for the sixth time."""
PASSWORD: Final = "of-one-of-the-tests"  # noqa: S105  of logins that live for a test
LEFT_BEHIND: Final = """
SELECT (SELECT count(*) FROM pg_prepared_statements), current_user = session_user, current_setting('TimeZone'),
    current_setting('lock_timeout'), ARRAY(SELECT pg_listening_channels())
"""
END_HOLDER: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE state = 'idle in transaction' AND datname = current_database()
"""
LOCKS: Final = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"


class Behind:
    """Each component's address by PgBouncer, and the server's own."""

    def __init__(self, direct: str, pooled: str) -> None:
        self.direct = direct
        self._pooled = pooled

    def url(self, component: str) -> str:
        """Return the address by a component's login."""
        return logins.address(self._pooled, f"pool.{component}", PASSWORD)

    def settings(self, component: str) -> Settings:
        """Return the settings of a component."""
        return load_settings(database_url=self.url(component))

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return what who made the tables is told, by the server itself."""
        with psycopg.connect(self.direct, autocommit=True) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def leaves_nothing_behind(self, component: str) -> bool:
        """Tell whether a component's transactions have left nothing on the connections that the next ones get."""
        wanted = ("0", "True", "UTC", "3s" if component == "badges" else "10s", "[]")
        with psycopg.connect(self.url(component), autocommit=True, prepare_threshold=None) as connection:
            found = {tuple(map(str, connection.execute(LEFT_BEHIND.encode()).fetchall()[0])) for _ in range(TIMES)}
        assert found == {wanted}
        return True


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """Give a database in which every component has a login, behind PgBouncer."""
    folder = tmp_path_factory.mktemp("pooled")
    with own_postgres(folder / "postgres") as url:
        who = logins.logins(f"pool.{logins.PLACE}", logins.ROLES_OF, {})
        logins.apply(url, who, given_passwords=dict.fromkeys(logins.ROLES_OF, PASSWORD))
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO organisations (org_id, name) VALUES (%s, 'Ours')", [ORG])
            connection.execute("ALTER DATABASE referrals SET timezone = 'Pacific/Kiritimati'")
        with pgbouncer(folder / "pgbouncer", url, {login.name: PASSWORD for login in who}) as pooled:
            yield Behind(url, pooled)


async def test_the_http_side_shares_connections(behind: Behind) -> None:
    """Both of its ways, more often than statements stay unprepared, by more clients than there are connections."""
    async with Database(behind.settings("web")) as database:

        async def look() -> None:
            for _ in range(TIMES):
                assert await database.rows(ORG, "SELECT name FROM organisations") == [("Ours",)]
                assert await database.rows(None, "SELECT name FROM organisations") == []
                async with database.acting_for(ORG) as connection:
                    found = await connection.execute("SELECT name FROM organisations WHERE org_id = %s", [ORG])
                    assert await found.fetchall() == [("Ours",)]

        await asyncio.gather(*(look() for _ in range(6)))
    assert behind.leaves_nothing_behind("web")


async def test_the_registry_shares_connections(behind: Behind) -> None:
    """An import does the same statement for each batch."""
    async with owner_database(behind.url("registry")) as database:
        for _ in range(TIMES):
            async with database.acting_for(ORG) as connection:
                await connection.execute("INSERT INTO mentors VALUES (%s, %s)", [ORG, uuid4()])
    assert behind.leaves_nothing_behind("registry")


def test_the_badge_consumer_shares_connections(behind: Behind) -> None:
    """It hears no notification, which it knows, and looks by itself; it leaves no session's settings behind."""
    with closing(PostgresBadgeRepository(behind.url("badges"))) as repository:
        for _ in range(TIMES):
            assert len(repository.definitions()) == 4
            repository.has_news()
            with repository.transaction() as work:
                assert work.claim(10) == []
    assert behind.leaves_nothing_behind("badges")


def test_one_reconciles_an_organisation_at_a_time(behind: Behind) -> None:
    """The lock is its holder's, not the connection's that somebody else has next; and it ends with him."""
    with RunStore(behind.url("reconcile")) as first, RunStore(behind.url("reconcile")) as second:
        assert first.lock(ORG)
        for _ in range(TIMES):
            assert first.organisations() == second.organisations() == []
            assert not second.lock(ORG)
    with RunStore(behind.url("reconcile")) as third:
        assert third.lock(ORG)
    assert behind.rows(LOCKS) == [(0,)]
    assert behind.leaves_nothing_behind("reconcile")


def test_a_run_whose_lock_is_lost_cannot_save(behind: Behind) -> None:
    """As where lock and work have one connection."""
    run = Run(org_id=ORG, source="csv", since=None, until=None)
    with RunStore(behind.url("reconcile")) as store:
        assert store.lock(ORG)
        store.begin(run)
        store.save(run)
        behind.rows(END_HOLDER)
        with pytest.raises(StoreFailed):
            store.save(run)


def test_commands_share_connections(behind: Behind) -> None:
    """They look at each organisation in turn."""
    with tables(behind.url("verify")) as found:
        for _ in range(TIMES):
            assert found.of_all("SELECT name FROM organisations", {}) == [{"name": "Ours"}]
            with found.acting_for(ORG) as connection:
                assert connection.execute("SELECT name FROM organisations").fetchall() == [{"name": "Ours"}]
    assert behind.leaves_nothing_behind("verify")


def test_migrations_ask_for_the_server_itself(behind: Behind) -> None:
    """They take a lock and a role for a session, so they say what they need instead of leaving these to somebody."""
    with pytest.raises(SettingsError, match="transaction mode"):
        migrate(behind.url("migrations"))
    assert behind.rows(LOCKS) == [(0,)]
