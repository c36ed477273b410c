"""axe-core finds nothing, on every page and state, in both languages, light and dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psycopg
import pytest
from playwright.async_api import Page, Route, expect

from edges.languages.catalogue import Language, text
from edges.reconciliation.reasons import Why
from edges.registry.tokens import Role
from edges.web.identity import Identity
from edges.web.mail_subscriptions import CONFIRM, UNSUBSCRIBE, subscribe
from edges.web.sign_in.credentials import Credential
from tests.browser.conftest import Visit
from tests.organisation_scene import OrganisationScene
from tests.web import Web, make_token

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]

AXE: Final = (Path(__file__).parent / "vendor/axe-core/axe.min.js").read_text(encoding="utf-8")
FAULTS: Final = """async (rules) => {
  const { violations } = await axe.run(document, { runOnly: rules, resultTypes: ["violations"] });
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`);
}"""
EVERYTHING: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS: Final = ["color-contrast", "link-in-text-block"]
SCHEMES: Final = ("light", "dark")
ALONE: Final[list[tuple[str, Role, dict[str, Any]]]] = [
    ("/dashboard", "coordinator", {"exp": 1_700_000_000}),
    ("/me", "mentor", {}),
    ("/badges", "org_admin", {}),
]
"""Pages whose server goes away: where a session has ended, of a mentor without anything, and before a badge is made."""


async def assert_accessible(page: Page) -> None:
    """See that axe-core has nothing to say: of contrast in both themes, of all else in one, because it is the same."""
    await page.evaluate(AXE)
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        faults = await page.evaluate(FAULTS, EVERYTHING if scheme == SCHEMES[0] else COLOURS)
        assert not faults, f"{page.url}, {scheme}:\n" + "\n".join(faults)


@pytest.mark.parametrize("language", ["en", pytest.param("nb", marks=pytest.mark.long)])
async def test_axe_finds_nothing(visit: Visit, scene: OrganisationScene, language: Language) -> None:
    """From the figures to the sign-in, which comes in place of a page."""
    scene.call("Nordlys")
    scene.make_key()
    mentor_id = scene.issue()
    scene.count(mentor_id, clicks=1_234, pending=3, confirmed=5, sms=34, **{"notice board": 4})
    scene.reach(mentor_id, 5, scene.confirm(mentor_id, 5))
    scene.reconcile(
        unclear=2, left=[("page 1, row 3", Why("empty", {"field": "status"})), ("page 1, row 4", "is not said")]
    )
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


async def cut_off(page: Page, path: str) -> None:
    """Take the server away from a page of `ALONE`, once it has come, and wait until it says so."""
    await expect(page.locator("[aria-busy=true]:visible")).to_have_count(0)
    await page.route("**/v1/**", lambda route: route.abort())
    if path == "/me":
        await expect(page.locator("#banner")).to_be_visible()
    if path == "/badges":
        await page.locator("#name").fill("Lagspiller")
        await page.locator("#save").click()
        await expect(page.locator("#fault")).not_to_be_empty()


async def test_axe_finds_nothing_where_something_is_wrong(visit: Visit, scene: OrganisationScene) -> None:
    """A period that is none, panels and pages that fail, a server that is away, and everything that has no figures."""
    scene.call("Nordlys")
    mentor_id = scene.issue()
    scene.count(mentor_id, clicks=9, confirmed=4)
    scene.reach(mentor_id, 1)
    expects = ("status of 4", "status of 503", "ERR_FAILED", "ERR_CONNECTION_REFUSED")
    setting = {"locale": "nb-NO", "reduced_motion": "reduce", "expects": expects}

    async def fail(route: Route) -> None:
        await route.fulfill(status=503, json={"title": "Service Unavailable", "detail": "for programs"})

    async with visit("/dashboard?quarter=1999-Q1&list=close-to-badge", org_id=scene.org_id, **setting) as page:
        await expect(page.locator("#channels .failure")).to_be_visible()
        await expect(page.locator("#help tbody tr")).to_have_count(1)
        await page.get_by_label(text("nb", "period.range")).check()
        await assert_accessible(page)
        await page.route("**/summary", fail)
        await page.reload()
        await expect(page.locator("#failure .failure")).to_be_visible()
        await assert_accessible(page)
        await page.unroute("**/summary")
        await page.goto(f"/me#mentor={uuid4()}")
        await expect(page.get_by_role("link", name=text("nb", "me.to-dashboard"))).to_be_visible()
        await assert_accessible(page)
        for path in ("/sign-in", "/sign-in?problem=unknown", f"/me#token={make_token(org_id=scene.org_id)}"):
            await page.goto(path)
            await expect(page.locator(".sign-in")).to_be_visible()
            await assert_accessible(page)
        for path, role, changed in ALONE:
            await page.context.clear_cookies()  # who is signed in is asked before somebody else is
            await page.goto("/welcome")
            await page.goto(f"{path}#token={make_token(role, org_id=scene.org_id, **changed)}")
            await cut_off(page, path)
            await assert_accessible(page)
            await page.unroute("**/v1/**")


async def test_axe_finds_nothing_on_the_pages_that_mails_open(visit: Visit, scene: OrganisationScene, web: Web) -> None:
    """Before its button and after it, and what is said of a link that is no longer good."""
    scene.call("Nordlys")
    who = Identity(scene.org_id, "kari", "coordinator")
    await subscribe(web.services.database, who, "kari@example.org", "nb")
    with psycopg.connect(web.services.settings.database_url) as connection:
        row = connection.execute(
            "SELECT subscription_id::text, secret FROM mail_subscriptions WHERE org_id = %s", [scene.org_id]
        ).fetchone()
    assert row is not None
    link = Credential(scene.org_id, *row).text
    async with visit("/welcome", org_id=scene.org_id, role=None, expects=("status of 404",)) as page:
        for path in (CONFIRM, UNSUBSCRIBE):
            await page.goto(f"{path}/{link}")
            await assert_accessible(page)
            await page.get_by_role("button").click()
            await expect(page.get_by_role("button")).to_have_count(0)
            await assert_accessible(page)
        await page.goto(f"{CONFIRM}/{link}")
        await assert_accessible(page)
