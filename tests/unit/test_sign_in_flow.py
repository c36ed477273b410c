"""What a browser carries: the way to the provider and back, cookies, and where a request comes from."""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import Any, Final, cast

import pytest
from litestar.connection import ASGIConnection

from edges.web.sign_in.cookies import SESSION, comes_from_our_pages, read_cookie, set_cookie
from edges.web.sign_in.credentials import new_credential, read_credential
from edges.web.sign_in.flow import HOME, new_flow, read_flow, safe_return
from process.settings import load_settings

NOW_S: Final = 1_790_000_000.0
ORG: Final = "6f1c2a3e-4b5d-4c6e-8f70-91a2b3c4d5e6"
HTTPS: Final = load_settings(public_url="https://referrals.example")
HTTP: Final = load_settings()


def connection(*headers: tuple[str, str]) -> ASGIConnection[Any, Any, Any, Any]:
    """Return a request with these headers."""
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return ASGIConnection(cast("Any", {"type": "http", "headers": pairs}))


@pytest.mark.parametrize(
    "path",
    ["/dashboard", "/me", "/me#mentor=0d9e8f7a-6b5c-4d3e-9f2a-1b0c9d8e7f6a", "/dashboard?days=7", "/", "/./x", "/a//b"],
)
def test_pages_to_come_back_to(path: str) -> None:
    """Whatever is a page of ours."""
    assert safe_return(path) == path


@pytest.mark.parametrize(
    "path",
    [
        *(None, "", "dashboard", "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example"),
        *("/\t/evil.example", "\t//evil.example", "/dashboard\r\nSet-Cookie: a=b", "/ü", "/a b", "javascript:alert(1)"),
        *("/me\\@evil.example", "/r/7KQ2M9XW4T", "/R/7KQ2M9XW4T", "/r?c=sms", "/v1/session", "/sign-in/provider"),
        "/" + "x" * 400,
    ],
)
def test_nowhere_else(path: str | None) -> None:
    """Other hosts in all their spellings, what leads on, and what is no page: the dashboard instead."""
    assert safe_return(path) == HOME


def test_an_answer_belongs_to_one_browser() -> None:
    """State, nonce and verifier are of one cookie, for ten minutes, and none can be told from another."""
    flow = new_flow("/me", NOW_S)
    again = read_flow(flow.cookie)
    assert again == flow
    assert again is not None
    assert again.is_answered_by(flow.state, NOW_S + 599)
    assert not again.is_answered_by(flow.state, NOW_S + 601)
    assert not again.is_answered_by(new_flow("/me", NOW_S).state, NOW_S)
    assert not again.is_answered_by("", NOW_S)
    assert not again.is_answered_by("ø", NOW_S)
    assert len({flow.state, flow.nonce, flow.verifier, flow.challenge, flow.secret}) == 5
    digest = base64.urlsafe_b64encode(sha256(flow.verifier.encode()).digest()).rstrip(b"=").decode()
    assert flow.challenge == digest
    assert flow.secret not in repr(flow)


def test_what_is_in_the_cookie_cannot_be_changed() -> None:
    """Another place to return to, or another time, is another sign-in."""
    flow = new_flow("/me", NOW_S)
    secret, begun, _ = flow.cookie.split(".")
    elsewhere = base64.urlsafe_b64encode(b"/dashboard").rstrip(b"=").decode()
    later = read_flow(f"{secret}.{int(begun) + 60}.{flow.cookie.split('.')[2]}")
    changed = read_flow(f"{secret}.{begun}.{elsewhere}")
    for other in (later, changed):
        assert other is not None
        assert not other.is_answered_by(flow.state, NOW_S)
    outside = base64.urlsafe_b64encode(b"//evil.example").rstrip(b"=").decode()
    planted = read_flow(f"{secret}.{begun}.{outside}")
    assert planted is not None
    assert planted.return_to == HOME


@pytest.mark.parametrize(
    "text", ["", "a.b.c", "." * 50, "x" * 43 + ".1", "x" * 43 + ".1.w7g", "x" * 43 + "." + "9" * 20 + "."]
)
def test_cookies_that_are_no_flow(text: str) -> None:
    """Whatever somebody puts there."""
    assert read_flow(text) is None


def test_a_credential_is_read_as_it_was_written() -> None:
    """And its secret is in no message."""
    credential = new_credential(ORG)
    assert read_credential(credential.text) == credential
    assert len(credential.text) == 86
    assert credential.secret.hex() not in repr(credential)
    assert str(credential.secret) not in repr(credential)
    for text in ("", credential.text[:-1], credential.text + "A", credential.text[:-1] + "B", "é" * 86, "=" * 86):
        assert read_credential(text) is None


def test_cookies_behind_https() -> None:
    """Of this host alone, over https alone, for no script; one without the prefix may be another host's."""
    cookie = set_cookie(HTTPS, connection(), SESSION, "secret", lasts_s=60).to_header(header="")
    assert cookie.strip().startswith("__Host-referrals-session=secret; ")
    assert {part.strip() for part in cookie.split(";")} >= {
        "Path=/",
        "Secure",
        "HttpOnly",
        "SameSite=lax",
        "Max-Age=60",
    }
    assert "Domain" not in cookie
    assert read_cookie(HTTPS, connection(("cookie", "a=b; __Host-referrals-session=one; c")), SESSION) == "one"
    assert read_cookie(HTTPS, connection(("cookie", "referrals-session=one")), SESSION) is None


def test_cookies_on_ones_own_machine() -> None:
    """Two installations of one host, at two ports, have two cookies."""
    at_8080, at_8081 = (connection(("host", f"127.0.0.1:{port}"), ("cookie", COOKIES)) for port in (8080, 8081))
    assert read_cookie(HTTP, at_8080, SESSION) == "one"
    assert read_cookie(HTTP, at_8081, SESSION) == "two"
    assert not set_cookie(HTTP, at_8080, SESSION, "x", lasts_s=1).secure


COOKIES: Final = "referrals-session-8080=one; referrals-session-8081=two"


@pytest.mark.parametrize(
    "cookies",
    [
        ("",),
        ("__Host-referrals-session",),
        ("__Host-referrals-session=a; __Host-referrals-session=b",),
        ("__Host-referrals-session=a", "__Host-referrals-session=b"),
        ("__Host-referrals-session=" + "x" * 2_000,),
        ("; ".join(f"c{number}=x" for number in range(2_000)),),
    ],
)
def test_cookies_that_are_nobodys(cookies: tuple[str, ...]) -> None:
    """None, several of one name, and more than was ever set."""
    assert read_cookie(HTTPS, connection(*(("cookie", text) for text in cookies)), SESSION) is None


@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "null"}, True),
        ({"sec-fetch-site": "same-site", "origin": "https://referrals.example"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": "https://referrals.example"}, True),
        ({"origin": "https://inside.example:8080"}, True),
        ({"origin": "https://referrals.example.evil.example"}, False),
        ({"origin": "http://referrals.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({}, False),
    ],
)
def test_where_a_request_comes_from(headers: dict[str, str], is_ours: bool) -> None:  # noqa: FBT001  a parameter of a test
    """Browsers say so; who says nothing is not believed."""
    given = {"host": "inside.example:8080", **headers}
    assert comes_from_our_pages(HTTPS, connection(*given.items())) is is_ours
