"""A mentor's counts, code, milestones and awards: for himself, and for the coordinators of his organisation.

A mentor of whom the organisation knows nothing is 404 for coordinators. For himself everything is zero or empty: he is
signed in, and his code may be on its way.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final

from litestar import Request, Response, get
from litestar.params import FromPath, QueryParameter

from edges.open_badges.issuer import issuer_of
from edges.web.answers.answer import FieldError
from edges.web.answers.evidence import AwardEvidence
from edges.web.answers.mentors import AttributionCounts, Awards, MentorProfile, Milestones, Standing
from edges.web.caching import FOR_A_MINUTE, UNCHANGED, kept
from edges.web.counts import attribution_counts, awards_of, milestones_of, profile, standing
from edges.web.evidence import award_evidence
from edges.web.identity import BEARER, coordinators_of_org, mentor_or_coordinator
from edges.web.links import share_url
from edges.web.problems import Problem, bad_fields, problem_answers
from edges.web.services import Opened, Services
from models.events import clean_channel
from models.identifiers import canonical_uuid, is_uuid

AnyRequest = Request[Any, Any, Any]

_MENTOR: Final = "/v1/orgs/{org_id:str}/mentors/{mentor_id:str}"
_HAS_KEY: Final = """
SELECT FROM organisation_secrets WHERE org_id = %s AND purpose = 'credential' AND expires_at IS NULL
"""
_NIL: Final = "00000000-0000-0000-0000-000000000000"
_ROUTE: Final[dict[str, Any]] = {
    "guards": [mentor_or_coordinator],
    "security": BEARER,
    "tags": ["mentors"],
    "responses": UNCHANGED | problem_answers(401, 403, 404, 422, 503),
}
_Channel = Annotated[
    str | None,
    QueryParameter(description="Count this channel alone: `whatsapp`, `sms`, `email`, `unknown`, ..."),
]


@get(f"{_MENTOR}/attribution-counts", summary="A mentor's clicks and registrations", **_ROUTE)
async def counts(
    request: AnyRequest,
    services: Opened,
    org_id: FromPath[str],
    mentor_id: FromPath[str],
    channel: _Channel = None,
) -> Response[AttributionCounts]:
    """Answer with the counts, of one channel if one is named; zeros where there was nothing."""
    mentor_id = _checked(mentor_id)
    channel = None if channel is None else clean_channel(channel)
    told = await attribution_counts(services.database, canonical_uuid(org_id), mentor_id, channel)
    _require_known(request, is_known=told.is_known)
    return kept(request, told.counts, FOR_A_MINUTE)


@get(_MENTOR, summary="A mentor's code, link and next badge", **_ROUTE)
async def mentor(
    request: AnyRequest, services: Opened, org_id: FromPath[str], mentor_id: FromPath[str]
) -> Response[MentorProfile]:
    """Answer with what he shares, and what he earns next."""
    org_id, mentor_id = canonical_uuid(org_id), _checked(mentor_id)
    found = await profile(services.database, org_id, mentor_id)
    _require_known(request, is_known=found.is_known)
    code = found.referral_code
    return kept(
        request,
        MentorProfile(
            org_id=org_id,
            mentor_id=mentor_id,
            referral_code=code,
            share_url=None if code is None else share_url(request, services.settings, code),
            link_disabled_at=found.link_disabled_at,
            next_badge=found.next_badge,
            display_name=found.display_name,
            group=found.group,
        ),
    )


@get(
    f"{_MENTOR}/standing",
    summary="Where a mentor stands, and why",
    **(_ROUTE | {"guards": [coordinators_of_org]}),
)
async def mentor_standing(
    request: AnyRequest, services: Opened, org_id: FromPath[str], mentor_id: FromPath[str]
) -> Response[Standing]:
    """Answer with his rank, his members by state, his channels, why he has each badge or not, and his history."""
    found = await standing(services.database, canonical_uuid(org_id), _checked(mentor_id))
    if found is None:
        raise _unknown()
    return kept(request, found)


@get(f"{_MENTOR}/milestones", summary="A mentor's milestones", **_ROUTE)
async def milestones(
    request: AnyRequest, services: Opened, org_id: FromPath[str], mentor_id: FromPath[str]
) -> Response[Milestones]:
    """Answer with the thresholds he has reached, the lowest first."""
    found = await milestones_of(services.database, canonical_uuid(org_id), _checked(mentor_id))
    _require_known(request, is_known=found is not None)
    return kept(request, Milestones(milestones=found or []))


@get(f"{_MENTOR}/awards", summary="The badges that a mentor holds", **_ROUTE)
async def awards(
    request: AnyRequest, services: Opened, org_id: FromPath[str], mentor_id: FromPath[str]
) -> Response[Awards]:
    """Answer with his badges, the lowest first."""
    org_id = canonical_uuid(org_id)
    found = await awards_of(services.database, org_id, _checked(mentor_id))
    _require_known(request, is_known=found is not None)
    is_issuer = bool(found) and await _is_issuer(services, org_id)
    return kept(request, Awards(awards=found or [], can_be_taken_along=is_issuer))


@get(
    f"{_MENTOR}/awards/{{badge_id:str}}/evidence",
    summary="What an award came of",
    **(_ROUTE | {"guards": [coordinators_of_org]}),
)
async def evidence(
    request: AnyRequest, services: Opened, org_id: FromPath[str], mentor_id: FromPath[str], badge_id: FromPath[str]
) -> Response[AwardEvidence]:
    """Answer with the milestone, the registration that crossed and where it stands, and those before it.

    No member's id. The tables do not keep which clicks came before; `referrals explain` reads them from the topic.
    """
    if not is_uuid(badge_id):
        raise bad_fields(FieldError(field="badge_id", message="is not the UUID of a badge"))
    prefix, org_id, mentor_id = services.settings.topic_prefix, canonical_uuid(org_id), _checked(mentor_id)
    found = await award_evidence(services.database, prefix, org_id, mentor_id, canonical_uuid(badge_id))
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, "this mentor holds no such badge")
    return kept(request, found)


async def _is_issuer(services: Services, org_id: str) -> bool:
    """Tell whether credentials of the organisation can be had here: it has a key, and an address to verify them by."""
    if issuer_of(services.settings.public_url, org_id) is None:
        return False
    return bool(await services.database.rows(org_id, _HAS_KEY, [org_id]))


def _checked(mentor_id: str) -> str:
    """Return the mentor's id as it is stored; raise Problem, 422, where it cannot be one."""
    if not is_uuid(mentor_id) or mentor_id == _NIL:
        raise bad_fields(FieldError(field="mentor_id", message="is not the UUID of a mentor"))
    return canonical_uuid(mentor_id)


def _require_known(request: AnyRequest, *, is_known: bool) -> None:
    if not is_known and request.user.role != "mentor":
        raise _unknown()


def _unknown() -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, "the organisation has no such mentor")


HANDLERS: Final = [counts, mentor, mentor_standing, milestones, awards, evidence]
