"""Codes issued on real Postgres: once, whoever asks, and past every code that is taken."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from edges.registry.errors import NoCodeLeft, NoSecret, SecretUnreadable, UnknownOrganisation
from edges.registry.issuing import CodeRegistry, Issued
from edges.registry.secret_box import SecretBox
from edges.registry.secrets import SecretStore
from models.codes import code_candidates
from process.settings import Settings
from tests.registry import SECRET_KEYS, app_database, app_registry, owned_registry

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
TABLES = ("mentors", "referral_codes", "codes_outbox")


def rows(settings: Settings, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Run a statement as who owns the tables."""
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


def everything(settings: Settings) -> list[list[tuple[Any, ...]]]:
    """Return every row with the transaction that wrote it and the place where it is."""
    return [rows(settings, f"SELECT xmin, xmax, ctid, * FROM {table} ORDER BY ctid") for table in TABLES]  # noqa: S608


def sizes(settings: Settings) -> list[int]:
    """Return the number of rows of each table."""
    return [len(table) for table in everything(settings)]


async def candidates(settings: Settings, org_id: UUID, mentor_id: UUID) -> list[str]:
    """Return the codes that a mentor could have, best first."""
    async with owned_registry(settings) as registry:
        return list(code_candidates(mentor_id, org_id, await registry.secrets.in_use(org_id, "code")))


async def new_organisation(settings: Settings) -> UUID:
    """Make an organisation."""
    async with owned_registry(settings) as registry:
        return await registry.new_organisation()


def take(settings: Settings, codes: Sequence[str], org_id: UUID | None = None) -> None:
    """Give codes to mentors nobody knows, of another organisation unless it is given."""
    org_id = org_id or uuid4()
    rows(settings, "INSERT INTO organisations (org_id) VALUES (%s) ON CONFLICT DO NOTHING", [org_id])
    for code in codes:
        mentor_id = uuid4()
        rows(settings, "INSERT INTO mentors VALUES (%s, %s)", [org_id, mentor_id])
        rows(settings, "INSERT INTO referral_codes VALUES (%s, %s, %s, now())", [code, org_id, mentor_id])


@pytest.fixture
async def org_id(settings: Settings) -> UUID:
    """Give an organisation."""
    return await new_organisation(settings)


async def test_made_once_then_found(settings: Settings, org_id: UUID) -> None:
    """The first request makes the code that the contract says, with its outbox row; the second writes nothing."""
    mentor_id = uuid4()
    async with app_registry(settings) as codes:
        first = await codes.issue(org_id, mentor_id)
        before = everything(settings)
        second = await codes.issue(org_id, mentor_id)

    assert first.code == (await candidates(settings, org_id, mentor_id))[0]
    assert (first.is_new, second.is_new) == (True, False)
    assert (second.code, second.issued_at) == (first.code, first.issued_at)
    assert everything(settings) == before
    ((stored, stored_mentor, issued_at),) = rows(
        settings, "SELECT referral_code, mentor_id, issued_at FROM codes_outbox"
    )
    assert (stored, stored_mentor, issued_at) == (first.code, mentor_id, first.issued_at)


async def test_commands_and_the_http_side_give_the_same(settings: Settings, org_id: UUID) -> None:
    """As who owns the tables and as referrals_app."""
    mentor_id = uuid4()
    async with owned_registry(settings) as owned, app_registry(settings) as codes:
        made = await owned.codes.issue(org_id, mentor_id)
        found = await codes.issue(org_id, mentor_id)
    assert (made.is_new, found.is_new, found.code) == (True, False, made.code)


async def test_fifty_at_once_give_one_code(settings: Settings, org_id: UUID) -> None:
    """Fifty connections ask for one mentor at the same time: one code, one mentor, one outbox row."""
    mentor_id = uuid4()
    async with app_registry(settings, connections=50) as codes:
        issued = await asyncio.gather(*(codes.issue(org_id, mentor_id) for _ in range(50)))
    assert len({each.code for each in issued}) == 1
    assert sum(each.is_new for each in issued) == 1
    assert sizes(settings) == [1, 1, 1]


async def test_batches_that_overlap_at_once(settings: Settings, org_id: UUID) -> None:
    """Ten batches with the same mentors in other orders: one code each, all say the same."""
    mentors = [uuid4() for _ in range(100)]
    async with app_registry(settings, connections=10) as codes:
        batches = await asyncio.gather(
            *(codes.issue_many(org_id, [*mentors[at:], *mentors[:at]]) for at in range(0, 100, 10))
        )
    answers = {(each.mentor_id, each.code) for batch in batches for each in batch}
    assert len(answers) == len({code for _, code in answers}) == 100
    assert sum(each.is_new for batch in batches for each in batch) == 100
    assert sizes(settings) == [100, 100, 100]


def test_processes_at_once(settings: Settings) -> None:
    """Three commands for one mentor at the same time print the same code."""
    org_id, mentor_id = asyncio.run(new_organisation(settings)), uuid4()
    processes = [
        subprocess.Popen(
            [sys.executable, "-P", "-m", "commands", "codes", "issue", f"--org={org_id}", f"--mentor={mentor_id}"],
            cwd=ROOT,
            env={
                "REFERRALS_DATABASE_URL": settings.database_url,
                "REFERRALS_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
                "REFERRALS_TOPIC_PREFIX": settings.topic_prefix,
                "REFERRALS_SECRET_KEYS": SECRET_KEYS,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    ends = [(*process.communicate(timeout=60), process.returncode) for process in processes]
    assert {(code, status) for code, _, status in ends} == {(ends[0][0], 0)}, ends
    assert sizes(settings) == [1, 1, 1]


@pytest.mark.parametrize("taken", [1, 2, 10])
async def test_a_code_that_is_taken_gets_a_suffix(settings: Settings, org_id: UUID, taken: int) -> None:
    """By another organisation's mentor, whose row this role cannot see: '2', '3' and so on."""
    mentor_id = uuid4()
    possible = await candidates(settings, org_id, mentor_id)
    take(settings, possible[:taken])
    async with app_registry(settings) as codes:
        issued = await codes.issue(org_id, mentor_id)
        again = await codes.issue(org_id, mentor_id)
    assert issued.code == again.code == f"{possible[0]}{taken + 1}"
    assert (issued.is_new, again.is_new) == (True, False)
    assert rows(settings, "SELECT referral_code FROM codes_outbox") == [(issued.code,)]


async def test_taken_in_the_same_organisation(settings: Settings, org_id: UUID) -> None:
    """The same where the other mentor is one of ours."""
    mentor_id = uuid4()
    possible = await candidates(settings, org_id, mentor_id)
    take(settings, possible[:1], org_id)
    async with app_registry(settings) as codes:
        assert (await codes.issue(org_id, mentor_id)).code == possible[1]


async def test_collisions_inside_a_batch(settings: Settings, org_id: UUID) -> None:
    """Some of a batch collide: they get suffixes, the others their own codes, in one transaction."""
    mentors = [uuid4() for _ in range(20)]
    first = {mentor_id: (await candidates(settings, org_id, mentor_id))[0] for mentor_id in mentors}
    take(settings, [first[mentor_id] for mentor_id in mentors[:5]])
    async with app_registry(settings) as codes:
        issued = await codes.issue_many(org_id, [*mentors, mentors[0]])
    suffixed = [f"{first[mentor_id]}2" for mentor_id in mentors[:5]]
    assert [each.code for each in issued] == [*suffixed, *(first[each] for each in mentors[5:]), suffixed[0]]
    assert len(rows(settings, "SELECT DISTINCT xmin::text FROM codes_outbox")) == 1


async def test_every_code_taken(settings: Settings, org_id: UUID) -> None:
    """The remedy is said, and nothing was written, for nobody of the batch."""
    unlucky, other = uuid4(), uuid4()
    take(settings, await candidates(settings, org_id, unlucky))
    before = everything(settings)
    async with app_registry(settings) as codes:
        with pytest.raises(NoCodeLeft, match=f"mentor {unlucky} .*rotate-secret {org_id} --purpose code"):
            await codes.issue_many(org_id, [other, unlucky])
    assert everything(settings) == before


async def test_a_new_secret_changes_no_issued_code(settings: Settings, org_id: UUID) -> None:
    """Who has a code keeps it; who gets one now gets it by the new secret."""
    old, new = uuid4(), uuid4()
    async with owned_registry(settings) as registry:
        kept = await registry.codes.issue(org_id, old)
        by_old_secret = (await candidates(settings, org_id, new))[0]
        await registry.secrets.replace(org_id, "code")
        assert (await registry.codes.issue(org_id, old)).code == kept.code
        issued = await registry.codes.issue(org_id, new)
    assert issued.code == (await candidates(settings, org_id, new))[0] != by_old_secret


async def test_no_organisation_no_secret_no_key(settings: Settings, org_id: UUID) -> None:
    """Each says what is missing and how to get it; nothing is written."""
    from_topic = uuid4()
    rows(settings, "INSERT INTO organisations (org_id) VALUES (%s)", [from_topic])
    async with app_database(settings) as database:
        codes = CodeRegistry(database, SecretStore(database, SecretBox({2: bytes(range(32))})))
        with pytest.raises(UnknownOrganisation, match="orgs create NAME --org-id"):
            await codes.issue(uuid4(), uuid4())
        with pytest.raises(NoSecret, match=f"rotate-secret {from_topic} --purpose code"):
            await codes.issue(from_topic, uuid4())
        with pytest.raises(SecretUnreadable, match="needs key version 1"):
            await codes.issue(org_id, uuid4())
    assert sizes(settings) == [0, 0, 0]


async def test_a_deadlock_is_begun_again(settings: Settings, org_id: UUID) -> None:
    """Somebody who writes the same mentors in another order is waited for, also where Postgres has to part the two."""
    codes_of = {(await candidates(settings, org_id, mentor_id))[0]: mentor_id for mentor_id in (uuid4(), uuid4())}
    our_code = min(codes_of)  # codes are inserted in their order, so ours is when theirs is waited for
    ours, theirs = codes_of[our_code], codes_of[max(codes_of)]

    async def wait_for_us(other: psycopg.AsyncConnection[Any]) -> None:
        waiting = b"SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        while not await (await other.execute(waiting)).fetchall():  # noqa: ASYNC110 - Postgres knows, and sets no event
            await asyncio.sleep(0.01)

    async with (
        await psycopg.AsyncConnection.connect(settings.database_url) as other,
        await psycopg.AsyncConnection.connect(settings.database_url, autocommit=True) as onlooker,
        app_registry(settings) as codes,
    ):
        await other.execute("SET deadlock_timeout = '60s'")  # so it is us whom Postgres chooses to give way
        await other.execute("INSERT INTO mentors VALUES (%s, %s)", [org_id, theirs])
        await other.execute("INSERT INTO referral_codes VALUES ('THE1RC0DE', %s, %s, now())", [org_id, theirs])
        issuing = asyncio.create_task(codes.issue_many(org_id, [ours, theirs]))
        await wait_for_us(onlooker)  # we hold our code and wait for their mentor
        await other.execute(
            "INSERT INTO referral_codes VALUES (%s, %s, %s, now()) ON CONFLICT DO NOTHING", [our_code, org_id, theirs]
        )  # they wait for our code, and we for their mentor
        await other.commit()
        issued: list[Issued] = await issuing
    assert [each.code for each in issued] == [our_code, "THE1RC0DE"]
    assert [each.is_new for each in issued] == [True, False]
