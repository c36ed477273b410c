"""What somebody wants to be told by mail, as a page posts it."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from edges.web.bodies import decoded


class PostedMailWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where somebody wants to be told, and in which language."""

    address: Annotated[str, Meta(extra_json_schema={"format": "email"})]
    """One mail address, without a name beside it."""
    language: Literal["en", "nb"] = "en"
    """Of the mails: English, or Norwegian Bokmål."""


_decode: Final = msgspec.json.Decoder(PostedMailWish).decode


def read_wish(body: bytes) -> PostedMailWish:
    """Return what was posted; raise Problem, 422, where it is not as described."""
    return decoded(body, _decode)
