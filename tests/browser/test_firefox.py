"""The main ways through the pages in Firefox: sign-in, figures, periods, lists, a mentor, badges, welcome, export."""

from __future__ import annotations

import asyncio
import csv
import json
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from playwright.async_api import Page, Route, expect

from edges.languages.catalogue import text
from edges.reconciliation.reasons import Why
from edges.web.identity import Identity
from edges.web.mail_subscriptions import CONFIRM, UNSUBSCRIBE, subscribe
from edges.web.sign_in.credentials import Credential
from tests.browser.conftest import Visit
from tests.browser.test_accessibility import ALONE, cut_off
from tests.browser.test_badges_page import populate
from tests.browser.test_sign_in import TABS_TO_EXPORT, figure, link_for
from tests.browser.test_widths import assert_fits
from tests.organisation_scene import OrganisationScene
from tests.web import Web, make_token

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]

SCREENS = (320, 768, 1001, 1440)


async def test_a_coordinators_way(visit_in_firefox: Visit, scene: OrganisationScene, web: Web, tmp_path: Path) -> None:
    """From a link to the figures, which come by themselves, a period, a list, a mentor, and the export by keyboard."""
    scene.call("Nordlys")
    mentor_id = scene.issue()
    scene.name(mentor_id, "Kari Nordmann", "Nord")
    scene.count(mentor_id, clicks=30, confirmed=4, sms=7)
    scene.reach(mentor_id, 1)
    scene.happened("sms", clicks=20, registered=4, confirmed=2, days_ago=35)
    link = await link_for(web, scene)
    async with visit_in_firefox("/welcome", org_id=scene.org_id, role=None) as page:
        await page.goto(link)
        await expect(page.get_by_role("button", name="Sign in")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Nordlys")
        await expect(figure(page, "clicks")).to_have_text("30")
        await expect(page.locator("#daily canvas")).to_have_count(2)
        await expect(page.locator("#connection")).to_have_text("Live")
        for _ in range(TABS_TO_EXPORT):
            await page.keyboard.press("Tab")
        await expect(page.get_by_role("button", name="Export CSV")).to_be_focused()
        async with page.expect_download() as started:
            await page.keyboard.press("Enter")
        await (await started.value).save_as(tmp_path / "export.csv")
        rows = list(csv.reader((tmp_path / "export.csv").read_text().splitlines()))
        assert any(mentor_id in row for row in rows)
        await asyncio.to_thread(lambda: scene.count(mentor_id, clicks=31, confirmed=4, sms=7))
        await expect(figure(page, "clicks")).to_have_text("31")
        await page.get_by_label("90 days").check()
        await expect(figure(page, "clicks")).to_have_text("51")
        await page.get_by_label("Close to a badge").check()
        await expect(page.locator("#help tbody tr")).to_contain_text(["1 to go: Five recruits"])
        for width in SCREENS:
            await page.set_viewport_size({"width": width, "height": 900})
            await assert_fits(page)
        await page.reload()  # Firefox keeps what was chosen, and the list is that one
        await expect(page.get_by_label("Close to a badge")).to_be_checked()
        await expect(page.locator("#help tbody tr")).to_contain_text(["1 to go: Five recruits"])
        await page.locator("#help").get_by_role("link", name="Kari Nordmann").click()
        await expect(page.locator("#standing .facts dd").first).to_have_text("1 of 1")
        await page.get_by_role("link", name="All mentors").click()
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_a_mentors_way(visit_in_firefox: Visit, scene: OrganisationScene) -> None:
    """Whoever follows his link is welcomed; his own page in Norwegian has link, QR code, counts and progress."""
    scene.call("Nordlys")
    mentor_id = scene.issue()
    scene.count(mentor_id, clicks=1_234, pending=3, confirmed=2)
    scene.reach(mentor_id, 1)
    setting = {"role": "mentor", "subject": mentor_id, "locale": "nb-NO"}
    async with visit_in_firefox("/me", org_id=scene.org_id, **setting) as page:
        await expect(page.locator("#share .qr svg[role=img]")).to_be_visible()
        await expect(figure(page, "clicks")).to_have_text("1\u00a0234")
        await expect(page.get_by_role("progressbar")).to_be_visible()
        await expect(page.locator("#badges")).to_contain_text("Første verving")
        for width in SCREENS:
            await page.set_viewport_size({"width": width, "height": 900})
            await assert_fits(page)
        await page.goto(f"/welcome?ref={scene.codes[mentor_id]}")
        await expect(page.locator("#code")).to_have_text(scene.codes[mentor_id])
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Nordlys")
        await assert_fits(page)


async def test_an_administrators_way(visit_in_firefox: Visit, scene: OrganisationScene) -> None:
    """A badge is made, and awarded to those who had reached it."""
    populate(scene)
    async with visit_in_firefox("/badges", org_id=scene.org_id, role="org_admin") as page:
        await page.get_by_label("Name", exact=True).fill("Lagspiller")
        await page.get_by_label("Earned at").select_option("5")
        await page.get_by_label("Rocket").check()
        await page.get_by_role("button", name="Make it, and award it to 3").click()
        await expect(page.locator(".badges > li", has_text="Lagspiller")).to_contain_text("awarded to 3 mentors")
        await assert_fits(page)
        await page.goto(f"/me#token={make_token('mentor', org_id=scene.org_id)}")
        await expect(page.locator("main")).to_contain_text(text("en", "sign-in.stay"))


async def assert_fits_everywhere(page: Page) -> None:
    """See that nothing is too wide, on a phone and on a desk."""
    await expect(page.locator("[aria-busy=true]:visible")).to_have_count(0)
    for width in SCREENS:
        await page.set_viewport_size({"width": width, "height": 900})
        await assert_fits(page)


@pytest.mark.long
async def test_every_page_and_state(  # noqa: PLR0915  one after the other, in one browser
    visit_in_firefox: Visit, scene: OrganisationScene, web: Web
) -> None:
    """Those that axe-core looks at in Chromium, in Norwegian: each comes, complains of nothing, and fits."""
    scene.call("Nordlys")
    scene.make_key()
    mentor_id, unnamed = scene.issue(), scene.issue()
    scene.name(mentor_id, "Kari Nordmann", "Nord")
    for each in (mentor_id, unnamed):
        scene.count(each, clicks=1_234, pending=3, confirmed=4, sms=34, **{"notice board": 4})
        scene.reach(each, 1)
    scene.reach(mentor_id, 5, scene.confirm(mentor_id, 5))
    scene.reconcile(unclear=2, left=[("page 1, row 3", Why("empty", {"field": "status"})), ("page 1, row 4", "a word")])
    await subscribe(web.services.database, Identity(scene.org_id, "kari", "coordinator"), "kari@example.org", "nb")
    with psycopg.connect(web.services.settings.database_url) as connection:
        row = connection.execute(
            "SELECT subscription_id::text, secret FROM mail_subscriptions WHERE org_id = %s", [scene.org_id]
        ).fetchone()
    assert row is not None
    link = Credential(scene.org_id, *row).text

    async def fail(route: Route) -> None:
        await route.fulfill(status=503, json={"title": "Service Unavailable", "detail": "for programs"})

    async def behind(route: Route) -> None:
        components = [{"name": name, "lag": lag} for name, lag in (("stream", 0), ("counts", 0), ("history", 12_431))]
        told = {"components": components, "deadLetters": 3, "state": "behind", "checkedAt": "2026-11-29T19:30:00Z"}
        body = f"event: pipeline\ndata: {json.dumps(told)}\n\n"
        await route.fulfill(content_type="text/event-stream", body=body)

    async def failed(route: Route) -> None:
        answer = await route.fetch()
        told = await answer.json()
        told["runs"][0]["error"] = "https://members.example/api: answered 401"
        await route.fulfill(json=told)

    async def come_as(page: Page, path: str, token: str) -> None:
        await page.context.clear_cookies()  # who is signed in is asked before somebody else is
        await page.goto("/welcome")
        await page.goto(f"{path}#token={token}")

    setting = {"role": "org_admin", "locale": "nb-NO", "expects": ("status of", "blocked", "NetworkError", "aborted")}
    async with visit_in_firefox("/dashboard", org_id=scene.org_id, **setting) as page:
        await expect(page.locator("#daily canvas")).to_have_count(2)
        await assert_fits_everywhere(page)
        await page.get_by_role("button", name=text("nb", "daily.as-table")).click()
        await page.locator("#mentor").fill("7KQ2M9XW4T")
        await page.keyboard.press("Enter")
        await expect(page.locator("#found")).to_be_visible()
        await assert_fits_everywhere(page)
        await page.route("**/v1/**/events", behind)
        await page.route("**/v1/**/reconciliation**", failed)
        await page.reload()
        await expect(page.locator("#pipeline .state")).to_have_text(text("nb", "pipeline.behind"))
        await expect(page.locator("#membership .state")).to_have_text(text("nb", "membership.failed"))
        await assert_fits_everywhere(page)
        await page.unroute_all()
        await page.goto("/dashboard?quarter=1999-Q1&list=close-to-badge")
        await expect(page.locator("#channels .failure")).to_be_visible()
        await assert_fits_everywhere(page)
        await page.route("**/summary", fail)
        await page.reload()
        await expect(page.locator("#failure .failure")).to_be_visible()
        await assert_fits_everywhere(page)
        await page.unroute_all()
        for path in ("/badges", "/dead-letters", "/sign-in", f"/welcome?ref={scene.codes[mentor_id]}", "/welcome"):
            await page.goto(path)
            await expect(page.get_by_role("heading", level=1)).to_be_visible()
            await assert_fits_everywhere(page)
        for path in ("/docs", "/nothing", f"{CONFIRM}/{link}", f"{UNSUBSCRIBE}/{link}", "/sign-in?problem=unknown"):
            await page.goto(path)
            await expect(page.get_by_role("heading", level=1)).to_be_visible()
            await assert_fits_everywhere(page)
        for each, named in ((mentor_id, "Kari Nordmann Nord"), (unnamed, f"Mentor {scene.codes[unnamed]}")):
            await page.goto("/welcome")
            await page.goto(f"/me#mentor={each}")
            await expect(page.get_by_role("heading", level=1)).to_have_text(named)
            await expect(page.locator("#share .qr svg[role=img]")).to_be_visible()
            await page.locator(".evidence summary").last.click()
            await expect(page.locator(".evidence[open] p").first).to_be_visible()
            await assert_fits_everywhere(page)
        await page.goto("/welcome")
        await page.goto(f"/me#mentor={uuid4()}")
        await expect(page.get_by_role("link", name=text("nb", "me.to-dashboard"))).to_be_visible()
        await assert_fits_everywhere(page)
        await come_as(page, "/dashboard", make_token(org_id=str(uuid4())))
        await expect(page.locator("#welcome h2")).to_have_text(text("nb", "first.title"))
        await assert_fits_everywhere(page)
        await page.locator("#sign-out").click()
        await page.locator("summary").click()
        await assert_fits_everywhere(page)
        for path, role, changed in ALONE:
            await come_as(page, path, make_token(role, org_id=scene.org_id, **changed))
            await cut_off(page, path)
            await assert_fits_everywhere(page)
            await page.unroute_all()
