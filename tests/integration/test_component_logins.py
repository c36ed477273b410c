"""Logins of components in Postgres: what each may write, what is another's, and an owner who cannot log in.

That each component does its work with its own is shown in test_secured.py, together with its user at Kafka.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege
from structlog.testing import capture_logs

from local.parts.databases import create_database, with_database
from operations.acls import Component
from proof.verify.history import History, compare_history
from proof.verify.postgres import read_tables
from proof.verify.removed import Removed
from sinks import logins
from sinks.migrate import OWNER, migrate
from sinks.postgres import query
from sinks.postgres_badges import PostgresBadgeRepository
from tests.component import ROOT
from tests.own_postgres import own_postgres
from tests.snippets import run_by
from tests.terminal import Terminal

pytestmark = pytest.mark.integration

PASSWORD: Final = "of-one-of-the-tests"  # noqa: S105  of logins that live for a test
WRITES: Final[dict[str, dict[str, str]]] = {
    "stream": {"reconciliation_runs": "IU"},
    "reconcile": {"reconciliation_runs": "IU"},
    "badges": {
        "milestones": "I",
        "badge_awards": "I",
        "badge_decisions": "IU",
        "sink_positions": "IU",
        "milestone_thresholds": "ID",
    },
    "counts": {
        "organisations": "I",
        "mentors": "I",
        "referral_codes": "I",
        "history_channels": "I",
        "mentor_counts": "IU",
        "sink_positions": "IU",
        "registration_pairs": "IU",
        "organisation_quarter_hours": "IU",
        "history_waiting": "ID",
        "dead_letters": "IUD",
        "dead_letter_replays": "IUD",
    },
    "web": {
        "mentors": "I",
        "referral_codes": "I",
        "codes_outbox": "I",
        "filtered_clicks": "IU",
        "sessions": "ID",
        "first_attempts": "IUD",
        "badge_definitions": "I",
        "badge_changes": "I",
        "mail_subscriptions": "ID",
    },
    "registry": {
        "organisations": "IU",
        "mentors": "I",
        "referral_codes": "I",
        "codes_outbox": "I",
        "organisation_secrets": "IUD",
        "mentor_names": "IUD",
        "mentor_name_keys": "IUD",
        "membership_sources": "IUD",
        "sign_in_links": "ID",
        "sessions": "D",
        "badge_definitions": "I",
        "badge_changes": "I",
        "mail_subscriptions": "D",
        "mail_outbox": "D",
    },
    "mail": {"sign_in_links": "ID", "mail_outbox": "D"},
    "dead-letters": {},
    "erase-member": {},
    "verify": {},
}
"""Whose each table is to write: insert, update, delete. Rights on columns alone are in WRITES_COLUMNS."""
WRITES_COLUMNS: Final = {
    "badges": {"milestones": {"state"}},
    "web": {
        "milestones": {"thanked_at"},
        "sessions": {"last_seen_at"},
        "sign_in_links": {"used_at"},
        "badge_definitions": {"name", "picture", "off_since"},
        "mail_subscriptions": {"language", "confirmed_at"},
    },
    "mail": {
        "mail_outbox": {"attempts", "due_at", "gave_up_at", "problem", "sent_at"},
        "mail_subscriptions": {"refused_at"},
    },
    "registry": {"referral_codes": {"disabled_at"}, "badge_definitions": {"name", "picture", "off_since"}},
}
RIGHTS: Final = {"INSERT": "I", "UPDATE": "U", "DELETE": "D", "TRUNCATE": "T", "REFERENCES": "R", "TRIGGER": "G"}
OURS: Final = "relnamespace = current_schema()::regnamespace"
TABLES: Final = f"SELECT relname FROM pg_class WHERE relkind = 'r' AND {OURS}"  # noqa: S608  a test's own words
HELD: Final = f"""
SELECT relname,
    ARRAY(SELECT priv FROM unnest(%s::text[]) AS priv WHERE has_table_privilege(pg_class.oid, priv)),
    ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
        AND has_column_privilege(attrelid, attnum, 'UPDATE'))
FROM pg_class WHERE relkind = 'r' AND {OURS}
"""  # noqa: S608  the same
MADE_BY: Final = (
    f"SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relkind IN ('r', 'p', 'S', 'v', 'm') AND {OURS}"  # noqa: S608  the same
)
FUNCTIONS_BY: Final = (
    "SELECT DISTINCT proowner::regrole::text FROM pg_proc WHERE pronamespace = current_schema()::regnamespace"
)
OWNERS_POLICIES: Final = "SELECT DISTINCT roles::text[] FROM pg_policies WHERE policyname = 'owner_sees_all'"
DENIED: Final = "permission denied|must be owner|row-level security"


class Database:
    """A database with a login for each component."""

    def __init__(self, url: str, prefix: str) -> None:
        self.url = url
        self.who = {each.component: each for each in logins.logins(f"{prefix}{logins.PLACE}", logins.ROLES_OF, {})}
        self.apply()

    def apply(self, **changed: Any) -> logins.Applied:  # noqa: ANN401 - of any argument
        """Do what `db roles apply` does."""
        return logins.apply(
            self.url, self.who.values(), given_passwords=dict.fromkeys(logins.ROLES_OF, PASSWORD), **changed
        )

    def url_of(self, component: str) -> str:
        """Return the address by a component's login."""
        return logins.address(self.url, self.who[component].name, PASSWORD)

    def rows(self, component: str | None, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Return what somebody is told; None: who made the tables."""
        url = self.url if component is None else self.url_of(component)
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []


class Server:
    """A Postgres of this module's own: logins and their roles are the whole server's."""

    def __init__(self, migrated: str) -> None:
        self._migrated = migrated
        self.maintenance_url = with_database(migrated, "postgres")

    def create(self, *, migrated: bool = True) -> tuple[str, str]:
        """Return the name and the address of a new database."""
        name = f"test_{uuid4().hex}"
        template = urlsplit(self._migrated).path[1:] if migrated else None
        return name, create_database(self.maintenance_url, name, template=template)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give one."""
    with own_postgres(tmp_path_factory.mktemp("logins") / "postgres") as url:
        yield Server(url)


@pytest.fixture(scope="module")
def database(server: Server) -> Database:
    """Give a database, handed over, that the tests of this module read."""
    name, url = server.create()
    return Database(url, f"{name}.")


def test_each_login_writes_what_is_its_own(database: Database) -> None:
    """Of each table the catalogue lists, as Postgres itself says, and no login may do what ignores policies."""
    for component, writes in WRITES.items():
        found = database.rows(component, HELD, list(RIGHTS))
        held = {table: "".join(RIGHTS[right] for right in RIGHTS if right in rights) for table, rights, _ in found}
        assert {table: letters for table, letters in held.items() if letters} == writes, component
        columns = {table: set(names) for table, _, names in found if "U" not in held[table] and names}
        assert columns == WRITES_COLUMNS.get(component, {}), component


def test_each_login_is_refused_when_it_tries(database: Database) -> None:
    """What it may not delete or empty, it does not; nor does it make tables, take roles on, or change the policies."""
    tables = [name for (name,) in database.rows(None, TABLES)]
    for component, writes in WRITES.items():
        attempts = [f"DELETE FROM {table}" for table in tables if "D" not in writes.get(table, "")]  # noqa: S608  the same
        attempts += [f"TRUNCATE {table}" for table in tables]
        attempts += ["CREATE TABLE mine (a int)", "ALTER TABLE mentors DISABLE ROW LEVEL SECURITY"]
        attempts += ["DROP TABLE mentors", "CREATE ROLE another", f"SET ROLE {OWNER}"]
        attempts += [f"SET ROLE {role}" for role in logins.GROUPS if role not in database.who[component].roles]
        with psycopg.connect(database.url_of(component), autocommit=True) as connection:
            for attempt in attempts:
                with pytest.raises(InsufficientPrivilege, match=DENIED):
                    connection.execute(attempt.encode())


def test_a_sink_moves_its_own_positions_alone(database: Database) -> None:
    """The badge consumer's are hidden from the projection, whatever the prefix, and the other way round."""
    put = "INSERT INTO sink_positions (consumer, topic, topic_partition) VALUES (%s, 'any', 0)"
    for component, own, others in (
        ("badges", ("a.badges",), ("a.counts", "a.history", "a.letters")),
        ("counts", ("a.counts", "a.history", "a.letters"), ("a.badges",)),
    ):
        for consumer in own:
            database.rows(component, put, consumer)
        for consumer in others:
            with pytest.raises(InsufficientPrivilege, match="row-level security"):
                database.rows(component, put, consumer)
        found = database.rows(component, "UPDATE sink_positions SET claim = claim + 1 RETURNING consumer")
        assert sorted(found) == sorted((each,) for each in own)


def test_the_oracle_sees_everything_that_it_compares(database: Database) -> None:
    """With its own login, of every organisation; that the history was begun among it."""
    org_id = uuid4()
    put = "INSERT INTO sink_positions (consumer, topic, topic_partition, next_offset) VALUES ('b.history', 'any', 0, 1)"
    database.rows(None, put)
    insert = "INSERT INTO organisation_quarter_hours (org_id, begins_at, channel, clicks) VALUES (%s, now(), 'sms', 7)"
    database.rows(None, insert, org_id)
    address = database.url_of("verify")
    assert read_tables(address).awards == []
    compared = compare_history(address, "b.", History(), Removed({}))
    assert [(str(org_id) in each.subject, each.found) for each in compared.differences] == [(True, "7")]
    assert (compared.is_there, compared.rows) == (True, 1)
    database.rows(None, "DELETE FROM organisation_quarter_hours WHERE org_id = %s", org_id)
    database.rows(None, "DELETE FROM sink_positions WHERE consumer = 'b.history'")


def test_the_badge_consumer_adds_no_mentor_to_an_organisation_that_there_is(database: Database) -> None:
    """What it tries an award with is made up."""
    org_id = uuid4()
    database.rows("counts", "INSERT INTO organisations (org_id) VALUES (%s)", org_id)
    with pytest.raises(psycopg.errors.UniqueViolation), psycopg.connect(database.url_of("badges")) as connection:
        query(connection, "add_mentor", {"org_id": org_id, "mentor_id": uuid4()})


def test_nobody_who_logs_in_owns_anything(database: Database) -> None:
    """Tables, sequences and functions belong to a role without login; so do the policies that let it see everything."""
    for statement in (MADE_BY, FUNCTIONS_BY):
        assert database.rows(None, statement) == [(OWNER,)]
    assert database.rows(None, OWNERS_POLICIES) == [([OWNER],)]
    assert database.rows(None, "SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", OWNER) == [(False,)]


def test_repeated_it_changes_nothing_and_names_what_is_beyond(database: Database) -> None:
    """A login that stands keeps its password; who has a right that it does not need is said, with what it is."""
    verify = sql.Identifier(database.who["verify"].name)
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER ROLE {} BYPASSRLS; GRANT referrals_app TO {}").format(verify, verify))
        done = logins.apply(database.url, database.who.values())
        connection.execute(sql.SQL("ALTER ROLE {} NOBYPASSRLS; REVOKE referrals_app FROM {}").format(verify, verify))
    assert (done.created, done.changed, done.passwords, done.handed_over, done.shut_out) == ([], [], {}, 0, False)
    name = database.who["verify"].name
    assert done.beyond == [f"{name} goes around row-level security", f"{name} has the role referrals_app"]
    assert database.rows("verify", "SELECT 1") == [(1,)]


def test_a_sink_that_may_do_more_says_so_once(database: Database) -> None:
    """The owner of the database, and who could be the tables' owner; a login of its own says nothing."""

    def said(url: str) -> list[str]:
        with capture_logs() as lines, closing(PostgresBadgeRepository(url)) as repository:
            for _ in range(2):
                repository.definitions()
                repository.close()
        return [line["event"] for line in lines]

    assert said(database.url) == ["database_login_may_do_more"]
    assert said(database.url_of("badges")) == []
    both = sql.Identifier(OWNER), sql.Identifier(database.who["badges"].name)
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(sql.SQL("GRANT {} TO {}").format(*both))
        assert said(database.url_of("badges")) == ["database_login_may_do_more"]
        connection.execute(sql.SQL("REVOKE {} FROM {}").format(*both))


def test_a_stranger_is_let_in_no_more(database: Database, server: Server) -> None:
    """Another installation's logins have the same roles: they must not come into this one's database."""
    name = f"stranger_{uuid4().hex}"
    with psycopg.connect(server.maintenance_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' IN ROLE referrals_badges".encode())
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(logins.address(database.url, name, PASSWORD))
        admin.execute(f"DROP ROLE {name}".encode())


def test_migrations_run_as_a_login_that_owns_nothing(server: Server) -> None:
    """Before there are tables, and again: what is made is the owner's; the login is him only when it says so."""
    name, url = server.create(migrated=False)
    made = Database(url, f"{name}.")
    report = migrate(made.url_of("migrations"))
    assert report.applied
    assert owners_in(made) == [(OWNER,)]
    with pytest.raises(InsufficientPrivilege):
        made.rows("migrations", "SELECT FROM mentors")
    made.rows(None, "DELETE FROM _yoyo_migration WHERE migration_id = '0030_made_up_mentor'")
    made.rows(None, "DROP FUNCTION add_made_up_mentor")
    assert migrate(made.url_of("migrations")).applied == ("0030_made_up_mentor",)
    assert owners_in(made) == [(OWNER,)]
    assert made.rows("badges", "SELECT count(*) FROM badge_definitions") == [(4,)]


def test_an_administrator_who_is_no_superuser_is_enough(tmp_path: Path) -> None:
    """As on a managed Postgres: he may make roles and owns the database; the tables that he made go to the owner."""
    with own_postgres(tmp_path / "postgres", migrated=False) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE administrator LOGIN CREATEROLE PASSWORD '{PASSWORD}'".encode())
            connection.execute("ALTER DATABASE referrals OWNER TO administrator")
        administrator = logins.address(url, "administrator", PASSWORD)
        migrate(administrator)
        made = Database(administrator, "managed.")
        assert owners_in(made) == [(OWNER,)]
        assert made.apply().beyond == []
        assert migrate(made.url_of("migrations")).applied == ()
        assert made.rows("badges", "SELECT count(*) FROM badge_definitions") == [(4,)]
        assert made.rows("verify", "SELECT count(*) FROM mentor_counts") == [(0,)]


def owners_in(database: Database) -> list[tuple[Any, ...]]:
    """Return who owns what there is."""
    return sorted({*database.rows(None, MADE_BY), *database.rows(None, FUNCTIONS_BY)})


def test_badges_are_made_by_the_registrys_login(database: Database) -> None:
    """Defined, awarded once, switched off, and listed: everything that is a write of `badges`, and what it reads."""
    org, mentor = str(uuid4()), str(uuid4())
    database.rows(None, "INSERT INTO organisations (org_id) VALUES (%s)", org)
    database.rows(None, "INSERT INTO mentors (org_id, mentor_id) VALUES (%s, %s)", org, mentor)
    database.rows(None, "INSERT INTO milestone_thresholds (threshold) VALUES (3)")
    database.rows(
        None,
        "INSERT INTO milestones VALUES (%s, %s, 3, gen_random_uuid(), 3, gen_random_uuid(), now(), 'decided', now())",
        *(org, mentor),
    )

    def run(*arguments: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "commands", "badges", *arguments, "--org", org, "--json"],
            cwd=ROOT, env={"REFERRALS_DATABASE_URL": database.url_of("registry")},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return told

    made = run("define", "Tre", "--at", "3", "--back-fill")
    assert made["awarded"] == 1
    assert run("back-fill", made["badge_id"])["awarded"] == 0
    run("switch", made["badge_id"], "--off")
    assert run("preview", "3")["due"] >= 0
    run("list")


def test_logins_are_made_as_the_page_says(server: Server, tmp_path: Path) -> None:
    """A dry run, the logins with their passwords, and the same as SQL, which has none."""
    name, url = server.create()
    terminal = Terminal(tmp_path, REFERRALS_DATABASE_URL=url, REFERRALS_TOPIC_PREFIX=f"{name}.")
    for snippet in run_by("tests/integration/test_component_logins.py", "docs/postgres.md"):
        said = terminal.paste(snippet.text)
        assert len(re.findall(rf"postgresql://{name}\.[a-z-]+:[^@\s]+@", said)) == len(logins.ROLES_OF)


def test_the_command_makes_them_and_says_passwords_once(server: Server) -> None:
    """A dry run makes nothing; then each address works; again there is nothing to do; one password can be renewed.

    Or brought by a variable: then it is not said, and one that is missing is named.
    """
    name, url = server.create()

    def run(*arguments: str, code: int = 0, **variables: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "commands", "db", "roles", "apply", "--json", *arguments],
            cwd=ROOT, env={"REFERRALS_DATABASE_URL": url, "REFERRALS_TOPIC_PREFIX": f"{name}.", **variables},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        if code:
            return {"said": done.stderr}
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def states(told: dict[str, Any]) -> set[str]:
        return {each["state"] for each in told["logins"]}

    dry = run("--dry-run")
    assert states(dry) == {"created"}
    assert {each["database_url"] for each in dry["logins"]} == {None}
    made = run()
    assert states(made) == {"created"}
    assert made["tables_handed_over"] > 20
    for each in made["logins"]:
        with psycopg.connect(each["database_url"]) as connection:
            assert connection.info.user == each["login"] == f"{name}.{each['component']}"
    assert states(run()) == {"stood"}
    renewed = run("--component", "web", "--new-password", "web")
    assert states(renewed) == {"changed"}
    psycopg.connect(renewed["logins"][0]["database_url"]).close()
    of_web = ("--component", "web", "--password-from", "web=OF_WEB")
    brought = run(*of_web, OF_WEB=PASSWORD)
    assert (states(brought), brought["logins"][0]["database_url"]) == ({"changed"}, None)
    psycopg.connect(logins.address(url, f"{name}.web", PASSWORD)).close()
    assert "OF_WEB" in run(*of_web, code=2)["said"]
    assert "--component web" in run("--component", "mail", *of_web[2:], code=2, OF_WEB=PASSWORD)["said"]


def test_the_printed_sql_does_the_same(server: Server) -> None:
    """As psql would run it: afterwards `apply` has nothing to do but passwords."""
    name, url = server.create()
    printed = subprocess.run(
        [sys.executable, "-P", "-m", "commands", "db", "roles", "print"],
        cwd=ROOT, env={"REFERRALS_DATABASE_URL": url, "REFERRALS_TOPIC_PREFIX": f"{name}."},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(printed.encode())
    who = logins.logins(f"{name}.{logins.PLACE}", logins.ROLES_OF, {})
    done = logins.apply(url, who)
    assert (done.created, done.changed, done.handed_over, done.shut_out, done.beyond) == ([], [], 0, False, [])


def test_every_component_is_looked_at() -> None:
    """Those without a login ask no Postgres."""
    assert {*logins.ROLES_OF, "publish", "topics"} == {*Component, logins.MIGRATIONS, logins.MAIL}
    assert WRITES.keys() == logins.ROLES_OF.keys() - {logins.MIGRATIONS}
