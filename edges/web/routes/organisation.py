"""An organisation as its coordinators see it: summary, leaderboard, days, channels, latest milestones and awards."""

from __future__ import annotations

from typing import Annotated, Any, Final

from litestar import Request, Response, get
from litestar.params import FromPath, QueryParameter

from edges.web import organisation
from edges.web.answers.answer import FieldError
from edges.web.answers.lists import Activity, Leaderboard
from edges.web.answers.mentors import MentorsFound
from edges.web.answers.organisation import Channels, Daily, Summary
from edges.web.answers.reconciliation import Reconciliation
from edges.web.caching import UNCHANGED, kept
from edges.web.cursors import BadCursor, read_cursor
from edges.web.finding import LEAST_DIGITS, find_mentors, read_wanted
from edges.web.identity import BEARER, coordinators_of_org
from edges.web.organisation import Place
from edges.web.problems import bad_fields, problem_answers
from edges.web.routes.lists import Group
from edges.web.services import Opened
from models.identifiers import canonical_uuid

AnyRequest = Request[Any, Any, Any]

_ORGANISATION: Final = "/v1/orgs/{org_id:str}"
_ROUTE: Final[dict[str, Any]] = {
    "guards": [coordinators_of_org],
    "security": BEARER,
    "tags": ["organisation"],
    "responses": UNCHANGED | problem_answers(401, 403, 404, 422, 503),
}
_Limit = Annotated[int, QueryParameter(ge=1, le=100, description="The most that are listed.")]
_Days = Annotated[int, QueryParameter(ge=1, le=366, description="How many days, today included.")]
_Find = Annotated[
    str,
    QueryParameter(
        max_length=200,
        description=f"A referral code, a mentor's id or its first characters, {LEAST_DIGITS} at least, or how a name "
        "begins, from any word of it on, case and accents aside; left out: everybody.",
    ),
]
_After = Annotated[str | None, QueryParameter(max_length=200, description="`next` of the page before.")]


@get(f"{_ORGANISATION}/summary", summary="An organisation's sums", **_ROUTE)
async def summary(request: AnyRequest, services: Opened, org_id: FromPath[str]) -> Response[Summary]:
    """Answer with the sums over all mentors."""
    return kept(request, await organisation.summary(services.database, canonical_uuid(org_id)))


@get(f"{_ORGANISATION}/leaderboard", summary="Mentors by confirmed registrations", **_ROUTE)
async def leaderboard(
    request: AnyRequest,
    services: Opened,
    org_id: FromPath[str],
    limit: _Limit = 20,
    after: _After = None,
    group: Group = None,
) -> Response[Leaderboard]:
    """Answer with a page; `next` leads to the one after it, and is null on the last. Of a group, ranks are its own."""
    place = None if after is None else _place(after)
    page = await organisation.leaderboard(
        services.database, canonical_uuid(org_id), limit=limit, after=place, group=group
    )
    return kept(request, page)


@get(f"{_ORGANISATION}/mentors", summary="Mentors by name, code or id", **_ROUTE)
async def mentors(
    request: AnyRequest, services: Opened, org_id: FromPath[str], find: _Find = "", limit: _Limit = 20
) -> Response[MentorsFound]:
    """Answer with those who have this code, whose id it is or begins, and whose name does; with none where none is."""
    wanted = read_wanted(find)
    if wanted is None:
        message = "has no letter and no digit: give a name, a code, an id, or how one begins"
        raise bad_fields(FieldError(field="find", message=message))
    return kept(request, await find_mentors(services.database, canonical_uuid(org_id), wanted, limit=limit))


@get(f"{_ORGANISATION}/daily", summary="An organisation's counts by day", **_ROUTE)
async def daily(request: AnyRequest, services: Opened, org_id: FromPath[str], days: _Days = 30) -> Response[Daily]:
    """Answer with by how much the counts changed on each of the last days, in UTC."""
    return kept(request, await organisation.daily(services.database, canonical_uuid(org_id), days=days))


@get(f"{_ORGANISATION}/channels", summary="An organisation's counts by channel", **_ROUTE)
async def channels(request: AnyRequest, services: Opened, org_id: FromPath[str]) -> Response[Channels]:
    """Answer with the channels, the busiest first."""
    return kept(request, await organisation.channels(services.database, canonical_uuid(org_id)))


@get(f"{_ORGANISATION}/activity", summary="The latest milestones and awards", **_ROUTE)
async def activity(
    request: AnyRequest, services: Opened, org_id: FromPath[str], limit: _Limit = 20
) -> Response[Activity]:
    """Answer with the latest of both, the latest first."""
    return kept(request, await organisation.activity(services.database, canonical_uuid(org_id), limit=limit))


@get(f"{_ORGANISATION}/reconciliation", summary="The latest runs of reconciliation", **_ROUTE)
async def reconciliation(
    request: AnyRequest, services: Opened, org_id: FromPath[str], limit: _Limit = 5
) -> Response[Reconciliation]:
    """Answer with the latest runs, the latest first, and what each has left for somebody to look at."""
    return kept(request, await organisation.reconciliation(services.database, canonical_uuid(org_id), limit=limit))


def _place(cursor: str) -> Place:
    try:
        return read_cursor(cursor, Place)
    except BadCursor:
        raise bad_fields(FieldError(field="after", message="is not the `next` of a page")) from None


HANDLERS: Final = [summary, leaderboard, mentors, daily, channels, activity, reconciliation]
