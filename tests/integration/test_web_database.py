"""The HTTP side's way into Postgres: one organisation at a time, in one round trip, and back when Postgres is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from edges.web import database as module
from edges.web.database import CONNECTIONS_MAX, Database, DatabaseUnavailable
from process.settings import Settings
from tests.factories import MENTOR, ORG, OTHER_MENTOR, OTHER_ORG
from tests.web import as_web_login

pytestmark = pytest.mark.integration

MENTORS = "SELECT mentor_id FROM mentors"
LEFT = """
SELECT current_user = session_user, coalesce(current_setting('referrals.org_id', true), ''),
    current_setting('statement_timeout')
"""
OWNED = "SELECT count(*) FROM pg_class WHERE relowner = %s::regrole"
ACTING_FOR = "SELECT current_setting('referrals.org_id', true), current_user"


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """Give the database of two organisations with a mentor each."""
    with psycopg.connect(settings.database_url) as connection:
        cursor = connection.cursor()
        cursor.executemany("INSERT INTO organisations (org_id) VALUES (%s)", [(ORG,), (OTHER_ORG,)])
        pairs = [(ORG, MENTOR), (OTHER_ORG, OTHER_MENTOR)]
        cursor.executemany("INSERT INTO mentors (org_id, mentor_id) VALUES (%s, %s)", pairs)
    async with Database(settings) as opened:
        yield opened


async def test_rows_are_those_of_the_organisation(database: Database) -> None:
    """Each organisation sees its own, and nobody sees any where none is named; also on one connection in turns."""
    for _ in range(3):
        assert await database.rows(ORG, MENTORS) == [(MENTOR,)]
        assert await database.rows(None, MENTORS) == []
        assert await database.rows(OTHER_ORG, MENTORS) == [(OTHER_MENTOR,)]
    assert await database.rows(ORG, f"{MENTORS} WHERE org_id = %s", [OTHER_ORG]) == []


async def test_many_at_once_do_not_see_each_others(database: Database) -> None:
    """Requests of two organisations at the same time, more than there are connections, get their own each."""
    asked = [(ORG, MENTOR), (OTHER_ORG, OTHER_MENTOR), (None, None)] * (3 * CONNECTIONS_MAX)
    found = await asyncio.gather(*(database.rows(org_id, MENTORS) for org_id, _ in asked))
    assert found == [[(mentor,)] if mentor else [] for _, mentor in asked]


async def test_values_by_position_and_by_name(database: Database) -> None:
    """Both ways of giving values work, of every type that routes give, and none can leave its place."""
    ((number, text, array, nothing),) = await database.rows(
        ORG, "SELECT %s, %s, %s::text[], %s::uuid", [1, "'; SELECT 1; --%s", ["a", "b'"], None]
    )
    assert (number, text, array, nothing) == (1, "'; SELECT 1; --%s", ["a", "b'"], None)
    assert await database.rows(ORG, "SELECT %(a)s::int + %(b)s::int", {"a": 1, "b": 2}) == [(3,)]
    assert await database.rows(ORG, "SELECT 5 %% 3") == [(2,)]


async def test_the_organisation_is_set_for_the_statement_alone(database: Database) -> None:
    """After each use the connection acts for nobody again, and is the application's role."""
    assert await database.rows(ORG, ACTING_FOR) == [(ORG, "referrals_app")]
    async with database.acting_for(ORG) as connection:
        assert await (await connection.execute(ACTING_FOR)).fetchall() == [(ORG, "referrals_app")]
    with pytest.raises(psycopg.DataError):
        await database.rows(ORG, "SELECT 1 / %s", [0])
    for _ in range(CONNECTIONS_MAX):
        ((org_id, role),) = await database.rows(None, ACTING_FOR)
        assert (org_id or None, role) == (None, "referrals_app")


async def test_a_login_of_its_own_has_nothing_but_the_role(settings: Settings, database: Database) -> None:
    """RESET ROLE, and whatever else a statement may try, leads to no more than row-level security shows."""
    url = as_web_login(settings.database_url)
    async with Database(settings.model_copy(update={"database_url": url})) as limited:
        assert await limited.rows(ORG, MENTORS) == await database.rows(ORG, MENTORS) == [(MENTOR,)]
        for leave in ("RESET ROLE", "SET LOCAL ROLE NONE", "SET SESSION AUTHORIZATION DEFAULT"):
            async with limited.acting_for(ORG) as connection:
                await connection.execute(leave)
                assert await (await connection.execute(MENTORS)).fetchall() == [(MENTOR,)]
                for forbidden in ("DROP TABLE mentors", "ALTER TABLE mentors DISABLE ROW LEVEL SECURITY"):
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        async with connection.transaction():
                            await connection.execute(forbidden)
        for role in ("referrals_sinks", "referrals_reconciliation"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await limited.rows(ORG, "SELECT set_config('role', %s, true)", [role])
    with psycopg.connect(settings.database_url) as connection:
        assert connection.execute(OWNED, ["referrals_web"]).fetchall() == [(0,)]


async def test_nothing_is_left_on_the_connection(settings: Settings) -> None:
    """A pooler may give the next transaction another one, or ours to somebody else."""
    async with Database(settings) as database:
        await database.rows(ORG, "SELECT 1")
        async with database.acting_for(ORG) as connection:
            await connection.execute("SELECT 1")
        async with database._pool.connection() as connection:  # noqa: SLF001  outside of a transaction of ours
            assert await (await connection.execute(LEFT)).fetchall() == [(True, "", "0")]


async def test_a_transaction_is_undone_where_its_body_fails(database: Database, settings: Settings) -> None:
    """Nothing of it is left."""
    with pytest.raises(RuntimeError):
        await _write_and_fail(database)
    with psycopg.connect(settings.database_url) as connection:
        assert connection.execute("SELECT count(*) FROM codes_outbox").fetchall() == [(0,)]


async def _write_and_fail(database: Database) -> None:
    async with database.acting_for(ORG) as connection:
        await connection.execute(
            "INSERT INTO codes_outbox (org_id, referral_code, mentor_id, issued_at) VALUES (%s, 'ABCDEFGH', %s, now())",
            [ORG, MENTOR],
        )
        raise RuntimeError


async def test_connections_that_broke_are_replaced(database: Database, settings: Settings) -> None:
    """After Postgres has ended every connection, the next request is answered."""
    await asyncio.gather(*(database.rows(ORG, "SELECT pg_sleep(0.1)") for _ in range(CONNECTIONS_MAX)))
    for _ in range(3):
        with psycopg.connect(settings.database_url, autocommit=True) as connection:
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'referrals web'"
                " AND datname = current_database()"
            ).fetchall()
        assert ended
        assert await database.rows(ORG, MENTORS) == [(MENTOR,)]


async def test_a_statement_that_fails_is_not_tried_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a broken connection is reason to ask twice; a statement that takes too long is ended."""
    monkeypatch.setattr(module, "STATEMENT_S", 0.2)
    checked = []

    async def check(pool: object) -> None:
        checked.append(pool)

    monkeypatch.setattr(AsyncConnectionPool, "check", check)
    async with Database(settings) as database, asyncio.timeout(15):
        with pytest.raises(DatabaseUnavailable):
            await database.rows(ORG, "SELECT pg_sleep(60)")
        assert not checked
        with pytest.raises(psycopg.errors.UndefinedColumn):
            await database.rows(ORG, "SELECT nothing")
        assert await database.rows(None, "SELECT 1") == [(1,)]


async def test_while_postgres_is_away_only_one_request_waits_for_it(settings: Settings) -> None:
    """Who asks after somebody has waited in vain is refused at once."""
    away = settings.model_copy(update={"database_url": "postgresql://127.0.0.1:9/none"})
    async with Database(away) as database:
        with pytest.raises(DatabaseUnavailable):
            await database.rows(ORG, "SELECT 1")
        async with asyncio.timeout(module.PATIENCE_S / 2):
            for _ in range(10):
                with pytest.raises(DatabaseUnavailable, match="does not answer"):
                    await database.rows(ORG, "SELECT 1")
            assert await database.fault() == "Postgres does not answer"


async def test_whether_it_can_be_used_is_told_while_nothing_answers(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a Postgres that is stopped: whoever asks is told soon, and when it is over that all is well."""
    monkeypatch.setattr(module, "ANSWER_S", 0.2)
    async with await psycopg.AsyncConnection.connect(settings.database_url) as holder:
        await holder.execute("LOCK TABLE referral_codes IN ACCESS EXCLUSIVE MODE")
        for _ in range(2):
            assert "does not answer within" in str(await database.fault())
        await holder.rollback()
    monkeypatch.undo()
    assert await database.fault() is None
