"""Analysts in a real Postgres: each sees what was granted to his login, is told where nothing was, writes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from commands import db
from tests.organisation_scene import organisation_scene

pytestmark = pytest.mark.integration

OURS, THEIRS = str(uuid4()), str(uuid4())
MENTOR, STRANGER = str(uuid4()), str(uuid4())
READABLE = (
    *("organisations", "mentors", "referral_codes", "badge_definitions", "badge_awards", "badge_decisions"),
    *("mentor_counts", "organisation_history"),
)
HIDDEN = ("mentor_names", "organisation_secrets", "registration_pairs", "sessions", "milestones", "analysts")


@pytest.fixture
def login(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give the name of a login that is not there yet, beside rows of two organisations."""
    monkeypatch.setenv("REFERRALS_DATABASE_URL", database_url)
    for org_id, mentor_id in ((OURS, MENTOR), (THEIRS, STRANGER)):
        with organisation_scene(database_url, org_id) as scene:
            scene.issue(mentor_id)
            scene.count(mentor_id, clicks=2, confirmed=1)
            scene.reach(mentor_id, 1)
            scene.name(mentor_id, "Anna Berg")
    name = f"analyst_{uuid4().hex[:12]}"
    yield name
    with psycopg.connect(database_url) as owner:
        if owner.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone():
            owner.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))


def run(*arguments: str) -> Result:
    """Run `referrals db`."""
    return CliRunner().invoke(db.command, arguments)


def granted(login: str, *options: str) -> str:
    """Grant, and return the address that was printed."""
    done = run("grant-analyst", login, *options)
    assert done.exit_code == 0, done.output
    address = re.search(r"this once: (\S+)", done.output)
    assert address
    return address[1]


def connected(address: str) -> psycopg.Connection[tuple[object, ...]]:
    """Return a connection of the analyst."""
    return psycopg.connect(address, autocommit=True)


def organisations(connection: psycopg.Connection[tuple[object, ...]], table: str) -> set[str]:
    """Return whose rows of a table are seen."""
    asked = sql.SQL("SELECT DISTINCT org_id::text FROM {} WHERE org_id IS NOT NULL").format(sql.Identifier(table))
    return {str(org_id) for (org_id,) in connection.execute(asked).fetchall()}


def test_it_sees_what_was_granted_and_no_more(login: str) -> None:
    """Rows of that organisation in every table, of another none, whichever organisation the session says."""
    address = granted(login, "--org", OURS)
    with connected(address) as analyst:
        for table in READABLE:
            assert organisations(analyst, table) <= {OURS}
        for table in ("organisations", "mentor_counts", "badge_awards", "organisation_history"):
            assert organisations(analyst, table) == {OURS}, table
        assert analyst.execute("SELECT count(*) FROM badge_definitions WHERE org_id IS NULL").fetchone() == (4,)
        analyst.execute("SELECT set_config('referrals.org_id', %s, false)", [THEIRS])
        for table in READABLE:
            assert THEIRS not in organisations(analyst, table), table
    listed = run("analysts").output
    assert f"{login}  {OURS}" in listed
    assert (urlsplit(address).password or address) not in run("analysts", "--json").output


def test_names_and_secrets_are_not_its_affair_and_it_writes_nothing(login: str) -> None:
    """Refused by Postgres."""
    with connected(granted(login, "--every-organisation")) as analyst:
        assert organisations(analyst, "mentor_counts") == {OURS, THEIRS}
        for table in map(sql.Identifier, HIDDEN):
            with pytest.raises(InsufficientPrivilege):
                analyst.execute(sql.SQL("SELECT FROM {}").format(table))
        for table in map(sql.Identifier, READABLE):
            for statement in ("DELETE FROM {}", "UPDATE {} SET org_id = org_id", "INSERT INTO {} DEFAULT VALUES"):
                with pytest.raises(InsufficientPrivilege):
                    analyst.execute(sql.SQL(statement).format(table))


def test_it_is_let_in_where_others_are_shut_out(database_url: str, login: str) -> None:
    """As after `db roles apply`, which takes from everybody the right to connect."""
    with psycopg.connect(database_url) as owner:
        name = sql.Identifier(owner.info.dbname)
        owner.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(name))
    with connected(granted(login, "--org", OURS)) as connection:
        assert organisations(connection, "mentors") == {OURS}


def test_nothing_granted_is_said(login: str) -> None:
    """With the command that grants, instead of tables that look empty; after a grant was taken back as well."""
    with connected(granted(login, "--org", OURS)) as analyst:
        assert organisations(analyst, "mentor_counts") == {OURS}
        assert run("revoke-analyst", login, "--org", THEIRS).exit_code == 1
        assert run("revoke-analyst", login).output == f"1 taken back from {login}\n"
        with pytest.raises(InsufficientPrivilege, match=f"no organisation is granted to the analyst {login}") as said:
            organisations(analyst, "mentor_counts")
        assert said.value.diag.message_hint == f"let an operator run: referrals db grant-analyst {login} --org ORG"
        assert run("revoke-analyst", login).exit_code == 1


def test_a_grant_that_cannot_be_meant_is_refused(database_url: str, login: str) -> None:
    """Of an organisation that is not there, and to a login that policies do not bind or that is a component's."""
    missing = run("grant-analyst", login, "--org", str(uuid4()))
    assert "there is no organisation" in str(missing.exception)
    assert run("grant-analyst", login).exit_code == 2
    assert run("grant-analyst", login, "--org", OURS, "--every-organisation").exit_code == 2
    with psycopg.connect(database_url) as owner:
        (me,) = owner.execute("SELECT current_user::text").fetchone() or ("",)
    for other in (str(me), "referrals_web"):
        refused = run("grant-analyst", other, "--org", OURS)
        assert "give an analyst a login of his own" in str(refused.exception), other
    with psycopg.connect(database_url) as owner:
        assert owner.execute("SELECT FROM pg_roles WHERE rolname = %s", [login]).fetchone() is None


def test_many_mentors_are_read_at_once(login: str) -> None:
    """What is granted is asked once for a statement and not for each row."""
    with connected(granted(login, "--org", OURS)) as analyst:
        plan = "\n".join(
            str(line) for (line,) in analyst.execute("EXPLAIN (VERBOSE) SELECT * FROM mentor_counts").fetchall()
        )
    assert "InitPlan" in plan
    assert plan.count("analyst_organisations()") == 1, plan
