"""OpenAPI: the description that the HTTP side serves at /openapi.json, made from its routes without running it."""

from __future__ import annotations

from typing import Any

from litestar import Litestar
from litestar.di import Provide

from edges.web.app import handlers
from edges.web.openapi import openapi_config, put_right


def openapi_document() -> dict[str, Any]:
    """Return the description."""
    app = Litestar(
        route_handlers=handlers(),
        dependencies={"services": Provide(lambda: None, sync_to_thread=False)},  # nothing is called
        openapi_config=openapi_config(),
        logging_config=None,
    )
    return put_right(app.openapi_schema.to_schema())
