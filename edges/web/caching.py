"""Answers that a client may keep, and ask for again only if they have changed (ETag, RFC 9110)."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Any, Final, TypeVar, cast

import msgspec
from litestar import Request, Response
from litestar.openapi.datastructures import ResponseSpec

from edges.web.answers.answer import Answer

Kind = TypeVar("Kind", bound=Answer)

ASKED_AGAIN: Final = "private, no-cache"
"""Kept, but never shown without asking whether it still holds."""
FOR_A_MINUTE: Final = "private, max-age=60"

UNCHANGED: Final = {
    304: ResponseSpec(None, description="What the client holds (If-None-Match) still holds", generate_examples=False)
}
"""What OpenAPI shows of it: `responses=UNCHANGED | problem_answers(...)`."""


def kept(request: Request[Any, Any, Any], answer: Kind, caching: str = ASKED_AGAIN) -> Response[Kind]:
    """Return the answer with a strong ETag, or 304 where the client has it already.

    Vary: a browser in which two people sign in one after the other shows neither what was the other's.
    """
    content = msgspec.json.encode(answer)
    etag = f'"{hashlib.blake2b(content, digest_size=16).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": caching, "Vary": "Authorization"}
    if is_held(etag, request.headers.get("if-none-match")):
        return cast("Response[Kind]", Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=headers))
    # The bytes, so that what was hashed is what is sent, and is encoded once; the type is OpenAPI's.
    return cast("Response[Kind]", Response(content, media_type="application/json", headers=headers))


def is_held(etag: str, named: str | None) -> bool:
    """Tell whether an If-None-Match header names this ETag; it compares weakly, so a proxy's `W/` does not matter."""
    if named is None:
        return False
    held = [one.strip().removeprefix("W/") for one in named.split(",")]
    return etag in held or held == ["*"]
