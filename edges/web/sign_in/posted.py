"""What somebody signs in with, as a page posts it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import msgspec
from msgspec import Struct

from edges.web.problems import Problem, bad_fields, field_error


class PostedSignIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody signs in with: one of the two."""

    link: str | None = None
    """What stands behind `#link=` in a link of `referrals sign-in-link`; good once."""
    token: str | None = None
    """A bearer token; the session ends when it does, if not before."""


_decode: Final = msgspec.json.Decoder(PostedSignIn).decode


def read_sign_in(body: bytes) -> PostedSignIn:
    """Return what was posted; raise Problem, 422, where it is not as described."""
    try:
        posted = _decode(body)
    except msgspec.ValidationError as fault:
        raise bad_fields(field_error(fault)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "the body is no JSON") from None
    if (posted.link is None) == (posted.token is None):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "give `link` or `token`, one of them")
    return posted
