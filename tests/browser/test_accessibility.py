"""axe-core finds nothing, on every page and state, in both languages, light and dark."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
from playwright.async_api import Page, expect

from edges.languages.catalogue import LANGUAGES, Language, text
from tests.browser.conftest import Visit
from tests.organisation_scene import OrganisationScene
from tests.web import make_token

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]

AXE: Final = (Path(__file__).parent / "vendor/axe-core/axe.min.js").read_text(encoding="utf-8")
FAULTS: Final = """async (rules) => {
  const { violations } = await axe.run(document, { runOnly: rules, resultTypes: ["violations"] });
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`);
}"""
EVERYTHING: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS: Final = ["color-contrast", "link-in-text-block"]
SCHEMES: Final = ("light", "dark")


async def assert_accessible(page: Page) -> None:
    """See that axe-core has nothing to say: of contrast in both themes, of all else in one, because it is the same."""
    await page.evaluate(AXE)
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        faults = await page.evaluate(FAULTS, EVERYTHING if scheme == SCHEMES[0] else COLOURS)
        assert not faults, f"{page.url}, {scheme}:\n" + "\n".join(faults)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_axe_finds_nothing(visit: Visit, scene: OrganisationScene, language: Language) -> None:
    """From the figures to the sign-in, which comes in place of a page."""
    scene.call("Nordlys")
    scene.make_key()
    mentor_id = scene.issue()
    scene.count(mentor_id, clicks=1_234, pending=3, confirmed=5, sms=34, **{"notice board": 4})
    scene.reach(mentor_id, 5, scene.confirm(mentor_id, 5))
    scene.reconcile(unclear=2, left=[("page 1, row 3", "status is empty")])
    setting = {"locale": {"en": "en-GB", "nb": "nb-NO"}[language], "reduced_motion": "reduce"}
    async with visit("/dashboard", org_id=scene.org_id, expects=("status of 404",), **setting) as page:
        await expect(page.locator("#daily canvas")).to_have_count(2)
        await expect(page.locator("[aria-busy=true]:visible")).to_have_count(0)
        await assert_accessible(page)
        await page.get_by_role("button", name=text(language, "daily.as-table")).click()
        await page.locator("#mentor").fill("7KQ2M9XW4T")
        await page.keyboard.press("Enter")
        await expect(page.locator("#found")).to_be_visible()
        await assert_accessible(page)
        await page.goto(f"/me#mentor={mentor_id}")
        await expect(page.locator("#share .qr svg[role=img]")).to_be_visible()
        await page.locator(".evidence summary").last.click()
        await expect(page.locator(".evidence li")).to_have_count(5)
        await expect(page.locator("[aria-busy=true]:visible")).to_have_count(0)
        await assert_accessible(page)
        for path in (f"/welcome?ref={scene.codes[mentor_id]}", "/welcome", "/docs", "/nothing"):
            await page.goto(path)
            await expect(page.get_by_role("heading", level=1)).to_be_visible()
            await assert_accessible(page)
        await page.context.clear_cookies()  # who is signed in is asked before somebody else is
        await page.goto(f"/dashboard#token={make_token(org_id=str(uuid4()))}")
        await expect(page.locator("#welcome h2")).to_have_text(text(language, "first.title"))
        await assert_accessible(page)
        await page.locator("#sign-out").click()
        await page.locator("summary").click()
        await assert_accessible(page)
        await page.goto("/sign-in")
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await assert_accessible(page)


async def test_a_planted_fault_is_found(visit: Visit, scene: OrganisationScene) -> None:
    """A button without a name, and letters that are hardly seen in the dark."""
    async with visit("/welcome", org_id=scene.org_id, role=None) as page:
        for plant, fault in (
            ("document.querySelector('main').append(document.createElement('button'))", "button-name"),
            ("document.querySelector('h1').style.color = 'light-dark(#000, #333)'", "color-contrast"),
        ):
            await page.goto("/welcome")
            await page.evaluate(plant)
            with pytest.raises(AssertionError, match=fault):
                await assert_accessible(page)
