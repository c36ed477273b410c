"""`GET /docs`: the HTTP API for people, of the description that `/openapi.json` gives to machines."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from litestar import Litestar, Request, Response, get

from edges.languages.catalogue import Language
from edges.web.assets import HTML, Asset, load_assets, pack
from edges.web.openapi import put_right
from edges.web.reference import reference
from edges.web.routes.pages import keep_choice, page_language, send_in


@get("/docs", include_in_schema=False)
async def docs(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Answer with every operation; it needs no token, as the description needs none."""
    language = page_language(request)
    return keep_choice(request) or send_in(request, _page(request.app, language), language)


@cache
def _page(app: Litestar, language: Language) -> Asset:
    """Return the page, made once: it is the same as long as the process lives."""
    template = load_assets().page("docs", language).content.decode()
    document = put_right(app.openapi_schema.to_schema())
    return pack(template.replace("{reference}", reference(document, language)).encode(), HTML)


HANDLERS: Final = [docs]
