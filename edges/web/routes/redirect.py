"""Share links: `GET /r/{code}?c=whatsapp` counts a click, and leads to the organisation's landing page.

Whatever is away, a person gets somewhere: with an unknown code, or one that cannot be looked up, to the neutral page.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final

from litestar import HttpMethod, Request, route
from litestar.datastructures import ResponseHeader
from litestar.params import FromPath, FromQuery
from litestar.response.base import ASGIResponse
from msgspec import Meta

from edges.web.clicks.agents import reason_to_filter
from edges.web.clicks.landing import LookupFailed
from edges.web.services import Opened
from models.codes import normalise_code
from models.errors import BadCode
from models.events import clean_channel

if TYPE_CHECKING:
    from litestar.types import Receive, Scope, Send


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


@route(
    ["/r", "/r/{code:str}"],
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    status_code=HTTPStatus.FOUND,
    tags=["share links"],
    summary="Follow a share link",
    response_headers=[
        ResponseHeader(
            name="Location",
            description="The landing page, with the code as `ref`; the neutral page where the code is unknown.",
            documentation_only=True,
        )
    ],
)
async def follow(
    services: Opened,
    request: Request[Any, Any, Any],
    code: FromPath[Annotated[str, Meta(description="A referral code, also as typed by hand.")]] = "",
    c: FromQuery[Annotated[str, Meta(description="The channel that the link was shared by: whatsapp, sms, ...")]] = "",
) -> Redirection:
    """Redirect to the landing page of the code's organisation, with the code in its query, and count the click.

    Link previews, robots and prefetching are redirected too, and not counted.
    """
    try:
        code = normalise_code(code)
        landing = await services.landings.find(code)
    except BadCode:
        return Redirection(services.settings.neutral_url)
    except LookupFailed:
        landing = None  # but it may be somebody's: the stream app keeps clicks of codes that it does not know yet
    else:
        if landing is None:
            return Redirection(services.settings.neutral_url)
    if request.method == HttpMethod.GET:
        reason = reason_to_filter(request.scope["headers"])
        if reason is None:
            services.clicks.record(code, clean_channel(c) if c else None)
        else:
            services.filtered.count(None if landing is None else landing.org_id, reason)
    return Redirection(services.settings.neutral_url if landing is None else landing.address(code))


HANDLERS: Final = [follow]
