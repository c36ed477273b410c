"""The schema as the catalogue shows it, and `db migrate` run twice, at once, and without the right to make roles."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from local.parts import Parts
from models.badges import SEEDED_DEFINITIONS
from sinks.migrate import migrate
from sinks.postgres_badges import PostgresBadgeRepository
from tests.milestones import MENTOR, ORG, OTHER_ORG, new_id

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]

TABLES = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') "
    "AND relname NOT LIKE '%yoyo%' ORDER BY relname"
)


@pytest.fixture
def empty_database_url(parts: Parts) -> str:
    """Give the address of a database without tables."""
    return parts.create_database(f"test_{new_id()}")


def rows(url: str, statement: str, *settings: str) -> list[tuple[Any, ...]]:
    """Run statements in one session and return the rows of the last."""
    with psycopg.connect(url) as connection:
        for setting in settings:
            connection.execute(setting.encode())
        return connection.execute(statement.encode()).fetchall()


def test_second_run_finds_nothing_to_do(empty_database_url: str) -> None:
    """The first run names what it applied; the second says that all had been applied."""
    first = migrate(empty_database_url)
    second = migrate(empty_database_url)
    assert first.applied[0] == "0001_tables"
    assert (second.applied, second.applied_before) == ((), len(first.applied))


def test_command_says_what_it_did(empty_database_url: str) -> None:
    """`referrals db migrate` prints a line for each migration, and ends with 0."""

    def run() -> str:
        return subprocess.run(
            [sys.executable, "-P", "-m", "commands", "db", "migrate"],
            cwd=ROOT,
            env={"REFERRALS_DATABASE_URL": empty_database_url},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert "applied 0001_tables\n" in run()
    assert "nothing to do" in run()


def test_two_at_once(empty_database_url: str) -> None:
    """Each migration is applied by exactly one of several that run at once."""
    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(migrate, [empty_database_url] * 3))
    applied = [name for report in reports for name in report.applied]
    assert sorted(applied) == sorted(set(applied))
    assert "0001_tables" in applied


def test_seeded_definitions_are_the_constants(database_url: str) -> None:
    """The badge definitions in the database are those that the code names, with their stable ids."""
    with closing(PostgresBadgeRepository(database_url)) as repository:
        assert list(repository.definitions()) == list(SEEDED_DEFINITIONS)


def test_every_table_and_most_columns_are_described(database_url: str) -> None:
    """Comments are the specification: no table is without one."""
    assert rows(database_url, TABLES.replace("ORDER", "AND obj_description(oid) IS NULL ORDER")) == []


@pytest.fixture
def two_organisations(database_url: str) -> str:
    """Give a database with a mentor in each of two organisations."""
    with psycopg.connect(database_url) as connection:
        for org_id in (ORG, OTHER_ORG):
            connection.execute("INSERT INTO organisations VALUES (%s)", [org_id])
            connection.execute("INSERT INTO mentors VALUES (%s, %s)", [org_id, MENTOR])
    return database_url


def test_sinks_role_sees_all_and_is_enough_for_the_badges(two_organisations: str, parts: Parts) -> None:
    """A user who only has the role referrals_sinks sees every organisation and can run the badge consumer."""
    url = as_new_user(parts, two_organisations, "IN ROLE referrals_sinks")
    assert len(rows(url, "SELECT DISTINCT org_id FROM mentors")) == 2
    with closing(PostgresBadgeRepository(url)) as repository, repository.transaction() as work:
        assert work.claim(10) == []


def test_user_who_may_not_create_roles(parts: Parts) -> None:
    """Without the right to create roles all else is done, what is missing is said, and the owner can work."""
    name = f"test_{new_id()}"
    url = as_new_user(parts, parts.create_database(name), "")
    renamed = "ALTER ROLE {} RENAME TO {}"
    with psycopg.connect(parts.postgres.maintenance_url, autocommit=True) as admin:
        admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(*map(sql.Identifier, (name, user_of(url)))))
        present = [r for (r,) in admin.execute("SELECT rolname FROM pg_roles WHERE rolname ~ '^referrals_'").fetchall()]
        for role in present:
            admin.execute(sql.SQL(renamed).format(sql.Identifier(role), sql.Identifier(f"hidden_{role}")))
        try:
            report = migrate(url)
        finally:
            for role in present:
                admin.execute(sql.SQL(renamed).format(sql.Identifier(f"hidden_{role}"), sql.Identifier(role)))
    assert report.applied
    assert [notice for notice in report.notices if "referrals_app is missing" in notice]
    with closing(PostgresBadgeRepository(url)) as repository:
        assert len(repository.definitions()) == 4


def as_new_user(parts: Parts, url: str, rights: str) -> str:
    """Create a user who may log in and no more than `rights`, and return the database's address as he uses it."""
    name = f"user_{new_id()}"
    with psycopg.connect(parts.postgres.maintenance_url, autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'secret' {}").format(
                sql.Identifier(name),
                sql.SQL(rights),  # a test's own words
            )
        )
    address = urlsplit(url)
    return urlunsplit(address._replace(netloc=f"{name}:secret@{address.hostname}:{address.port}"))


def user_of(url: str) -> str:
    """Return the user in an address."""
    return urlsplit(url).username or ""
