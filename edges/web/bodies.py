"""Bodies as they come: read up to a bound, and sent without detours.

Litestar can do both; for the route that machines post to all day its ways cost 15 us more each, of about 150.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from litestar.response.base import ASGIResponse

from edges.web.problems import Problem, bad_fields, field_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from litestar import Request
    from litestar.types import Receive, Scope, Send

Posted = TypeVar("Posted")

BODY_BYTES_MAX: Final = 32 * 1024
"""No route takes a larger body."""
_NO_ENCODING: Final = frozenset((b"", b"identity"))


async def read_body(request: Request[Any, Any, Any]) -> bytes:
    """Return the body; raise Problem, 413, as soon as it is known to be too large, at best before it is sent."""
    return await _read(request, dict(request.scope["headers"]))


async def read_plain_body(request: Request[Any, Any, Any]) -> bytes:
    """Return the body as `read_body`; raise Problem, 415, where it is compressed, before it is read."""
    headers = dict(request.scope["headers"])
    if b"content-encoding" in headers:
        encodings = b",".join(value for name, value in request.scope["headers"] if name == b"content-encoding")
        if not {part.strip() for part in encodings.lower().split(b",")} <= _NO_ENCODING:
            raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body as it is, without Content-Encoding")
    return await _read(request, headers)


def decoded(body: bytes, decode: Callable[[bytes], Posted]) -> Posted:
    """Return what a body says, by msgspec's decoder; raise Problem, 422, where it is not as described."""
    try:
        return decode(body)
    except msgspec.ValidationError as fault:
        raise bad_fields(field_error(fault)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "the body is no JSON") from None


async def _read(request: Request[Any, Any, Any], headers: Mapping[bytes, bytes]) -> bytes:
    if int(headers.get(b"content-length", 0)) > BODY_BYTES_MAX:
        raise _too_large()
    body = b""
    while True:
        message = await request.receive()
        if message["type"] != "http.request":
            raise Problem(HTTPStatus.BAD_REQUEST, "the body ended before its end")  # nobody hears this
        body += message["body"]
        if len(body) > BODY_BYTES_MAX:
            raise _too_large()
        if not message["more_body"]:
            return body


def _too_large() -> Problem:
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has more than {BODY_BYTES_MAX:,} bytes")


class JsonAnswer(ASGIResponse):
    """Sends JSON that is encoded already."""

    __slots__ = ("_json", "_status")

    def __init__(self, json: bytes, *, status: HTTPStatus) -> None:
        self._json = json
        self._status = status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  ASGI's signature
        """Answer."""
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(self._json)).encode())]
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        await send({"type": "http.response.body", "body": self._json, "more_body": False})
