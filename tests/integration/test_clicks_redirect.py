"""Share links on a real server: where they lead, what is counted, and what is kept of who followed them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from httpx import Response

from local.parts import Parts
from models.partitioning import partition_of
from models.topics import CLICKS
from operations.topics import create_topics
from process.settings import Settings
from tests import damaged_links
from tests.clicks import Clicked, clicks_in_topic
from tests.damaged_links import CASES
from tests.factories import CODE, MENTOR, ORG, OTHER_MENTOR, OTHER_ORG, UNKNOWN_CODE
from tests.web import Web, bearer, running_web

pytestmark = pytest.mark.integration

THIRD_ORG = "0a000000-0000-4000-8000-000000000003"
LANDING = "https://example.org/join?x=1#top"
PERSON = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Mobile Safari/537.36"
)
PREVIEW = "WhatsApp/2.23.20.0 A"
DEADLINE_S = 30.0


@pytest.fixture
def registered(settings: Settings) -> Settings:
    """Give the settings of an installation with one organisation, its mentor and his code."""
    settings = settings.model_copy(update={"partitions": 3})
    create_topics(settings)
    issue(settings, CODE, MENTOR)
    query(settings, "UPDATE organisations SET landing_url = %s", LANDING)
    return settings


@pytest.fixture
async def web(registered: Settings) -> AsyncIterator[Web]:
    """Give a server of that installation."""
    async with running_web(registered) as web:
        yield web


def query(settings: Settings, sql: str, *values: object) -> list[tuple[object, ...]]:
    """Run a statement as the tables' owner."""
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        cursor = connection.execute(sql.encode(), values)
        return cursor.fetchall() if cursor.description else []


def issue(settings: Settings, code: str, mentor_id: str, org_id: str = ORG) -> None:
    """Insert what an issued code is in Postgres."""
    query(settings, "INSERT INTO organisations (org_id) VALUES (%s) ON CONFLICT DO NOTHING", org_id)
    query(settings, "INSERT INTO mentors (org_id, mentor_id) VALUES (%s, %s)", org_id, mentor_id)
    query(settings, "INSERT INTO referral_codes VALUES (%s, %s, %s, now())", code, org_id, mentor_id)


async def follow(web: Web, path: str, *, agent: str = PERSON, **headers: str) -> Response:
    """Follow a link as a browser does, but not where it leads."""
    return await web.get(path, headers={"User-Agent": agent, **headers})


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what happens a moment later."""
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # noqa: ASYNC110  others make it hold, who know of no event
            await asyncio.sleep(0.05)


async def published(web: Web, count: int) -> list[Clicked]:
    """Return the clicks in the topic, when as many as are expected have been published, or more."""
    await until(lambda: f"referrals_clicks_published_total {count}.0" in metrics(web))
    return clicks_in_topic(web.services.settings)


def metrics(web: Web) -> str:
    """Return what Prometheus reads."""
    return web.services.metrics.render().decode()


async def test_click(web: Web) -> None:
    """The answer leads to the landing page, with its own query and fragment; the click is in the topic as agreed."""
    answer = await follow(web, f"/r/{CODE}?c=whatsapp")
    assert answer.status_code == 302
    assert answer.headers["location"] == f"https://example.org/join?x=1&ref={CODE}&c=whatsapp#top"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content == b""
    (click,) = await published(web, 1)
    event = json.loads(click.value)
    assert event.pop("click_id")
    assert event.pop("occurred_at").endswith("Z")
    assert event == {"referral_code": CODE, "device_metadata": {"share_channel": "whatsapp"}}
    assert click.topic == CLICKS.full_name(web.services.settings.topic_prefix)
    assert (click.key, click.headers) == (CODE.encode(), [])
    assert click.partition == partition_of(CODE.encode(), web.services.settings.partitions)


async def test_channels(web: Web) -> None:
    """A channel is one of the list, or `other`; none stays none."""
    asked: dict[str, str | None] = {
        "": None,
        "?c=": None,
        "?c=%20WhatsApp%20": "whatsapp",
        "?c=sms.": "sms",
        f"?c={'x' * 40}": "other",
        "?c=%ff": "other",
        "?c=%E2%80%AE%00email": "email",
    }
    for query_string in asked:
        await follow(web, f"/r/{CODE}{query_string}")
    assert Counter(click.channel for click in await published(web, len(asked))) == Counter(asked.values())


async def test_settings_of_channels_and_of_what_landing_pages_learn(registered: Settings) -> None:
    """The list is the installation's, and so is whether landing pages get more than the code."""
    async with running_web(registered, channels=("church",), landing_parameters="none") as web:
        answer = await follow(web, f"/r/{CODE}?c=church&utm_source=x")
        assert answer.headers["location"] == f"https://example.org/join?x=1&ref={CODE}#top"
        await follow(web, f"/r/{CODE}?c=whatsapp")
        assert sorted(str(click.channel) for click in await published(web, 2)) == ["church", "other"]


async def test_the_landing_page_learns_channel_and_campaign(web: Web) -> None:
    """What the page's own address says stands, and the code is the link's."""
    answer = await follow(web, f"/r/{CODE}?utm_campaign=spring&c=SMS&x=theirs&ref=OTHER00001")
    assert answer.headers["location"] == f"https://example.org/join?x=1&ref={CODE}&c=sms&utm_campaign=spring#top"


async def test_damaged_links(registered: Settings) -> None:
    """Each of the corpus leads on and is counted for its code, or leads to the neutral page and is not."""
    for number, code in enumerate((damaged_links.CODE, damaged_links.SHORT, damaged_links.LONG)):
        issue(registered, code, f"0b000000-0000-4000-8000-0000000001{number:02}")
    async with running_web(registered) as web:
        server = str(web.base_url).rstrip("/")  # whole addresses: httpx takes what follows two slashes for a host
        for case in CASES:
            answer = await follow(web, f"{server}{case.link}")
            led_to = parse_qs(urlsplit(answer.headers["location"]).query).get("ref", [None])
            assert (case.link, answer.status_code, led_to) == (case.link, 302, [case.code])
        repaired = Counter((case.code, case.channel) for case in CASES if case.code is not None)
        clicks = await published(web, repaired.total())
        assert Counter(((click.key or b"").decode(), click.channel) for click in clicks) == repaired


async def test_a_damaged_link_while_postgres_is_away(web: Web, parts: Parts) -> None:
    """What is certain is repaired; of what is not nobody can be asked, so it is not counted."""
    await follow(web, f"/r/{CODE}?c=sms")
    parts.postgres.stop()
    try:
        certain = await follow(web, f"/r/{CODE}.?c=email")
        doubtful = await follow(web, f"/r/{CODE}%E2%80%A6")
    finally:
        parts.postgres.start()
    assert certain.headers["location"] == f"https://example.org/join?x=1&ref={CODE}&c=email#top"
    assert doubtful.headers["location"] == "/welcome"
    assert sorted(str(click.channel) for click in await published(web, 2)) == ["email", "sms"]


async def test_disabled(web: Web) -> None:
    """The link of a mentor who has left leads to the neutral page and counts nothing; his page says so."""
    settings = web.services.settings
    await follow(web, f"/r/{CODE}?c=sms")
    query(settings, "UPDATE referral_codes SET disabled_at = now()")
    web.services.landings._known.clear()  # noqa: SLF001  half a minute later
    for link in (f"/r/{CODE}", f"/r/{CODE}."):
        assert (await follow(web, link)).headers["location"] == "/welcome"
    path = f"/v1/orgs/{ORG}/mentors/{MENTOR}"
    coordinator = bearer(org_id=ORG)
    profile = (await web.get(path, headers=coordinator)).json()
    assert profile["referralCode"] == CODE
    assert profile["linkDisabledAt"].endswith("Z")
    assert (await web.get(f"{path}/qr.svg", headers=coordinator)).status_code == 404
    asked_again = await web.post(f"{path}/referral-code", headers=coordinator)
    assert (asked_again.status_code, asked_again.json()["disabledAt"]) == (200, profile["linkDisabledAt"])
    query(settings, "UPDATE referral_codes SET disabled_at = NULL")
    web.services.landings._unknown.clear()  # noqa: SLF001  two seconds later
    await follow(web, f"/r/{CODE}?c=email")
    assert sorted(str(click.channel) for click in await published(web, 2)) == ["email", "sms"]


async def test_typed_by_hand(web: Web) -> None:
    """A code is normalised before it is looked up, passed on and counted."""
    answer = await follow(web, "/r/anna-ooo-oO1")
    assert answer.headers["location"].endswith(f"ref={CODE}#top")
    assert [click.key for click in await published(web, 1)] == [CODE.encode()]


async def test_no_code(registered: Settings) -> None:
    """A code that is none, or was not issued, leads to the neutral page and counts nothing."""
    async with running_web(registered, neutral_url="https://example.org/neutral") as web:
        for code in (UNKNOWN_CODE, "", "x", "%00%0d%0a", "%ff", "U" * 10, "A" * 5_000):
            answer = await follow(web, f"/r/{code}")
            assert (answer.status_code, answer.headers["location"]) == (302, "https://example.org/neutral")
        await follow(web, f"/r/{CODE}")
        assert [click.key for click in await published(web, 1)] == [CODE.encode()]


async def test_no_landing_page(web: Web) -> None:
    """Without a landing page, or with one that is none, the built-in page is the landing page."""
    issue(web.services.settings, "HANNE00001", MENTOR, OTHER_ORG)
    settings = web.services.settings
    issue(settings, "KAR1000001", OTHER_MENTOR, THIRD_ORG)
    query(settings, "ALTER TABLE organisations DROP CONSTRAINT organisations_landing_url_check")
    query(settings, "UPDATE organisations SET landing_url = 'javascript:alert(1)' WHERE org_id = %s", THIRD_ORG)
    for code in ("HANNE00001", "KAR1000001"):
        answer = await follow(web, f"/r/{code}")
        assert answer.headers["location"] == f"/welcome?ref={code}"


async def test_head(web: Web) -> None:
    """HEAD gets the redirect and is not counted."""
    answer = await web.head(f"/r/{CODE}", headers={"User-Agent": PERSON})
    assert (answer.status_code, answer.headers["location"]) == (302, f"https://example.org/join?x=1&ref={CODE}#top")
    await follow(web, f"/r/{CODE}?c=qr")
    assert [click.channel for click in await published(web, 1)] == ["qr"]


async def test_filtered(web: Web) -> None:
    """Previews and the like are redirected, not counted as clicks, and counted apart: a row for each reason."""
    settings = web.services.settings
    for _ in range(3):
        assert (await follow(web, f"/r/{CODE}", agent=PREVIEW)).headers["location"].startswith("https://example.org/")
    await follow(web, f"/r/{CODE}", agent="Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
    for header in ("Sec-Purpose", "Purpose", "X-Moz"):
        ahead = await follow(web, f"/r/{CODE}", **{header: "prefetch"})
        assert (ahead.status_code, ahead.headers["cache-control"], ahead.content) == (503, "no-store", b"")
        assert "location" not in ahead.headers
    await follow(web, f"/r/{CODE}", **{"Sec-Fetch-Dest": "image"})
    await follow(web, f"/r/{CODE}", agent="")
    await follow(web, f"/r/{UNKNOWN_CODE}", agent=PREVIEW)
    await follow(web, f"/r/{CODE}?c=sms")
    assert [click.channel for click in await published(web, 1)] == ["sms"]
    expected = [("embedded", 1), ("no_agent", 1), ("prefetch", 3), ("preview", 3), ("robot", 1)]
    rows = "SELECT reason, clicks FROM filtered_clicks WHERE org_id = %s AND day = (now() AT TIME ZONE 'UTC')::date"
    await until(lambda: query(settings, f"{rows} ORDER BY 1", ORG) == expected)
    assert 'referrals_clicks_filtered_total{reason="preview"} 3.0' in metrics(web)
    await follow(web, f"/r/{CODE}", agent=PREVIEW)
    await until(lambda: ("preview", 4) in query(settings, rows, ORG))
    # The server's role sees the rows of the organisation that it acts for, and no others.
    for org_id, clicks in ((ORG, 4), (OTHER_ORG, None)):
        seen = await web.services.database.rows(
            org_id, "SELECT sum(clicks)::int FROM filtered_clicks WHERE reason = 'preview'"
        )
        assert seen == [(clicks,)]


async def test_filtered_clicks_of_an_organisation_that_is_gone(web: Web) -> None:
    """They are left out, and those of others are written."""
    for org_id in (THIRD_ORG, ORG, OTHER_ORG):
        web.services.filtered.count(org_id, "robot")
    await until(lambda: query(web.services.settings, "SELECT org_id::text FROM filtered_clicks") == [(ORG,)])
    await web.services.filtered.write()
    assert web.services.filtered._unwritten == {}  # noqa: SLF001  nothing is tried for ever


async def test_filtered_clicks_are_written_when_the_server_stops(registered: Settings) -> None:
    """What was counted in the last second is not left out."""
    async with running_web(registered) as web:
        await follow(web, f"/r/{CODE}", agent=PREVIEW)
    assert query(registered, "SELECT org_id::text, reason, clicks FROM filtered_clicks") == [(ORG, "preview", 1)]


async def test_nothing_of_the_visitor_is_kept(
    registered: Settings, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Address, agent and referrer are in no topic, file, row or log."""
    async with running_web(registered) as web:
        for agent in (f"{PERSON} marked-visitor", f"{PREVIEW} marked-visitor"):
            await follow(
                web,
                f"/r/{CODE}",
                agent=agent,
                Referer="https://marked-referrer/",
                **{"X-Forwarded-For": "203.0.113.77"},
            )
        (click,) = await published(web, 1)
    kept = "".join(
        [
            repr(click),
            *(path.read_text(errors="replace") for path in (tmp_path / "data").rglob("*") if path.is_file()),
            repr(query(registered, "SELECT * FROM filtered_clicks")),
            *capfd.readouterr(),
        ]
    )
    assert CODE in kept
    assert not {mark for mark in ("marked", "203.0.113.77", "127.0.0.1", "Pixel", "WhatsApp/") if mark in kept}


async def test_code_issued_after_its_link_was_followed(web: Web) -> None:
    """That a code is unknown is not remembered for long."""
    code = "HANNE00001"
    assert (await follow(web, f"/r/{code}")).headers["location"] == "/welcome"
    issue(web.services.settings, code, MENTOR, OTHER_ORG)
    async with asyncio.timeout(DEADLINE_S):
        while (await follow(web, f"/r/{code}")).headers["location"] == "/welcome":  # noqa: ASYNC110  time passes
            await asyncio.sleep(0.1)


async def test_postgres_away(web: Web, parts: Parts) -> None:
    """Known codes lead on; others to the neutral page, and they are counted when it turns out that they were issued."""
    await follow(web, f"/r/{CODE}?c=sms")
    parts.postgres.stop()
    try:
        web.services.landings._clock_s = lambda: float("inf")  # noqa: SLF001  what is known is not fresh any more
        known = await follow(web, f"/r/{CODE}?c=email")
        unknown = [await follow(web, f"/r/{code}?c=viber") for code in (UNKNOWN_CODE, "GVESS00001", "GVESS00002")]
        await follow(web, f"/r/{CODE}", agent=PREVIEW)
        forgotten = web.services.landings._known.pop(CODE)  # noqa: SLF001  as if the server had just been started
        assert forgotten
        unknown.append(await follow(web, f"/r/{CODE}?c=print"))
        malformed = await follow(web, "/r/x?c=qr")
    finally:
        parts.postgres.start()
    assert known.headers["location"] == f"https://example.org/join?x=1&ref={CODE}&c=email#top"
    assert {answer.headers["location"] for answer in [*unknown, malformed]} == {"/welcome"}
    clicks = await published(web, 3)
    assert sorted(str(click.channel) for click in clicks) == ["email", "print", "sms"]
    await until(lambda: 'referrals_clicks_unsure_total{became="not_issued"} 3.0' in metrics(web))
    filtered = "SELECT reason, clicks FROM filtered_clicks"
    await until(lambda: query(web.services.settings, filtered) == [("preview", 1)])
