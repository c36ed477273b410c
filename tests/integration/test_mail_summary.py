"""The week by mail: when it is due, what it says, and that each thing in it leads to the page at that place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from html import unescape
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import psycopg
import pytest

from edges.mail.links import Links
from edges.mail.metrics import MailState
from edges.mail.outbox import open_outbox
from edges.mail.relay import MailRelay
from edges.web.database import Database
from edges.web.identity import Identity
from edges.web.mail_subscriptions import subscribe
from process.settings import Settings
from tests.mail_server import MailServerDouble, mail_server, settings_with
from tests.organisation_scene import OrganisationScene, organisation_scene

pytestmark = pytest.mark.integration

KARI: Final = "kari@example.org"


class Programme:
    """An organisation whose coordinator is sent the week."""

    def __init__(self, settings: Settings, scene: OrganisationScene, post: MailServerDouble) -> None:
        self.settings = settings
        self.scene = scene
        self.post = post.post

    def run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement as who owns the tables."""
        with psycopg.connect(self.settings.database_url) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    async def subscribe(self, address: str = KARI, language: Any = "en", ago: str = "30 days") -> None:  # noqa: ANN401
        """Let a coordinator be sent the week, confirmed so long ago."""
        async with Database(self.settings) as database:
            await subscribe(database, Identity(self.scene.org_id, address, "coordinator"), address, language)
        self.run("DELETE FROM mail_outbox")
        self.run("UPDATE mail_subscriptions SET confirmed_at = now() - %s::interval WHERE address = %s", ago, address)

    async def due(self, at: datetime) -> int:
        """Put what is due at a time into the outbox."""
        async with open_outbox(self.settings.database_url) as outbox:
            return await outbox.put_summaries(at)

    async def send(self) -> None:
        """Send what is in the outbox."""
        relay = MailRelay(self.settings, MailState())
        async with open_outbox(self.settings.database_url) as outbox, relay._database:  # noqa: SLF001  as `run` opens it
            await relay.work(outbox)

    def letters(self, address: str = KARI) -> list[EmailMessage]:
        """Return what was sent."""
        return self.post.to(address)


@pytest.fixture
async def programme(settings: Settings) -> AsyncIterator[Programme]:
    """Give an organisation in Oslo, with a mail server."""
    with mail_server() as post, organisation_scene(settings.database_url) as scene:
        scene.call("Alder & Co")
        programme = Programme(settings_with(settings, post), scene, post)
        programme.run("UPDATE organisations SET time_zone = 'Europe/Oslo'")
        yield programme


def last_monday() -> date:
    """Return the last Monday on which seven o'clock in Oslo has passed: the relay itself finds the same due."""
    seven = datetime.now(ZoneInfo("Europe/Oslo")) - timedelta(hours=7)
    return seven.date() - timedelta(days=seven.weekday())


async def test_due_on_monday_at_seven_where_the_organisation_is(programme: Programme) -> None:
    """Once, whoever asks how often; not for who confirmed after it, and of weeks that were missed the last one."""
    await programme.subscribe(ago="100 days")
    monday = datetime(2026, 9, 7, tzinfo=UTC)
    summer = timedelta(hours=5)  # 7 o'clock in Oslo
    assert await programme.due(monday + summer - timedelta(seconds=1)) == 1, "of the week before"
    assert await programme.due(monday + summer) == 1
    assert await programme.due(monday + timedelta(days=6)) == 0
    assert programme.run("SELECT about FROM mail_outbox ORDER BY about") == [("2026-08-31",), ("2026-09-07",)]
    winter = datetime(2026, 11, 2, 6, tzinfo=UTC)
    assert await programme.due(winter - timedelta(seconds=1)) == 1, "of the Monday before"
    assert await programme.due(winter + timedelta(days=21)) == 1, "two weeks were missed: only the last one is told"
    programme.run("DELETE FROM mail_outbox")
    programme.run("UPDATE mail_subscriptions SET confirmed_at = %s", winter + timedelta(hours=1))
    assert await programme.due(winter + timedelta(days=3)) == 0, "asked for after it was due"
    assert await programme.due(winter + timedelta(days=7)) == 1


async def test_what_it_says(programme: Programme) -> None:
    """Figures beside the week before, who reached a badge, who needs help, in both languages; all of it linked."""
    scene, monday = programme.scene, last_monday()
    anna, bert = scene.issue(), scene.issue()
    scene.name(anna, "Anna <Berg> & Søn")
    scene.count(anna, clicks=40, pending=2, confirmed=1)
    scene.count(bert, clicks=3)
    programme.run("DELETE FROM organisation_quarter_hours")
    days_since = (datetime.now(UTC).date() - monday).days
    scene.happened("sms", clicks=1234, registered=5, confirmed=2, days_ago=days_since + 3)
    scene.happened("sms", clicks=1000, registered=7, confirmed=2, days_ago=days_since + 10)
    midnight = datetime.combine(monday, datetime.min.time(), UTC)
    for mentor_id, days in ((anna, -2), (bert, -20), (scene.issue(), 1)):  # in the week, before it, after it
        scene.reach(mentor_id, 1)
        at = midnight + timedelta(days=days)
        programme.run("UPDATE milestones SET recorded_at = %s WHERE mentor_id = %s", at, mentor_id)
    programme.run(
        "UPDATE mentor_standings SET pending_days = ARRAY[current_date - 40, current_date] WHERE mentor_id = %s", anna
    )
    programme.run("UPDATE mentor_standings SET quiet_since = current_date - 50 WHERE mentor_id = %s", bert)
    await programme.subscribe()
    await programme.subscribe("ola@example.org", "nb")
    await programme.due(midnight + timedelta(hours=12))
    await programme.send()
    (english,) = programme.letters()
    plain = english.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    for said in (
        "Clicks: 1,234 (1,000 the week before, +234)",
        "Registered: 5 (7 the week before, −2)",  # noqa: RUF001  a minus
        "Confirmed: 2 (2 the week before, ±0)",
        "Withdrawn: 0 (0 the week before, ±0)",
        "1 badge was reached",
        "- Anna <Berg> & Søn: First recruit",
        "Registrations have been pending for 30 days or more",
        "- Anna <Berg> & Søn: 1 confirmed, 2 pending",
        "Nothing for 30 days or more",
        f"- Mentor {scene.codes[bert]}: 0 confirmed, 0 pending",
        "Days are those of Europe/Oslo.",
    ):
        assert said in plain, said
    html = english.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert "Anna &lt;Berg&gt; &amp; Søn" in html
    (norwegian,) = programme.letters("ola@example.org")
    norsk = norwegian.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    for said in ("Klikk: 1\u00a0234 (1\u00a0000 uken før, +234)", "1 merke ble nådd", "Første verving"):
        assert said in norsk, said
    first, last = monday - timedelta(days=7), monday - timedelta(days=1)
    links = Links("https://refer.example.org")
    expected = {
        links.period(first, last), links.reached(first, last), links.mentor(anna), links.mentor(bert),
        links.list("pending", first, last), links.list("no-activity", first, last),
    }  # fmt: skip
    found = {unescape(part.partition('"')[0]) for part in html.split('href="')[1:]}
    assert expected <= found
    assert len(found - expected) == 1, "and how to unsubscribe"
    asked = parse_qs(urlsplit(links.list("pending", first, last)).query)
    assert asked == {"from": [str(first)], "to": [str(last)], "list": ["pending"]}


async def test_an_empty_organisation(programme: Programme) -> None:
    """Zeros, and no list of nobody."""
    await programme.subscribe()
    monday = last_monday()
    await programme.due(datetime.combine(monday, datetime.min.time(), UTC) + timedelta(hours=12))
    await programme.send()
    (letter,) = programme.letters()
    plain = letter.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "Clicks: 0 (0 the week before, ±0)" in plain
    assert "0 badges were reached" in plain
    assert "Close to" not in plain
    assert letter["List-Unsubscribe"]


async def test_what_is_old_is_forgotten(programme: Programme) -> None:
    """What was sent a month ago, and an address that nobody has confirmed within a week."""
    await programme.subscribe()
    async with Database(programme.settings) as database:
        await subscribe(database, Identity(programme.scene.org_id, "ola", "coordinator"), "ola@example.org", "nb")
    programme.run("UPDATE mail_outbox SET sent_at = now() - interval '31 days'")
    programme.run("UPDATE mail_subscriptions SET asked_at = now() - interval '8 days'")
    async with open_outbox(programme.settings.database_url) as outbox:
        await outbox.forget()
    assert programme.run("SELECT address FROM mail_subscriptions") == [(KARI,)]
    assert programme.run("SELECT count(*) FROM mail_outbox") == [(0,)]
