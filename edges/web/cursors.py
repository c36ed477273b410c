"""Cursors: where a page ended, as text that clients hand back and know no more of.

It is a stranger's text when it comes back: it leads to a place of the kind that is asked for, or to nothing.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import msgspec
from msgspec import Struct

from edges.web import base64url
from models.identifiers import canonical_uuid, is_uuid


class Place(Protocol):
    """A struct that ends with the mentor whom a page ended with."""

    @property
    def mentor_id(self) -> str:
        """His id."""


Kind = TypeVar("Kind", bound=Place)


class BadCursor(ValueError):  # noqa: N818  read as what is wrong
    """A cursor that is not one of ours, or another list's."""


def write_cursor(place: Struct) -> str:
    """Return a place as the text that a client hands back."""
    return base64url.to_text(msgspec.json.encode(place))


def read_cursor(cursor: str, kind: type[Kind]) -> Kind:
    """Return the place of this kind that a cursor stands for.

    Raises:
        BadCursor: it is none of these.

    """
    place: Any = read_place(cursor, kind)
    if not is_uuid(place.mentor_id):
        raise BadCursor(cursor)
    named: Kind = msgspec.structs.replace(place, mentor_id=canonical_uuid(place.mentor_id))
    return named


def read_place(cursor: str, kind: type[Any]) -> Any:  # noqa: ANN401  a struct of this kind
    """Return the place of this kind, which names no mentor; raises BadCursor."""
    try:
        return msgspec.json.decode(base64url.from_text(cursor), type=kind)
    except (ValueError, RecursionError) as fault:
        raise BadCursor(cursor) from fault
