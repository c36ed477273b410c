"""A query parameter that is not known is refused, and the nearest that is known is named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import pytest
from litestar import Litestar, get
from litestar.di import Provide
from litestar.params import QueryParameter
from litestar.testing import AsyncTestClient

from edges.web.app import handlers
from edges.web.problems import problem_handlers
from edges.web.query_parameters import NAMED_MAX, refuse_unknown_parameters

KNOWN = "is not known here; known are limit, after"
Number = Annotated[int, QueryParameter(ge=1)]


@get("/list", before_request=refuse_unknown_parameters)
async def listed(limit: Number = 20, after: Annotated[str | None, QueryParameter()] = None) -> str:
    """Answer with what was asked for."""
    return f"{limit} {after}"


@get("/plain", before_request=refuse_unknown_parameters)
async def plain() -> str:
    """Answer whatever."""
    return ""


@pytest.fixture
async def client() -> AsyncIterator[AsyncTestClient[Litestar]]:
    """Give a client of two routes."""
    app = Litestar(route_handlers=[listed, plain], exception_handlers=problem_handlers())
    async with AsyncTestClient(app) as client:
        yield client


@pytest.mark.parametrize(
    ("address", "errors"),
    [
        ("/list", {}),
        ("/list?limit=3&after=x", {}),
        ("/list?limt=3", {"limt": "is not known here; did you mean limit?"}),
        ("/list?LIMIT=3&after=x", {"LIMIT": "is not known here; did you mean limit?"}),
        ("/list?page=2", {"page": KNOWN}),
        ("/list?%6Cimi=2&x", {"limi": "is not known here; did you mean limit?", "x": KNOWN}),
        ("/plain?limit=3", {"limit": "is not known here; there are no parameters"}),
        ("/plain?%ff=%00", {"�": "is not known here; there are no parameters"}),
    ],
)
async def test_what_is_not_known_is_named(
    client: AsyncTestClient[Litestar], address: str, errors: dict[str, str]
) -> None:
    """With the remedy."""
    answer = await client.get(address)
    said = {error["field"]: error["message"] for error in answer.json()["errors"]} if answer.status_code == 422 else {}
    assert (answer.status_code, said) == (422 if errors else 200, errors)


async def test_of_many_the_first_are_named(client: AsyncTestClient[Litestar]) -> None:
    """An answer is not longer than what was asked."""
    answer = await client.get("/plain?" + "&".join(f"p{number}=1" for number in range(1_000)))
    assert len(answer.json()["errors"]) == NAMED_MAX


def test_each_route_for_programs_refuses_them() -> None:
    """But the webhook, whose address is in others' hands."""
    app = Litestar(route_handlers=handlers(), dependencies={"services": Provide(lambda: None, sync_to_thread=False)})
    lenient = {
        route.path
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        if handler.resolve_before_request() is None and handler.handler_name != "options_handler"
    }
    assert {path for path in lenient if path.startswith("/v1/")} == {"/v1/orgs/{org_id:str}/registrations"}
