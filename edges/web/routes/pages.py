"""The pages for people: `/dashboard`, `/me`, `/welcome`, and the files they are made of.

They hold nothing about anybody: what they show they ask for with the token of whoever looks.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from litestar import Request, Response, get
from litestar.params import FromPath
from litestar.response import Redirect

from edges.web.assets import Asset, load_assets
from edges.web.problems import Problem

KEPT: Final = "public, max-age=31536000, immutable"
"""For a file under the address of its content."""
ASKED_AGAIN: Final = "no-cache"
"""For pages, whose address stays."""

AnyRequest = Request[Any, Any, Any]


@get("/", include_in_schema=False)
async def root() -> Redirect:
    """Lead whoever typed the host's name alone to the dashboard, which asks for a token."""
    return Redirect("/dashboard")


@get("/dashboard", include_in_schema=False)
async def dashboard(request: AnyRequest) -> Response[bytes]:
    """Answer with the coordinators' page."""
    return _send(request, load_assets().page("dashboard"), ASKED_AGAIN)


@get("/me", include_in_schema=False)
async def mentor(request: AnyRequest) -> Response[bytes]:
    """Answer with a mentor's page."""
    return _send(request, load_assets().page("mentor"), ASKED_AGAIN)


@get("/welcome", include_in_schema=False)
async def welcome(request: AnyRequest) -> Response[bytes]:
    """Answer with the page for links that lead nowhere else."""
    return _send(request, load_assets().page("welcome"), ASKED_AGAIN)


@get("/static/{version:str}/{name:path}", include_in_schema=False)
async def static(request: AnyRequest, version: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """Answer with a file; one of another version, asked for by a page that was loaded before, with what it is now."""
    assets = load_assets()
    asset = assets.file(name.removeprefix("/"))
    if asset is None:
        raise Problem(HTTPStatus.NOT_FOUND, "nothing is here")
    return _send(request, asset, KEPT if version == assets.version else ASKED_AGAIN)


def _send(request: AnyRequest, asset: Asset, caching: str) -> Response[bytes]:
    headers = {"Cache-Control": caching, "ETag": asset.etag, "Vary": "Accept-Encoding"}
    if asset.etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, media_type=asset.media_type, headers=headers | {"Content-Encoding": "gzip"})
    return Response(asset.content, media_type=asset.media_type, headers=headers)


HANDLERS: Final = [root, dashboard, mentor, welcome, static]
