"""The API's description is made once for a process, however often it is asked for."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import Litestar
from litestar.di import Provide
from litestar.testing import AsyncTestClient

from edges.web import openapi
from edges.web.openapi import openapi_config
from edges.web.routes import health


async def test_it_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making it takes 20 ms of CPU, and anybody may ask."""
    made = []
    put_right = openapi.put_right

    def counted(document: dict[str, Any]) -> dict[str, Any]:
        made.append(document)
        return put_right(document)

    monkeypatch.setattr(openapi, "put_right", counted)
    app = Litestar(
        route_handlers=health.HANDLERS,
        openapi_config=openapi_config(),
        dependencies={"services": Provide(lambda: None, sync_to_thread=False)},
    )
    async with AsyncTestClient(app) as client:
        answers = [await client.get("/openapi.json") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert len(made) == 1
