"""A real browser on the real server: the system's Chromium, one server, an organisation of its own for each test.

`visit` opens pages in Chromium; `visit_in_firefox` does in the system's Firefox, with all that Playwright can do there.
REFERRALS_TEST_BROWSER=firefox has `visit` open them there too, for who wants to see every test in it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, ViewportSize, async_playwright, expect

from edges.open_badges.issuer import issuer_of
from edges.web.identity import Role
from edges.web.routes import counts, open_badges
from local import parts
from operations.topics import create_topics
from process.settings import load_settings
from tests.mail_server import SENDER
from tests.organisation_scene import OrganisationScene, organisation_scene
from tests.web import Web, make_token, running_web

FIREFOXES = ("firefox-esr", "firefox")
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DESK: Final[ViewportSize] = {"width": 1280, "height": 900}
PATIENCE_MS = 20_000
"""A machine that does much else at once is slow; what does not happen fails all the same."""

Visit = Callable[..., AbstractAsyncContextManager[Page]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """Give the system's Chromium; where there is none, the tests are skipped, or fail if they must not be."""
    if os.environ.get("REFERRALS_TEST_BROWSER") == "firefox":
        async with running_firefox(tmp_path_factory.mktemp("firefox")) as firefox:
            yield firefox
        return
    executable = find_browser("Chromium", CHROMIUMS)
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def firefox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """Give the system's Firefox; where there is none, as with Chromium."""
    async with running_firefox(tmp_path_factory.mktemp("firefox")) as firefox:
        yield firefox


def find_browser(name: str, commands: tuple[str, ...]) -> str:
    """Return where a browser is; where there is none, skip the test, or fail if it must not be skipped."""
    executable = next(filter(None, map(shutil.which, commands)), None)
    if executable is not None:
        return executable
    missing = f"none of {', '.join(commands)} is on PATH: install {name} to run the browser tests"
    required = {"Chromium": "REFERRALS_REQUIRE_BROWSER", "Firefox": "REFERRALS_REQUIRE_FIREFOX"}[name]
    if os.environ.get(required) == "1":
        pytest.fail(f"{required}=1, and {missing}")
    pytest.skip(missing)


@asynccontextmanager
async def running_firefox(folder: Path) -> AsyncIterator[Browser]:
    """Run Firefox for the body, by a command in the folder that `firefox_bridge.py` stands behind."""
    command = [sys.executable, "-P", str(Path(__file__).with_name("firefox_bridge.py"))]
    command.append(find_browser("Firefox", FIREFOXES))
    started = folder / "firefox"
    started.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
    started.chmod(0o700)
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.firefox.launch(executable_path=started, channel="moz-firefox")
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def web(
    parts: parts.Parts, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Web]:
    """Give one server, with its database and topics, for all tests with a browser."""
    prefix = f"browser-{uuid.uuid4().hex[:12]}."
    settings = load_settings(
        bootstrap_servers=parts.bootstrap_servers,
        database_url=parts.create_database(f"browser_{uuid.uuid4().hex}", template=migrated_template),
        topic_prefix=prefix,
        app_id=f"{prefix}streams",
        data_dir=tmp_path_factory.mktemp("browser"),
    )
    create_topics(settings)
    mail = {"smtp_host": "127.0.0.1", "mail_from": SENDER}  # so that pages offer it
    with pytest.MonkeyPatch.context() as patch:
        # Badges are taken along where people come by https; a browser would want a certificate, so that is only said.
        for route in (counts, open_badges):  # of servers that say nothing else: it lasts as long as this process
            patch.setattr(route, "issuer_of", lambda url, org_id: issuer_of(url or "https://refer.example", org_id))
        async with running_web(settings, **mail) as web:
            yield web


@pytest.fixture
def scene(web: Web) -> Iterator[OrganisationScene]:
    """Give an organisation that only this test uses."""
    with organisation_scene(web.services.settings.database_url) as scene:
        yield scene


@pytest.fixture
def visit(browser: Browser, web: Web) -> Visit:
    """Give a function that opens a page as somebody; leaving it sees that the page complained of nothing."""
    return visiting(browser, web)


@pytest.fixture
def visit_in_firefox(firefox: Browser, web: Web) -> Visit:
    """Give the same in Firefox."""
    return visiting(firefox, web)


def visiting(browser: Browser, web: Web) -> Visit:
    """Return a function that opens a page in a browser as somebody; leaving it sees that it complained of nothing.

    `role` and `subject` are whose token comes with the address, None for nobody's; `size`, `locale` and the like are
    the browser's. `expects` are parts of complaints that belong to the test.
    """

    @asynccontextmanager
    async def visit(
        path: str,
        *,
        org_id: str,
        role: Role | None = "coordinator",
        subject: str | None = None,
        size: ViewportSize = DESK,
        expects: tuple[str, ...] = (),
        claims: dict[str, object] | None = None,
        locale: str = "en-GB",
        **context: Any,  # noqa: ANN401  Playwright's own
    ) -> AsyncIterator[Page]:
        opened = await browser.new_context(base_url=str(web.base_url), viewport=size, locale=locale, **context)
        page = await opened.new_page()
        complaints: list[str] = []
        failed: list[str] = []

        def on_console(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"}:
                complaints.append(message.text)

        page.on("console", on_console)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        token = "" if role is None else make_token(role, org_id=org_id, subject=subject, **(claims or {}))
        page.on("requestfailed", lambda request: failed.append(f"{request.url}: {request.failure}"))
        try:
            await page.goto(f"{path}#token={token}" if token else path)
            yield page
        except Exception as error:
            error.add_note(f"the browser said: {complaints}; requests that failed: {failed}")
            raise
        unexpected = [text for text in complaints if not any(part in text for part in expects)]
        assert unexpected == []
        await opened.close()

    return visit
