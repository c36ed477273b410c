"""The dashboard as a coordinator meets it."""

from __future__ import annotations

import asyncio
import csv
import re
import uuid
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Locator, Page, Route, expect

from edges.languages.catalogue import text
from edges.reconciliation.reasons import Fault, Why
from tests.browser.conftest import DESK, Visit
from tests.organisation_scene import OrganisationScene
from tests.web import Web, make_token

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]

UNAUTHORISED = ("status of 401",)
"""What Chromium itself says of an answer that a test wants."""

IN_ACCENT = """() => {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  pen.fillStyle = getComputedStyle(document.querySelector(".kind.confirmed"), "::before").backgroundColor;
  pen.fillRect(0, 0, 1, 1);
  const wanted = pen.getImageData(0, 0, 1, 1).data.slice(0, 3).join();
  const chart = [...document.querySelectorAll("#daily canvas")].at(-1);
  pen.canvas.width = chart.width;
  pen.canvas.height = chart.height;
  pen.drawImage(chart, 0, 0);
  const { data } = pen.getImageData(0, 0, chart.width, chart.height);
  let found = 0;
  for (let at = 0; at < data.length; at += 4) found += data.slice(at, at + 3).join() === wanted && data[at + 3] === 255;
  return Math.max(0, found - 1_000); // an outline has it too
}"""
"""How many pixels of the chart below are in the colour of what is confirmed, in the theme of now."""


def figure(page: Page, name: str) -> Locator:
    """Find one of the sums."""
    return page.locator(f'[data-figure="{name}"]')


async def test_signs_in_by_the_address_and_shows_the_figures(visit: Visit, scene: OrganisationScene) -> None:
    """The token is out of the address at once, stays for this tab, and every panel is filled."""
    scene.call("Nordlys")
    mentor_id = scene.issue()
    scene.count(mentor_id, clicks=1_234, pending=3, confirmed=5, sms=34)
    scene.reach(mentor_id, 5)
    async with visit("/dashboard", org_id=scene.org_id) as page:
        await expect(page.get_by_role("heading", level=1)).to_have_text("Nordlys")
        await expect(figure(page, "clicks")).to_have_text("1,234")
        await expect(figure(page, "pending")).to_have_text("3")
        await expect(figure(page, "confirmed")).to_have_text("5")
        await expect(figure(page, "conversion")).to_have_text("0.4%")
        await expect(page.locator("#updated")).to_contain_text(re.compile(r"\((just now|\d+ (sec|min)\. ago)\)"))
        await expect(page.locator("#channels tbody tr")).to_have_count(2)
        await expect(page.locator("#leaderboard tbody tr")).to_contain_text([scene.codes[mentor_id]])
        await expect(page.locator("#activity li.badge")).to_contain_text(["Five recruits"])
        await expect(page.locator("#activity .new")).to_have_count(0)
        await expect(page.locator("#daily canvas")).to_have_count(2)
        await expect(page.locator("#pipeline .state")).to_have_text("Up to date")
        await expect(page.locator("#connection")).to_have_text("Live")
        assert "token" not in page.url
        await page.reload()
        await expect(figure(page, "clicks")).to_have_text("1,234")


async def test_what_reconciliation_has_left(visit: Visit, scene: OrganisationScene) -> None:
    """The last run, in words and counts, and which rows somebody has to look at; without a run there is nothing."""
    scene.count(scene.issue(), clicks=1)
    left: list[tuple[str, Why | str]] = [
        ("page 1, row 3", Why("empty", {"field": "status (<b>state</b>)"})),
        ("page 1, row 4", Why("rounded", {"field": "member_id"})),
        ("page 1, row 5", "has said nothing that has a code"),
        ("members.csv:17", Why("no-json")),
        ("line:17", Why("no-json")),
    ]
    async with visit("/dashboard", org_id=scene.org_id) as page:
        await expect(page.locator("#pipeline .state")).to_have_text("Up to date")
        await expect(page.locator("#membership")).to_be_hidden()
        await asyncio.to_thread(scene.reconcile, unclear=2, left=left)
        await page.reload()
        await expect(page.locator("#membership .state")).to_have_text("Rows are left")
        await expect(page.locator("#membership .attention")).to_have_text(["2"])
        rows = page.locator("#membership .rows-left li")
        await expect(rows).to_have_text([f"{place.replace('e:', 'e ')} {why}" for place, why in left])
        await page.get_by_role("link", name="Norsk").click()
        await expect(rows).to_have_text(
            [
                "side 1, rad 3 status (<b>state</b>) er tom",
                f"side 1, rad 4 {text('nb', 'left.rounded', field='member_id')}",
                "side 1, rad 5 has said nothing that has a code",
                "members.csv:17 er ikke JSON",
                "linje 17 er ikke JSON",
            ]
        )
        await expect(rows.locator("[lang=en]")).to_have_text(["has said nothing that has a code"])


async def test_why_a_source_cannot_be_read(visit: Visit, scene: OrganisationScene) -> None:
    """In the page's language where it has a code; what others said is theirs, and marked as English."""
    place = "https://members.example/list"
    fault = Fault("answered", {"place": place, "said": "503"}).tried(8)
    scene.count(scene.issue(), clicks=1)
    scene.reconcile(error=fault)
    async with visit("/dashboard", org_id=scene.org_id, locale="nb-NO") as page:
        said = page.locator("#membership .verdict")
        await expect(said).to_contain_text(f"{place}: svarte 503, 8 ganger")
        await expect(said.locator("[lang=en]")).to_have_count(0)
        await page.get_by_role("link", name="English").click()
        await expect(said).to_contain_text(str(fault))
        away = Fault("no-connection", {"place": place, "said": "Connection refused"})
        await asyncio.to_thread(scene.reconcile, error=away)
        await page.get_by_role("link", name="Norsk").click()
        await expect(said).to_contain_text(f"{place}: ingen forbindelse (Connection refused)")
        await expect(said.locator("[lang=en]")).to_have_text("Connection refused")
        await asyncio.to_thread(scene.reconcile, error="relation is locked")
        await page.reload()
        await expect(said.locator("[lang=en]")).to_have_text("relation is locked")


async def test_what_happens_appears_without_a_reload(visit: Visit, scene: OrganisationScene) -> None:
    """Count, milestone and award; what arrived is marked, and said to those who do not see it."""
    mentor_id = scene.issue()
    scene.count(mentor_id, clicks=10)
    async with visit("/dashboard", org_id=scene.org_id) as page:
        await expect(page.locator("#connection")).to_have_text("Live")
        await page.evaluate("window.isTheSamePage = true")
        await asyncio.to_thread(scene.count, mentor_id, 11, 0, 1)
        await asyncio.to_thread(scene.reach, mentor_id, 1)
        await expect(figure(page, "clicks")).to_have_text("11")
        await expect(figure(page, "confirmed")).to_have_text("1")
        await expect(page.locator("#activity li.badge.new")).to_contain_text(["First recruit"])
        await expect(page.locator("#activity li.badge.new")).to_contain_text(["1 confirmed"])
        await expect(page.locator("#announcer")).to_contain_text("earned the badge First recruit")
        await expect(page.locator("#leaderboard td.strong")).to_have_text("1")
        assert await page.evaluate("window.isTheSamePage")


async def test_an_organisation_without_anything_says_what_to_do(visit: Visit, scene: OrganisationScene) -> None:
    """Steps with commands to copy; they make room for the figures when the first click is counted."""
    async with visit("/dashboard", org_id=scene.org_id) as page:
        await expect(page.get_by_role("heading", name="Nothing has been counted yet")).to_be_visible()
        await expect(page.locator(".first-steps code").first).to_contain_text(f"--org {scene.org_id}")
        await expect(page.locator("#funnel")).to_be_hidden()
        await expect(page.locator("#connection")).to_have_text("Live")
        await asyncio.to_thread(lambda: scene.count(scene.issue(), clicks=1))
        await expect(figure(page, "clicks")).to_have_text("1")
        await expect(page.locator("#welcome")).to_be_hidden()


async def test_by_keyboard_alone(visit: Visit, scene: OrganisationScene) -> None:
    """The skip link comes first; days, chart, table and pages are reached and work; focus is seen."""
    for confirmed in range(12):
        scene.count(scene.issue(), clicks=20, confirmed=confirmed)
    async with visit("/dashboard", org_id=scene.org_id) as page:
        await expect(page.locator("#daily canvas")).to_have_count(2)
        await page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the figures")
        await expect(skip).to_be_focused()
        await expect(skip).to_be_in_viewport()
        await page.keyboard.press("Enter")
        await expect(page.locator("main")).to_be_focused()
        await page.keyboard.press("Tab")
        export = page.get_by_role("button", name="Export CSV")
        await expect(export).to_be_focused()
        assert await export.evaluate("node => getComputedStyle(node).outlineStyle") == "solid"
        await page.keyboard.press("Tab")
        await expect(page.get_by_label("30 days")).to_be_focused()
        await page.keyboard.press("ArrowLeft")
        await expect(page.locator(".readout-day")).to_have_text("last 7 days")
        await page.keyboard.press("Tab")
        await expect(page.locator(".charts")).to_be_focused()
        await page.keyboard.press("End")
        await expect(page.locator(".kind.clicks dd")).to_have_text("240")
        await expect(page.locator(".readout-day")).not_to_contain_text("last")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("table", name="Clicks, registered, confirmed")).to_be_visible()
        await expect(page.locator(".table-alternative tbody tr")).to_have_count(7)
        turn = page.get_by_role("button", name="Next")
        await turn.focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#leaderboard tbody tr")).to_have_count(2)
        await expect(page.locator("#leaderboard .rank").nth(1)).to_have_text("11")
        await expect(page.get_by_role("button", name="Previous")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("#leaderboard tbody tr")).to_have_count(10)


async def test_one_period_for_the_page(visit: Visit, scene: OrganisationScene) -> None:
    """Beside the one before, in the address, by the back button; what is no period is said; the last visit is known."""
    mentor_id = scene.issue()
    scene.count(mentor_id, clicks=30, confirmed=21)
    scene.happened("sms", clicks=20, registered=4, confirmed=2, days_ago=35)
    async with visit("/dashboard", org_id=scene.org_id, expects=("status of 422",)) as page:
        beside = page.locator('[data-rate="clicks"]')
        await expect(figure(page, "clicks")).to_have_text("30")
        await expect(beside).to_have_text("+50% from 20")
        await expect(page.locator('[data-rate="confirmed"]')).to_have_text("2 before")
        await expect(page.locator("#period-said")).to_contain_text("days in UTC")
        await expect(page.locator("#visit")).to_contain_text("This browser knows of no earlier visit")
        await page.get_by_label("90 days").check()
        await expect(figure(page, "clicks")).to_have_text("50")
        await expect(beside).to_have_text("none before")
        await expect(page.locator("#channels tbody tr")).to_have_count(2)
        assert page.url.endswith("?days=90")
        await page.get_by_role("button", name="Over time, as table").click()
        await expect(page.locator("#channels tbody")).to_contain_text("SMS")
        await page.go_back()
        await expect(figure(page, "clicks")).to_have_text("30")
        await expect(page.get_by_label("30 days")).to_be_checked()
        await page.get_by_label("From … to").check()
        await page.get_by_label("From", exact=True).fill("2026-01-01")
        await page.get_by_label("To", exact=True).fill("2026-01-31")
        await page.get_by_role("button", name="Show", exact=True).click()
        await expect(figure(page, "clicks")).to_have_text("0")
        assert page.url.endswith("?from=2026-01-01&to=2026-01-31")
        async with page.expect_download() as started:
            await page.get_by_role("button", name="Days as CSV").click()
        assert (await started.value).suggested_filename.startswith("referrals-days-")
        await page.evaluate(
            """key => localStorage.setItem(key, JSON.stringify({seen: "2026-11-01T10:00:00Z",
                 there: {clicks: 40, registered: 7, confirmed: 5, withdrawn: 0, awards: 0}, before: null}))""",
            f"referrals.visit.{scene.org_id}",
        )
        await page.reload()
        await expect(page.locator("#visit")).to_contain_text("clicks 10, registered 18, confirmed 18")
        await expect(page.get_by_label("From", exact=True)).to_have_value("2026-01-01")
        await page.goto("/dashboard?quarter=1999-Q1")
        await expect(page.locator("#channels .failure")).to_contain_text("This is no period that can be shown")


async def test_nothing_waits_for_a_period_that_cannot_be_shown(visit: Visit, scene: OrganisationScene) -> None:
    """The panels say why, the figures above them are none; another period brings them."""
    scene.count(scene.issue(), clicks=7)
    path = "/dashboard?quarter=1999-Q1"
    async with visit(path, org_id=scene.org_id, expects=("status of 422",)) as page:
        await expect(page.locator("#channels .failure")).to_be_visible()
        await expect(figure(page, "clicks")).to_have_text("\u2013")
        await expect(figure(page, "time")).to_have_text("\u2013")
        await expect(page.locator(".bone:visible, [aria-busy=true]:visible")).to_have_count(0)
        await page.get_by_label("7 days").check()
        await expect(figure(page, "clicks")).to_have_text("7")


async def test_dark_as_the_system_is_until_somebody_chooses(visit: Visit, scene: OrganisationScene) -> None:
    """The choice outlives a reload, choosing what the system prefers is no choice any more, and charts follow."""
    scene.count(scene.issue(), clicks=3, confirmed=3)

    async def lightness(page: Page) -> int:
        return int(await page.evaluate("parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])"))

    async with visit("/dashboard?days=7", org_id=scene.org_id, color_scheme="dark", bypass_csp=True) as page:
        assert await lightness(page) < 50
        await expect(page.locator("#daily canvas")).to_have_count(2)
        await page.wait_for_function(f"({IN_ACCENT})() > 0")
        await page.get_by_role("button", name="Use the light theme").click()
        await page.wait_for_function(f"({IN_ACCENT})() > 0")
        assert await lightness(page) > 200
        await page.reload()
        assert await lightness(page) > 200
        await page.get_by_role("button", name="Use the dark theme").click()
        assert await lightness(page) < 50
        assert await page.evaluate("localStorage.getItem('referrals.theme')") is None


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
async def test_motion_is_reduced_for_whom_it_disturbs(
    visit: Visit, scene: OrganisationScene, motion: Literal["reduce", "no-preference"]
) -> None:
    """Nothing slides or fades unless it may."""
    async with visit("/dashboard", org_id=scene.org_id, reduced_motion=motion) as page:
        took = await page.locator(".step").first.evaluate(
            "node => getComputedStyle(node, '::before').transitionDuration"
        )
        assert (took == "0s") is (motion == "reduce")


async def test_what_is_focused_stays_focused(visit: Visit, scene: OrganisationScene) -> None:
    """Figures that come anew take nothing out of anybody's hands."""
    mentor_id = scene.issue()
    scene.count(mentor_id, clicks=1)
    async with visit("/dashboard", org_id=scene.org_id) as page:
        await expect(page.locator("#connection")).to_have_text("Live")
        link = page.locator("#leaderboard a")
        await link.focus()
        await asyncio.to_thread(scene.count, mentor_id, 2)
        await expect(page.locator("#leaderboard td.wide").first).to_have_text("2")
        await expect(link).to_be_focused()


async def test_without_a_script_the_page_says_that_it_needs_one(visit: Visit, scene: OrganisationScene) -> None:
    """And nothing seems to be on its way."""
    for path in ("/dashboard", "/me", "/badges", "/sign-in"):
        async with visit(path, org_id=scene.org_id, role=None, java_script_enabled=False) as page:
            await expect(page.locator("noscript p")).to_contain_text("JavaScript")
            await expect(page.locator("main, #connection, .bones").locator("visible=true")).to_have_count(0)


async def test_one_sees_ones_own_organisation_alone(visit: Visit, scene: OrganisationScene) -> None:
    """Neither its figures nor its mentors are another's to see, whatever address he types."""
    scene.call("Secret society")
    mentor_id = scene.issue()
    scene.count(mentor_id, clicks=4_321)
    expects = ("status of 404",)
    async with visit("/dashboard", org_id=str(uuid.uuid4()), expects=expects) as page:
        await expect(page.get_by_role("heading", name="Nothing has been counted yet")).to_be_visible()
        assert "4,321" not in await page.content()
        assert "Secret society" not in await page.content()
        await page.goto(f"/me#mentor={mentor_id}")
        await expect(page.get_by_role("heading", name="No such mentor here")).to_be_visible()
        assert scene.codes[mentor_id] not in await page.content()


async def test_signed_out_one_pastes_a_token(visit: Visit, scene: OrganisationScene) -> None:
    """What is no token is said so; a good one opens the page."""
    scene.count(scene.issue(), clicks=8)
    async with visit("/dashboard", org_id=scene.org_id, role=None) as page:
        field = page.get_by_label("Token")
        await expect(field).to_be_focused()
        await field.fill("not a token")
        await page.get_by_role("button", name="Open").click()
        await expect(page.get_by_role("alert")).to_contain_text("This is not a token")
        await field.fill(make_token(org_id=scene.org_id))
        await page.get_by_role("button", name="Open").click()
        await expect(figure(page, "clicks")).to_have_text("8")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        await page.reload()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.parametrize(
    ("claims", "title"),
    [({"exp": 1_700_000_000}, "Your session has ended"), ({"aud": "another"}, "This token does not open this page")],
)
async def test_a_token_that_is_refused_says_why(
    visit: Visit, scene: OrganisationScene, claims: dict[str, object], title: str
) -> None:
    """Expired, or never good here; it is forgotten, and nothing of the page is left."""
    async with visit("/dashboard", org_id=scene.org_id, claims=claims, expects=UNAUTHORISED) as page:
        await expect(page.get_by_role("heading", name=title)).to_be_visible()
        await expect(page.locator("#funnel")).to_have_count(0)
        assert await page.evaluate("sessionStorage.length") == 0


async def test_without_the_server_it_says_so_and_goes_on(visit: Visit, scene: OrganisationScene) -> None:
    """What stands there stays; the banner goes with the connection's return, and what came meanwhile is there."""
    mentor_id = scene.issue()
    scene.count(mentor_id, clicks=5)
    async with visit("/dashboard", org_id=scene.org_id, expects=("ERR_INTERNET_DISCONNECTED",)) as page:
        await expect(page.locator("#connection")).to_have_text("Live")
        await page.context.set_offline(offline=True)
        await expect(page.locator("#connection")).to_have_text("Offline")
        await expect(page.locator("#banner")).to_be_visible()
        await expect(page.locator("#banner")).to_contain_text("You are offline")
        await expect(figure(page, "clicks")).to_have_text("5")
        await asyncio.to_thread(scene.count, mentor_id, 6)
        await page.context.set_offline(offline=False)
        await expect(page.locator("#connection")).to_have_text("Live")
        await expect(page.locator("#banner")).to_be_hidden()
        await expect(figure(page, "clicks")).to_have_text("6")


async def test_what_fails_can_be_tried_again(visit: Visit, scene: OrganisationScene, web: Web) -> None:
    """A panel by itself, or the page where there is nothing to show without it."""
    scene.count(scene.issue(), clicks=5)
    failing = {"/summary", "/history"}

    async def fail(route: Route) -> None:
        if any(path in route.request.url for path in failing):
            await route.fulfill(status=503, json={"title": "Service Unavailable", "detail": "for programs"})
        else:
            await route.continue_()

    async with visit("/welcome", org_id=scene.org_id, expects=("status of 503",)) as page:
        await page.route("**/v1/**", fail)
        await page.goto(f"{web.base_url}/dashboard#token={make_token(org_id=scene.org_id)}")
        await expect(page.get_by_role("heading", name="This page could not be loaded")).to_be_visible()
        await expect(page.locator("#failure")).to_contain_text("The server cannot answer just now")
        failing.remove("/summary")
        await page.locator("#failure").get_by_role("button", name="Try again").click()
        await expect(figure(page, "mentors")).to_have_text("1")
        await expect(page.locator("#channels .failure")).to_contain_text("The server cannot answer just now")
        failing.clear()
        await page.locator("#channels").get_by_role("button", name="Try again").click()
        await expect(page.locator("#channels tbody tr")).to_have_count(1)


async def test_a_tab_beside_is_signed_in_too(visit: Visit, scene: OrganisationScene) -> None:
    """By Ctrl-click, or at the address alone; signing out in one ends it in all, and there it stays ended."""
    mentor_id = scene.issue()
    scene.count(mentor_id, clicks=9)
    async with visit("/dashboard", org_id=scene.org_id) as page:
        async with page.context.expect_page() as opened:
            await page.locator("#leaderboard a").click(modifiers=["Control"])
        beside = await opened.value
        await expect(beside.locator("#whose")).to_contain_text(mentor_id)
        another = await page.context.new_page()
        await another.goto("/dashboard")
        await expect(figure(another, "clicks")).to_have_text("9")
        await another.get_by_role("button", name="Sign out").click()
        for each in (another, beside, page):
            await expect(each.get_by_role("heading", name="Sign in")).to_be_visible()
        await page.reload()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.parametrize(("path", "fault"), [("/dashboard", "missing"), ("/me", "broken"), ("/dashboard", "late")])
async def test_a_module_that_fails_says_so(
    visit: Visit, scene: OrganisationScene, web: Web, path: str, fault: str
) -> None:
    """Whatever does not come, or cannot be read: there are words and a button, and the token is out of the address."""
    arrived = asyncio.Event()

    async def fail(route: Route) -> None:
        if fault == "missing":
            await route.fulfill(status=503)
        elif fault == "broken":
            await route.fulfill(body="export const number = @;", content_type="text/javascript")
        else:
            await arrived.wait()
            await route.continue_()

    scene.count(mentor_id := scene.issue(), clicks=5)
    token = make_token("mentor" if path == "/me" else "coordinator", org_id=scene.org_id, subject=mentor_id)
    complaints = ("status of 503", "Invalid or unexpected token")
    async with visit("/welcome", org_id=scene.org_id, role=None, expects=complaints) as page:
        await page.clock.install()
        await page.route("**/shared/format.js", fail)
        await page.goto(f"{web.base_url}{path}#token={token}", wait_until="commit")
        await page.wait_for_url(f"**{path}", wait_until="commit")
        if fault == "late":
            await page.clock.run_for(21_000)
        failure = page.locator("#failure")
        await expect(failure.get_by_role("heading")).to_have_text("This page could not be loaded")
        await expect(page.locator("main > :visible")).to_have_count(1)
        if fault == "late":
            arrived.set()
        else:
            await page.unroute("**/shared/format.js")
            await failure.get_by_role("button", name="Load it again").click()
            await page.clock.run_for(1_000)
        await expect(figure(page, "clicks")).to_have_text("5")
        await expect(failure).to_be_hidden()


async def test_what_is_sent_too_early_is_sent_when_there_is_somebody_to_take_it(
    visit: Visit, scene: OrganisationScene, web: Web
) -> None:
    """A name typed while the page is still coming is looked for then, and stands in no address."""
    arrived = asyncio.Event()

    async def hold(route: Route) -> None:
        await arrived.wait()
        await route.continue_()

    mentor_id = scene.issue()
    scene.count(mentor_id, clicks=5)
    async with visit("/welcome", org_id=scene.org_id, role=None) as page:
        await page.route("**/shared/format.js", hold)
        token = make_token(org_id=scene.org_id)
        await page.goto(f"{web.base_url}/dashboard#token={token}", wait_until="commit")
        await page.get_by_label("Name, code or id").fill(scene.codes[mentor_id])
        await page.keyboard.press("Enter")
        await asyncio.sleep(0.3)  # in which the browser would go to what the form says
        assert "mentor" not in page.url
        arrived.set()
        await expect(page.locator("#whose")).to_contain_text(mentor_id)


async def test_names_of_others_are_text(visit: Visit, scene: OrganisationScene) -> None:
    """Whatever an organisation or a mentor is called, in whatever direction, and whatever channel a link names."""
    markup = "<img src=x onerror=document.title=1>"
    scene.call(markup)
    mentor_id = scene.issue()
    scene.name(mentor_id, f"אנה {markup}", "<b>Nord</b>")
    scene.count(mentor_id, clicks=3, **{"<b>sms</b>": 2})
    scene.reach(mentor_id, 1)
    async with visit("/dashboard", org_id=scene.org_id) as page:
        await expect(page.locator("#leaderboard bdi")).to_have_text([f"אנה {markup}", "<b>Nord</b>"])
        await expect(page.locator("#activity bdi").first).to_have_text(f"אנה {markup}")
        await expect(page.get_by_role("heading", level=1)).to_have_text(markup)
        await expect(page.locator("#channels th").filter(has_text="<b>sms</b>")).to_be_visible()
        await expect(page.locator("main img, main b")).to_have_count(0)
        await page.get_by_label("Name, code or id").fill("<IMG SRC")
        await page.keyboard.press("Enter")
        await expect(page.locator("#title bdi")).to_have_text([f"אנה {markup}", "<b>Nord</b>"])
        await expect(page.locator("main img[src=x], main b")).to_have_count(0)


async def test_whom_to_thank_and_who_needs_help(visit: Visit, scene: OrganisationScene) -> None:
    """A milestone and its badge are one, with a mark; each list has whom it is about, and leads to where he stands."""
    near, clicked = scene.issue(), scene.issue()
    scene.name(near, "Kari Nordmann", "Nord")
    scene.count(near, clicks=9, confirmed=4)
    scene.reach(near, 1)
    scene.count(clicked, clicks=3)
    async with visit("/dashboard", org_id=scene.org_id) as page:
        await expect(page.locator("#activity li")).to_have_text(re.compile("First recruit, 1 confirmed.*Kari Nordmann"))
        thanks = page.locator("#activity .thanks")
        await expect(thanks).to_have_accessible_name("Mark as thanked: Kari Nordmann, 1 confirmed")
        await thanks.focus()
        await page.keyboard.press("Enter")
        await expect(thanks).to_have_accessible_name("Thanked: Kari Nordmann, 1 confirmed")
        await expect(thanks).to_be_focused()
        await page.get_by_label("To thank").check()
        await expect(page.locator("#activity .nothing")).to_have_text("Everybody has been thanked.")
        await expect(page.locator("#help .nothing")).to_have_text("Nobody has been without activity for so long.")
        await page.get_by_label("Clicks alone").check()
        await expect(page.locator("#help tbody tr")).to_contain_text([scene.codes[clicked]])
        await page.locator("#help-bound").select_option("10")
        await expect(page.locator("#help .nothing")).to_be_visible()
        await page.get_by_label("Pending for long").check()  # nobody again, and it says who is not there
        await expect(page.locator("#help .nothing")).to_have_text("No registration has been pending for so long.")
        await page.get_by_label("Close to a badge").check()
        await expect(page.locator("#help tbody tr")).to_contain_text(["1 to go: Five recruits"])
        await page.locator("#help-order").select_option("Most confirmed first")
        await page.get_by_label("All", exact=True).check()
        await page.get_by_label("Order of what was reached").select_option("Earliest first")
        await page.locator("#help").get_by_role("link", name="Kari Nordmann").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Kari Nordmann Nord")
        await expect(page.locator("#standing .facts dd").first).to_have_text("1 of 2")
        await expect(page.get_by_role("list", name="Why each badge").get_by_role("listitem")).to_contain_text(
            ["First recruit", "Five recruits", "Ten recruits", "Twenty-five recruits"]
        )
        await expect(page.get_by_role("rowheader", name="WhatsApp")).to_be_visible()
        await expect(page.get_by_role("list", name="What happened")).to_contain_text("Thanked for 1 confirmed")


async def test_a_mentor_is_called_the_same_everywhere(visit: Visit, scene: OrganisationScene) -> None:
    """By his name, else his code, in every list, in what is said to those who do not see it, and above his own page."""
    named, coded = scene.issue(), scene.issue()
    scene.name(named, "Kari Nordmann")
    for mentor_id in (named, coded):
        scene.count(mentor_id, clicks=20, confirmed=11)
        scene.reach(mentor_id, 1)
    called = {named: "Kari Nordmann", coded: scene.codes[coded]}

    async def assert_called(page: Page, places: tuple[str, ...]) -> None:
        for place in places:
            for mentor_id, name in called.items():
                links = page.locator(f'{place} a[href="/me#mentor={mentor_id}"]')
                await expect(links.first).to_be_visible()
                assert set(await links.all_text_contents()) == {name}, place

    async with visit("/dashboard", org_id=scene.org_id, role="org_admin") as page:
        await assert_called(page, ("#leaderboard", "#activity"))
        thanks = page.locator("#activity").get_by_role("button", name=f"Mark as thanked: Mentor {called[coded]}, 1")
        await expect(thanks).to_have_count(1)
        await expect(page.locator("#connection")).to_have_text("Live")
        await asyncio.to_thread(scene.reach, coded, 5)
        await expect(page.locator("#announcer")).to_contain_text(f"Mentor {called[coded]} earned the badge")
        await page.goto("/badges")
        await page.get_by_label("Name", exact=True).fill("Lagspiller")
        await page.get_by_label("Earned at").select_option("10")
        await assert_called(page, ("#reached",))
        await page.goto(f"/me#mentor={coded}")
        await expect(page.get_by_role("heading", level=1)).to_have_text(f"Mentor {called[coded]}")
        await expect(page).to_have_title(re.compile(f"^Mentor {called[coded]}"))


async def test_lists_of_one_group(visit: Visit, scene: OrganisationScene) -> None:
    """Each list by itself, whatever a group is called; who has no group is among all, and in none."""
    for name, group in (("Kari Nordmann", "Nord"), ("Ola Hansen", "Sør & Øst"), (None, None)):
        mentor_id = scene.issue()
        scene.count(mentor_id, clicks=9, confirmed=4)
        scene.reach(mentor_id, 1)
        if name is not None:
            scene.name(mentor_id, name, group)
    async with visit("/dashboard", org_id=scene.org_id) as page:
        await page.get_by_label("Close to a badge").check()
        lists = {
            "Group of mentors": page.locator("#leaderboard tbody tr"),
            "Group of who has reached something": page.locator("#activity li"),
            "Group of who needs help": page.locator("#help tbody tr"),
        }
        for label, rows in lists.items():
            for each in lists.values():
                await expect(each).to_have_count(3)
            await page.get_by_label(label).select_option("Sør & Øst")
            await expect(rows).to_contain_text(["Ola Hansen"])
            for other in lists.values():
                await expect(other).to_have_count(1 if other is rows else 3)
            await page.get_by_label(label).select_option("Nord")
            await expect(rows).to_contain_text(["Kari Nordmann"])
            await page.get_by_label(label).select_option("All groups")


async def test_a_list_that_does_not_come_is_not_the_one_before(visit: Visit, scene: OrganisationScene) -> None:
    """Under another choice the rows of the one before would be wrong; what is only old stays."""
    mentor_id = scene.issue()
    scene.count(mentor_id, clicks=9, confirmed=4)
    scene.reach(mentor_id, 1)
    scene.name(mentor_id, "Kari Nordmann", "Nord")

    async def fail(route: Route) -> None:
        await route.fulfill(status=503, json={"title": "Service Unavailable", "detail": "for programs"})

    async with visit("/dashboard", org_id=scene.org_id, expects=("status of 503",)) as page:
        await page.get_by_label("Close to a badge").check()
        for label, panel, row in (
            ("Group of mentors", "#leaderboard", "tbody tr"),
            ("Group of who has reached something", "#activity", "li"),
            ("Group of who needs help", "#help", "tbody tr"),
        ):
            rows = page.locator(f"{panel} .body {row}")
            await expect(rows).to_have_count(1)
            await page.route("**/v1/orgs/**group=**", fail)
            await page.get_by_label(label).select_option("Nord")
            await expect(page.locator(f"{panel} .failure")).to_be_visible()
            await expect(rows).to_have_count(0)
            await page.unroute("**/v1/orgs/**group=**")
            await page.locator(panel).get_by_role("button", name="Try again").click()
            await expect(rows).to_have_count(1)


async def test_mentors_are_copied_opened_and_exported(visit: Visit, scene: OrganisationScene, tmp_path: Path) -> None:
    """A short id stands for the whole one, the code leads to the mentor's page, and the export has everyone."""
    mentor_id = scene.issue()
    scene.count(mentor_id, clicks=9)
    permissions = ["clipboard-read", "clipboard-write"]
    async with visit("/dashboard", org_id=scene.org_id, size=DESK, permissions=permissions) as page:
        await page.locator("#leaderboard").get_by_role("button", name="Copy mentor id").click()
        await expect(page.locator("#announcer")).to_contain_text("Copied mentor id")
        assert await page.evaluate("navigator.clipboard.readText()") == mentor_id
        async with page.expect_download() as started:
            await page.get_by_role("button", name="Export CSV").click()
        download = await started.value
        assert download.suggested_filename.startswith("referrals-")
        await download.save_as(tmp_path / "export.csv")
        rows = list(csv.reader((tmp_path / "export.csv").read_text().splitlines()))
        assert any(mentor_id in row for row in rows[1:])
        await page.locator("#leaderboard a").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Mentor")
        await expect(page.locator('[data-figure="clicks"]')).to_have_text("9")
        await page.get_by_role("link", name="All mentors").click()
        await page.wait_for_url("**/dashboard")  # the mentor's page has a figure of that name too
        await expect(figure(page, "clicks")).to_have_text("9")
        shown = f"{mentor_id[:4]}…{mentor_id[-4:]}"
        for text in (mentor_id.upper(), scene.codes[mentor_id].lower(), shown):
            await page.goto("/dashboard")
            await page.get_by_label("Name, code or id").fill(text)
            await page.keyboard.press("Enter")
            await expect(page.locator("#whose")).to_contain_text(mentor_id)
        await page.goto("/dashboard")
        await page.get_by_label("Name, code or id").fill("7KQ2M9XW4T")
        await page.keyboard.press("Enter")
        await expect(page.locator("#found")).to_have_text("No mentor here has this name, code or id.")
        await expect(page.locator("#announcer")).to_have_text("No mentor here has this name, code or id.")
