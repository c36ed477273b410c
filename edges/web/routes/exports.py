"""`GET /v1/orgs/{org_id}/export.csv`: an organisation's mentors with their counts, for a spreadsheet."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from litestar import get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath
from litestar.response import Stream

from edges.web import export
from edges.web.identity import BEARER, coordinators_of_org
from edges.web.problems import problem_answers
from edges.web.services import Opened
from models.identifiers import canonical_uuid

MEDIA_TYPE: Final = "text/csv"


@get(
    "/v1/orgs/{org_id:str}/export.csv",
    guards=[coordinators_of_org],
    security=BEARER,
    tags=["organisation"],
    summary="Mentors and their counts as CSV",
    media_type=MEDIA_TYPE,
    responses={
        200: ResponseSpec(str, description="A row for each mentor", media_type=MEDIA_TYPE, generate_examples=False),
        **problem_answers(401, 403, 404, 422, 503),
    },
)
async def export_csv(services: Opened, org_id: FromPath[str]) -> Stream:
    """Answer with a row for each mentor, by id, while it is being read."""
    org_id = canonical_uuid(org_id)
    rows = await export.first_page(services.database, org_id)
    return Stream(
        export.write(services.database, org_id, rows),
        media_type=MEDIA_TYPE,
        headers={
            "Content-Disposition": f'attachment; filename="referrals-{datetime.now(UTC):%Y-%m-%d}.csv"',
            "Cache-Control": "no-store",
        },
    )


HANDLERS: Final = [export_csv]
