"""An administrator makes a badge on the page, and awards it to those who had reached it; a coordinator only looks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import psycopg
import pytest
from playwright.async_api import Page, expect

from edges.languages.catalogue import LANGUAGES, Language, text
from models.badges import FIVE_RECRUITS
from tests.browser.conftest import Visit
from tests.browser.fonts import NARROW, WIDE, use_font
from tests.browser.test_accessibility import assert_accessible
from tests.browser.test_widths import IN_NARROW, LANGUAGE_OF, SCREENS, assert_fits, screen_of
from tests.organisation_scene import OrganisationScene
from tests.web import Web

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]

SHOTS: Final = os.environ.get("REFERRALS_SCREENSHOTS")
"""A folder for pictures of the page, for who wants to look at it; nothing depends on them."""


async def shoot(page: Page, name: str) -> None:
    """Take a picture of the whole page, light and dark."""
    if SHOTS:
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            await page.screenshot(path=Path(SHOTS) / f"{name}-{scheme}.png", full_page=True)


def populate(scene: OrganisationScene) -> list[str]:
    """Give two mentors with a milestone at five, one who is past it by his counts alone, and one below."""
    reached = [scene.issue() for _ in range(2)]
    for mentor_id in reached:
        scene.count(mentor_id, clicks=20, confirmed=6)
        scene.reach(mentor_id, 1)
        scene.reach(mentor_id, 5)
    scene.name(reached[0], "Anna Berg")
    counted, below = scene.issue(), scene.issue()
    scene.count(counted, clicks=20, confirmed=7)
    scene.reach(counted, 1)
    scene.count(below, clicks=20, confirmed=4)
    scene.reach(below, 1)
    return [*reached, counted, below]


async def test_an_administrator_makes_a_badge(visit: Visit, scene: OrganisationScene, web: Web) -> None:
    """The preview says three, three are awarded it; changed, switched off, and what a mentor is shown meanwhile."""
    mentors = populate(scene)
    async with visit("/badges", org_id=scene.org_id, role="org_admin", subject=mentors[3]) as page:
        await expect(page.locator(".badges > li")).to_have_count(4)
        await expect(page.locator("#threshold option")).to_have_text(
            ["1 confirmed", "5 confirmed", "10 confirmed", "25 confirmed"]
        )
        await page.get_by_label("Name", exact=True).fill("Lagspiller")
        await page.get_by_label("Earned at").select_option("5")
        await page.get_by_label("Rocket").check()
        await expect(page.locator("#reached")).to_contain_text("3 mentors have reached it")
        await expect(page.locator("#reached")).to_contain_text("Anna Berg")
        await shoot(page, "badges-form")
        await page.get_by_role("button", name="Make it, and award it to 3").click()
        await expect(page.locator("#announcer")).to_have_text("Lagspiller is made, and awarded to 3 mentors.")
        made = page.locator(".badges > li", has_text="Lagspiller")
        await expect(made).to_contain_text("awarded to 3 mentors afterwards")
        await made.get_by_role("button", name="Who holds it: Lagspiller").click()
        await expect(made.locator(".about p")).to_have_text(
            ["3 mentors hold it.", "Everybody who has reached it holds it."]
        )

        five = page.locator(f'[data-badge="{FIVE_RECRUITS}"]')
        await five.get_by_role("button", name="Who holds it: Five recruits").click()
        await expect(five.locator(".about")).to_contain_text("1 mentor has reached it and does not hold it:")
        await five.get_by_role("button", name="Award it to 1").click()
        await expect(five).to_contain_text("awarded to 1 mentor afterwards")
        await expect(five.get_by_role("button", name="Who holds it: Five recruits")).to_be_focused()

        await made.get_by_role("button", name="Change Lagspiller").click()
        await expect(page.get_by_label("Earned at")).to_be_disabled()
        await page.get_by_label("Name", exact=True).fill("Medspiller")
        await page.get_by_role("button", name="Save").click()
        changed = page.locator(".badges > li", has_text="Medspiller")
        await changed.get_by_role("button", name="Switch off Medspiller").click()
        await expect(changed).to_contain_text("switched off since")
        await expect(changed.get_by_role("button", name="Switch on Medspiller")).to_be_focused()
        await shoot(page, "badges-list")
    with psycopg.connect(web.services.settings.database_url) as connection:
        held = connection.execute(
            "SELECT mentor_id::text FROM badge_awards INNER JOIN badge_definitions USING (badge_id) "
            "WHERE name = 'Medspiller' AND badge_awards.org_id = %s",
            [scene.org_id],
        ).fetchall()
        changes = connection.execute(
            "SELECT change, changed_by FROM badge_changes WHERE org_id = %s ORDER BY change_id", [scene.org_id]
        ).fetchall()
    assert sorted(mentor for (mentor,) in held) == sorted(mentors[:3])
    assert [change for change, _ in changes] == ["made", "back_filled", "back_filled", "changed", "switched_off"]
    assert {who for _, who in changes} == {mentors[3]}
    async with visit("/me", org_id=scene.org_id, role="mentor", subject=mentors[3]) as page:
        await expect(page.locator(".next")).to_contain_text(
            "Next Five recruits"
        )  # the other comes at 5 too, and is off
    async with visit("/me", org_id=scene.org_id, role="mentor", subject=mentors[0]) as page:
        held_here = page.get_by_role("list", name="Badges held").get_by_role("listitem").filter(has_text="Medspiller")
        await expect(held_here.locator("use")).to_have_attribute(
            "href", page.url.split("/me")[0] + await icons(page, "rocket")
        )
        await shoot(page, "mentor")


async def icons(page: Page, name: str) -> str:
    """Return the path of an icon, as the page has it."""
    href = await page.locator(".bar use").first.get_attribute("href")
    return f"{(href or '').partition('#')[0]}#{name}"


async def test_what_cannot_be_sent_is_sent_again_as_the_same_badge(visit: Visit, scene: OrganisationScene) -> None:
    """The answer to the first request is lost: pressed once more there is one badge, and one award for each."""
    populate(scene)
    async with visit("/badges", org_id=scene.org_id, role="org_admin", expects=("ERR_FAILED",)) as page:
        await page.route("**/back-fill", lambda route: route.abort(), times=1)
        await page.get_by_label("Name", exact=True).fill("Lagspiller")
        await page.get_by_label("Earned at").select_option("5")
        save = page.get_by_role("button", name="Make it, and award it to 3")
        await save.click()
        await expect(page.locator("#fault")).to_have_text(text("en", "problem.away"))
        await save.click()
        await expect(page.locator("#announcer")).to_contain_text("is made")
        await expect(page.locator(".badges > li", has_text="Lagspiller")).to_have_count(1)


async def test_a_coordinator_looks_and_changes_nothing(visit: Visit, scene: OrganisationScene) -> None:
    """Who holds what, and who has reached it; no form, and no button that would be refused."""
    populate(scene)
    async with visit("/dashboard", org_id=scene.org_id) as page:
        await page.get_by_role("link", name="Badges").click()
        await expect(page.locator("#administrators")).to_be_visible()
        await expect(page.locator("#badge")).to_be_hidden()
        five = page.locator(f'[data-badge="{FIVE_RECRUITS}"]')
        await expect(five.get_by_role("button")).to_have_count(1)
        await five.get_by_role("button").click()
        await expect(five.locator(".about")).to_contain_text("1 mentor has reached it and does not hold it:")
        await expect(five.get_by_role("button")).to_have_count(1)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_axe_finds_nothing(visit: Visit, scene: OrganisationScene, language: Language) -> None:
    """The list with what is said of a badge, and the form with its preview."""
    populate(scene)
    locale = {"en": "en-GB", "nb": "nb-NO"}[language]
    async with visit("/badges", org_id=scene.org_id, role="org_admin", locale=locale, reduced_motion="reduce") as page:
        await page.locator("#threshold").select_option("5")
        await expect(page.locator("#reached .mentors")).to_be_visible()
        await page.locator(".badges button").nth(1).click()
        await expect(page.locator(".about .mentors")).to_be_visible()
        await assert_accessible(page)


@pytest.mark.parametrize("advance", [NARROW, WIDE], ids=["narrow", "wide"])
async def test_the_page_fits(visit: Visit, scene: OrganisationScene, advance: int, web: Web) -> None:
    """On every screen, with a name as long as one may be, a badge that is off, and what is said of one."""
    populate(scene)
    language = LANGUAGE_OF[advance]
    with psycopg.connect(web.services.settings.database_url) as connection:
        connection.execute(
            "INSERT INTO badge_definitions (badge_id, org_id, type, threshold, name, picture, off_since) "
            "VALUES (gen_random_uuid(), %s, 'recruitment', 5, %s, 'crown', now())",
            [scene.org_id, "M" * 60],
        )
    for screen in SCREENS if advance == WIDE else IN_NARROW:
        pixels, _ = SCREENS[screen]
        async with visit("/badges", org_id=scene.org_id, role="org_admin", **screen_of(screen, advance)) as page:
            await page.locator("#threshold").select_option("5")
            await expect(page.locator("#reached .mentors")).to_be_visible()
            await page.locator(".badges button").nth(1).click()
            await expect(page.locator(".about .mentors")).to_be_visible()
            if pixels in {320, 1440}:
                await shoot(page, f"badges-{language}-{screen.replace(' ', '-')}")
            await use_font(page, advance)
            await assert_fits(page)
