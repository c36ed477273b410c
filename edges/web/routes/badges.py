"""An organisation's own badges: its administrators make them and have them awarded, its coordinators see them."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

import structlog
from litestar import Request, Response, get, post, put
from litestar.params import FromPath, QueryParameter

from edges.registry.back_filling import back_fill
from edges.registry.badges import save_badge
from edges.registry.errors import BadBadge, BadgeStands, NoSuchBadge
from edges.web.answers.answer import FieldError
from edges.web.answers.badges import BadgeBackFilled, BadgePreview, BadgeSaved, BadgesListed
from edges.web.badges import as_problem, badges_of, preview_of, read_badge
from edges.web.bodies import read_plain_body
from edges.web.caching import UNCHANGED, kept
from edges.web.identity import BEARER, administrators_of_org, coordinators_of_org
from edges.web.problems import bad_fields, problem_answers
from edges.web.services import Opened
from models.events import in_utc
from models.identifiers import is_uuid
from process.setting_groups.stream import THRESHOLD_MAX

AnyRequest = Request[Any, Any, Any]

_BADGES: Final = "/v1/orgs/{org_id:str}/badges"
_BADGE: Final = f"{_BADGES}/{{badge_id:str}}"
_LOOK: Final[dict[str, Any]] = {"guards": [coordinators_of_org], "security": BEARER, "tags": ["badges"]}
_CHANGE: Final = _LOOK | {"guards": [administrators_of_org], "status_code": 200}
_REFUSED: Final = (BadBadge, BadgeStands, NoSuchBadge)
_NIL: Final = UUID(int=0)

_Badge = Annotated[
    str | None, QueryParameter(description="The id of a badge that is there: who holds it is counted, and left out.")
]

log = structlog.get_logger("web")


@get(
    _BADGES, summary="An organisation's badges", responses=UNCHANGED | problem_answers(401, 403, 404, 422, 503), **_LOOK
)
async def badges(request: AnyRequest, services: Opened, org_id: FromPath[str]) -> Response[BadgesListed]:
    """Answer with its own and everybody's, those that are switched off too, and the counts at which one can be made."""
    return kept(request, await badges_of(services.database, UUID(org_id)))


@get(
    "/v1/orgs/{org_id:str}/badge-previews/{threshold:int}",
    summary="Who would be awarded a badge",
    responses=UNCHANGED | problem_answers(401, 403, 404, 422, 503),
    **_LOOK,
)
async def badge_preview(
    request: AnyRequest, services: Opened, org_id: FromPath[str], threshold: FromPath[int], badge: _Badge = None
) -> Response[BadgePreview]:
    """Answer with who has reached so many confirmed registrations and would be awarded a badge at once.

    It changes nothing. Of a badge that is not made yet, and of one that is.
    """
    if not 0 < threshold <= THRESHOLD_MAX:
        raise bad_fields(
            FieldError(field="threshold", message="is no number of confirmed registrations: it is 1 or more")
        )
    chosen = None if badge is None else _checked(badge, "badge")
    return kept(request, await preview_of(services.database, UUID(org_id), threshold, chosen))


@put(
    _BADGE,
    summary="Make a badge, or change it",
    responses=problem_answers(401, 403, 404, 409, 413, 415, 422, 503),
    **_CHANGE,
)
async def put_badge(
    request: AnyRequest, services: Opened, org_id: FromPath[str], badge_id: FromPath[str]
) -> BadgeSaved:
    """Make the organisation's own badge of this id, a UUID that the caller chooses, or give it this name and picture.

    It takes a token of the role `org_admin`. Sent again it changes nothing. The badge consumer awards it to who has a
    milestone at its count, and to who reaches it from now on. Its threshold stands; 409 where it would change.
    """
    chosen = _checked(badge_id, "badge_id")
    posted = read_badge(await read_plain_body(request), chosen)
    try:
        is_new = await save_badge(services.database, UUID(org_id), posted, by=request.user.subject)
    except _REFUSED as fault:
        raise as_problem(fault) from None
    log.info("badge_saved", badge_id=str(chosen), is_new=is_new, is_off=posted.is_off, threshold=posted.threshold)
    return BadgeSaved(badge_id=str(chosen), is_new=is_new)


@post(
    f"{_BADGE}/back-fill",
    summary="Award a badge to everybody who has reached it",
    responses=problem_answers(401, 403, 404, 409, 422, 503),
    **_CHANGE,
)
async def back_fill_badge(
    request: AnyRequest, services: Opened, org_id: FromPath[str], badge_id: FromPath[str]
) -> BadgeBackFilled:
    """Award it to every mentor of the organisation who has reached it and does not hold it, in one transaction.

    It takes a token of the role `org_admin`. Sent again it awards nobody twice. Who passed the badge's count before
    milestones were announced at it is awarded it by what he has confirmed now. 409 where the badge is switched off, or
    its count is not announced any more.
    """
    chosen = _checked(badge_id, "badge_id")
    try:
        done = await back_fill(services.database, UUID(org_id), chosen, by=request.user.subject)
    except _REFUSED as fault:
        raise as_problem(fault) from None
    log.info("badge_back_filled", badge_id=str(chosen), awarded=done.awarded)
    return BadgeBackFilled(awarded=done.awarded, at=in_utc(done.at))


def _checked(badge_id: str, field: str) -> UUID:
    """Return a badge's id; raise Problem, 422, where it cannot be one."""
    if not is_uuid(badge_id) or (found := UUID(badge_id)) == _NIL:
        raise bad_fields(FieldError(field=field, message="is not the UUID of a badge"))
    return found


HANDLERS: Final = [badges, badge_preview, put_badge, back_fill_badge]
