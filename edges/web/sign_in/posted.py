"""What somebody signs in with, as a page posts it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from edges.web.bodies import decoded
from edges.web.problems import Problem


class PostedSignIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody signs in with: one of the two."""

    link: str | None = None
    """What stands behind `#link=` in a link of `referrals sign-in-link`; good once."""
    token: str | None = None
    """A bearer token; the session ends when it does, if not before."""


class PostedMailAddress(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a link that signs in is wanted."""

    address: Annotated[str, Meta(extra_json_schema={"format": "email"})]
    """A mail address that was confirmed on a page."""


_decode: Final = msgspec.json.Decoder(PostedSignIn).decode
_decode_address: Final = msgspec.json.Decoder(PostedMailAddress).decode


def read_sign_in(body: bytes) -> PostedSignIn:
    """Return what was posted; raise Problem, 422, where it is not as described."""
    posted = decoded(body, _decode)
    if (posted.link is None) == (posted.token is None):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "give `link` or `token`, one of them")
    return posted


def read_mail_address(body: bytes) -> PostedMailAddress:
    """Return where a link is wanted; raise Problem, 422, where it is not as described."""
    return decoded(body, _decode_address)
