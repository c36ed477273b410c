"""A badge to take along: `GET .../awards/{badge_id}/credential`, and the issuer's keys, `GET /orgs/{org_id}/did.json`.

The credential is signed when it is asked for, by the organisation's key in use, and its id is the same each time. It
can be had where people reach this server by https (REFERRALS_PUBLIC_URL), because its issuer is that address, and where
the organisation has a key.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from litestar import Request, Response, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath

from edges.languages.badge_names import badge_name
from edges.languages.catalogue import text
from edges.open_badges.credential import MEDIA_TYPE, Held, credential_of
from edges.open_badges.issuer import DOCUMENT_PATH, did_document, issuer_of
from edges.open_badges.keys import SigningKey
from edges.open_badges.proof import sign
from edges.registry.errors import SecretUnreadable
from edges.web.identity import BEARER, mentor_or_coordinator
from edges.web.problems import Problem, problem_answers, unavailable
from edges.web.queries import statement
from edges.web.routes.pages import page_language
from edges.web.services import Opened, Services
from models.events import in_utc
from models.identifiers import canonical_uuid, is_uuid

DOCUMENT_KEPT: Final = "public, max-age=300"
"""So late a key that was ended is good elsewhere."""

log = structlog.get_logger("web")


@get(
    "/v1/orgs/{org_id:str}/mentors/{mentor_id:str}/awards/{badge_id:str}/credential",
    guards=[mentor_or_coordinator],
    security=BEARER,
    tags=["credentials"],
    summary="A badge to take along, as an Open Badges 3.0 credential",
    responses={
        200: ResponseSpec(
            dict[str, Any], description="An OpenBadgeCredential", media_type=MEDIA_TYPE, generate_examples=False
        ),
        **problem_answers(401, 403, 404, 422, 503),
    },
)
async def credential(
    request: Request[Any, Any, Any],
    services: Opened,
    org_id: FromPath[str],
    mentor_id: FromPath[UUID],
    badge_id: FromPath[UUID],
) -> Response[bytes]:
    """Answer with the signed credential; 404 where the mentor does not hold the badge, or nobody can sign here."""
    org_id = canonical_uuid(org_id)
    language = page_language(request)
    values = {"org_id": org_id, "mentor_id": mentor_id, "badge_id": badge_id}
    rows = await services.database.rows(org_id, statement("award_to_take_along"), values)
    if not rows:
        raise Problem(HTTPStatus.NOT_FOUND, "this mentor holds no such badge")
    issuer = issuer_of(services.settings.public_url, org_id)
    if issuer is None:
        raise Problem(
            HTTPStatus.NOT_FOUND, "REFERRALS_PUBLIC_URL is no https address, so no credential could be verified"
        )
    keys = await _keys(services, org_id)
    if not keys:
        raise Problem(HTTPStatus.NOT_FOUND, "the organisation has no key that signs credentials")
    ((name, threshold, awarded_at, organisation, holder),) = rows
    held = Held(
        org_id=org_id,
        mentor_id=str(mentor_id),
        badge_id=str(badge_id),
        badge_name=badge_name(language, name),
        criteria=text(language, "open-badge.criteria", n=threshold),
        awarded_at=in_utc(awarded_at),
        organisation=organisation,
        holder=holder,
    )
    unsigned = credential_of(held, issuer=issuer, language=language)
    signed = await asyncio.to_thread(sign, unsigned, keys[0], issuer=issuer, at=datetime.now(UTC))
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="badge-{badge_id}.json"'}
    return Response(msgspec.json.encode(signed), media_type=MEDIA_TYPE, headers=headers)


@get(
    DOCUMENT_PATH.replace("{org_id}", "{org_id:str}"),
    tags=["credentials"],
    summary="The keys that an organisation signs credentials with, as a did:web document",
    responses={
        200: ResponseSpec(
            dict[str, Any], description="A DID document", media_type="application/json", generate_examples=False
        ),
        **problem_answers(404, 422, 503),
    },
)
async def issuer_document(services: Opened, org_id: FromPath[str]) -> Response[bytes]:
    """Answer with the keys that are good, for whoever verifies a credential; 404 where there is none."""
    issuer = issuer_of(services.settings.public_url, canonical_uuid(org_id)) if is_uuid(org_id) else None
    keys = [] if issuer is None else await _keys(services, org_id)
    if issuer is None or not keys:
        raise Problem(HTTPStatus.NOT_FOUND, "no credentials are issued here in this name")
    document = did_document(issuer, keys)
    return Response(
        msgspec.json.encode(document),
        media_type="application/json",
        headers={"Cache-Control": DOCUMENT_KEPT, "Access-Control-Allow-Origin": "*"},  # pages verify as well
    )


async def _keys(services: Services, org_id: str) -> list[SigningKey]:
    """Return an organisation's keys that are good, the one in use first; raise Problem, 503, where they are sealed."""
    try:
        return [SigningKey(seed) for seed in await services.secrets.good(UUID(org_id), "credential")]
    except SecretUnreadable as error:
        log.error("credential_key_unreadable", reason=str(error))  # noqa: TRY400  the reason says all
        raise unavailable("the organisation's keys cannot be read now; it is in the log") from None


HANDLERS: Final = [credential, issuer_document]
