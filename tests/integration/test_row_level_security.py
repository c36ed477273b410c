"""Row-level security on every table that the catalogue lists, as the HTTP side's own role, and what that role may do.

The policies have to hold by themselves: the role is given every right on every table for a transaction, and still reads
and writes the rows of the organisation set and no others. A new table fails here until it has org_id, policies and a
row in `PLANTED`; a new right or function of the role until it stands in `WRITES` or `MAY_CALL`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege, UniqueViolation
from psycopg.types.json import Jsonb

pytestmark = pytest.mark.integration

Connection = psycopg.Connection[tuple[Any, ...]]

ROLE: Final = "referrals_app"
ORG: Final = "0a000000-0000-4000-8000-00000000000a"
OTHER_ORG: Final = "0a000000-0000-4000-8000-00000000000b"

WITHOUT_ORGANISATION: Final = {
    "_yoyo_log": "yoyo's: which migrations ran; the role has no right on it",
    "_yoyo_migration": "the same",
    "_yoyo_version": "the same",
    "yoyo_lock": "the same",
}
"""Tables that carry no org_id, each with the reason."""

OF_EVERY_ORGANISATION: Final = {
    "milestone_thresholds": "REFERRALS_THRESHOLDS: an organisation has none of its own",
    "sink_positions": "a partition has records of every organisation; the role has no right on it",
}
"""Tables whose org_id is NULL by constraint, each with the reason."""

PLANTED: Final = (
    "INSERT INTO organisations (org_id, name) VALUES (%(org)s, 'One')",
    "INSERT INTO mentors VALUES (%(org)s, %(mentor)s)",
    "INSERT INTO referral_codes VALUES (%(code)s, %(org)s, %(mentor)s, now())",
    "INSERT INTO mentor_names VALUES (%(org)s, %(mentor)s, 'Anna Berg')",
    "INSERT INTO mentor_name_keys VALUES (%(org)s, 'anna berg', %(mentor)s)",
    "INSERT INTO badge_definitions VALUES (%(badge)s, %(org)s, 'recruitment', 5, 'Five')",
    """INSERT INTO badge_changes (org_id, badge_id, change, changed_by, name, threshold, picture)
       VALUES (%(org)s, %(badge)s, 'made', 'auth0|1', 'Five', 5, 'star')""",
    "INSERT INTO milestones VALUES (%(org)s, %(mentor)s, 3, %(badge)s, 3, %(badge)s, now(), 'decided')",
    "INSERT INTO badge_awards VALUES (%(org)s, %(mentor)s, %(badge)s, %(badge)s, 3)",
    "INSERT INTO badge_decisions VALUES (%(org)s, %(mentor)s, 3, %(badge)s, %(badge)s, 'awarded', 3)",
    # With it the sums of its organisation, and where he stands.
    """INSERT INTO mentor_counts VALUES (%(org)s, %(mentor)s, %(code)s, 1, 1, 0, 0,
       '{"sms": {"clicks": 1, "pending": 1, "confirmed": 0}}', '{}', NULL, 0, 0)""",
    "INSERT INTO organisation_secrets VALUES (%(org)s, %(badge)s, 'code', 1, 'sealed')",
    "INSERT INTO codes_outbox VALUES (DEFAULT, %(org)s, %(code)s, %(mentor)s, now())",
    "INSERT INTO filtered_clicks VALUES (%(org)s, '2026-11-20', 'robot', 1)",
    "INSERT INTO first_attempts VALUES (%(org)s, %(badge)s, now())",
    """INSERT INTO sessions (org_id, session_id, secret_digest, subject, role, signed_in_by, expires_at)
       VALUES (%(org)s, %(badge)s, sha256('a'), 'auth0|1', 'coordinator', 'link', now() + interval '1 day')""",
    """INSERT INTO sign_in_links (org_id, link_id, secret_digest, subject, role, expires_at)
       VALUES (%(org)s, %(badge)s, sha256('a'), 'auth0|1', 'coordinator', now() + interval '1 day')""",
    """INSERT INTO mail_subscriptions (org_id, subscription_id, subject, role, topic, address, language, secret)
       VALUES (%(org)s, %(badge)s, 'kari', 'coordinator', 'summary', 'kari@example.org', 'nb', sha256('a'))""",
    """INSERT INTO mail_outbox (org_id, kind, subscription_id, about, subject)
       VALUES (%(org)s, 'confirm', %(badge)s, 'now', 'kari')""",
    "INSERT INTO membership_sources (org_id, kind, url) VALUES (%(org)s, 'csv', '/members.csv')",
    "INSERT INTO reconciliation_runs (org_id, run_id, source) VALUES (%(org)s, %(badge)s, 'csv')",
    # With it what happened when.
    "INSERT INTO registration_pairs VALUES (%(org)s, %(badge)s, %(code)s, 'sms', now(), now(), now())",
    "INSERT INTO history_channels VALUES (%(org)s, 'sms')",
    "INSERT INTO analysts VALUES ('anybody', %(org)s)",
    """INSERT INTO dead_letters VALUES (%(org)s, 0, abs(hashtext(%(code)s)), now(), 'BadEvent', 'no JSON',
       'attribution', 'clicks.v1', 0, 7, %(code)s, true, 1, 9, false, %(badge)s)""",
    "INSERT INTO dead_letter_replays VALUES (%(org)s, %(badge)s, now())",
    "INSERT INTO history_waiting VALUES (%(org)s, %(code)s, 0, 0, %(code)s, NULL, NULL, 0, 'sms')",
)
"""Run for each of two organisations: afterwards every table has a row of each."""

READS: Final = frozenset(
    {
        *("badge_awards", "badge_changes", "badge_decisions", "badge_definitions"),
        *("codes_outbox", "dead_letters", "filtered_clicks", "first_attempts"),
        *(
            "mentor_counts",
            "mentor_days",
            "mentor_name_keys",
            "mentor_names",
            "mentor_standings",
            "mentors",
            "milestone_thresholds",
            "milestones",
            "organisation_channels",
            "organisation_confirmed",
            "organisation_counts",
            "organisation_days",
        ),
        *("history_channels", "organisation_confirmation_times", "organisation_history", "organisation_history_totals"),
        *("mail_subscriptions", "organisation_secrets", "organisation_totals", "organisations", "referral_codes"),
        *("sessions", "sign_in_links"),
    }
)
WRITES: Final = {
    "mentors": {"INSERT"},  # a code is issued
    "referral_codes": {"INSERT"},
    "codes_outbox": {"INSERT"},
    "filtered_clicks": {"INSERT", "UPDATE"},  # share links
    "sessions": {"INSERT", "DELETE"},  # people sign in and out; of a session it notes that it was used, and no more
    "badge_definitions": {"INSERT"},  # an administrator makes one; what changes of it are columns
    "badge_changes": {"INSERT"},  # and it stands there who did
    "mail_subscriptions": {
        "INSERT",
        "DELETE",
    },  # somebody asks to be told, and ends it; of the outbox it counts its own
    "first_attempts": {"INSERT", "UPDATE", "DELETE"},  # a webhook does not say when it happened; old ones go
}
"""All that the role may write, each in the organisation set."""

MAY_CALL: Final = {
    "award_reached": "a back-fill: awards a badge of the organisation set to those of its mentors who have reached it",
    "codes_that_begin_with": "a share link was damaged: gives two codes at most, whether it can mean only one",
    "landing_of_code": "a share link names a code alone: gives its organisation and where its links lead",
    "mail_sign_in_links": "somebody who is not signed in asks for a link by mail: gives nothing",
    "outbox_figures": "an operator sees how long the outbox is: gives a number and a time",
    "reconciliation_figures": "an operator sees how reconciliation goes: gives times, and not whose",
    "take_from_outbox": "the relay publishes codes of every organisation: gives what waits to be published",
}
"""Functions that run as the tables' owner and that the role may call: what crosses organisations, and why."""


@pytest.fixture
def database(database_url: str) -> Iterator[Connection]:
    """Give the owner's connection to a database in which every table has a row of each of two organisations."""
    with psycopg.connect(database_url) as connection:
        for number, org_id in enumerate((ORG, OTHER_ORG)):
            ids = {"org": org_id, "mentor": uuid4(), "badge": uuid4(), "code": f"ABCDEFGH{number}"}
            for statement in PLANTED:
                connection.execute(statement.encode(), ids)
        connection.commit()
        yield connection


def tables(connection: Connection) -> list[str]:
    """Return every table, whatever its kind and schema, that is not Postgres's own."""
    found = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'f') "
        "AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)' ORDER BY relname"
    ).fetchall()
    return [name for (name,) in found]


def tables_of_organisations(connection: Connection) -> list[str]:
    """Return the tables that must be protected."""
    return [name for name in tables(connection) if name not in {*WITHOUT_ORGANISATION, *OF_EVERY_ORGANISATION}]


@contextmanager
def acting(connection: Connection, org_id: str | None) -> Iterator[Connection]:
    """Act as the role, with every right on every table, for an organisation; undone afterwards."""
    with connection.transaction(force_rollback=True):
        connection.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {ROLE}".encode())
        connection.execute(f"SET LOCAL ROLE {ROLE}".encode())
        if org_id is not None:
            connection.execute("SELECT set_config('referrals.org_id', %s, true)", [org_id])
        yield connection


def run(connection: Connection, statement: str, table: str, *values: object) -> psycopg.Cursor[tuple[Any, ...]]:
    """Run a statement on a table, in a savepoint."""
    with connection.transaction():
        return connection.execute(sql.SQL(statement).format(sql.Identifier(table)), values)


# -- every table ------------------------------------------------------------------------------------------------


def test_every_table_has_organisation_and_forced_policies(database: Connection) -> None:
    """Whatever table the catalogue lists carries org_id and forces row-level security, but for those with a reason."""
    protected = database.execute(
        "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity AND EXISTS "
        "(SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'org_id' AND NOT attisdropped)"
    ).fetchall()
    assert sorted(set(tables(database)) - {name for (name,) in protected}) == sorted(WITHOUT_ORGANISATION)


def test_no_view_goes_around_the_policies(database: Connection) -> None:
    """A view reads with its owner's rights unless it says otherwise; a materialised one always."""
    views = database.execute(
        "SELECT relname FROM pg_class WHERE relnamespace::regnamespace::text !~ '^(pg_|information_schema)' "
        "AND (relkind = 'm' OR relkind = 'v' AND NOT coalesce('security_invoker=true' = ANY (reloptions), false))"
    ).fetchall()
    assert views == []


def test_every_table_has_rows_of_both(database: Connection) -> None:
    """A table without planted rows would pass every test of this module."""
    for table in tables_of_organisations(database):
        statement = "SELECT DISTINCT org_id::text FROM {} WHERE org_id IS NOT NULL ORDER BY 1"
        assert run(database, statement, table).fetchall() == [(ORG,), (OTHER_ORG,)], f"{table}: add it to PLANTED"


def test_reads_its_own_organisation_only(database: Connection) -> None:
    """Of every table the rows of the organisation set, and of definitions those for everybody."""
    with acting(database, ORG):
        for table in tables_of_organisations(database):
            found = run(database, "SELECT DISTINCT org_id::text FROM {} WHERE org_id IS NOT NULL", table).fetchall()
            assert found == [(ORG,)], table


@pytest.mark.parametrize("org_id", [None, "", "0a000000-0000-4000-8000-00000000ffff"])
def test_reads_nothing_without_an_organisation(database: Connection, org_id: str | None) -> None:
    """With none set, or one that does not exist, there is nothing but the definitions for everybody."""
    with acting(database, org_id):
        for table in tables_of_organisations(database):
            expected = 4 if table == "badge_definitions" else 0
            assert run(database, "SELECT count(*) FROM {}", table).fetchall() == [(expected,)], table


def test_changes_and_deletes_nothing_of_another(database: Connection) -> None:
    """UPDATE and DELETE find no row of another organisation, nor of everybody, and can give none away."""
    with acting(database, ORG):
        for table in tables_of_organisations(database):
            others = "org_id IS DISTINCT FROM current_org_id()"
            assert run(database, f"UPDATE {{}} SET org_id = org_id WHERE {others}", table).rowcount == 0, table  # noqa: S608  a test's own words
            assert run(database, f"DELETE FROM {{}} WHERE {others}", table).rowcount == 0, table  # noqa: S608  the same
            with pytest.raises(InsufficientPrivilege, match="row-level security"):
                run(database, "UPDATE {} SET org_id = %s", table, OTHER_ORG)


def test_inserts_nothing_into_another(database: Connection) -> None:
    """Another's row is refused by the policy; its own is not, but by its key, because it is there already."""
    copy = "INSERT INTO {0} OVERRIDING SYSTEM VALUE SELECT (jsonb_populate_record(NULL::{0}, %s)).*"
    for table in tables_of_organisations(database):
        rows = dict(
            run(database, "SELECT org_id::text, to_jsonb(a_row) FROM {} AS a_row WHERE org_id IS NOT NULL", table)
        )
        with acting(database, ORG):
            with pytest.raises(InsufficientPrivilege, match="row-level security"):
                run(database, copy, table, Jsonb(rows[OTHER_ORG]))
            with pytest.raises(UniqueViolation):
                run(database, copy, table, Jsonb(rows[ORG]))
    everybodys = {"badge_id": str(uuid4()), "type": "recruitment", "threshold": 1, "name": "Mine"}
    with acting(database, ORG), pytest.raises(InsufficientPrivilege, match="row-level security"):
        run(database, copy, "badge_definitions", Jsonb(everybodys | {"defined_at": "2026-11-20T10:00:00Z"}))


def test_what_is_everybodys_is_not_an_organisations_to_change(database: Connection) -> None:
    """Rows without an organisation can be read where that is meant, and neither changed, deleted nor added."""
    database.execute("INSERT INTO sink_positions (consumer, topic, topic_partition) VALUES ('badges', 'milestones', 0)")
    visible = {"milestone_thresholds": 4, "sink_positions": 0}
    assert visible.keys() == OF_EVERY_ORGANISATION.keys()
    with acting(database, ORG):
        for table, rows in visible.items():
            assert run(database, "SELECT count(*) FROM {}", table).fetchall() == [(rows,)]
            assert run(database, "UPDATE {} SET org_id = org_id", table).rowcount == 0
            assert run(database, "DELETE FROM {}", table).rowcount == 0
        with pytest.raises(InsufficientPrivilege, match="row-level security"):
            run(database, "INSERT INTO {} (threshold) VALUES (3)", "milestone_thresholds")


# -- the role ---------------------------------------------------------------------------------------------------


def test_rights_are_those_listed(database: Connection) -> None:
    """The role reads and writes what is listed; what ignores policies (TRUNCATE and the like) it has nowhere."""
    for table in tables(database):
        held = {
            right
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
            if database.execute("SELECT has_table_privilege(%s, %s, %s)", [ROLE, table, right]).fetchone() == (True,)
        }
        assert held == ({"SELECT"} if table in READS else set()) | WRITES.get(table, set()), table


def test_role_owns_nothing_and_is_nobody_else(database: Connection) -> None:
    """It cannot log in, go around policies, become another role, own anything or create anything."""
    assert database.execute(
        "SELECT rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles "
        "WHERE rolname = %s",
        [ROLE],
    ).fetchall() == [(False,) * 6]
    for statement in (
        "SELECT roleid::regrole FROM pg_auth_members WHERE member = %s::regrole",
        "SELECT relname FROM pg_class WHERE relowner = %s::regrole",
        "SELECT proname FROM pg_proc WHERE proowner = %s::regrole",
        "SELECT nspname FROM pg_namespace WHERE has_schema_privilege(%s, oid, 'CREATE')",
    ):
        assert database.execute(statement, [ROLE]).fetchall() == [], statement


# -- functions that run as their owner --------------------------------------------------------------------------


def test_functions_of_the_owner_look_in_one_schema_and_are_not_for_everybody(database: Connection) -> None:
    """Each has a fixed search path with the temporary schema last, and PUBLIC may not execute it.

    Otherwise a caller's own tables could stand in for ours; a trigger's function, too, could be hung on a table of his.
    """
    functions = database.execute(
        "SELECT proname, proconfig, has_function_privilege('public', oid, 'EXECUTE') FROM pg_proc WHERE prosecdef"
    ).fetchall()
    assert functions
    for name, configuration, is_for_everybody in functions:
        assert configuration == ["search_path=public, pg_temp"], name
        assert not is_for_everybody, name


def test_role_calls_what_is_listed(database: Connection) -> None:
    """What runs as the owner and may be called by the role is listed, with the reason."""
    functions = database.execute(
        "SELECT proname FROM pg_proc WHERE prosecdef AND has_function_privilege(%s, oid, 'EXECUTE') ORDER BY 1",
        [ROLE],
    ).fetchall()
    assert [name for (name,) in functions] == sorted(MAY_CALL)


# -- a test that cannot fail is none ----------------------------------------------------------------------------


CHECKS: Final = (
    test_every_table_has_organisation_and_forced_policies,
    test_no_view_goes_around_the_policies,
    test_every_table_has_rows_of_both,
    test_reads_its_own_organisation_only,
    test_changes_and_deletes_nothing_of_another,
    test_inserts_nothing_into_another,
    test_rights_are_those_listed,
    test_functions_of_the_owner_look_in_one_schema_and_are_not_for_everybody,
    test_role_calls_what_is_listed,
)

HOLES: Final = {
    "ALTER TABLE mentor_counts DISABLE ROW LEVEL SECURITY": test_every_table_has_organisation_and_forced_policies,
    "ALTER TABLE mentors NO FORCE ROW LEVEL SECURITY": test_every_table_has_organisation_and_forced_policies,
    "CREATE TABLE new_things (mentor_id uuid)": test_every_table_has_organisation_and_forced_policies,
    "CREATE TABLE new_things (org_id uuid)": test_every_table_has_organisation_and_forced_policies,
    "CREATE POLICY wide ON milestones USING (true)": test_reads_its_own_organisation_only,
    "CREATE POLICY wide ON badge_awards FOR SELECT USING (true)": test_reads_its_own_organisation_only,
    "CREATE POLICY wide ON filtered_clicks FOR INSERT WITH CHECK (true)": test_inserts_nothing_into_another,
    "CREATE POLICY wide ON mentors FOR UPDATE USING (org_id = current_org_id()) WITH CHECK (true)": (
        test_changes_and_deletes_nothing_of_another
    ),
    "CREATE VIEW all_counts AS SELECT * FROM mentor_counts": test_no_view_goes_around_the_policies,
    "GRANT DELETE ON milestones TO referrals_app": test_rights_are_those_listed,
    "CREATE FUNCTION f() RETURNS uuid LANGUAGE sql SECURITY DEFINER AS 'SELECT org_id FROM mentors'": (
        test_functions_of_the_owner_look_in_one_schema_and_are_not_for_everybody
    ),
    "GRANT EXECUTE ON FUNCTION organisations_to_reconcile() TO referrals_app": test_role_calls_what_is_listed,
}


def failing(database: Connection) -> list[object]:
    """Return which of this module's tests fail."""
    found: list[object] = []
    for check in CHECKS:
        try:
            with database.transaction(force_rollback=True):
                check(database)
        except (AssertionError, KeyError, psycopg.Error, pytest.fail.Exception):
            found.append(check)
    return found


@pytest.mark.parametrize("hole", HOLES)
def test_a_planted_hole_is_found(database: Connection, hole: str) -> None:
    """Each hole makes the test fail that is there for it."""
    assert failing(database) == []
    database.execute(hole.encode())
    assert HOLES[hole] in failing(database)
