"""The pages and their files as a browser gets them."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator

import psycopg
import pytest

from edges.web.assets import load_assets
from process.settings import Settings
from tests.organisation_scene import organisation_scene
from tests.web import Web, running_web

pytestmark = pytest.mark.integration


@pytest.fixture
async def web(settings: Settings) -> AsyncIterator[Web]:
    """Give a running server."""
    async with running_web(settings) as web:
        yield web


@pytest.mark.parametrize("path", ["/dashboard", "/me", "/welcome"])
async def test_a_page_is_asked_for_again_and_not_sent_again(web: Web, path: str) -> None:
    """Pages need no token, hold nothing about anybody, and are compared by their tag."""
    page = await web.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    assert "default-src 'self'" in page.headers["content-security-policy"]
    again = await web.get(path, headers={"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = await web.get(path, headers={"If-None-Match": 'W/"another"'})
    assert other.status_code == 200


async def test_a_file_is_kept_for_ever_under_the_address_of_its_content(web: Web) -> None:
    """Under another version's address it is what it is now, and not kept."""
    version = load_assets().version
    kept = await web.get(f"/static/{version}/base.css")
    assert (kept.status_code, kept.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    old = await web.get("/static/0123456789abcdef/base.css")
    assert (old.status_code, old.content, old.headers["cache-control"]) == (200, kept.content, "no-cache")


async def test_files_are_packed_for_those_who_can_unpack(web: Web) -> None:
    """Both forms hold the same."""
    path = f"/static/{load_assets().version}/base.css"
    async with web.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as packed:
        raw = b"".join([part async for part in packed.aiter_raw()])
        assert packed.headers["content-encoding"] == "gzip"
    plain = await web.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(raw) == plain.content
    assert len(raw) < len(plain.content) / 2


@pytest.mark.parametrize("name", ["vendor/package-lock.json", "dashboard/page.html", "%2e%2e/app.py", "nothing.js", ""])
async def test_nothing_else_is_served(web: Web, name: str) -> None:
    """Neither what lies beside the files, nor anything outside of their folder."""
    answer = await web.get(f"/static/{load_assets().version}/{name}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_the_host_alone_leads_to_the_dashboard(web: Web) -> None:
    """Somebody types the name and nothing else."""
    answer = await web.get("/")
    assert (answer.status_code, answer.headers["location"]) == (302, "/dashboard")


async def test_a_page_comes_in_the_readers_language(web: Web) -> None:
    """By his browser, or as he has chosen on a page, which leads on to where he was."""
    norwegian = {"Accept-Language": "nn-NO,nn;q=0.9,en;q=0.5"}
    page = await web.get("/welcome", headers=norwegian)
    assert (page.headers["content-language"], '<html lang="nb">' in page.text) == ("nb", True)
    assert page.headers["vary"] == "Accept-Encoding, Accept-Language, Cookie"
    chosen = await web.get("/welcome?ref=ANNA000001&language=en&c=sms", headers=norwegian)
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/welcome?ref=ANNA000001&c=sms")
    assert "Max-Age=31536000; Path=/; SameSite=lax" in chosen.headers["set-cookie"]
    english = await web.get("/welcome", headers={**norwegian, "If-None-Match": page.headers["etag"]})
    assert (english.status_code, english.headers["content-language"]) == (200, "en")
    assert (await web.get("/dashboard?language=en")).headers["location"] == "/dashboard"
    assert "set-cookie" not in (await web.get("/welcome?language=tlh")).headers


async def test_a_person_who_mistypes_an_address_gets_a_page(web: Web) -> None:
    """A program gets the problem."""
    page = await web.get("/dashbord", headers={"Accept": "text/html,*/*;q=0.8", "Accept-Language": "nb"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "Adressen kan være feilskrevet" in page.text
    for accepted in ("*/*", "application/json"):
        answer = await web.get("/dashbord", headers={"Accept": accepted})
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_the_welcome_page_is_of_the_codes_organisation(settings: Settings) -> None:
    """Named, with the code, and on to its own page if it has one; a code of nobody is kept too."""
    with organisation_scene(settings.database_url) as scene:
        code = scene.codes[scene.issue()]
        scene.call("Alder")
        async with running_web(settings) as web:
            link = await web.get(f"/r/{code}?c=sms")
            page = (await web.get(link.headers["location"])).text
            assert "<h1>Welcome to Alder</h1>" in page
            assert f'id="code">{code}</p>' in page
            nobodys = await web.get("/welcome?ref=n0w0-nder-fx")
            assert 'id="code">N0W0NDERFX</p>' in nobodys.text
            tagged = {"If-None-Match": nobodys.headers["etag"]}
            assert (await web.get("/welcome?ref=N0W0NDERFX", headers=tagged)).status_code == 200  # its links differ
            assert (await web.get("/welcome?ref=n0w0-nder-fx", headers=tagged)).status_code == 304
        with psycopg.connect(settings.database_url) as connection:
            connection.execute("UPDATE organisations SET landing_url = 'https://alder.example/join?a=1'")
        async with running_web(settings) as web:
            page = (await web.get(f"/welcome?ref={code}&c=sms&utm_source=x")).text
            onward = f"https://alder.example/join?a=1&amp;ref={code}&amp;c=sms&amp;utm_source=x"
            assert f'href="{onward}">Go on to Alder</a>' in page
