"""Query parameters that a route does not know are refused: a misspelt one would be left out in silence.

Not of the webhook, whose address others have configured, and perhaps with parameters of their own; nor of share links
and pages, which people carry about with whatever has been added to them.
"""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from litestar.params import QueryParameter

from edges.web.answers.answer import FieldError
from edges.web.problems import bad_fields

if TYPE_CHECKING:
    from litestar import Request
    from litestar.handlers import HTTPRouteHandler

NAMED_MAX: Final = 10
"""Of the unknown parameters so many are named; a request may have thousands."""


async def refuse_unknown_parameters(request: Request[Any, Any, Any]) -> None:
    """Raise Problem, 422, which names each parameter that the route does not know, and the nearest that it does."""
    query = request.scope["query_string"]
    if not query:
        return
    known = known_parameters(request.route_handler)
    unknown = dict.fromkeys(
        name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True) if name not in known
    )
    if unknown:
        errors = [FieldError(field=name[:100], message=_message(name, known)) for name in unknown]
        raise bad_fields(*errors[:NAMED_MAX])


@cache
def known_parameters(handler: HTTPRouteHandler) -> tuple[str, ...]:
    """Return the names of the query parameters that a route takes, by itself or by what it depends on."""
    signatures = [handler.parsed_fn_signature]
    signatures += [provider.parsed_fn_signature for provider in handler.resolve_dependencies().values()]
    return tuple(
        parameter.kwarg_definition.name or name
        for signature in signatures
        for name, parameter in signature.parameters.items()
        if isinstance(parameter.kwarg_definition, QueryParameter)
    )


def _message(name: str, known: tuple[str, ...]) -> str:
    if not known:
        return "is not known here; there are no parameters"
    nearest = get_close_matches(name[:100].lower(), known, n=1)
    if nearest:
        return f"is not known here; did you mean {nearest[0]}?"
    return f"is not known here; known are {', '.join(known)}"
