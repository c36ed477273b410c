"""Mail asked for on a page, confirmed and ended by the links in it, and the places that a mail leads to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser, expect

from edges.languages.catalogue import LANGUAGES, Language, text
from edges.mail.metrics import MailState
from edges.mail.outbox import open_outbox
from edges.mail.relay import MailRelay
from edges.web.identity import Identity
from edges.web.mail_subscriptions import CONFIRM, subscribe
from tests.browser.conftest import Visit
from tests.browser.test_accessibility import assert_accessible
from tests.mail_server import MailServerDouble, mail_server, settings_with
from tests.organisation_scene import OrganisationScene
from tests.web import Web, running_web

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]

LOCALES: Final[dict[Language, str]] = {"en": "en-GB", "nb": "nb-NO"}


@pytest.fixture
def post() -> Iterator[MailServerDouble]:
    """Give a mail server."""
    with mail_server() as running:
        yield running


async def links_in_mail(web: Web, post: MailServerDouble, address: str) -> list[str]:
    """Send what is due, and return the links in the last mail to an address."""
    settings = settings_with(web.services.settings, post, public_url=str(web.base_url))
    relay = MailRelay(settings, MailState())
    async with open_outbox(settings.database_url) as outbox:
        await relay.work(outbox)
    plain = post.post.to(address)[-1].get_body(("plain",))
    assert plain is not None
    return [word for word in plain.get_content().split() if word.startswith("http")]


@pytest.mark.parametrize(("role", "language"), [("coordinator", "nb"), ("mentor", "en")])
async def test_from_the_page_to_the_mailbox_and_back(
    visit: Visit,
    web: Web,
    browser: Browser,
    scene: OrganisationScene,
    post: MailServerDouble,
    role: str,
    language: Language,
) -> None:
    """An address is asked for, corrected, confirmed without a script, shown as confirmed, and ended by the page."""
    scene.call("Nordlys")
    mentor_id = scene.issue()
    scene.count(mentor_id, clicks=10, pending=3)
    address = f"{role}@example.org"
    path = "/dashboard" if role == "coordinator" else "/me"
    setting = {
        "role": role,
        "subject": mentor_id,
        "locale": LOCALES[language],
        "expects": ("status of 422", "status of 404"),
    }
    async with visit(path, org_id=scene.org_id, **setting) as page:
        panel = page.locator("#mail")
        field = panel.get_by_label(text(language, "mail-panel.address"))
        await field.fill("kari@example")
        await field.press("Enter")
        await expect(panel.locator(".fault")).to_have_text(text(language, "mail-panel.bad"))
        await field.fill(address)
        await panel.get_by_role("button", name=text(language, "mail-panel.send")).click()
        await expect(panel.locator("p").first).to_contain_text(address)
        (link,) = await links_in_mail(web, post, address)
        without = await browser.new_context(java_script_enabled=False, locale=LOCALES["en"])
        plain = await without.new_page()
        await plain.goto(link)
        await expect(plain.locator("html")).to_have_attribute("lang", language)
        await plain.get_by_role("button", name=text(language, "mail-page.confirm-button")).click()
        await expect(plain.get_by_role("heading")).to_have_text(text(language, "mail-page.confirmed"))
        await without.close()
        told = "mail-panel.told-badges" if role == "mentor" else "mail-panel.told-summary"
        await page.reload()
        await expect(panel.locator("p").first).to_have_text(text(language, told, address=address))
        await panel.get_by_role("button", name=text(language, "mail-panel.end")).click()
        await expect(field).to_have_value("")
        await expect(page.locator("#announcer")).to_have_text(text(language, "mail-panel.ended"))
        await page.goto(link)
        await expect(page.get_by_role("heading")).to_have_text(text(language, "mail-page.gone"))
        await assert_accessible(page)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_signing_in_by_a_link_in_a_mail(
    browser: Browser, web: Web, scene: OrganisationScene, post: MailServerDouble, tmp_path: Path, language: Language
) -> None:
    """Asked for where the figures would be; the link's button opens them."""
    scene.call("Nordlys")
    scene.count(scene.issue(), clicks=10)
    address, kari = f"{language}@example.org", Identity(scene.org_id, "kari", "coordinator")
    changed = {**post.settings(public_url=None), "mail_sign_in": True, "spool_dir": tmp_path}
    async with running_web(web.services.settings, **changed) as own:
        await subscribe(own.services.database, kari, address, language)
        link = (await links_in_mail(own, post, address))[0].rpartition("/")[2]
        assert (await own.post(f"{CONFIRM}/{link}")).status_code == 200
        opened = await browser.new_context(base_url=str(own.base_url), locale=LOCALES[language])
        page = await opened.new_page()
        await page.goto("/dashboard")
        field = page.get_by_label(text(language, "mail-panel.address"))
        await expect(field).to_be_focused()
        await assert_accessible(page)
        await field.fill(address)
        await page.keyboard.press("Enter")
        await expect(page.locator("#mail-said")).to_have_text(text(language, "sign-in.mail-sent", address=address))
        await page.goto((await links_in_mail(own, post, address))[0])
        await page.get_by_role("button", name=text(language, "sign-in.go")).click()
        await expect(page.get_by_role("heading", name="Nordlys")).to_be_visible()
        await opened.close()


async def test_a_mail_opens_the_page_at_its_place(visit: Visit, scene: OrganisationScene) -> None:
    """The week and the list that it speaks of, in sight."""
    for _ in range(30):
        scene.count(scene.issue(), clicks=10, pending=3, confirmed=4)
    address = "/dashboard?from=2026-11-16&to=2026-11-22&list=close-to-badge"
    async with visit("/dashboard", org_id=scene.org_id) as page:
        await expect(page.locator("[aria-busy=true]:visible")).to_have_count(0)
        await page.goto(f"{address}#help")
        await expect(page.locator("#period-said")).to_contain_text("22")
        await expect(page.get_by_role("radio", name=text("en", "help.close"))).to_be_checked()
        await expect(page.locator("#help tbody tr")).to_have_count(10)
        await expect(page.locator("[aria-busy=true]:visible")).to_have_count(0)
        await expect(page.locator("#help")).to_be_in_viewport()
