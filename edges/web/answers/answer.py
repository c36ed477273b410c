"""What every answer is, and what answers say of a request."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType


def camel(name: str) -> str:
    """Return a name in camel case, as requests and answers have it."""
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


class Answer(Struct, frozen=True, rename="camel"):
    """Base of every answer; each says `frozen=True, kw_only=True` for itself, which is not inherited."""


class FieldError(Answer, frozen=True, kw_only=True):
    """A field of the request that cannot be used."""

    field: str
    """As the request names it."""
    message: str


class ProblemDetails(Answer, frozen=True, kw_only=True):
    """An error, as RFC 9457 has it."""

    type: str = "about:blank"
    title: str
    """The status in words."""
    status: int
    detail: str
    """What is wrong, and what to do about it."""
    errors: list[FieldError] | UnsetType = UNSET
    """The fields at fault; only with 422."""


class Accepted(Answer, frozen=True, kw_only=True):
    """A registration is in its topic."""

    attribution_id: str
