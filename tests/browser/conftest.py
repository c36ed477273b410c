"""A real browser on the real server: the system's Chromium, one server, an organisation of its own for each test."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
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

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DESK: Final[ViewportSize] = {"width": 1280, "height": 900}
PATIENCE_MS = 20_000
"""A machine that does much else at once is slow; what does not happen fails all the same."""

Visit = Callable[..., AbstractAsyncContextManager[Page]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Give the system's Chromium; where there is none, the tests are skipped, or fail if they must not be."""
    executable = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if executable is None:
        missing = f"none of {', '.join(CHROMIUMS)} is on PATH: install Chromium to run the browser tests"
        if os.environ.get("REFERRALS_REQUIRE_BROWSER") == "1":
            pytest.fail(f"REFERRALS_REQUIRE_BROWSER=1, and {missing}")
        pytest.skip(missing)
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable)
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
    """Give a function that opens a page as somebody; leaving it sees that the page complained of nothing.

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

        def on_console(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"}:
                complaints.append(message.text)

        page.on("console", on_console)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        token = "" if role is None else make_token(role, org_id=org_id, subject=subject, **(claims or {}))
        await page.goto(f"{path}#token={token}" if token else path)
        yield page
        unexpected = [text for text in complaints if not any(part in text for part in expects)]
        assert unexpected == []
        await opened.close()

    return visit
