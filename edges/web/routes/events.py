"""`GET /v1/orgs/{org_id}/events`: server-sent events for pages that show an organisation.

`changed`   {"at", "summary"}: first as it is now, then when the figures change, once a second at most
`pipeline`  the answer of `/v1/orgs/{org_id}/pipeline`: first, when it changes, and every ten seconds
a comment   when nothing else was said for 15 s, so that whoever is between keeps the connection

A stream ends after `LIFETIME_S`, when the token does, and within `SESSION_S` when the session was revoked: the client
connects again, and who it is is looked at again.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from edges.web.database import DatabaseUnavailable
from edges.web.feed import FeedEnded, TooManyPages
from edges.web.identity import BEARER, Identity, coordinators_of_org
from edges.web.problems import problem_answers, unavailable
from edges.web.services import Opened, Services
from models.identifiers import canonical_uuid

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from litestar.types import Receive, Send

    from edges.web.answers.answer import Answer
    from edges.web.answers.running import PipelineState

MEDIA_TYPE: Final = "text/event-stream"
LIFETIME_S: Final = 600.0
WAKE_S: Final = 1.0
"""How often the pipeline's state is compared with what was said."""
FIRST_WAKE_S: Final = 0.1
"""The same as long as nothing was said of it."""
PIPELINE_S: Final = 10.0
KEEP_ALIVE_S: Final = 15.0
SESSION_S: Final = 5.0
"""How often it is looked whether the session is still one."""
SEND_TIMEOUT_S: Final = 20.0
"""A client that takes nothing for so long is dropped."""
KEEP_ALIVE: Final = b":\n\n"


class EventStream(Response[None]):
    """An answer that goes on until the page is left, the server stops, or the client takes nothing any more."""

    def __init__(self, services: Services, identity: Identity) -> None:
        """Take who asks: it goes on as long as he may."""
        super().__init__(
            None,
            media_type=MEDIA_TYPE,
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},  # nginx would gather them
        )
        self._services = services
        self._identity = identity

    def to_asgi_response(self, app: object, request: Request[Any, Any, Any], **_: Any) -> ASGIResponse:  # noqa: ARG002, ANN401  Litestar's signature
        """Return what sends it."""
        return _Sending(self._services, self._identity, headers=self.headers, media_type=MEDIA_TYPE)


class _Sending(ASGIResponse):
    _should_set_content_length = False

    def __init__(self, services: Services, identity: Identity, **given: Any) -> None:  # noqa: ANN401  Litestar's own
        super().__init__(**given)
        self._services = services
        self._identity = identity

    async def send_body(self, send: Send, receive: Receive) -> None:
        """Send events until the client is gone or the stream ends."""
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_leave(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        try:
            async with aclosing(events(self._services, self._identity)) as parts:
                async for part in parts:
                    async with asyncio.timeout(SEND_TIMEOUT_S):
                        await send({"type": "http.response.body", "body": part, "more_body": True})
        except TimeoutError:
            return  # without the end of the answer, whereupon uvicorn closes the connection
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def events(services: Services, identity: Identity) -> AsyncGenerator[bytes]:
    """Give what one page is sent, as it is sent, for as long as who asks may see it."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + min(LIFETIME_S, identity.expires_s - time.time())
    said_s = looked_s = loop.time()
    shown: PipelineState | None = None
    shown_s = 0.0
    yield KEEP_ALIVE  # so that the client knows at once that it is connected
    with (
        suppress(FeedEnded, TooManyPages),
        services.feed.open_page(identity.org_id) as page,
        services.pipeline.watching(),
    ):
        while loop.time() < end_s:
            if loop.time() - looked_s >= SESSION_S:
                looked_s = loop.time()
                if await _is_signed_out(services, identity):
                    return
            state = services.pipeline.last
            if state is not None and (not _is_same(state, shown) or loop.time() - shown_s >= PIPELINE_S):
                yield _event("pipeline", state)
                shown, shown_s, said_s = state, loop.time(), loop.time()
            change = await page.next(FIRST_WAKE_S if shown is None else WAKE_S)
            if change is not None:
                yield _event("changed", change)
                said_s = loop.time()
            elif loop.time() - said_s >= KEEP_ALIVE_S:
                yield KEEP_ALIVE
                said_s = loop.time()


@get(
    "/v1/orgs/{org_id:str}/events",
    guards=[coordinators_of_org],
    security=BEARER,
    tags=["organisation"],
    summary="Follow what changes",
    responses={
        200: ResponseSpec(
            str,
            description="Server-sent events `changed` and `pipeline`",
            media_type=MEDIA_TYPE,
            generate_examples=False,
        ),
        **problem_answers(401, 403, 404, 422, 503),
    },
)
async def follow_changes(request: Request[Identity, Any, Any], services: Opened, org_id: FromPath[str]) -> EventStream:
    """Answer with the events of an organisation, for as long as the page is open and the token is good."""
    if not services.feed.has_room(canonical_uuid(org_id)):
        raise unavailable("as many pages are open as one server keeps up to date; ask for the figures instead")
    return EventStream(services, request.user)


async def _is_signed_out(services: Services, identity: Identity) -> bool:
    """Tell whether the session is over; while Postgres is away nobody knows, and there is nothing new to be told."""
    try:
        return await services.sessions.has_ended(identity)
    except DatabaseUnavailable:
        return False


async def _leave(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(name: str, data: Answer) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))


def _is_same(state: PipelineState, shown: PipelineState | None) -> bool:
    """Tell whether a state says what another said, whenever it was looked at."""
    return shown is not None and msgspec.structs.replace(state, checked_at=shown.checked_at) == shown


HANDLERS: Final = [follow_changes]
