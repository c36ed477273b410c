"""The API's description: made once for a process, and complete."""

from __future__ import annotations

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from litestar import Litestar
from litestar.di import Provide
from litestar.testing import AsyncTestClient

from edges.languages.catalogue import LANGUAGES, text
from edges.web import openapi
from edges.web.openapi import openapi_config
from edges.web.reference import reference
from edges.web.routes import health
from schemas.openapi import openapi_document
from tests.openapi import operations


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


def test_every_operation_is_described_and_shown() -> None:
    """By a description and an example of what is sent and what is answered, which is as its schema says."""
    document = openapi_document()
    for method, path, operation in operations(document):
        name = f"{method} {path}"
        assert ("requestBody" in operation) == ("415" in operation["responses"]), f"{name}: what it reads is described"
        assert operation["summary"], name
        assert len(operation["description"].split()) > 3, name
        well = [response for status, response in operation["responses"].items() if status[0] in "23"]
        contents = [
            part for one in (operation.get("requestBody", {}), *well) for part in one.get("content", {}).items()
        ]
        headers = [header for response in well for header in response.get("headers", {}).values()]
        assert contents or headers or "204" in operation["responses"], name
        assert all("example" in header for header in headers), name
        for kind, part in contents:
            assert part["example"], name
            if kind == "application/json":
                schema = {"components": document["components"], **part["schema"]}
                Draft202012Validator(schema, format_checker=FormatChecker()).validate(part["example"])


def test_the_page_shows_every_operation() -> None:
    """Each once, in either language, and nothing of the description becomes markup."""
    document = openapi_document()
    document["paths"]["/health/live"]["get"]["description"] = "Whether 1 < 2 & `a<b>` <script>"
    for language in LANGUAGES:
        page = reference(document, language)
        named = [operation["operationId"] for method, _, operation in operations(document) if method != "HEAD"]
        assert sorted(re.findall(r'<article class="panel operation" id="(\w+)">', page)) == sorted(named)
        assert sorted(re.findall(r'href="#(\w+)"', page)) == sorted(named)
        assert "Whether 1 &lt; 2 &amp; <code>a&lt;b&gt;</code> &lt;script&gt;" in page
        assert f"<h4>{text(language, 'docs.parameters')}</h4>" in page
    assert "-H &#x27;webhook-id: msg_2f4e6d8c&#x27;" in page
