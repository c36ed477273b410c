"""`POST /v1/orgs/{org_id}/registrations`: the webhook of whoever knows of registrations.

What is answered 202 is in the registrations topic, acknowledged by the brokers; but of a member who was erased nothing
is kept (`edges/web/erased.py`). A webhook sent again changes nothing:
it has the same attribution id and the same time, and counted is the pair of code and member.

The checks, in this order: nothing compressed (415), not too large (413), signed (401; also for an organisation that
does not exist), and then what it says (422).
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
from edges.web.metrics import WEBHOOK
from edges.web.posted import REGISTRATION, Posted, publish, read_posted, to_registration
from edges.web.problems import Problem, problem_answers
from edges.web.services import Services, services_of
from edges.web.tracing import request_span
from edges.web.webhooks import BadSignature, SignedHeaders, signed_headers, verify
from models.identifiers import canonical_uuid, derived_uuid, is_uuid
from process.fault_points import fault_point


@post(
    "/v1/orgs/{org_id:str}/registrations",
    status_code=HTTPStatus.ACCEPTED,
    tags=["webhooks"],
    summary="Take a registration, signed as Standard Webhooks has it",
    responses={
        202: ResponseSpec(Accepted, description="It is in the topic", generate_examples=False),
        **problem_answers(401, 413, 415, 422, 503),
    },
)
async def take_registration(request: Request[Any, Any, Any], org_id: FromPath[str]) -> JsonAnswer:
    """Verify the signature, publish the registration, and answer when the brokers have it.

    Code and member alone are a confirmation. The same webhook sent again changes nothing, so whoever gets no 202
    sends it again. Parameters in the address are left alone.
    """
    services = services_of(request)
    started_ns = time.time_ns()
    body = await read_plain_body(request)
    org_id = canonical_uuid(org_id)
    try:
        signed = signed_headers(request.scope["headers"])
        verify(signed, body, await services.webhook_secrets.good(org_id), now_s=time.time())
    except BadSignature as fault:
        raise Problem(HTTPStatus.UNAUTHORIZED, str(fault)) from None
    if services.tracer is None:
        return await _take(services, org_id, signed, body, signed.traceparent)
    with request_span(services.tracer, WEBHOOK, signed.traceparent, started_ns=started_ns) as traceparent:
        return await _take(services, org_id, signed, body, traceparent)


async def _take(
    services: Services, org_id: str, signed: SignedHeaders, body: bytes, traceparent: bytes | None
) -> JsonAnswer:
    """Publish what a webhook that is signed says, as part of a trace."""
    posted = read_posted(REGISTRATION, body, org_id, now=datetime.now(UTC))
    event_id = "" if posted.attribution_id and posted.occurred_at else _event_id(org_id, signed.id)
    registration = to_registration(
        posted,
        org_id,
        attribution_id=str(posted.attribution_id or event_id),
        occurred_at=posted.occurred_at
        or await services.first_attempts.sent_at(org_id, _attempted(event_id, posted), signed.sent_s),
        channels=services.settings.channels,
    )
    fault_point("ingest.verified")
    answer = await publish(services, registration, traceparent=traceparent)
    fault_point("ingest.acknowledged")
    return answer


def _event_id(org_id: str, webhook_id: bytes) -> str:
    """Return the event's id that follows from the webhook's, so that a retry has the same."""
    text = webhook_id.decode("ascii")
    return canonical_uuid(text) if is_uuid(text) else derived_uuid(f"{org_id}:{text}")


def _attempted(event_id: str, posted: Posted) -> str:
    """Return what is the same of two attempts, and of no others: some senders give everything one id."""
    return derived_uuid(f"{event_id}:{posted.referral_code}:{posted.new_member_id}:{posted.status}")


HANDLERS: Final = [take_registration]
