"""`GET /v1/orgs/{org_id}/pipeline`: whether the figures are up to date, and what is in the way.

The pipeline serves every organisation, so what is told of it is numbers only.
"""

from __future__ import annotations

from typing import Final

from litestar import Response, get
from litestar.params import FromPath

from edges.web.answers.running import PipelineState
from edges.web.identity import BEARER, coordinators_of_org
from edges.web.problems import problem_answers
from edges.web.services import Opened


@get(
    "/v1/orgs/{org_id:str}/pipeline",
    guards=[coordinators_of_org],
    security=BEARER,
    tags=["organisation"],
    summary="How far the components are",
    responses=problem_answers(401, 403, 404, 422, 503),
)
async def pipeline_state(services: Opened, org_id: FromPath[str]) -> Response[PipelineState]:  # noqa: ARG001  the guard reads it
    """Answer with the records that wait for each component, and the dead letters."""
    return Response(await services.pipeline.look(), headers={"Cache-Control": "no-store"})


HANDLERS: Final = [pipeline_state]
