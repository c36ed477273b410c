"""Mail from an award to a mailbox: a real Postgres, a real mail server, and what goes wrong between them."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psycopg
import pytest

from edges.mail.metrics import MailHealth, MailState
from edges.mail.outbox import Outbox, open_outbox
from edges.mail.relay import LOOK_S, MailRelay
from edges.mail.server import MailServer, Refused, ServerAway, envelope_of
from edges.web.database import Database
from edges.web.identity import Identity
from edges.web.mail_subscriptions import (
    ASKED_A_DAY_MAX,
    TooOften,
    confirm_by_link,
    end_by_link,
    find_subscription,
    subscribe,
    unsubscribe,
)
from edges.web.sign_in.credentials import Credential, read_credential
from local.parts import Parts
from local.parts.ports import LOOPBACK, free_ports
from models.badges import FIRST_RECRUIT
from process.monitoring import READY
from process.settings import Settings
from tests.component import DEADLINE_S, Component, environment
from tests.mail_server import PASSWORD, SENDER, USER, MailServerDouble, Post, mail_server, settings_with
from tests.monitoring import ask, url_in
from tests.snippets import run_by
from tests.stopped_postgres import stopped
from tests.terminal import Terminal

pytestmark = pytest.mark.integration

KARI: Final = "kari@example.org"
OLA: Final = "ola@example.org"


@pytest.fixture
def post() -> Iterator[MailServerDouble]:
    """Give a mail server."""
    with mail_server() as running:
        yield running


class Scene:
    """An organisation with mentors, and the relay by hand."""

    def __init__(self, settings: Settings, database: Database, outbox: Outbox) -> None:
        self.settings = settings
        self.database = database
        self.outbox = outbox
        self.org_id = str(uuid4())
        self.state = MailState()
        self.relay = MailRelay(settings, self.state)

    def run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement as who owns the tables."""
        with psycopg.connect(self.settings.database_url) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def mentor(self) -> Identity:
        """Make a mentor."""
        mentor_id = str(uuid4())
        self.run("INSERT INTO mentors VALUES (%s, %s)", self.org_id, mentor_id)
        return Identity(self.org_id, mentor_id, "mentor")

    async def told(self, who: Identity, address: str, language: Any = "en") -> Credential:  # noqa: ANN401
        """Let somebody be told, confirmed; return what the links of his mails carry."""
        await subscribe(self.database, who, address, language)
        self.run("UPDATE mail_subscriptions SET confirmed_at = now() WHERE subject = %s", who.subject)
        self.run("DELETE FROM mail_outbox WHERE subject = %s", who.subject)
        ((subscription_id, secret),) = self.run(
            "SELECT subscription_id::text, secret FROM mail_subscriptions WHERE subject = %s", who.subject
        )
        return Credential(self.org_id, subscription_id, secret)

    def award(self, *mentors: Identity, badge_id: str = FIRST_RECRUIT) -> None:
        """Award a badge, as the badge consumer does: again changes nothing."""
        for mentor in mentors:
            self.run(
                "INSERT INTO badge_awards VALUES (%s, %s, %s, %s, 1) ON CONFLICT DO NOTHING",
                *(self.org_id, mentor.subject, badge_id, uuid4()),
            )

    async def send(self) -> int:
        """Send what is due now, also what was put off."""
        self.run("UPDATE mail_outbox SET due_at = now() WHERE sent_at IS NULL AND gave_up_at IS NULL")
        return await self.relay.work(self.outbox)

    def rows(self) -> list[tuple[Any, ...]]:
        """Return what the outbox has: kind, whether sent, whether given up, attempts, problem."""
        return self.run(
            "SELECT kind, sent_at IS NOT NULL, gave_up_at IS NOT NULL, attempts, problem FROM mail_outbox "
            "ORDER BY made_at"
        )


@asynccontextmanager
async def scene_of(settings: Settings) -> AsyncIterator[Scene]:
    """Give a scene with an organisation."""
    async with Database(settings) as database, open_outbox(settings.database_url) as outbox:
        scene = Scene(settings, database, outbox)
        scene.run("INSERT INTO organisations (org_id, name) VALUES (%s, 'Alder & Co')", scene.org_id)
        yield scene


@pytest.fixture
async def scene(settings: Settings, post: MailServerDouble) -> AsyncIterator[Scene]:
    """Give a scene whose mail goes to the server."""
    async with scene_of(settings_with(settings, post)) as scene:
        yield scene


def plain(message: Any) -> str:  # noqa: ANN401
    """Return a message's text."""
    return str(message.get_body(("plain",)).get_content())


# -- what is told, and to whom ----------------------------------------------------------------------------------------


async def test_a_first_mail_then_confirmed_then_a_badge_then_the_end(scene: Scene, post: MailServerDouble) -> None:
    """The whole way: nothing is told before the address is confirmed, and nothing after the end."""
    mentor = scene.mentor()
    await subscribe(scene.database, mentor, KARI, "nb")
    scene.award(mentor, badge_id="5a1e6b10-0005-5c4e-9f00-7265637275ad")
    assert [kind for kind, *_ in scene.rows()] == ["confirm"], "news of a badge is for who has confirmed"
    assert await scene.send() == 1
    (first,) = post.post.to(KARI)
    assert first["Subject"] == "Er denne adressen riktig? E-post fra Alder & Co"
    assert "List-Unsubscribe" not in first
    link = plain(first).partition("https://refer.example.org/mail/confirm/")[2].split()[0]
    credential = read_credential(link)
    assert credential is not None
    assert await confirm_by_link(scene.database, credential)
    assert not await confirm_by_link(scene.database, credential._replace(secret=bytes(32)))
    scene.award(mentor)
    scene.award(mentor)
    assert await scene.send() == 1
    assert await scene.send() == 0
    _, news = post.post.to(KARI)
    assert news["Subject"] == "Et nytt merke: Første verving"
    assert news["List-Unsubscribe"].strip() == f"<https://refer.example.org/mail/unsubscribe/{link}>"
    assert news["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "https://refer.example.org/me" in plain(news)
    assert await end_by_link(scene.database, credential)
    assert scene.run("SELECT address FROM mail_subscriptions") == []
    scene.award(mentor, badge_id="5a1e6b10-000a-5c4e-9f00-7265637275ad")
    assert await scene.send() == 0


async def test_what_waits_is_not_sent_to_who_has_left(scene: Scene, post: MailServerDouble) -> None:
    """Not by the old address either, where he has changed it."""
    mentor, other = scene.mentor(), scene.mentor()
    await scene.told(mentor, KARI)
    await scene.told(other, OLA)
    scene.award(mentor, other)
    await unsubscribe(scene.database, mentor)
    await subscribe(scene.database, other, "new@example.org", "en")
    await scene.send()
    assert [recipient for recipient, _, _ in post.post.taken] == ["new@example.org"]
    assert post.post.taken[0][1]["Subject"].startswith("Is this address right?")


async def test_another_language_needs_no_other_confirmation(scene: Scene) -> None:
    """An address that is confirmed stays so; another one does not."""
    mentor = scene.mentor()
    await scene.told(mentor, KARI)
    await subscribe(scene.database, mentor, KARI, "nb")
    found = await find_subscription(scene.database, mentor)
    assert found is not None
    assert (found.language, found.confirmed_at is not None) == ("nb", True)
    assert scene.rows() == []
    await subscribe(scene.database, mentor, OLA, "nb")
    found = await find_subscription(scene.database, mentor)
    assert found is not None
    assert (found.address, found.confirmed_at) == (OLA, None)


async def test_nobody_is_made_to_write_to_strangers(scene: Scene) -> None:
    """So many first mails a day, also where they are asked for at once."""
    mentor = scene.mentor()
    asking = [subscribe(scene.database, mentor, f"stranger{n}@example.org", "en") for n in range(ASKED_A_DAY_MAX + 3)]
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert sum(isinstance(answer, TooOften) for answer in answers) == 3
    assert len(scene.rows()) == ASKED_A_DAY_MAX


async def test_organisations_do_not_meet(scene: Scene, post: MailServerDouble) -> None:
    """A mentor's id means another mentor in another organisation, and its link ends nothing here."""
    mentor = scene.mentor()
    link = await scene.told(mentor, KARI)
    elsewhere = str(uuid4())
    scene.run("INSERT INTO organisations (org_id, name) VALUES (%s, 'Birch')", elsewhere)
    scene.run("INSERT INTO mentors VALUES (%s, %s)", elsewhere, mentor.subject)
    scene.run("INSERT INTO badge_awards VALUES (%s, %s, %s, %s, 1)", elsewhere, mentor.subject, FIRST_RECRUIT, uuid4())
    assert await scene.send() == 0
    assert not await end_by_link(scene.database, link._replace(org_id=elsewhere))
    assert await find_subscription(scene.database, Identity(elsewhere, mentor.subject, "mentor")) is None
    assert post.post.taken == []


async def test_other_letters_in_an_address(scene: Scene, post: MailServerDouble, settings: Settings) -> None:
    """A domain of other letters goes in ASCII; a name of other letters needs SMTPUTF8, and is given up without."""
    mentor, other = scene.mentor(), scene.mentor()
    await scene.told(mentor, "kari@bjørk.example.org")
    await scene.told(other, "kåri@example.org")
    scene.award(mentor, other)
    assert await scene.send() == 2
    assert {recipient for recipient, _, _ in post.post.taken} == {
        "kari@xn--bjrk-hra.example.org",
        "kåri@example.org",
    }
    assert "kåri@example.org".encode() in next(content for at, _, content in post.post.taken if at.startswith("kå"))
    with mail_server(smtputf8=False) as old:
        server = MailServer(settings_with(settings, old))
        async with server.conversation() as conversation:
            with pytest.raises(Refused, match="SMTPUTF8") as refused:
                await conversation.send(envelope_of("kåri@example.org"), b"Subject: x\r\n\r\n")
        assert refused.value.is_address


# -- a server with bad manners ----------------------------------------------------------------------------------------


async def test_greylisting_is_waited_for(scene: Scene, post: MailServerDouble) -> None:
    """Put off twice, longer each time, and taken; others are not held up."""
    mentor, other = scene.mentor(), scene.mentor()
    await scene.told(mentor, KARI)
    await scene.told(other, OLA)
    post.post.greylists = 1
    scene.award(mentor, other)
    assert await scene.send() == 1, "the other one"
    ((wait_s,),) = scene.run("SELECT extract(epoch FROM due_at - now())::float FROM mail_outbox WHERE sent_at IS NULL")
    assert 50 < wait_s <= 60
    post.post.greylists = 1
    assert await scene.send() == 0
    ((wait_s,),) = scene.run("SELECT extract(epoch FROM due_at - now())::float FROM mail_outbox WHERE sent_at IS NULL")
    assert 110 < wait_s <= 120
    assert scene.rows()[0][4] == "the mail server answers 450 4.2.0"
    assert await scene.send() == 1
    assert sorted(recipient for recipient, _, _ in post.post.taken) == [KARI, OLA]
    assert scene.state.outcomes["badge", "put_off"] == 2


async def test_put_off_for_days_is_given_up(scene: Scene, post: MailServerDouble) -> None:
    """After five days, and only where it was tried: what waited for our own server is sent however late."""
    mentor, other = scene.mentor(), scene.mentor()
    await scene.told(mentor, KARI)
    scene.award(mentor)
    scene.run("UPDATE mail_outbox SET made_at = now() - interval '6 days', attempts = 60")
    await scene.told(other, OLA)
    scene.award(other)
    scene.run("UPDATE mail_outbox SET made_at = now() - interval '6 days' WHERE attempts = 0")
    post.post.refuses = {KARI: "451 4.3.0 later"}
    assert await scene.send() == 1
    assert (False, True) in {(sent, gave_up) for _, sent, gave_up, _, _ in scene.rows()}
    assert post.post.to(OLA)


async def test_a_recipient_who_is_refused_is_not_tried_again(scene: Scene, post: MailServerDouble) -> None:
    """Given up, the page can say so, and no further mail goes there."""
    mentor = scene.mentor()
    await scene.told(mentor, KARI)
    post.post.refuses = {KARI: f"550 5.1.1 <{KARI}>: Recipient address rejected: User unknown"}
    scene.award(mentor)
    scene.award(mentor, badge_id="5a1e6b10-000a-5c4e-9f00-7265637275ad")
    assert await scene.send() == 0
    assert scene.rows() == [("badge", False, True, 1, "the mail server refuses the address: 550 5.1.1")]
    assert scene.state.outcomes["badge", "not_wanted"] == 1, "the other badge is not tried there"
    found = await find_subscription(scene.database, mentor)
    assert found is not None
    assert found.refused_at is not None
    post.post.refuses = {}
    scene.award(mentor, badge_id="5a1e6b10-0005-5c4e-9f00-7265637275ad")
    assert await scene.send() == 0
    await subscribe(scene.database, mentor, KARI, "en")  # asked again, it gets a first mail again
    assert await scene.send() == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("550 relay not permitted", "550"),
        ("550 5.7.1 <kari@example.org>... Relaying denied", "550 5.7.1"),
        ("554 5.7.1 <kari@example.org>: Relay access denied", "554 5.7.1"),
        ("530 5.7.0 Authentication required", "530 5.7.0"),
        ("530 Sign in first", "530"),
    ],
)
async def test_a_server_that_does_not_relay_for_us_blames_no_address(
    scene: Scene, post: MailServerDouble, answer: str, said: str
) -> None:
    """As Exim, sendmail, Postfix and Exchange say it: it waits until a setting is put right, and nobody is given up."""
    mentor = scene.mentor()
    await scene.told(mentor, KARI)
    post.post.refuses = {KARI: answer}
    scene.award(mentor)
    assert await scene.send() == 0
    ((_, sent, gave_up, _, problem),) = scene.rows()
    assert (sent, gave_up) == (False, False)
    assert problem == f"the mail server sends nothing there for us: {said}; see REFERRALS_SMTP_USERNAME"
    found = await find_subscription(scene.database, mentor)
    assert found is not None
    assert found.refused_at is None
    post.post.refuses = {}
    assert await scene.send() == 1


async def test_a_text_that_is_refused_leaves_the_address(scene: Scene, post: MailServerDouble) -> None:
    """It is the mail that is given up."""
    mentor = scene.mentor()
    await scene.told(mentor, KARI)
    post.post.refuses_text = "554 5.7.1 spam"
    scene.award(mentor)
    assert await scene.send() == 0
    assert scene.rows()[0][2:] == (True, 1, "the mail server refuses the mail: 554 5.7.1")
    found = await find_subscription(scene.database, mentor)
    assert found is not None
    assert found.refused_at is None


@pytest.mark.parametrize(("dies", "copies"), [("at recipient", 1), ("before taking", 1), ("after taking", 2)])
async def test_a_server_that_dies_in_mid_conversation(
    scene: Scene,
    post: MailServerDouble,
    dies: Any,  # noqa: ANN401  one of Post's words
    copies: int,
) -> None:
    """The mail is tried again; where it had been taken and not answered, a second copy has the same Message-ID."""
    mentor, other = scene.mentor(), scene.mentor()
    await scene.told(mentor, KARI)
    await scene.told(other, OLA)
    post.post.dies = dies
    scene.award(mentor)
    scene.award(other)
    assert await scene.send() == 1, "the other, in a conversation of its own"
    assert await scene.send() == 1
    assert len(post.post.to(KARI)) == copies
    assert len({message["Message-ID"] for message in post.post.to(KARI)}) == 1
    assert len(post.post.to(OLA)) == 1
    assert post.post.conversations == 3


async def test_no_server_is_waited_for_and_no_mail_is_blamed(settings: Settings) -> None:
    """Nobody listens: what is due stays as it was, and goes when somebody does."""
    (port,) = free_ports(1)
    settings = settings.model_copy(
        update={"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": "none", "mail_from": SENDER,
                "public_url": "https://refer.example.org"}
    )  # fmt: skip
    async with scene_of(settings) as scene:
        mentor = scene.mentor()
        await scene.told(mentor, KARI)
        scene.award(mentor)
        with pytest.raises(ServerAway, match=f"127.0.0.1:{port}"):
            await scene.send()
        assert scene.rows() == [("badge", False, False, 0, None)]
        assert scene.state.figures.waiting == 1
        running = asyncio.create_task(scene.relay.run())
        await until(lambda: scene.state.server_away is not None)
        assert set(MailHealth(scene.state).ready()) == {"smtp"}
        assert MailHealth(scene.state).live() == {}
        with mail_server(port=port) as post:
            await until(lambda: bool(post.post.taken), patience_s=15)
            await until(lambda: MailHealth(scene.state).ready() == {})
        scene.relay.stop()
        await asyncio.wait_for(running, 5)


async def until(is_so: Any, patience_s: float = 10.0) -> None:  # noqa: ANN401
    """Wait until something is so."""
    async with asyncio.timeout(patience_s):
        while not is_so():  # noqa: ASYNC110  another thread's, or another process's
            await asyncio.sleep(0.02)


# -- the way to the server --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_the_way_is_encrypted_and_the_server_shows_who_it_is(
    settings: Settings,
    tmp_path: Path,
    security: Any,  # noqa: ANN401
) -> None:
    """By an authority that is named; by no other, for no other host, and without a password it lets nobody in."""
    with mail_server(security, folder=tmp_path, with_password=True) as post:
        good = {"smtp_username": USER, "smtp_password": secret(PASSWORD)}
        async with MailServer(settings_with(settings, post, **good)).conversation() as conversation:
            await conversation.send(envelope_of(KARI), b"Subject: x\r\n\r\nx\r\n")
        assert len(post.post.taken) == 1
        for changed, reason in (
            ({"smtp_ca_location": None}, "certificate is not accepted"),
            ({"smtp_host": "localhost"}, "certificate is not accepted: Hostname mismatch"),
            ({"smtp_password": secret("another")}, r"does not let us in \(535\)"),
        ):
            with pytest.raises(ServerAway, match=reason) as away:
                async with MailServer(settings_with(settings, post, **(good | changed))).conversation():
                    pass
            assert PASSWORD not in str(away.value)
        assert len(post.post.taken) == 1


async def test_a_server_without_starttls_is_not_spoken_with(settings: Settings, post: MailServerDouble) -> None:
    """Whoever takes the offer out of the conversation gets nothing."""
    with pytest.raises(ServerAway, match="offers no STARTTLS"):
        async with MailServer(settings_with(settings, post, smtp_security="starttls")).conversation():
            pass


async def test_what_is_wrong_with_the_way_is_said_by_its_setting(settings: Settings, tmp_path: Path) -> None:
    """A password where none is taken, a server that is not there, and a host that nobody has."""
    with_password = {"smtp_username": USER, "smtp_password": secret(PASSWORD), "smtp_security": "none"}
    (port,) = free_ports(1)
    with mail_server("starttls", folder=tmp_path, with_password=True) as post:
        for changed, reason in (
            (with_password, "takes no password on a way without TLS; see REFERRALS_SMTP_SECURITY"),
            ({"smtp_port": port}, f":{port}: it cannot be reached: Connect.*; see REFERRALS_SMTP_HOST and"),
            ({"smtp_host": "mail.invalid"}, r"mail.invalid:\d+: it cannot be reached: .*; see REFERRALS_SMTP_HOST and"),
        ):
            with pytest.raises(ServerAway, match=reason):
                async with MailServer(settings_with(settings, post, **changed)).conversation():
                    pass


def secret(text: str) -> Any:  # noqa: ANN401
    """Return a setting that is not shown."""
    from pydantic import SecretStr  # noqa: PLC0415

    return SecretStr(text)


# -- the process ------------------------------------------------------------------------------------------------------


def test_what_the_page_says_to_paste(settings: Settings, tmp_path: Path) -> None:
    """With this server's address and password in place of an example's: a mail comes, and `mail` runs until stopped."""
    (block,) = run_by("tests/integration/test_mail.py", "docs/mail.md")
    directory = tmp_path / "terminal"
    directory.mkdir()
    with mail_server("starttls", folder=tmp_path, with_password=True) as post:
        text = block.text.replace("smtp.example.org", LOOPBACK).replace("SECRET", shlex.quote(PASSWORD))
        *exports, trial, relay = (shlex.split(line, comments=True) for line in text.splitlines())
        ours = {name: value for name, value in environment(settings).items() if name.startswith("REFERRALS_")}
        ours |= {"REFERRALS_SMTP_PORT": str(post.port), "REFERRALS_SMTP_CA_LOCATION": str(post.authority)}
        ours |= dict(variable.split("=", 1) for _, *variables in exports for variable in variables)
        terminal = Terminal(directory, **ours, REFERRALS_MONITORING_PORT="0")
        terminal.paste(shlex.join(trial))
        assert [recipient for recipient, _, _ in post.post.taken] == [trial[-1]]
        with terminal.running(shlex.join(relay)) as (process, log):
            deadline = time.monotonic() + DEADLINE_S
            while (
                "monitoring_listens" not in log.read_text()
                or ask(url_in(log.read_text()), READY).status != HTTPStatus.OK
            ):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)


async def test_killed_before_and_after_the_server_has_it(
    scene: Scene, post: MailServerDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before: it is sent once. Killed between its 250 and our commit: once more, with the same Message-ID."""
    for name, value in post.settings().items():
        if value is not None:
            monkeypatch.setenv(f"REFERRALS_{name.upper()}", str(value))
    monkeypatch.setenv("REFERRALS_MONITORING_PORT", "0")
    mentors = [scene.mentor() for _ in range(3)]
    for number, mentor in enumerate(mentors):
        await scene.told(mentor, f"mentor{number}@example.org")
    scene.award(*mentors)
    for fault, taken in (("mail.taken", 0), ("mail.accepted", 1)):
        killed = Component("mail", scene.settings, tmp_path / "log", fault=fault)
        assert await asyncio.to_thread(killed.wait) == -signal.SIGKILL, killed.tail()
        assert len(post.post.taken) == taken
    running = Component("mail", scene.settings, tmp_path / "log")
    try:
        await until(lambda: len(post.post.taken) == 4, patience_s=20)
        await until(lambda: all(sent for _, sent, _, _, _ in scene.rows()))
        running.signal(signal.SIGTERM)
        assert await asyncio.to_thread(running.wait) == 0, running.tail()
    finally:
        running.kill()
    ids = [message["Message-ID"] for _, message, _ in post.post.taken]
    assert (len(ids), len(set(ids))) == (4, 3)
    assert post.post.taken[0][1]["Message-ID"] == post.post.taken[1][1]["Message-ID"]
    assert "example.org" not in running.log.replace("refer.example.org", ""), "no address in the log"
    assert '"mail.sent"' in running.log


@pytest.mark.long  # badges and counts try the same kind in every run
async def test_asked_to_end_while_postgres_is_stopped(
    scene: Scene, post: MailServerDouble, parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for an answer that does not come, and ends all the same."""
    for name, value in post.settings().items():
        if value is not None:
            monkeypatch.setenv(f"REFERRALS_{name.upper()}", str(value))
    monkeypatch.setenv("REFERRALS_MONITORING_PORT", "0")
    running = Component("mail", scene.settings, tmp_path / "log")
    try:
        await until(lambda: "monitoring_listens" in running.log)
        url = url_in(running.log)
        await until(lambda: ask(url, READY).status == HTTPStatus.OK)
        with stopped(parts):
            await asyncio.sleep(LOOK_S + 2)  # it has looked for mail, and waits
            running.signal(signal.SIGTERM)
            assert await asyncio.to_thread(running.wait) == os.EX_TEMPFAIL, running.tail()
        assert "stop_cut_short" in running.log
    finally:
        running.kill()


async def test_two_share_the_work(scene: Scene, post: MailServerDouble) -> None:
    """Each mail goes out once, whoever sends it."""
    mentors = [scene.mentor() for _ in range(12)]
    for number, mentor in enumerate(mentors):
        await scene.told(mentor, f"mentor{number}@example.org")
    scene.award(*mentors)
    async with open_outbox(scene.settings.database_url) as beside:
        other = MailRelay(scene.settings, MailState())
        sent = await asyncio.gather(scene.relay.work(scene.outbox), other.work(beside))
    assert sum(sent) == len(post.post.taken) == 12
    assert len({recipient for recipient, _, _ in post.post.taken}) == 12
    assert Post().taken == []
