"""No page is wider than its screen, whatever language, font, size of letters, zoom and numbers; every table opened."""

from __future__ import annotations

from typing import Final

import pytest
from playwright.async_api import Page, expect

from edges.languages.catalogue import LANGUAGES, Language, text
from edges.reconciliation.reasons import Why
from tests.browser.conftest import Visit
from tests.browser.fonts import BOLD, MEDIUM, NARROW, WIDE, use_font
from tests.organisation_scene import OrganisationScene
from tests.web import make_token

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]

SCREENS: Final = {
    "a phone": (320, 1),
    "a phone at 200 %": (320, 2),
    "a larger phone": (390, 1),
    "a tablet": (768, 1),
    "just wide enough for columns": (1001, 1),
    "an old desk": (1024, 1),
    "a desk at 200 %": (1280, 2),
    "a desk": (1440, 1),
}
"""Pixels across, and how far it is zoomed; a page that is zoomed has that much less room."""

LARGE: Final = 32
"""Pixels of a letter where somebody has chosen twice the usual size in the browser's settings."""

TOO_WIDE: Final = """() => {
  const says = (node) => `${node.tagName} ${node.className || node.id} "${node.innerText?.slice(0, 40)}"`;
  const MAY_CUT = ".charts, pre, input, textarea";
  const isUnseen = (node) => node && (getComputedStyle(node).clipPath !== "none" || isUnseen(node.parentElement));
  const faults = [];
  const page = document.documentElement.scrollWidth;
  if (page > innerWidth) faults.push(`the page scrolls: ${page} in ${innerWidth}`);
  for (const node of document.body.querySelectorAll("*:not(svg, svg *)")) {
    const box = node.getBoundingClientRect();
    if (box.width === 0 || box.height === 0 || node.closest(MAY_CUT) || isUnseen(node)) continue;
    if (box.right > innerWidth + 0.5 || box.left < -0.5) faults.push(`${says(node)} ends at ${box.right}`);
    const panel = node.closest(".panel")?.getBoundingClientRect();
    if (panel && box.right > panel.right + 0.5) faults.push(`${says(node)} leaves its panel`);
    const room = node.clientWidth;
    if (room > 0 && node.scrollWidth > room + 1)
      faults.push(`${says(node)} has ${node.scrollWidth} in ${room}`);
  }
  for (const button of document.querySelectorAll(".mentor > .button")) {
    const [line, beside] = [button.getBoundingClientRect(), button.previousElementSibling?.getBoundingClientRect()];
    if (beside?.height && line.left < beside.right - 0.5) faults.push(`${says(button)} stands below its name`);
  }
  return [...new Set(faults)];
}"""
"""What sticks out of the screen, its panel or its own box; only what is meant for it may hold more than it shows.

A button of a name stands beside it, not on a line of its own."""

DRAWN: Final = """() => {
  const { clearRect, fillText } = CanvasRenderingContext2D.prototype;
  window.drawn = [];
  CanvasRenderingContext2D.prototype.clearRect = function (...box) {
    window.drawn = window.drawn.filter(({ on }) => on !== this.canvas);
    return clearRect.apply(this, box);
  };
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...rest) {
    const width = this.measureText(text).width, { e, f } = this.getTransform();
    const left = e + x - (this.textAlign === "center" ? width / 2 : this.textAlign === "right" ? width : 0);
    window.drawn.push({ text, left, right: left + width, top: f + y, on: this.canvas });
    return fillText.call(this, text, x, y, ...rest);
  };
}"""
"""Notes what charts write, and where, until they write it anew."""

COLLIDING: Final = """() => {
  const lowest = Math.max(...window.drawn.map(({ top }) => top));
  const days = window.drawn.filter(({ top }) => top === lowest).sort((one, other) => one.left - other.left);
  return days.slice(1).filter(({ left }, place) => left < days[place].right).map(({ text }) => text);
}"""
"""The days below the chart that stand on the one before."""

CUT_OFF: Final = "() => window.drawn.filter(({ right, on }) => right > on.width + 0.5).map(({ text }) => text)"
"""What the charts write beyond their edge."""

WITHOUT_AXIS: Final = """() => [...document.querySelectorAll("#daily canvas")]
  .filter((chart) => !window.drawn.some(({ text, on }) => text === "0" && on === chart)).length"""
"""How many charts have no numbers beside them."""

PARTED: Final = """() => [...document.querySelectorAll(".fields td:nth-child(2)")].filter((cell) => {
  cell.style.overflowWrap = cell.style.wordBreak = "normal";
  return cell.scrollWidth > cell.clientWidth + 1;
}).map((cell) => cell.textContent)"""
"""Types in the reference whose words have no room."""

SQUEEZED: Final = """() => [...document.querySelectorAll(".fields tbody th")]
  .filter((name) => name.clientHeight > 5 * parseFloat(getComputedStyle(name).fontSize) * 1.5)
  .map((name) => name.textContent)"""
"""Names in the reference that take more than five lines, because a long type beside them leaves no room."""

ASKED_WIDTH: Final = """() => [...document.querySelectorAll("input[placeholder]")].map((field) => {
  const style = getComputedStyle(field), pen = document.createElement("canvas").getContext("2d");
  pen.font = getComputedStyle(field, "::placeholder").font;
  const room = field.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  return [field.placeholder, pen.measureText(field.placeholder).width - room];
}).filter(([, over]) => over > 0.5)"""
"""What fields ask for and do not show whole, and how much of it is missing."""


ON_ONE_LINE: Final = """(node) => [...node.childNodes].filter((part) => part.nodeType === 3).every((part) => {
  const range = document.createRange();
  range.selectNodeContents(part);
  return range.getClientRects().length === 1;
})"""

HOLE: Final = """() => document.querySelector("#daily").getBoundingClientRect().bottom
  - document.querySelector(".chart-foot").getBoundingClientRect().bottom"""
"""What is empty below the charts."""
HOLES: Final = """() => [...document.querySelectorAll("main > .panel")].filter((panel) => panel.checkVisibility())
  .map((panel) => panel.getBoundingClientRect().bottom
    - Math.max(...[...panel.querySelectorAll("*")].map((inner) => inner.getBoundingClientRect().bottom)))"""
"""What is empty below the last thing of each panel."""
APART: Final = """(node) => {
  const middle = (part) => { const { top, bottom } = part.getBoundingClientRect(); return (top + bottom) / 2; };
  return Math.abs(middle(node.querySelector("time")) - middle(node.querySelector(".button")));
}"""
"""How far above each other a badge's date and its button stand."""
PADDING: Final = 22
"""Pixels of a panel's edge, with its line."""

OFF_MIDDLE: Final = """(node) => {
  const middle = ({ left, right }) => (left + right) / 2, text = document.createRange();
  text.selectNodeContents(node.firstChild);
  return Math.abs(middle(text.getBoundingClientRect()) - middle(node.closest(".panel").getBoundingClientRect()));
}"""


SMALLEST_LETTERS: Final = """() => Math.min(...[...document.querySelectorAll("body *")]
  .filter((node) => node.checkVisibility())
  .filter((node) => [...node.childNodes].some((text) => text.nodeType === 3 && text.data.trim()))
  .map((node) => parseFloat(getComputedStyle(node).fontSize)))"""


LANGUAGE_OF: Final[dict[int, Language]] = {NARROW: "en", WIDE: "nb"}
"""What is read in which font: the longer words in the wider one, so that each page is loaded once."""
LOCALES: Final[dict[Language, str]] = {"en": "en-GB", "nb": "nb-NO"}


IN_NARROW: Final = ("a phone", "just wide enough for columns", "a desk at 200 %")
"""Screens that are tried with narrow letters too: what fits with wide ones does, unless it parts otherwise."""
IN_FONTS: Final = [
    *(pytest.param(screen, WIDE, id=f"{screen}-wide") for screen in SCREENS),
    *(pytest.param(screen, NARROW, id=f"{screen}-narrow") for screen in IN_NARROW),
]


def screen_of(name: str, advance: int = NARROW) -> dict[str, object]:
    """Return the browser's settings for a screen and a font; zooming makes the page's pixels larger and fewer."""
    pixels, zoom = SCREENS[name]
    size = {"width": pixels // zoom, "height": 900 // zoom}
    locale = LOCALES[LANGUAGE_OF[advance]]
    return {"size": size, "device_scale_factor": zoom, "bypass_csp": True, "locale": locale}


async def assert_fits(page: Page) -> None:
    """See that nothing is too wide."""
    faults = await page.evaluate(TOO_WIDE)
    assert not faults, "\n".join(faults)


async def choose_letters(page: Page, pixels: int) -> None:
    """Choose the size of letters as the browser's settings do, for what is opened next, and what is open."""
    settings = await page.context.new_cdp_session(page)
    await settings.send("Page.enable")
    await settings.send("Page.setFontSizes", {"fontSizes": {"standard": pixels, "fixed": pixels}})


CHANNELS: Final = {"w" * 32: 1_000_000, "messenger": 5, "instagram": 4, "linkedin": 3, "sms": 2, "qr": 1, "x": 1}
"""Clicks by channel: one with the longest name, and more than are shown at first."""


@pytest.fixture
def crowded(scene: OrganisationScene) -> OrganisationScene:
    """Give an organisation with everything: long names, large numbers, every panel filled."""
    scene.call(
        "An organisation whose name is long enough for two lines and a word without any end to break at: " + "m" * 60
    )
    scene.make_key()
    mentor_id = scene.issue()
    scene.count(mentor_id, clicks=98_765_432, pending=1_000_000, confirmed=7_654_321, **CHANNELS)
    scene.name(mentor_id, "Wilhelmine " * 4 + "M" * 56, "n" * 100)
    scene.reach(mentor_id, 25, scene.confirm(mentor_id, 5, channel="w" * 32))
    why = Why("time-form", {"field": f"confirmed_at ({'m' * 64})"})
    marked = Why("marked", {"column": f"contact.{'m' * 64}", "mark": "m" * 64})
    scene.reconcile(
        unclear=9_876_543,
        left=[("page 12,345, row 4,999", why), (f"/home/{'m' * 60}/members.csv:1234567", marked)] * 6,
    )
    for confirmed in range(11):
        scene.count(scene.issue(), clicks=1_234_567, confirmed=confirmed)
    return scene


@pytest.mark.parametrize(("screen", "advance"), IN_FONTS)
async def test_the_dashboard_fits(visit: Visit, crowded: OrganisationScene, screen: str, advance: int) -> None:
    """With charts and with tables, signed in and signed out."""
    async with visit("/dashboard", org_id=crowded.org_id, **screen_of(screen, advance)) as page:
        await expect(page.locator("#daily canvas")).to_have_count(2)
        await expect(page.locator("#pipeline .state")).to_be_visible()
        await expect(page.locator("#membership .rows-left li").first).to_be_visible()
        await use_font(page, advance)
        await assert_fits(page)
        await open_tables(page, LANGUAGE_OF[advance])
        await assert_fits(page)
        await page.locator("#sign-out").click()
        await expect(page.locator("#token")).to_be_visible()
        await page.locator("summary").click()
        await use_font(page, advance)
        await assert_fits(page)
        assert await page.locator(".sign-in pre").evaluate("node => node.scrollWidth <= node.clientWidth")


@pytest.mark.parametrize("screen", ["a phone", "a tablet"])
async def test_the_size_of_letters_is_the_readers(visit: Visit, crowded: OrganisationScene, screen: str) -> None:
    """Twice the size in the browser's settings is twice the size here, on each page, and everything still fits."""
    mentor_id = next(iter(crowded.codes))
    async with visit("/welcome", org_id=crowded.org_id, role=None, **screen_of(screen)) as page:
        await choose_letters(page, LARGE)
        for path, token in (
            (f"/welcome?ref={crowded.codes[mentor_id]}", ""),
            ("/me", make_token("mentor", org_id=crowded.org_id, subject=mentor_id)),
            ("/docs", ""),
            ("/dashboard", make_token(org_id=crowded.org_id)),
        ):
            await page.context.clear_cookies()  # who is signed in is asked before somebody else is
            await page.goto(f"{path}#token={token}" if token else path)
            await expect(page.locator("[aria-busy=true]:visible")).to_have_count(0)
            await use_font(page, WIDE)
            assert await page.evaluate(SMALLEST_LETTERS) >= LARGE * 2 / 3
            await assert_fits(page)
        await expect(page.locator("#daily canvas")).to_have_count(2)
        await open_tables(page, "en")
        await assert_fits(page)


async def test_the_days_below_the_chart_are_read_when_the_screen_is_turned(
    visit: Visit, crowded: OrganisationScene
) -> None:
    """As many are named as there is room for now, not when the page was opened; with numbers, however large."""
    async with visit("/welcome", org_id=crowded.org_id, role=None, **screen_of("a desk", WIDE)) as page:
        await page.add_init_script(f"({DRAWN})()")
        await page.goto(f"/dashboard#token={make_token(org_id=crowded.org_id)}")
        await expect(page.locator("#daily canvas")).to_have_count(2)
        for width in (320, 768, 390):
            await page.evaluate("window.drawn = []")
            await page.set_viewport_size({"width": width, "height": 900})
            await page.wait_for_function(f"({WITHOUT_AXIS})() === 0")
            await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            assert await page.evaluate(COLLIDING) == []
            assert await page.evaluate(CUT_OFF) == []


async def test_no_type_is_parted_in_the_reference(visit: Visit, scene: OrganisationScene) -> None:
    """Where three columns have no room, what a field means stands below its name and type."""
    async with visit("/docs", org_id=scene.org_id, role=None, **screen_of("a phone")) as page:
        await use_font(page, MEDIUM)
        await assert_fits(page)
        assert await page.evaluate(PARTED) == []
        assert await page.evaluate(SQUEEZED) == []


@pytest.mark.parametrize("language", LANGUAGES)
async def test_what_is_to_be_read_is_whole(visit: Visit, crowded: OrganisationScene, language: Language) -> None:
    """In letters as wide as common ones: what fields ask for, large figures, a long link, a code, a label."""
    setting = screen_of("a desk") | {"locale": LOCALES[language]}
    async with visit("/dashboard", org_id=crowded.org_id, **setting) as page:
        await expect(page.locator("#leaderboard tbody tr").first).to_be_visible()
        await use_font(page, MEDIUM)
        assert await page.evaluate(ASKED_WIDTH) == []
        await use_font(page, BOLD)
        for width in (320, 390, 641, 768, 1001, 1024, 1440):
            await page.set_viewport_size({"width": width, "height": 900})
            for figure in await page.locator(".step .figure").all():
                assert await figure.evaluate(ON_ONE_LINE), f"{await figure.text_content()} is parted at {width}"
            if width > 1001:
                await page.wait_for_function(f"({HOLE})() <= {PADDING}")
        await page.set_viewport_size({"width": 768, "height": 900})
        mentor_id = next(iter(crowded.codes))
        await page.goto(f"/me#mentor={mentor_id}")
        label = page.locator("#share .qr .button")
        await expect(label).to_be_visible()
        await use_font(page, BOLD)
        assert await label.evaluate(ON_ONE_LINE)
        holes = await page.evaluate(HOLES)
        assert len(holes) >= 4
        assert max(holes) <= PADDING, f"a panel of the mentor's page is empty below: {holes}"
        for width in (390, 480):
            await page.set_viewport_size({"width": width, "height": 900})
            held = await page.locator(".held > li").all()
            assert held
            for badge in held:
                assert await badge.evaluate(APART) < 1.5, f"date and button are parted at {width}"
        await page.set_viewport_size({"width": 768, "height": 900})
        await use_font(page, MEDIUM)
        link = page.locator("#link")
        await link.evaluate("node => { node.value = 'https://refer.example.org/r/7KQ2M9XW4T'; }")
        assert await link.evaluate("node => node.scrollWidth <= node.clientWidth"), "the link is cut off"
        await page.set_viewport_size({"width": 160, "height": 900})  # a phone at 200 %
        assert await link.evaluate("node => node.offsetWidth === node.parentElement.clientWidth")
        await page.set_viewport_size({"width": 768, "height": 900})
        await page.goto(f"/welcome?ref={crowded.codes[mentor_id]}")
        await expect(page.locator(".code .button")).to_be_visible()
        assert await page.locator("#code").evaluate(OFF_MIDDLE) < 1.5


async def test_what_a_channel_had_before_is_on_one_line(visit: Visit, scene: OrganisationScene) -> None:
    """Thousands of clicks, as an organisation with hundreds of mentors has; a usual channel's name is whole too."""
    scene.count(scene.issue(), clicks=3_155, pending=486, confirmed=358)
    scene.happened("whatsapp", clicks=2_438, registered=347, confirmed=279, days_ago=40)
    async with visit("/dashboard", org_id=scene.org_id, bypass_csp=True) as page:
        before = page.locator(".channels tbody .before")
        await expect(before).to_have_text(["was 2,438", "was 347", "was 279"])
        await use_font(page, BOLD)
        for width in (1280, 1440):
            await page.set_viewport_size({"width": width, "height": 900})
            for figure in await before.all():
                assert await figure.evaluate(ON_ONE_LINE), f"{await figure.text_content()} is parted at {width}"
        await use_font(page, MEDIUM)
        for width in (320, 390, 1001, 1024):
            await page.set_viewport_size({"width": width, "height": 900})
            assert await page.locator(".channels tbody .channel").first.evaluate(ON_ONE_LINE), f"parted at {width}"
            await assert_fits(page)


async def open_tables(page: Page, language: Language) -> None:
    """Show what the dashboard keeps folded: the days as a table, and every channel."""
    await page.get_by_role("button", name=text(language, "daily.as-table")).click()
    await expect(page.locator(".table-alternative")).to_be_visible()
    await page.get_by_role("button", name=text(language, "channels.all", n=len(CHANNELS) + 1)).click()
    await expect(page.locator("#channels tbody tr")).to_have_count(len(CHANNELS) + 1)
    await page.get_by_label(text(language, "period.range")).check()
    await expect(page.locator("#range")).to_be_visible()


@pytest.mark.parametrize(("screen", "advance"), IN_FONTS)
async def test_an_empty_organisation_fits(visit: Visit, scene: OrganisationScene, screen: str, advance: int) -> None:
    """The first steps have commands with long ids in them; its membership system was asked already."""
    scene.reconcile(unclear=0, left=[])
    async with visit("/dashboard", org_id=scene.org_id, **screen_of(screen, advance)) as page:
        title = text(LANGUAGE_OF[advance], "first.title")
        await expect(page.get_by_role("heading", name=title)).to_be_visible()
        await expect(page.locator("#membership .state")).to_be_visible()
        if screen == "a desk":  # where they stand side by side, none leaves a hole
            boxes = [await page.locator(name).bounding_box() for name in ("#pipeline", "#mail")]
            assert len({box["y"] for box in boxes if box is not None}) == 1
            await page.locator("#mail").evaluate("node => { node.hidden = true; }")  # as where no mail is sent
            boxes = [await page.locator(name).bounding_box() for name in ("#pipeline", "#welcome")]
            assert len({box["width"] for box in boxes if box is not None}) == 1
            await page.locator("#mail").evaluate("node => { node.hidden = false; }")
        await use_font(page, advance)
        await assert_fits(page)


@pytest.mark.parametrize(("screen", "advance"), IN_FONTS)
async def test_a_mentors_page_fits(visit: Visit, crowded: OrganisationScene, screen: str, advance: int) -> None:
    """The link, its QR code, counts and badges; and the page where links without a landing page lead."""
    mentor_id = next(iter(crowded.codes))
    setting = screen_of(screen, advance)
    async with visit("/me", org_id=crowded.org_id, role="mentor", subject=mentor_id, **setting) as page:
        await expect(page.locator("#share .qr svg[role=img]")).to_be_visible()
        await expect(page.locator("[aria-busy=true]:visible")).to_have_count(0)
        await use_font(page, advance)
        await assert_fits(page)
        await page.goto(f"/welcome?ref={crowded.codes[mentor_id]}")
        await use_font(page, advance)
        await assert_fits(page)
        if advance == WIDE:  # as a coordinator sees it
            await page.context.clear_cookies()  # who is signed in is asked before somebody else is
            await page.goto(f"/me#mentor={mentor_id}&token={make_token(org_id=crowded.org_id)}")
            await expect(page.locator("#standing .facts")).to_be_visible()
            await page.locator(".evidence summary").last.click()
            await expect(page.locator(".evidence li")).to_have_count(5)
            await use_font(page, advance)
            await assert_fits(page)
