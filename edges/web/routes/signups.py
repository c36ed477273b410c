"""`POST /v1/orgs/{org_id}/signups`: who is coming, from the onboarding screen, which is not the membership system.

It has a right of its own, a token of the role `onboarding`: one organisation's, and good for nothing but this. What it
posts is `pending_signup` and can be nothing else. The event's id follows from organisation, code and member, and its
time is that of the first attempt: posting it again changes nothing, before a confirmation and after one (rule 1).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from litestar import Request, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath

from edges.web.answers.answer import Accepted
from edges.web.bodies import JsonAnswer, read_plain_body
from edges.web.identity import BEARER, onboarding_of_org
from edges.web.posted import SIGNUP, publish, read_posted, to_registration
from edges.web.problems import problem_answers
from edges.web.services import Opened, Services
from edges.web.tracing import request_span
from models.identifiers import canonical_uuid, derived_uuid
from models.traces import TRACEPARENT

SIGNUPS: Final = "/v1/orgs/{org_id}/signups"
"""The route."""


@post(
    "/v1/orgs/{org_id:str}/signups",
    status_code=HTTPStatus.ACCEPTED,
    guards=[onboarding_of_org],
    security=BEARER,
    tags=["onboarding"],
    summary="Take a member who is coming, from the onboarding screen",
    responses={
        202: ResponseSpec(Accepted, description="It is in the topic", generate_examples=False),
        **problem_answers(401, 403, 404, 413, 415, 422, 503),
    },
)
async def take_signup(request: Request[Any, Any, Any], services: Opened, org_id: FromPath[str]) -> JsonAnswer:
    """Publish it as pending, and answer when the brokers have it.

    It takes a token of the role `onboarding`. Posting it again changes nothing, before a confirmation and after one.
    """
    started_ns = time.time_ns()
    body = await read_plain_body(request)
    org_id = canonical_uuid(org_id)
    given = request.headers.get(TRACEPARENT)
    traceparent = given.encode() if given else None
    if services.tracer is None:
        return await _take(services, org_id, body, traceparent)
    with request_span(services.tracer, SIGNUPS, traceparent, started_ns=started_ns) as own:
        return await _take(services, org_id, body, own)


async def _take(services: Services, org_id: str, body: bytes, traceparent: bytes | None) -> JsonAnswer:
    """Publish what a screen posts, as part of a trace."""
    posted = read_posted(SIGNUP, body, org_id, now=datetime.now(UTC))
    event_id = derived_uuid(f"{org_id}:{posted.referral_code}:{posted.new_member_id}:pending_signup")
    registration = to_registration(
        posted,
        org_id,
        attribution_id=str(posted.attribution_id or event_id),
        occurred_at=posted.occurred_at or await services.first_attempts.sent_at(org_id, event_id, time.time()),
        channels=services.settings.channels,
    )
    return await publish(services, registration, traceparent=traceparent)


HANDLERS: Final = [take_signup]
