"""`POST /v1/orgs/{org_id}/mentors/{mentor_id}/referral-code`: a mentor's code, made if he has none.

Asking again gives the same code and writes nothing. Kafka need not be there: the code is stored with a row in the
outbox, and the relay (`edges/registry/outbox.py`), which runs beside this server, publishes it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import structlog
from litestar import Request, Response, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath

from edges.registry.errors import NoCodeLeft, NoSecret, SecretUnreadable, UnknownOrganisation
from edges.web.answers.answer import FieldError
from edges.web.answers.mentors import ReferralCode
from edges.web.identity import BEARER, mentor_or_coordinator
from edges.web.links import share_url
from edges.web.problems import Problem, bad_fields, problem_answers, unavailable
from edges.web.services import Opened
from models.events import in_utc
from models.identifiers import is_uuid
from process.settings import SettingsError

log = structlog.get_logger("web")


@post(
    "/v1/orgs/{org_id:str}/mentors/{mentor_id:str}/referral-code",
    status_code=HTTPStatus.CREATED,
    guards=[mentor_or_coordinator],
    security=BEARER,
    tags=["codes"],
    summary="Return a mentor's referral code; make one if he has none",
    responses={
        200: ResponseSpec(ReferralCode, description="The code was stored before", generate_examples=False),
        **problem_answers(401, 403, 404, 409, 422, 503),
    },
)
async def issue_code(
    request: Request[Any, Any, Any], services: Opened, org_id: FromPath[str], mentor_id: FromPath[str]
) -> Response[ReferralCode]:
    """Answer 201 with a code made now, 200 with the one that was stored."""
    if not is_uuid(mentor_id):
        raise bad_fields(FieldError(field="mentor_id", message="is not a UUID"))
    try:
        issued = await services.registry.issue(UUID(org_id), UUID(mentor_id))
    except UnknownOrganisation:
        raise Problem(HTTPStatus.NOT_FOUND, "the organisation is not known here") from None
    except (NoSecret, NoCodeLeft) as fault:
        log.warning("code_not_issued", reason=str(fault))
        raise Problem(
            HTTPStatus.CONFLICT, "no code can be made in this organisation; the server's log says why"
        ) from None
    except (SecretUnreadable, SettingsError) as fault:
        log.error("code_not_issued", reason=str(fault))  # noqa: TRY400  the reason says all
        raise unavailable("no code can be made here now; the server's log says why") from None
    return Response(
        ReferralCode(
            referral_code=issued.code,
            org_id=org_id.lower(),
            mentor_id=str(issued.mentor_id),
            issued_at=issued.issued_at,
            share_url=share_url(request, services.settings, issued.code),
            disabled_at=issued.disabled_at and in_utc(issued.disabled_at),
        ),
        status_code=HTTPStatus.CREATED if issued.is_new else HTTPStatus.OK,
        headers={"Cache-Control": "no-store"},
    )


HANDLERS: Final = [issue_code]
