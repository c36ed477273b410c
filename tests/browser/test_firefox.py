"""The main ways through the pages in Firefox: sign-in, figures, periods, lists, a mentor, badges, welcome, export."""

from __future__ import annotations

import asyncio
import csv
from pathlib import Path

import pytest
from playwright.async_api import expect

from edges.languages.catalogue import text
from tests.browser.conftest import Visit
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
