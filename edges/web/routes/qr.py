"""`GET /v1/orgs/{org_id}/mentors/{mentor_id}/qr.svg`: a mentor's share link as a QR code, to print or to show.

The link says that it was scanned: its clicks are in the channel `qr`.
"""

from __future__ import annotations

import io
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import segno
from litestar import Request, Response, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath

from edges.web.identity import BEARER, mentor_or_coordinator
from edges.web.links import share_url
from edges.web.problems import Problem, problem_answers
from edges.web.services import Opened
from models.identifiers import canonical_uuid

MEDIA_TYPE: Final = "image/svg+xml"
CHANNEL: Final = "qr"
"""By which clicks on what was scanned are told from others."""
QUIET_ZONE: Final = 4
"""Modules of white around it, without which readers do not find it."""

_CODE_OF: Final = "SELECT referral_code, disabled_at FROM referral_codes WHERE org_id = %s AND mentor_id = %s"


@get(
    "/v1/orgs/{org_id:str}/mentors/{mentor_id:str}/qr.svg",
    guards=[mentor_or_coordinator],
    security=BEARER,
    tags=["mentors"],
    summary="A mentor's share link as a QR code",
    responses={
        200: ResponseSpec(bytes, description="An SVG picture", media_type=MEDIA_TYPE, generate_examples=False),
        **problem_answers(401, 403, 404, 422, 503),
    },
)
async def qr_code(
    request: Request[Any, Any, Any], services: Opened, org_id: FromPath[str], mentor_id: FromPath[UUID]
) -> Response[bytes]:
    """Answer with the picture; 404 where the mentor has no code, or his link is disabled."""
    org_id = canonical_uuid(org_id)
    rows = await services.database.rows(org_id, _CODE_OF, [org_id, mentor_id])
    if not rows:
        raise Problem(HTTPStatus.NOT_FOUND, "no code was issued to this mentor here")
    if rows[0][1] is not None:
        raise Problem(HTTPStatus.NOT_FOUND, "this mentor's link is disabled")
    picture = io.BytesIO()
    link = f"{share_url(request, services.settings, rows[0][0])}?c={CHANNEL}"
    segno.make(link, error="m", micro=False).save(
        picture, kind="svg", border=QUIET_ZONE, light="#fff", omitsize=True, xmldecl=False
    )
    return Response(picture.getvalue(), media_type=MEDIA_TYPE, headers={"Cache-Control": "private, max-age=3600"})


HANDLERS: Final = [qr_code]
