"""Links that sign in by mail: for who has confirmed an address, and told to nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest

from edges.mail.metrics import MailState
from edges.mail.outbox import open_outbox
from edges.mail.relay import MailRelay
from edges.registry.database import owner_database
from edges.registry.tokens import Role
from edges.web.identity import Identity
from edges.web.mail_subscriptions import subscribe
from edges.web.sign_in.revoking import revoke_sessions
from process.settings import Settings, SettingsError, load_settings
from tests.mail_server import SENDER, MailServerDouble, mail_server
from tests.web import Web, running_web

pytestmark = pytest.mark.integration

KARI: Final = "kari@example.org"
FROM_A_PAGE: Final = {"Sec-Fetch-Site": "same-origin"}


class Scene:
    """A server that lets people sign in by mail, and the mail server."""

    def __init__(self, web: Web, post: MailServerDouble) -> None:
        self.web = web
        self.post = post.post
        self.settings = web.services.settings

    def run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement as who owns the tables."""
        with psycopg.connect(self.settings.database_url) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    async def known(self, role: Role, address: str = KARI, *, confirmed: bool = True) -> Identity:
        """Make somebody of an organisation of his own who has asked for mail."""
        who = Identity(str(uuid4()), str(uuid4()), role)
        self.run("INSERT INTO organisations (org_id, name) VALUES (%s, 'Alder')", who.org_id)
        await subscribe(self.web.services.database, who, address, "nb")
        self.run("DELETE FROM mail_outbox")
        if confirmed:
            self.run("UPDATE mail_subscriptions SET confirmed_at = now() WHERE subject = %s", who.subject)
        return who

    async def ask(self, address: str = KARI, **headers: str) -> httpx.Response:
        """Ask as the page does, and wait until what comes of it is there."""
        answer = await self.web.post("/v1/sign-in/mail", json={"address": address}, headers=headers or FROM_A_PAGE)
        await asyncio.sleep(0.1)  # it is done after the answer
        return answer

    async def links(self, address: str = KARI) -> list[str]:
        """Send what is due, and return what the links to an address carry."""
        relay = MailRelay(self.settings, MailState())
        async with open_outbox(self.settings.database_url) as outbox:
            await relay.work(outbox)
        texts = [message.get_body(("plain",)) for message in self.post.to(address)]
        return [str(text.get_content()).partition("/sign-in#link=")[2].split()[0] for text in texts if text is not None]

    async def sign_in(self, link: str) -> httpx.Response:
        """Press the button of the page that a link opens."""
        return await self.web.post("/v1/session", json={"link": link}, headers=FROM_A_PAGE)


@pytest.fixture
async def scene(settings: Settings) -> AsyncIterator[Scene]:
    """Give both."""
    with mail_server() as post:
        async with running_web(settings, mail_sign_in=True, **post.settings()) as web:
            yield Scene(web, post)


async def test_who_has_confirmed_an_address_is_sent_a_link(scene: Scene) -> None:
    """In each organisation in which he has; it signs in once, as what he was when he confirmed."""
    one, other = await scene.known("coordinator"), await scene.known("mentor", "Kari@example.org")
    asked = await scene.ask("kari@EXAMPLE.org")
    assert (asked.status_code, asked.json()) == (202, {"address": KARI})
    (link,) = await scene.links()
    (others,) = await scene.links("Kari@example.org")
    assert scene.post.to(KARI)[0]["Subject"] == "Lenken din for å logge inn hos Alder"
    assert "List-Unsubscribe" not in scene.post.to(KARI)[0]
    for each, who in ((link, one), (others, other)):
        signed_in = await scene.sign_in(each)
        assert signed_in.status_code == 201
        found = signed_in.json()
        assert (found["orgId"], found["subject"], found["role"]) == (who.org_id, who.subject, who.role)
        assert (await scene.sign_in(each)).status_code == 401
    assert scene.run("SELECT bool_and(expires_at < made_at + interval '16 minutes') FROM sign_in_links") == [(True,)]


async def test_nobody_learns_whether_an_address_is_known(scene: Scene) -> None:
    """Known, unknown, unconfirmed, refused: the same answer; and the database gives the page's role nothing either."""
    await scene.known("coordinator")
    await scene.known("coordinator", "unconfirmed@example.org", confirmed=False)
    await scene.known("coordinator", "refused@example.org")
    scene.run("UPDATE mail_subscriptions SET refused_at = now() WHERE address = 'refused@example.org'")
    addresses = (KARI, "unknown@example.org", "unconfirmed@example.org", "refused@example.org")
    answers = [await scene.ask(address) for address in addresses]
    assert {answer.status_code for answer in answers} == {202}
    assert [answer.json() for answer in answers] == [{"address": address} for address in addresses]
    assert len({tuple(sorted(set(answer.headers) - {"date"})) for answer in answers}) == 1
    assert scene.run("SELECT count(*) FROM mail_outbox") == [(1,)]
    rows = await scene.web.services.database.rows(None, "SELECT mail_sign_in_links(%s)::text", [KARI])
    assert rows == [("",)]
    assert len(await scene.links()) == 1
    assert len(scene.post.taken) == 1


async def test_one_in_a_minute_and_five_in_an_hour(scene: Scene) -> None:
    """Also where they are asked for at once: nobody fills another's mailbox."""
    await scene.known("coordinator")
    await asyncio.gather(*(scene.ask() for _ in range(6)))
    assert scene.run("SELECT count(*) FROM mail_outbox") == [(1,)]
    for _ in range(8):
        scene.run("UPDATE mail_outbox SET made_at = made_at - interval '2 minutes'")
        await scene.ask()
    assert scene.run("SELECT count(*) FROM mail_outbox") == [(5,)]


async def test_who_asks_at_the_same_time_waits_for_the_other(scene: Scene) -> None:
    """And then sees his mail."""
    await scene.known("coordinator")
    asking = b"SELECT mail_sign_in_links('KARI@example.org')"
    with psycopg.connect(scene.settings.database_url) as first:
        first.execute(asking)
        second = asyncio.create_task(asyncio.to_thread(scene.run, asking.decode()))
        await asyncio.sleep(0.2)
        first.commit()
        await second
    assert scene.run("SELECT count(*) FROM mail_outbox") == [(1,)]


async def test_what_comes_too_late_is_not_sent(scene: Scene) -> None:
    """Nobody waits for it any more."""
    await scene.known("coordinator")
    await scene.ask()
    scene.run("UPDATE mail_outbox SET made_at = made_at - interval '16 minutes'")
    assert await scene.links() == []


async def test_who_is_revoked_is_sent_no_other(scene: Scene) -> None:
    """His links, and his address, which would bring another."""
    who = await scene.known("coordinator")
    await scene.ask()
    (link,) = await scene.links()
    async with owner_database(scene.settings.database_url) as database:
        await revoke_sessions(database, UUID(who.org_id), subject=who.subject)
    assert (await scene.sign_in(link)).status_code == 401
    scene.run("DELETE FROM mail_outbox")
    await scene.ask()
    assert scene.run("SELECT count(*) FROM mail_outbox") == [(0,)]


async def test_of_our_pages_alone_and_only_where_it_is_allowed(
    scene: Scene, settings: Settings, tmp_path: Path
) -> None:
    """Another site cannot have mails sent; an installation that does not allow it says so, and so does its page."""
    await scene.known("coordinator")
    assert (await scene.ask(Origin="https://evil.example")).status_code == 403
    assert (await scene.ask("kari")).status_code == 422
    assert (await scene.web.get("/v1/sign-in")).json() == {"provider": None, "byMail": True}
    assert scene.run("SELECT count(*) FROM mail_outbox") == [(0,)]
    async with running_web(settings, smtp_host="127.0.0.1", mail_from=SENDER, spool_dir=tmp_path / "other") as web:
        asked = await web.post("/v1/sign-in/mail", json={"address": KARI}, headers=FROM_A_PAGE)
        assert asked.status_code == 409
        assert (await web.get("/v1/sign-in")).json()["byMail"] is False


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "REFERRALS_SMTP_HOST is not"),
        ({"smtp_host": "localhost", "mail_from": SENDER, "oidc_issuer": "https://id.example"}, "REFERRALS_OIDC_ISSUER"),
    ],
)
def test_settings_that_contradict(given: dict[str, str], named: str) -> None:
    """Without a mail server, and beside a provider."""
    load: Callable[..., Settings] = load_settings
    with pytest.raises(SettingsError, match=named):
        load(mail_sign_in=True, **given)
