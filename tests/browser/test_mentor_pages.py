"""A mentor's own page, and the neutral page that links may lead to."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import segno
from playwright.async_api import Route, expect

from tests.browser.conftest import Visit
from tests.browser.test_badges_page import shoot
from tests.organisation_scene import OrganisationScene
from tests.web import make_token

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]


async def test_a_mentor_is_led_to_his_own_page(visit: Visit, scene: OrganisationScene) -> None:
    """From the dashboard's address: his link, its channels, QR code, counts and badges."""
    mentor_id = scene.issue()
    code = scene.codes[mentor_id]
    scene.count(mentor_id, clicks=10, pending=3, confirmed=2)
    scene.reach(mentor_id, 1)
    async with visit("/dashboard", org_id=scene.org_id, role="mentor", subject=mentor_id) as page:
        await page.wait_for_url("**/me")
        await expect(page.get_by_role("heading", name="Your referrals")).to_be_visible()
        link = await page.get_by_label("Link", exact=True).input_value()
        assert urlsplit(link).path == f"/r/{code}"
        picture = page.get_by_role("img", name=f"QR code of the link with code {code}")
        await expect(picture).to_be_visible()
        drawn = await picture.locator("path").get_attribute("d")
        assert f'd="{drawn}"' in segno.make(f"{link}?c=qr", error="m", micro=False).svg_inline(border=4)
        for name, number in (("clicks", "10"), ("pending", "3"), ("confirmed", "2"), ("conversion", "20.0%")):
            await expect(page.locator(f'[data-figure="{name}"]')).to_have_text(number)
        await expect(page.get_by_role("progressbar")).to_have_attribute(
            "aria-label", "2 of 5 confirmed for the badge Five recruits"
        )
        await expect(page.get_by_role("list", name="Badges held")).to_contain_text("First recruit")
        for channel, scheme in (("whatsapp", "https"), ("sms", "sms"), ("email", "mailto")):
            address = await page.locator(f'[data-channel="{channel}"]').get_attribute("href")
            assert address is not None
            assert urlsplit(address).scheme == scheme
            shared = unquote(address).split()[-1]
            assert shared == f"{link}?c={channel}"
        await expect(page.get_by_role("link", name="All mentors")).to_be_hidden()
        await expect(page.locator("#badges")).to_contain_text("A badge once awarded is not taken back.")
        for words in ("Kom til oss & bli\nmed?", ""):  # his own, and none again
            await page.get_by_label("Invitation", exact=True).fill(words)
            await page.reload()
            said = words or "Join us as a member. This is my link:"
            await expect(page.get_by_label("Invitation", exact=True)).to_have_value(said)
            address = await page.locator('[data-channel="sms"]').get_attribute("href")
            assert unquote(address or "") == f"sms:?&body={said} {link}?c=sms"


async def test_an_award_is_explained_to_a_coordinator(visit: Visit, scene: OrganisationScene) -> None:
    """Behind the badge: the registration that crossed, where it stands, and those before it; by keyboard."""
    mentor_id = scene.issue()
    scene.count(mentor_id, clicks=10, confirmed=5)
    scene.reach(mentor_id, 5, scene.confirm(mentor_id, 5, channel="sms"))
    async with visit(f"/me#mentor={mentor_id}", org_id=scene.org_id, role=None) as page:
        await page.goto(f"/me#mentor={mentor_id}&token={make_token(org_id=scene.org_id)}")
        await page.get_by_label("Why? Five recruits").focus()
        await page.keyboard.press("Enter")
        told = page.locator(".evidence").last
        await expect(told).to_contain_text("The milestone of 5 was reached with 5 confirmed, on 20 Nov 2026")
        await expect(told).to_contain_text("by SMS. Its record is browser-")
        await expect(told).to_contain_text(".registrations.v1/3/44.")
        await expect(told.locator("li")).to_have_count(5)
        await expect(told.locator("li").first).to_contain_text("Crossed")
        await expect(told.locator("li").first).to_contain_text("by SMS")
        await expect(told).to_contain_text("The link has been opened 10 times until now.")
        await expect(told).to_contain_text("Of these: 10 by WhatsApp")
        await shoot(page, "evidence")
    async with visit("/me", org_id=scene.org_id, role="mentor", subject=mentor_id) as page:
        await expect(page.get_by_role("list", name="Badges held")).to_contain_text("Five recruits")
        await expect(page.locator(".evidence")).to_have_count(0)


async def test_a_badge_is_taken_along(visit: Visit, scene: OrganisationScene) -> None:
    """As a file with a credential; where the organisation has no key nothing is offered."""
    mentor_id = scene.issue()
    scene.count(mentor_id, clicks=10, confirmed=5)
    for threshold in (1, 5):
        scene.reach(mentor_id, threshold)
    async with visit("/me", org_id=scene.org_id, role="mentor", subject=mentor_id, locale="nb-NO") as page:
        await expect(page.locator("#badges .held li")).to_have_count(2)
        await expect(page.locator("#badges button")).to_have_count(0)
        await asyncio.to_thread(scene.make_key)
        await page.reload()
        async with page.expect_download() as started:
            await page.get_by_role("button", name="Ta med merket Fem vervinger").click()
        download = await started.value
        credential = json.loads((await download.path()).read_bytes())
        assert credential["credentialSubject"]["id"] == f"urn:uuid:{mentor_id}"
        assert credential["name"] == "Fem vervinger"
        assert credential["proof"][0]["cryptosuite"] == "eddsa-rdfc-2022"
        await expect(page.get_by_role("button", name="Ta med merket Fem vervinger")).to_be_enabled()


async def test_a_mentor_without_anything_sees_zeros(visit: Visit, scene: OrganisationScene) -> None:
    """His code may be on its way: nothing on the page fails."""
    async with visit("/me", org_id=scene.org_id, role="mentor") as page:
        await expect(page.get_by_role("button", name="Make the link")).to_be_visible()
        await expect(page.locator('[data-figure="clicks"]')).to_have_text("0")
        await expect(page.get_by_role("progressbar")).to_have_attribute(
            "aria-label", "0 of 1 confirmed for the badge First recruit"
        )


async def test_without_the_server_a_mentor_is_told(visit: Visit, scene: OrganisationScene) -> None:
    """While it does not answer a banner says so; what stands there stays, and goes on by itself when it is back."""
    mentor_id = scene.issue()
    scene.count(mentor_id, clicks=10)
    is_away = True

    async def fail(route: Route) -> None:
        await (route.abort("connectionrefused") if is_away else route.continue_())

    expects = ("ERR_CONNECTION_REFUSED",)
    async with visit("/me", org_id=scene.org_id, role="mentor", subject=mentor_id, expects=expects) as page:
        await expect(page.locator('[data-figure="clicks"]')).to_have_text("10")
        await page.route("**/v1/**", fail)
        await expect(page.locator("#banner")).to_contain_text("The server cannot be reached.")
        await expect(page.locator('[data-figure="clicks"]')).to_have_text("10")
        await asyncio.to_thread(scene.count, mentor_id, 11)
        is_away = False
        await page.locator("#banner").get_by_role("button", name="Try now").click()
        await expect(page.locator('[data-figure="clicks"]')).to_have_text("11")
        await expect(page.locator("#banner")).to_be_hidden()


@pytest.mark.parametrize(
    ("ref", "shown"),
    [
        ("ANNA000001", "ANNA000001"),
        ("anna000001", "ANNA000001"),
        ("<b>bold</b>", None),
        ("WITHOUTEND0000", None),
        ("", None),
    ],
)
async def test_the_neutral_page_shows_a_code_and_nothing_else(
    visit: Visit, scene: OrganisationScene, ref: str, shown: str | None
) -> None:
    """What comes in the address is shown if it is a code."""
    async with visit(f"/welcome?ref={ref}", org_id=scene.org_id, role=None) as page:
        await expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
        if shown is None:
            await expect(page.locator("#invitation")).to_be_hidden()
            await expect(page.locator("#no-code")).to_be_visible()
        else:
            await expect(page.locator("#code")).to_have_text(shown)
        assert parse_qs(urlsplit(page.url).query).get("ref", [""]) == [ref]


WITHOUT_CLIPBOARD: Final = "delete Navigator.prototype.clipboard"
"""As where a page comes without TLS."""


@pytest.mark.parametrize("changed", ["", WITHOUT_CLIPBOARD], ids=["by the clipboard", "without TLS"])
async def test_what_is_copied_is_what_the_button_says(visit: Visit, scene: OrganisationScene, changed: str) -> None:
    """The link and the code, also on the page where the link leads; the focus stays on the button."""
    mentor_id = scene.issue()
    code = scene.codes[mentor_id]
    async with visit("/me", org_id=scene.org_id, role="mentor", subject=mentor_id) as page:
        await expect(page.get_by_role("button", name="Copy link", exact=True)).to_be_visible()  # signed in
        await page.add_init_script(changed)
        for path, what in (("/me", "link"), ("/me", "code"), (f"/welcome?ref={code}", "code")):
            await page.goto(path)
            button = page.get_by_role("button", name=f"Copy {what}", exact=True)
            await button.focus()
            await page.keyboard.press("Enter")
            await expect(page.locator("#announcer")).to_have_text(f"Copied {what}.")
            await expect(button).to_be_focused()
            await page.goto("/me")
            link = await page.get_by_label("Link", exact=True).input_value()
            field = page.get_by_label("Invitation", exact=True)
            await field.fill("")
            await page.keyboard.press("ControlOrMeta+V")
            await expect(field).to_have_value({"link": link, "code": code}[what])


async def test_what_cannot_be_copied_is_said(visit: Visit, scene: OrganisationScene) -> None:
    """To those who see the button and to those who do not."""
    mentor_id = scene.issue()
    async with visit("/me", org_id=scene.org_id, role="mentor", subject=mentor_id) as page:
        await expect(page.get_by_role("button", name="Copy link", exact=True)).to_be_visible()  # signed in
        await page.add_init_script(f"{WITHOUT_CLIPBOARD}; Document.prototype.execCommand = () => false")
        await page.reload()
        button = page.get_by_role("button", name="Copy link", exact=True)
        await button.click()
        await expect(page.locator("#announcer")).to_have_text("Could not copy link.")
        await expect(button).to_have_text("Not copied")


@pytest.mark.parametrize("scripts", [True, False])
async def test_the_code_stands_in_the_middle(visit: Visit, scene: OrganisationScene, *, scripts: bool) -> None:
    """Also where there is no button beside it, because no script has put it there."""
    async with visit("/welcome?ref=ANNA000001", org_id=scene.org_id, role=None, java_script_enabled=scripts) as page:
        await expect(page.locator("#code")).to_contain_text("ANNA000001")
        await expect(page.locator("#code button")).to_have_count(int(scripts))
        await expect(page.locator("#code")).to_have_css("padding-left", "44px" if scripts else "0px")


async def test_in_norwegian(visit: Visit, scene: OrganisationScene) -> None:
    """Words, numbers, plurals and times in Bokmål for whoever reads Nynorsk; English when he says so, and it stays."""
    mentor_id = scene.issue()
    scene.count(mentor_id, clicks=1_234, pending=3, confirmed=1)
    scene.reach(mentor_id, 1)
    async with visit("/dashboard", org_id=scene.org_id, locale="nn-NO") as page:
        await expect(page.locator("html")).to_have_attribute("lang", "nb")
        await expect(page.locator('[data-figure="clicks"]')).to_have_text("1\u00a0234")
        await expect(page.locator('[data-figure="conversion"]')).to_have_text("0,1\u00a0%")
        await expect(page.locator("#activity li.badge")).to_contain_text("1 bekreftet")
        await expect(page.locator("#activity li.badge")).to_contain_text("Første verving")
        await expect(page.locator("#activity li.badge time")).to_contain_text(re.compile("akkurat nå|for .* siden"))
        await expect(page.locator("#pipeline .state")).to_have_text("Oppdatert")
        await expect(page.locator("#connection")).to_have_text("Direkte")
        await page.goto(f"/me?c=sms#mentor={mentor_id}")
        await expect(page.get_by_role("heading", name="Del lenken")).to_be_visible()
        await expect(page.locator("#standing")).to_contain_text("Milepælen på 1 ble nådd med 1 bekreftet,")
        ahead = page.locator("#standing li", has_text="Tjuefem vervinger")
        await expect(ahead).to_contain_text("Ikke nådd ennå. Den siste milepælen var på 1, med 1 bekreftet,")
        await expect(ahead.locator("time")).to_have_count(0)
        await page.get_by_role("link", name="English").click()
        await expect(page.get_by_role("heading", name="Share the link")).to_be_visible()
        assert page.url.endswith(f"/me?c=sms#mentor={mentor_id}")
        await page.goto("/dashboard")
        await expect(page.locator("#pipeline .state")).to_have_text("Up to date")
        await expect(page.get_by_role("link", name="Norsk")).to_have_attribute("lang", "nb")
