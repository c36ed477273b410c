"""Asking to be told by mail, confirming and ending it: a real server and Postgres, as pages and mail programs do it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
import pytest
from click.testing import CliRunner

from commands.mail import command
from edges.registry.addresses import erase_addresses
from edges.registry.database import owner_database
from edges.registry.naming import Naming, name_mentors
from edges.web.mail_subscriptions import ASKED_A_DAY_MAX, CONFIRM, UNSUBSCRIBE
from edges.web.sign_in.credentials import Credential
from process.settings import Settings
from tests.mail_server import SENDER, mail_server
from tests.web import Web, bearer, running_web

pytestmark = pytest.mark.integration

KARI: Final = "kari@example.org"


@pytest.fixture
async def web(settings: Settings) -> AsyncIterator[Web]:
    """Give a server of an installation that sends mail."""
    async with running_web(settings, smtp_host="127.0.0.1", smtp_port=1, mail_from=SENDER) as web:
        yield web


@pytest.fixture
def org_id(settings: Settings) -> str:
    """Give an organisation."""
    org_id = str(uuid4())
    run(settings, "INSERT INTO organisations (org_id, name) VALUES (%s, 'Alder & <Co>')", org_id)
    return org_id


def run(settings: Settings, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Run a statement as who owns the tables."""
    with psycopg.connect(settings.database_url) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


def link_of(settings: Settings, address: str = KARI) -> str:
    """Return what the links of an address's mails carry."""
    ((org_id, subscription_id, secret),) = run(
        settings,
        "SELECT org_id::text, subscription_id::text, secret FROM mail_subscriptions WHERE address = %s",
        address,
    )
    return Credential(org_id, subscription_id, secret).text


async def test_asked_confirmed_and_ended_by_links(web: Web, settings: Settings, org_id: str) -> None:
    """Opening a link changes nothing, its button does, without a sign-in; and once more is no fault."""
    mail = f"/v1/orgs/{org_id}/mail"
    headers = bearer("coordinator", org_id=org_id, subject=str(uuid4()))
    nothing = {"isSent": True, "topic": "summary", "address": None, "language": None, "askedAt": None}
    assert nothing.items() <= (await web.get(mail, headers=headers)).json().items()
    asked = await web.put(mail, headers=headers, json={"address": f" {KARI} ", "language": "nb"})
    assert asked.status_code == 200
    assert asked.headers["Cache-Control"] == "no-store"
    assert (asked.json()["address"], asked.json()["language"], asked.json()["confirmedAt"]) == (KARI, "nb", None)
    link = link_of(settings)
    for _ in range(2):
        opened = await web.get(f"{CONFIRM}/{link}")
        assert opened.status_code == 200
        assert "Ukens tall fra Alder &amp; &lt;Co&gt; kommer til adressen din" in opened.text
        assert KARI not in opened.text, "a link that was passed on tells nobody the address"
    assert "form-action 'self'" in opened.headers["Content-Security-Policy"]
    assert "form-action 'none'" in (await web.get("/welcome")).headers["Content-Security-Policy"]
    assert (await web.get(mail, headers=headers)).json()["confirmedAt"] is None
    for _ in range(2):
        assert "Adressen din er bekreftet" in (await web.post(f"{CONFIRM}/{link}")).text
    assert (await web.get(mail, headers=headers)).json()["confirmedAt"] is not None
    assert (await web.get(f"{UNSUBSCRIBE}/{link}")).status_code == 200
    assert (await web.get(mail, headers=headers)).json()["address"] == KARI
    for _ in range(2):
        assert (await web.post(f"{UNSUBSCRIBE}/{link}", data={"List-Unsubscribe": "One-Click"})).status_code == 200
    assert run(settings, "SELECT count(*) FROM mail_subscriptions") == [(0,)]
    gone = await web.get(f"{CONFIRM}/{link}")
    assert gone.status_code == 404
    assert (await web.post(f"{CONFIRM}/{link}")).status_code == 404
    assert run(settings, "SELECT count(*) FROM mail_subscriptions") == [(0,)]


async def test_a_link_that_is_none(web: Web, settings: Settings, org_id: str) -> None:
    """Made up, cut off, of another organisation or with another secret: nothing changes, and nothing is told."""
    headers = bearer("coordinator", org_id=org_id, subject=str(uuid4()))
    await web.put(f"/v1/orgs/{org_id}/mail", headers=headers, json={"address": KARI})
    right = link_of(settings)
    other = Credential(str(uuid4()), *(Credential(org_id, str(uuid4()), bytes(32))[1:])).text
    for link in ("x", right[:-1], other, right[:43] + other[43:], "%00", "a" * 300):
        for page in (CONFIRM, UNSUBSCRIBE):
            for answer in (await web.get(f"{page}/{link}"), await web.post(f"{page}/{link}")):
                assert answer.status_code in {200, 404}
                assert "Alder" not in answer.text
    assert run(settings, "SELECT confirmed_at FROM mail_subscriptions") == [(None,)]


async def test_what_cannot_be_asked(web: Web, settings: Settings, org_id: str) -> None:
    """An address that is none, a body that is not as described, too often in a day."""
    mail = f"/v1/orgs/{org_id}/mail"
    headers = bearer("mentor", org_id=org_id, subject=str(uuid4()))
    for body in (
        {"address": "kari"}, {"address": f"{KARI}\r\nBcc: all@example.org"}, {"address": f"Kari <{KARI}>"}, {},
        {"address": KARI, "language": "tlh"}, {"address": KARI, "role": "org_admin"}, {"address": None},
    ):  # fmt: skip
        refused = await web.put(mail, headers=headers, json=body)
        assert refused.status_code == 422, body
        assert KARI not in refused.text
    assert (await web.put(mail, headers=headers, content=b"{")).status_code == 422
    for number in range(ASKED_A_DAY_MAX):
        asked = await web.put(mail, headers=headers, json={"address": f"k{number}@example.org"})
        assert (asked.status_code, asked.json()["topic"]) == (200, "badges")
    assert (await web.put(mail, headers=headers, json={"address": KARI})).status_code == 429
    assert run(settings, "SELECT address FROM mail_subscriptions") == [(f"k{ASKED_A_DAY_MAX - 1}@example.org",)]
    ended = await web.delete(mail, headers=headers)
    assert (ended.status_code, ended.json()["address"]) == (200, None)


async def test_erased_with_the_name_and_by_the_command(
    web: Web, settings: Settings, org_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import with an empty name erases a mentor's address; the command anybody's. Nothing of it is left anywhere."""
    mentor = str(uuid4())
    run(settings, "INSERT INTO mentors VALUES (%s, %s)", org_id, mentor)
    mail = f"/v1/orgs/{org_id}/mail"
    await web.put(
        mail, headers=bearer("mentor", org_id=org_id, subject=mentor), json={"address": "canary1@example.org"}
    )
    async with owner_database(settings.database_url) as database:
        await name_mentors(database, UUID(org_id), {UUID(mentor): Naming("Kari")})
        assert run(settings, "SELECT count(*) FROM mail_subscriptions") == [(1,)]
        await name_mentors(database, UUID(org_id), {UUID(mentor): Naming("")})
    await web.put(mail, headers=bearer(org_id=org_id), json={"address": "Canary2@example.org"})
    async with owner_database(settings.database_url) as database:
        assert await erase_addresses(database, uuid4(), address="canary2@example.org") == 0
    monkeypatch.setenv("REFERRALS_DATABASE_URL", settings.database_url)
    arguments = ["erase", "--org", org_id, "--address", "canary2@example.org"]
    done = await run_command(arguments)
    assert (done.exit_code, done.output) == (0, "1 address erased\n")
    assert (await run_command(arguments)).exit_code == 1
    assert (await run_command(arguments[:3])).exit_code == 2
    tables = run(settings, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for (table,) in tables:
        for (row,) in run(settings, f'SELECT to_jsonb(a_row)::text FROM "{table}" AS a_row'):  # noqa: S608  our own
            assert "canary" not in row.lower(), table


async def test_a_test_mail(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command says what the server answers."""
    with mail_server() as post:
        monkeypatch.setenv("REFERRALS_DATABASE_URL", settings.database_url)
        for name, value in post.settings().items():
            if value is not None:
                monkeypatch.setenv(f"REFERRALS_{name.upper()}", str(value))
        done = await run_command(["test", KARI])
        assert (done.exit_code, done.output) == (0, f"127.0.0.1:{post.port} has taken it\n")
        (message,) = post.post.to(KARI)
        assert message["Subject"] == "A test mail"
        post.post.refuses = {KARI: f"550 5.1.1 <{KARI}> unknown"}
        done = await run_command(["test", KARI])
        assert done.exit_code == 1
        assert re.search(r"refuses the address: 550 5\.1\.1", done.output)
        assert (await run_command(["test", "kari"])).exit_code == 2


async def run_command(arguments: list[str]) -> Any:  # noqa: ANN401  click's result
    """Run `referrals mail ...` in a thread: it has a loop of its own."""
    import asyncio  # noqa: PLC0415

    return await asyncio.to_thread(CliRunner().invoke, command, arguments)
