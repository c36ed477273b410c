"""Signing in and out, as people do it in a real browser."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from edges.registry.database import owner_database
from edges.web.sign_in.links import make_link
from edges.web.sign_in.provider import OpenIdProvider
from tests.browser.conftest import Visit
from tests.browser.test_widths import assert_fits, screen_of
from tests.openid_provider import OpenIdProviderDouble
from tests.organisation_scene import OrganisationScene
from tests.web import Web, make_token

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]

UNAUTHORISED = ("status of 401",)
"""What Chromium itself says of an answer that a test wants."""

TABS_TO_EXPORT = 6
"""Past the skip link and what stands in the bar."""


def figure(page: Page, name: str) -> Locator:
    """Find one of the sums."""
    return page.locator(f'[data-figure="{name}"]')


async def link_for(web: Web, scene: OrganisationScene) -> str:
    """Make a link as the command does."""
    async with owner_database(web.services.settings.database_url) as database:
        link = await make_link(
            database, org_id=UUID(scene.org_id), role="coordinator", subject="kari", good_for=timedelta(minutes=5)
        )
    return link.url(str(web.base_url))


@pytest_asyncio.fixture(loop_scope="session")
async def provider(web: Web) -> AsyncIterator[OpenIdProviderDouble]:
    """Give the server a provider for one test; it is the same server for all."""
    with OpenIdProviderDouble() as double:
        url = str(web.base_url).rstrip("/")
        settings = web.services.settings.model_copy(update=double.settings(url, oidc_name="Members"))
        client = OpenIdProvider(settings)
        object.__setattr__(web.services, "provider", client)  # frozen, because nothing else changes it
        yield double
        object.__setattr__(web.services, "provider", None)
        await client.close()


async def test_with_the_provider(visit: Visit, scene: OrganisationScene, provider: OpenIdProviderDouble) -> None:
    """From a page that somebody cannot see, there and back to it; who is unknown here is told."""
    mentor_id = scene.issue()
    scene.count(mentor_id, clicks=7)
    provider.claims |= {"org": "another", "role": "coordinator"}
    path = f"/me#mentor={mentor_id}"
    async with visit(path, org_id=scene.org_id, role=None, **screen_of("a phone")) as page:
        way = page.get_by_role("link", name="Sign in with Members")
        await expect(way).to_be_focused()
        await assert_fits(page)
        await way.press("Enter")
        await expect(page.get_by_role("alert").first).to_contain_text("You are known there, but not here")
        await assert_fits(page)
        provider.claims |= {"org": scene.org_id}
        await page.goto(path)
        await way.click()
        await expect(page.locator("#whose")).to_contain_text(mentor_id[:4])
        assert page.url.endswith(path)
        await page.goto("/sign-in")
        await expect(page.locator("main")).to_contain_text("As coordinator auth0|5f7c8ec7c33c6c004bbafe82, until")
        await assert_fits(page)
        await page.get_by_role("link", name="Norsk").click()
        await page.get_by_role("button", name="Logg ut", exact=True).click()
        await expect(page.get_by_role("link", name="Logg inn med Members")).to_be_visible()
        await assert_fits(page)


async def test_a_link_signs_in_by_its_button(visit: Visit, scene: OrganisationScene, web: Web) -> None:
    """Opening it does nothing, and its secret is in no address; then every tab is signed in, until all are left."""
    scene.count(scene.issue(), clicks=7)
    link = await link_for(web, scene)
    async with visit("/welcome", org_id=scene.org_id, role=None, expects=UNAUTHORISED) as page:
        await page.goto(link)
        go = page.get_by_role("button", name="Sign in")
        await expect(go).to_be_focused()
        assert link.partition("#link=")[2] not in page.url
        assert await page.context.cookies() == []
        await page.reload()
        await go.press("Enter")
        await expect(figure(page, "clicks")).to_have_text("7")
        assert await page.evaluate("sessionStorage.length + document.cookie.length") == 0
        (cookie,) = await page.context.cookies()
        assert cookie["httpOnly"]
        way = page.get_by_role("link", name="Your session")
        await expect(way).to_have_attribute("href", "/sign-in")
        beside = await page.context.new_page()
        await beside.goto("/sign-in?return_to=//evil.example")
        await expect(beside.locator("main")).to_contain_text("As coordinator kari, until")
        await expect(beside.get_by_role("link", name="To the figures")).to_have_attribute(
            "href", re.compile(f"{web.base_url}/dashboard")
        )
        await beside.get_by_role("button", name="Sign out everywhere").click()
        for each in (beside, page):
            await expect(each.get_by_role("heading", name="Sign in")).to_be_visible()
        await page.goto(link)
        await go.click()
        await expect(page.get_by_role("alert").first).to_contain_text("already used, or its time is over")


async def test_from_the_link_to_the_export_by_keyboard_alone(visit: Visit, scene: OrganisationScene, web: Web) -> None:
    """Enter signs in; the export is a few Tabs away, and gives a file."""
    scene.count(scene.issue(), clicks=7)
    link = await link_for(web, scene)
    async with visit("/welcome", org_id=scene.org_id, role=None) as page:
        await page.goto(link)
        await expect(page.get_by_role("button", name="Sign in")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(figure(page, "clicks")).to_have_text("7")
        export = page.get_by_role("button", name="Export CSV")
        for _ in range(TABS_TO_EXPORT):
            await page.keyboard.press("Tab")
        await expect(export).to_be_focused()
        async with page.expect_download() as started:
            await page.keyboard.press("Enter")
        assert (await started.value).suggested_filename.startswith("referrals-")


async def test_a_link_of_somebody_else_asks_first(visit: Visit, scene: OrganisationScene) -> None:
    """A token in an address signs nobody in as another without a word."""
    mentor_id = scene.issue()
    scene.count(mentor_id, clicks=7)
    async with visit("/dashboard", org_id=scene.org_id) as page:
        await expect(figure(page, "clicks")).to_have_text("7")
        await page.goto(f"/me#token={make_token('mentor', org_id=scene.org_id, subject=mentor_id)}")
        await expect(page.locator("main")).to_contain_text("You are signed in already, as coordinator")
        assert "token" not in page.url
        await page.get_by_role("button", name="Stay as I am").click()
        await expect(figure(page, "clicks")).to_have_text("7")
        await page.goto(f"/me#token={make_token('mentor', org_id=scene.org_id, subject=mentor_id)}")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.locator("#whose")).to_contain_text(mentor_id)
