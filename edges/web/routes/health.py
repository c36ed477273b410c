"""`/health/live`, `/health/ready` and `/metrics`: for whoever runs the server; no token, nothing about anybody."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Final

from litestar import MediaType, Response, get
from litestar.openapi.datastructures import ResponseSpec

from edges.web.answers.running import Liveness, Readiness
from edges.web.services import Opened


@get("/health/live", tags=["health"], summary="Whether the process answers")
async def live() -> Liveness:
    """Answer, whatever else is away."""
    return Liveness(status="alive")


@get(
    "/health/ready",
    tags=["health"],
    summary="Whether everything needed is there",
    responses={503: ResponseSpec(Readiness, description="Something is missing", generate_examples=False)},
)
async def ready(services: Opened) -> Response[Readiness]:
    """Answer 200 where Kafka, its topics and Postgres are there, and clicks and codes get to Kafka; else 503."""
    missing = await services.health.missing()
    return Response(
        Readiness(status="waiting" if missing else "ready", missing=missing),
        status_code=HTTPStatus.SERVICE_UNAVAILABLE if missing else HTTPStatus.OK,
        headers={"Cache-Control": "no-store"},
    )


@get("/metrics", tags=["health"], summary="Metrics in Prometheus's form", media_type=MediaType.TEXT)
async def metrics(services: Opened) -> Response[bytes]:
    """Answer with every counter; the lag of the components, the outbox and reconciliation are looked at for it."""
    await asyncio.gather(services.pipeline.look(), services.figures.look(), services.health.missing())
    return Response(services.metrics.render(), media_type="text/plain; version=0.0.4")  # Litestar adds the charset


HANDLERS: Final = [live, ready, metrics]
