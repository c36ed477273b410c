"""Signing in and out, as browsers do and as those try who should not: a real server, Postgres and OpenID provider."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import click
import httpx
import psycopg
import pytest
from click.testing import CliRunner, Result

from commands import sessions, sign_in_link
from edges.registry.database import owner_database
from edges.registry.errors import BadSubject, UnknownOrganisation
from edges.registry.tokens import Role
from edges.web.routes import events
from edges.web.sign_in.credentials import read_credential
from edges.web.sign_in.links import make_link
from edges.web.sign_in.revoking import list_sessions, revoke_sessions
from process.settings import Settings, SettingsError
from tests.openid_provider import OpenIdProviderDouble
from tests.web import Web, bearer, make_token, running_web, web_process

pytestmark = pytest.mark.integration

OURS: Final = "https://referrals.example"
SESSION: Final = "__Host-referrals-session"
FLOW: Final = "__Host-referrals-signing-in"
FROM_A_PAGE: Final = {"Sec-Fetch-Site": "same-origin"}
ELSEWHERE: Final[tuple[dict[str, str], ...]] = (
    {},
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
)


class Browser:
    """Keeps cookies as a browser does that reaches the server by https, and shows what it was told of them."""

    def __init__(self, web: httpx.AsyncClient) -> None:
        self._web = web
        self.cookies: dict[str, str] = {}
        self.told: dict[str, dict[str, Any]] = {}
        """Of each cookie the attributes that came with it."""

    async def send(self, method: str, path: str, *, json: object = None, **headers: str) -> httpx.Response:
        """Send a request with the cookies; `headers` with `_` for `-`."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            given["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = await self._web.request(method, path, json=json, headers=given)
        for text in answer.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(text).items():
                self.told[name] = {key: value for key, value in morsel.items() if value}
                self.cookies[name] = morsel.value
                if morsel["max-age"] == "0":
                    del self.cookies[name]
        return answer

    async def from_page(self, method: str, path: str, json: object = None) -> httpx.Response:
        """Send a request as one of our own pages does."""
        return await self.send(method, path, json=json, **FROM_A_PAGE)

    async def who(self) -> dict[str, Any] | None:
        """Return who is signed in."""
        answer = await self.send("GET", "/v1/session")
        assert answer.status_code in {200, 204}
        return answer.json() if answer.status_code == 200 else None


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenIdProviderDouble]:
    """Give a provider."""
    with OpenIdProviderDouble() as running:
        yield running


@pytest.fixture
async def web(settings: Settings, provider: OpenIdProviderDouble) -> AsyncIterator[Web]:
    """Give a server that people reach by https, with the provider."""
    async with running_web(settings, **provider.settings(OURS)) as web:
        yield web


@pytest.fixture
def org_id(settings: Settings) -> str:
    """Give an organisation."""
    org_id = str(uuid4())
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("INSERT INTO organisations (org_id, name) VALUES (%s, 'Alder')", [org_id])
    return org_id


async def link_for(
    settings: Settings, org_id: str, subject: str = "kari", role: Role = "coordinator", good_for_s: float = 900
) -> str:
    """Make a link as the command does, and return its secret."""
    async with owner_database(settings.database_url) as database:
        good_for = timedelta(seconds=good_for_s)
        made = await make_link(database, org_id=UUID(org_id), role=role, subject=subject, good_for=good_for)
    assert made.url(OURS) == f"{OURS}/sign-in#link={made.secret}", "behind #, so that no server is sent it"
    return made.secret


async def signed_in(web: Web, settings: Settings, org_id: str, subject: str = "kari") -> Browser:
    """Return a browser in which somebody is signed in."""
    browser = Browser(web)
    answer = await browser.from_page("POST", "/v1/session", {"link": await link_for(settings, org_id, subject)})
    assert answer.status_code == 201
    return browser


async def test_a_link_signs_in_once(web: Web, settings: Settings, org_id: str) -> None:
    """By a POST of our own page: what scanners, previews and other sites can ask for uses nothing up."""
    secret = await link_for(settings, org_id)
    scanner = Browser(web)
    for method, path in (("GET", "/sign-in"), ("HEAD", "/sign-in"), ("GET", f"/sign-in?link={secret}")):
        assert (await scanner.send(method, path)).status_code == 200
    for headers in ELSEWHERE:
        answer = await scanner.send("POST", "/v1/session", json={"link": secret}, **headers)
        assert answer.status_code == 403
    assert scanner.cookies == {}

    browsers = [Browser(web) for _ in range(5)]
    answers = await asyncio.gather(*(one.from_page("POST", "/v1/session", {"link": secret}) for one in browsers))
    assert sorted(answer.status_code for answer in answers) == [201, 401, 401, 401, 401], "at once, and one signs in"
    (browser,) = (one for one in browsers if one.cookies)
    told = await browser.who()
    assert told is not None
    assert (told["orgId"], told["subject"], told["role"], told["bySession"]) == (org_id, "kari", "coordinator", True)
    assert browser.told[SESSION] | {"max-age": "?"} == {
        "path": "/", "secure": True, "httponly": True, "samesite": "lax", "max-age": "?",
    }  # fmt: skip
    assert 604_000 < int(browser.told[SESSION]["max-age"]) <= 604_800, "a working week"
    assert (await browser.send("GET", f"/v1/orgs/{org_id}/summary")).status_code == 200

    late = await link_for(settings, org_id, good_for_s=0)
    for bad in (secret, late, "", "x" * 86, "é"):
        assert (await Browser(web).from_page("POST", "/v1/session", {"link": bad})).status_code == 401
    odd_bodies: list[object] = [{}, {"link": secret, "token": "x"}, [], {"link": 1}, {"links": secret}, None]
    for odd in odd_bodies:
        assert (await Browser(web).from_page("POST", "/v1/session", odd)).status_code == 422


async def test_what_a_cookie_opens(web: Web, settings: Settings, org_id: str) -> None:
    """One's own organisation; what changes something, from our own pages alone; never a session that was planted."""
    browser = await signed_in(web, settings, org_id)
    code = f"/v1/orgs/{org_id}/mentors/{uuid4()}/referral-code"
    for headers in ELSEWHERE:
        assert (await browser.send("POST", code, **headers)).status_code == 403
    assert (await browser.send("POST", code, Origin=OURS)).status_code in {201, 409}  # 409: it has no secret
    assert (await browser.send("GET", f"/v1/orgs/{uuid4()}/summary")).status_code == 404
    assert (await browser.send("GET", f"/v1/orgs/{org_id}/summary", Sec_Fetch_Site="cross-site")).status_code == 200

    # A token is a program's: the cookie beside it counts for nothing, and it needs no page.
    other = str(uuid4())
    answer = await browser.send("GET", f"/v1/orgs/{other}/summary", **bearer(org_id=other))
    assert answer.status_code == 200
    assert (await browser.send("GET", f"/v1/orgs/{org_id}/summary", Authorization="Bearer x")).status_code == 401

    # The cookie of one organisation, with another's id in it; one that never was; two at once; far too much.
    credential = read_credential(browser.cookies[SESSION])
    assert credential is not None
    for forged in (credential._replace(org_id=other), credential._replace(secret=bytes(32))):
        thief = Browser(web)
        thief.cookies[SESSION] = forged.text
        assert await thief.who() is None
        assert (await thief.send("GET", f"/v1/orgs/{forged.org_id}/summary")).status_code == 401
    for cookies in (f"{SESSION}={credential.text}; {SESSION}={credential.text}", f"{SESSION}={'x' * 20_000}"):
        answer = await web.get(f"/v1/orgs/{org_id}/summary", headers={"Cookie": cookies})
        assert answer.status_code == 401
    assert (await web.get("/v1/session", headers={"Cookie": f"a={'x' * 40_000}"})).status_code == 431

    # Fixation: whoever plants a session is not in the one that begins, and that one ends the planted one.
    planted = await signed_in(web, settings, org_id, "mallory")
    victim = Browser(web)
    victim.cookies = dict(planted.cookies)
    secret = await link_for(settings, org_id, "ola")
    assert (await victim.from_page("POST", "/v1/session", {"link": secret})).status_code == 201
    assert victim.cookies[SESSION] != planted.cookies[SESSION]
    assert (await victim.who() or {})["subject"] == "ola"
    assert await planted.who() is None


async def test_sessions_end(web: Web, settings: Settings, org_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By signing out, here or everywhere, by an operator, and by themselves; an open page of live figures too."""
    here, there, other = [
        await signed_in(web, settings, org_id, subject) for subject in ("kari", "kari", "ola")
    ]  # one after another: each makes a link
    for headers in ELSEWHERE:
        assert (await here.send("DELETE", "/v1/session", **headers)).status_code == 403
        assert (await here.send("DELETE", "/v1/sessions", **headers)).status_code == 403
    kept = dict(here.cookies)
    assert (await here.from_page("DELETE", "/v1/session")).status_code == 204
    assert here.cookies == {}
    here.cookies = kept
    assert await here.who() is None
    assert await there.who() is not None
    here = await signed_in(web, settings, org_id)
    assert (await there.from_page("DELETE", "/v1/sessions")).status_code == 204
    assert [await each.who() is None for each in (here, there, other)] == [True, True, False]

    monkeypatch.setattr(events, "SESSION_S", 0.1)
    cookie = {"Cookie": f"{SESSION}={other.cookies[SESSION]}"}
    async with (
        web.stream("GET", f"/v1/orgs/{org_id}/events", headers=cookie) as answer,
        owner_database(settings.database_url) as database,
        asyncio.timeout(30),
    ):
        assert answer.status_code == 200
        lines = answer.aiter_lines()
        assert await anext(lines) == ":"
        (listed,) = await list_sessions(database, UUID(org_id))
        assert (listed.subject, listed.role, listed.signed_in_by) == ("ola", "coordinator", "link")
        unused = await link_for(settings, org_id, "ola")
        assert await revoke_sessions(database, UUID(org_id), subject="nobody") == 0
        assert await revoke_sessions(database, uuid4(), session_id=listed.session_id) == 0
        assert await revoke_sessions(database, UUID(org_id), subject="ola") == 1
        async for _ in lines:
            pass  # to its end
    assert (await web.get(f"/v1/orgs/{org_id}/events", headers=cookie)).status_code == 401
    assert (await other.from_page("POST", "/v1/session", {"link": unused})).status_code == 401

    last = await signed_in(web, settings, org_id)
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("UPDATE sessions SET expires_at = now() WHERE subject = 'kari'")
    assert await last.who() is None


async def test_a_token_is_changed_for_a_session(web: Web, settings: Settings, org_id: str) -> None:
    """It is the person of the token, no longer than the token; a screen's opens no page."""
    mentor_id = str(uuid4())
    browser = Browser(web)
    token = make_token("mentor", org_id=org_id, subject=mentor_id)
    assert (await browser.from_page("POST", "/v1/session", {"token": token})).status_code == 201
    assert int(browser.told[SESSION]["max-age"]) <= 605
    told = await browser.who()
    assert told is not None
    assert (told["role"], told["subject"]) == ("mentor", mentor_id)
    assert (await browser.send("GET", f"/v1/orgs/{org_id}/summary")).status_code == 403
    assert (await browser.from_page("POST", "/v1/session", {"token": f"{token}x"})).status_code == 401
    screen = make_token("onboarding", org_id=org_id)
    assert (await browser.from_page("POST", "/v1/session", {"token": screen})).status_code == 403
    assert await browser.who() is not None
    with psycopg.connect(settings.database_url) as connection:
        stored = str(
            connection.execute("SELECT sessions::text, sign_in_links::text FROM sessions, sign_in_links").fetchall()
        )
    credential = read_credential(browser.cookies[SESSION])
    assert credential is not None
    assert credential.secret.hex() not in stored, "what opens a session is not in the database"


async def test_with_the_provider(web: Web, provider: OpenIdProviderDouble, org_id: str) -> None:
    """There and back in one browser; nobody else's answer signs anybody in, and it leads to no other host."""
    provider.claims |= {"org": org_id, "role": "coordinator"}
    browser, attacker = Browser(web), Browser(web)
    back = await away(browser, "/me%23mentor=x")
    assert browser.told[FLOW] == {
        "path": "/", "secure": True, "httponly": True, "samesite": "lax", "max-age": "600",
    }  # fmt: skip
    theirs = await away(attacker)

    # Login CSRF: an answer to somebody else's sign-in, or to none, signs nobody in.
    for who, answer in ((browser, theirs), (Browser(web), back), (browser, re.sub("state=[^&]*", "state=", back))):
        refused = await who.send("GET", answer)
        assert (refused.status_code, refused.headers["location"]) == (303, "/sign-in?problem=browser")
        assert SESSION not in who.cookies

    opened = await browser.send("GET", back, Sec_Fetch_Site="cross-site")
    assert (opened.status_code, opened.headers["location"]) == (303, "/me#mentor=x")
    assert opened.headers["cache-control"] == "no-store"
    assert FLOW not in browser.cookies
    assert (await browser.who() or {})["subject"] == "auth0|5f7c8ec7c33c6c004bbafe82"
    again = await browser.send("GET", back)
    assert again.headers["location"] == "/sign-in?problem=browser", "an answer is good once"

    for elsewhere in ("https://evil.example", "//evil.example", "/%5Cevil.example", "/r/7KQ2M9XW4T", "%0D%0Ax"):
        visitor = Browser(web)
        assert (await visitor.send("GET", await away(visitor, elsewhere))).headers["location"] == "/dashboard"

    for claims, answers, problem in (
        ({"org": "nobody's"}, {}, "unknown"),
        ({"aud": "another"}, {}, "refused"),
        ({}, {"/token": (503, b"later")}, "away"),
    ):
        visitor = Browser(web)
        back = await away(visitor)
        kept = dict(provider.claims)
        provider.claims |= claims
        provider.answers |= answers
        refused = await visitor.send("GET", back)
        assert refused.headers["location"] == f"/sign-in?problem={problem}"
        assert visitor.cookies == {}
        provider.claims, provider.answers = kept, {}
    visitor = Browser(web)
    state = parse_qs(urlsplit(await away(visitor)).query)["state"][0]
    declined = await visitor.send("GET", f"/sign-in/callback?error=access_denied&state={state}")
    assert declined.headers["location"] == "/sign-in?problem=declined"


async def away(browser: Browser, return_to: str = "/dashboard") -> str:
    """Go to the provider and sign in there; return the address that it sends the browser back to."""
    answer = await browser.send("GET", f"/sign-in/provider?return_to={return_to}")
    assert answer.status_code == 303
    async with httpx.AsyncClient() as client:
        back = urlsplit((await client.get(answer.headers["location"])).headers["location"])
    assert f"{back.scheme}://{back.netloc}{back.path}" == f"{OURS}/sign-in/callback"
    return f"{back.path}?{back.query}"


async def test_no_line_of_the_log_has_what_opens_anything(settings: Settings, org_id: str) -> None:
    """Cookies, links, tokens and the provider's answers: also where something goes wrong."""
    secret = await link_for(settings, org_id)
    with OpenIdProviderDouble() as provider, web_process(settings, **provider.settings(OURS)) as process:
        async with httpx.AsyncClient(base_url=process.url, timeout=30) as client:
            browser = Browser(client)
            token = make_token(org_id=org_id)
            assert (await browser.from_page("POST", "/v1/session", {"token": token})).status_code == 201
            assert (await browser.from_page("POST", "/v1/session", {"link": secret})).status_code == 201
            back = await away(browser)
            flow = browser.cookies[FLOW]
            assert (await browser.send("GET", back)).headers["location"] == "/sign-in?problem=unknown"
            cookies = [browser.cookies[SESSION], flow]
        process.send(signal.SIGTERM)
        _, log = process.end()
    assert "REFERRALS_OIDC_ORGANISATIONS" in log, "what an operator needs to know is there"
    query = [values[0] for values in parse_qs(urlsplit(back).query).values()]
    for hidden in (*cookies, secret, token, *query, "auth0|5f7c8ec7c33c6c004bbafe82"):
        assert hidden not in log


def test_as_an_operator_does_it(settings: Settings, org_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sign-in-link` prints a link; `sessions` lists who is signed in and ends it, and says where nobody was."""
    monkeypatch.setenv("REFERRALS_DATABASE_URL", settings.database_url)

    def run(command: click.Command, *arguments: str) -> Result:
        return CliRunner().invoke(command, arguments)

    of_kari = ("--org", org_id, "--role", "coordinator", "--subject", "kari")
    assert isinstance(run(sign_in_link.command, *of_kari).exception, SettingsError), "a link would lead nowhere"
    monkeypatch.setenv("REFERRALS_PUBLIC_URL", f"{OURS}/")
    made = json.loads(run(sign_in_link.command, *of_kari, "--ttl", "2h", "--json").stdout)
    assert re.fullmatch(rf"{OURS}/sign-in#link=[\w-]{{86}}", made["url"])
    assert run(sign_in_link.command, *of_kari, "--ttl", "8d").exit_code == 2
    mentor = ("--org", org_id, "--role", "mentor", "--subject", "kari")
    assert isinstance(run(sign_in_link.command, *mentor).exception, BadSubject)
    nowhere = ("--org", str(uuid4()), "--role", "coordinator", "--subject", "kari")
    assert isinstance(run(sign_in_link.command, *nowhere).exception, UnknownOrganisation)

    assert run(sessions.command, "list").stdout == "nobody is signed in\n"
    with psycopg.connect(settings.database_url) as connection:
        connection.execute(
            "INSERT INTO sessions (org_id, session_id, secret_digest, subject, role, signed_in_by, expires_at) "
            "VALUES (%s, %s, sha256('x'), 'kari', 'coordinator', 'link', now() + interval '1 hour')",
            [org_id, session_id := str(uuid4())],
        )
    listed = json.loads(run(sessions.command, "list", "--json").stdout)
    assert (listed["session_id"], listed["subject"]) == (session_id, "kari")
    assert "secret" not in str(listed)
    assert f"{session_id}  coordinator kari" in run(sessions.command, "list", "--org", org_id).stdout
    assert run(sessions.command, "revoke", "--org", org_id).exit_code == 2
    assert run(sessions.command, "revoke", "--org", org_id, "--subject", "ola").exit_code == 1
    ended = run(sessions.command, "revoke", "--org", org_id, "--id", session_id)
    assert (ended.exit_code, ended.stdout) == (0, "1 session ended\n")
    assert run(sessions.command, "revoke", "--org", org_id, "--all").exit_code == 0
