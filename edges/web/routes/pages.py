"""The pages for people: `/dashboard`, `/badges`, `/dead-letters`, `/me`, `/welcome`, `/sign-in`, and their files.

They hold nothing about anybody: what they show they ask for in the session of whoever looks. Each comes in the language
that was chosen on one of them (`?language=nb`, kept as a cookie), else in the browser's.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from litestar import Request, Response, get
from litestar.datastructures import Cookie
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response import Redirect

from edges.languages.catalogue import Language
from edges.languages.choice import COOKIE, language_of, read_choice
from edges.web.assets import Asset, load_assets
from edges.web.problems import Problem, on_http_exception
from edges.web.services import Opened
from edges.web.welcome import find_invitation, welcome_page

KEPT: Final = "public, max-age=31536000, immutable"
"""For a file under the address of its content."""
ASKED_AGAIN: Final = "no-cache"
"""For pages, whose address stays."""
CHOICE_KEPT_S: Final = 365 * 86_400

_CHOICE: Final = "language"
"""The parameter by which a language is chosen."""

AnyRequest = Request[Any, Any, Any]


@get("/", include_in_schema=False)
async def root() -> Redirect:
    """Lead whoever typed the host's name alone to the dashboard, which asks for a token."""
    return Redirect("/dashboard")


@get("/dashboard", include_in_schema=False)
async def dashboard(request: AnyRequest) -> Response[bytes]:
    """Answer with the coordinators' page."""
    return _send_page(request, "dashboard")


@get("/badges", include_in_schema=False)
async def badges(request: AnyRequest) -> Response[bytes]:
    """Answer with the page on which an organisation's badges are made and seen."""
    return _send_page(request, "badges")


@get("/dead-letters", include_in_schema=False)
async def letters(request: AnyRequest) -> Response[bytes]:
    """Answer with the page on which administrators see what could not be used, and send it again."""
    return _send_page(request, "dead-letters")


@get("/me", include_in_schema=False)
async def mentor(request: AnyRequest) -> Response[bytes]:
    """Answer with a mentor's page."""
    return _send_page(request, "mentor")


@get("/welcome", include_in_schema=False)
async def welcome(request: AnyRequest, services: Opened) -> Response[bytes]:
    """Answer with the page for links that lead nowhere else: whose code it is, and the way on."""
    chosen = keep_choice(request)
    if chosen is not None:
        return chosen
    language, query = page_language(request), request.scope["query_string"].decode("utf-8", "replace")
    invitation = await find_invitation(services, query)
    return send_in(
        request, welcome_page(load_assets().page("welcome", language), language, invitation, query), language
    )


@get("/sign-in", include_in_schema=False)
async def sign_in(request: AnyRequest) -> Response[bytes]:
    """Answer with the page on which people sign in and out; opening it does neither."""
    return _send_page(request, "sign-in")


@get("/static/{version:str}/{name:path}", include_in_schema=False)
async def static(request: AnyRequest, version: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """Answer with a file; one of another version, asked for by a page that was loaded before, with what it is now."""
    assets = load_assets()
    asset = assets.file(name.removeprefix("/"))
    if asset is None:
        raise Problem(HTTPStatus.NOT_FOUND, "nothing is here")
    return _send(request, asset, {"Cache-Control": KEPT if version == assets.version else ASKED_AGAIN})


def answer_missing(request: AnyRequest, error: NotFoundException) -> Response[bytes]:
    """Answer where there is no such address: with a page to a person who typed it, with a problem to a program."""
    if "text/html" not in request.headers.get("accept", ""):
        return on_http_exception(request, error)
    return _send_page(request, "missing", HTTPStatus.NOT_FOUND)


def page_language(request: AnyRequest) -> Language:
    """Return the language in which somebody reads pages."""
    return language_of(request.cookies.get(COOKIE), request.headers.get("accept-language", ""))


def send_in(
    request: AnyRequest, page: Asset, language: Language, status: HTTPStatus = HTTPStatus.OK
) -> Response[bytes]:
    """Answer with a page that is in a language."""
    headers = {
        "Cache-Control": ASKED_AGAIN,
        "Content-Language": language,
        "Vary": "Accept-Encoding, Accept-Language, Cookie",
    }
    return _send(request, page, headers, status)


def _send_page(request: AnyRequest, name: str, status: HTTPStatus = HTTPStatus.OK) -> Response[bytes]:
    language = page_language(request)
    return keep_choice(request) or send_in(request, load_assets().page(name, language), language, status)


def keep_choice(request: AnyRequest) -> Response[bytes] | None:
    """Return what keeps the language that the address names, and leads on without it; None where it names none.

    The browser keeps the fragment.
    """
    language = read_choice(request.query_params.get(_CHOICE))
    if language is None:
        return None
    query = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    rest = urlencode([(name, value) for name, value in query if name != _CHOICE])
    return Response(
        b"",
        status_code=HTTPStatus.SEE_OTHER,
        headers={"Location": f"{request.scope['path']}?{rest}".removesuffix("?"), "Cache-Control": "no-store"},
        cookies=[Cookie(COOKIE, value=language, max_age=CHOICE_KEPT_S, samesite="lax", httponly=True)],
    )


def _send(
    request: AnyRequest, asset: Asset, said: dict[str, str], status: HTTPStatus = HTTPStatus.OK
) -> Response[bytes]:
    headers = {"ETag": asset.etag, "Vary": "Accept-Encoding", **said}
    if status == HTTPStatus.OK and asset.etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(asset.packed, status_code=status, media_type=asset.media_type, headers=headers)
    return Response(asset.content, status_code=status, media_type=asset.media_type, headers=headers)


HANDLERS: Final = [root, dashboard, badges, letters, mentor, welcome, sign_in, static]
