"""Share links: `GET /r/{code}?c=whatsapp` counts a click, and leads to the organisation's landing page.

Whatever is away, a person gets somewhere: with an unknown code, or one that cannot be looked up, to the neutral page.
A link that was damaged on its way is repaired where that leaves its code certain (`edges/web/clicks/damaged.py`).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

from litestar import HttpMethod, Request, route
from litestar.datastructures import ResponseHeader
from litestar.params import FromPath
from litestar.response.base import ASGIResponse
from msgspec import Meta

from edges.web.clicks.agents import reason_to_filter
from edges.web.clicks.damaged import read_damaged
from edges.web.clicks.landing import Landing, LookupFailed
from edges.web.clicks.parameters import read_query
from edges.web.services import services_of
from models.codes import normalise_code
from models.errors import BadCode

if TYPE_CHECKING:
    from litestar.types import Receive, Scope, Send

    from edges.web.services import Services


class Link(NamedTuple):
    """What a link means."""

    code: str
    landing: Landing | None
    """None: nobody can be asked just now."""
    query: str = ""
    """The part of the link's query that had become a part of its path."""


class Redirection(ASGIResponse):
    """Leads somewhere else: 302, no body, and never from a cache, because what a cache answers is not counted.

    Litestar's own response takes 10 us more, a fifth of all that a click costs.
    """

    __slots__ = ("_address",)

    def __init__(self, address: str) -> None:
        self._address = address.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  ASGI's signature
        """Answer."""
        headers = [(b"location", self._address), (b"cache-control", b"no-store"), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": HTTPStatus.FOUND, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class NotAhead(ASGIResponse):
    """Tells a browser that fetches ahead to ask again when a person opens the link: 503, and kept by nobody.

    A redirect would be used later, without a word to us, and the person's click not counted.
    """

    __slots__ = ()

    def __init__(self) -> None:
        """Need nothing."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  ASGI's signature
        """Answer."""
        headers = [(b"cache-control", b"no-store"), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": HTTPStatus.SERVICE_UNAVAILABLE, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@route(
    ["/r", "/r/{code:str}"],
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    status_code=HTTPStatus.FOUND,
    tags=["share links"],
    summary="Follow a share link",
    response_headers=[
        ResponseHeader(
            name="Location",
            description="The landing page, with the code as `ref`, the channel as `c` and the link's other parameters; "
            "the neutral page where the code is unknown.",
            documentation_only=True,
        )
    ],
)
async def follow(
    request: Request[Any, Any, Any],
    code: FromPath[Annotated[str, Meta(description="A referral code, also as typed by hand.")]] = "",
) -> ASGIResponse:
    """Redirect to the landing page of the code's organisation, with the code in its query, and count the click.

    Link previews and robots are redirected too, and not counted. Who fetches ahead is answered 503.
    """
    services = services_of(request)
    link = await _plain(services, code) or await _repaired(services, request.scope["path"])
    return _answer(services, request, link)


@route(
    ["/r/{code:str}/{rest:path}", "/R", "/R/{rest:path}"],
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    status_code=HTTPStatus.FOUND,
    include_in_schema=False,
)
async def follow_damaged(request: Request[Any, Any, Any]) -> ASGIResponse:
    """Do the same with links that cannot be right."""
    services = services_of(request)
    return _answer(services, request, await _repaired(services, request.scope["path"]))


async def _plain(services: Services, typed: str) -> Link | None:
    """Return what a link means whose code is one, as it is or as typed by hand; None where it is not issued."""
    try:
        code = normalise_code(typed)
        landing = await services.landings.find(code)
    except BadCode:
        return None
    except LookupFailed:
        return Link(code, None)  # it may be somebody's
    return None if landing is None else Link(code, landing)


async def _repaired(services: Services, path: str) -> Link | None:
    """Return what a damaged link means; None where that is not certain, or cannot be found out now."""
    damaged = read_damaged(path)
    if damaged is None:
        return None
    try:
        code = await services.landings.mean(damaged)
        landing = None if code is None else await services.landings.find(code)
    except LookupFailed:
        return None
    return None if code is None or landing is None else Link(code, landing, damaged.query)


def _answer(services: Services, request: Request[Any, Any, Any], link: Link | None) -> ASGIResponse:
    """Count the click and lead on."""
    settings = services.settings
    reason = reason_to_filter(request.scope["headers"])
    landing = None if link is None else link.landing
    if reason is not None and request.method == HttpMethod.GET and link is not None:
        services.filtered.count(None if landing is None else landing.org_id, reason)
    if reason == "prefetch":
        return NotAhead()
    if link is None:
        return Redirection(settings.neutral_url)
    query = request.scope["query_string"].decode("utf-8", "replace")
    said = read_query(
        f"{query}&{link.query}" if link.query else query,
        channels=settings.channels,
        own=frozenset() if landing is None else landing.own,
        passed=settings.landing_parameters,
    )
    if reason is None and request.method == HttpMethod.GET:
        if landing is None:
            services.unsure_clicks.keep(link.code, said.channel)
        else:
            services.clicks.record(link.code, said.channel)
    return Redirection(settings.neutral_url if landing is None else landing.address(link.code, said.passed))


HANDLERS: Final = [follow, follow_damaged]
