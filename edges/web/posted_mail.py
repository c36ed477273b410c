"""What somebody wants to be told by mail, as a page posts it."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from edges.web.answers.answer import FieldError
from edges.web.bodies import decoded
from edges.web.problems import bad_fields
from process.mail_addresses import BadAddress, read_address


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


def posted_address(text: str) -> str:
    """Return a posted address as it is kept; raise Problem, 422, where no mail can be sent to it."""
    try:
        return read_address(text)
    except BadAddress as fault:
        raise bad_fields(FieldError(field="address", message=f"cannot be written to: {fault}")) from None
