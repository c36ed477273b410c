"""Who needs help, and whom to thank: an organisation's mentors by what a coordinator would do about them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar

from litestar import Request, Response, delete, get, post
from litestar.params import FromPath, QueryParameter

from edges.web import lists
from edges.web.answers.answer import FieldError
from edges.web.answers.lists import Groups, JustReached, MentorsClose, MentorsListed, Thanked
from edges.web.caching import UNCHANGED, kept
from edges.web.cursors import BadCursor, read_cursor
from edges.web.identity import BEARER, coordinators_of_org
from edges.web.lists import CloseOrder, ClosePlace, Kind, ListPlace, Order, ReachedOrder, ReachedPlace
from edges.web.problems import Problem, bad_fields, problem_answers
from edges.web.services import Opened
from models.identifiers import canonical_uuid, is_uuid

AnyRequest = Request[Any, Any, Any]
Cursor = TypeVar("Cursor", ListPlace, ClosePlace, ReachedPlace)

_LISTS: Final = "/v1/orgs/{org_id:str}/lists"
_THANKS: Final = "/v1/orgs/{org_id:str}/mentors/{mentor_id:str}/milestones/{threshold:int}/thanks"
_OF_COORDINATORS: Final[dict[str, Any]] = {"guards": [coordinators_of_org], "security": BEARER, "tags": ["lists"]}
_ROUTE: Final = _OF_COORDINATORS | {"responses": UNCHANGED | problem_answers(401, 403, 404, 422, 503)}
_CHANGE: Final = _OF_COORDINATORS | {"responses": problem_answers(401, 403, 404, 422, 503), "status_code": 200}

Group = Annotated[
    str | None,
    QueryParameter(
        min_length=1,
        max_length=100,
        description="Of the mentors of this group or region alone, named as it was imported.",
    ),
]
_Limit = Annotated[int, QueryParameter(ge=1, le=100, description="The most that are listed.")]
_After = Annotated[str | None, QueryParameter(max_length=300, description="`next` of the page before.")]
_Days = Annotated[int, QueryParameter(ge=0, le=3660, description="For so many days at least; days are UTC's.")]
_Order = Annotated[
    Order, QueryParameter(description="`most`: who needs help most comes first; `least`: the others do.")
]
_CloseOrder = Annotated[
    CloseOrder,
    QueryParameter(description="`nearest`: who misses least comes first; `highest`: who has most confirmed."),
]
_ReachedOrder = Annotated[ReachedOrder, QueryParameter(description="Whether the latest comes first or the earliest.")]
_Clicks = Annotated[int, QueryParameter(ge=1, le=2**53, description="With so many clicks at least.")]
_Within = Annotated[int, QueryParameter(ge=1, le=25, description="Registrations that may be missing, at most.")]
_Of = Annotated[
    Literal["all", "open"], QueryParameter(description="`open`: those alone for which nobody was thanked yet.")
]


@get("/v1/orgs/{org_id:str}/groups", summary="What an organisation's groups are called", **_ROUTE)
async def groups(request: AnyRequest, services: Opened, org_id: FromPath[str]) -> Response[Groups]:
    """Answer with the groups and regions that mentors were imported with, by name: what lists can be narrowed to."""
    return kept(request, Groups(groups=await lists.groups_of(services.database, canonical_uuid(org_id))))


@get(f"{_LISTS}/no-activity", summary="Mentors without activity", **_ROUTE)
async def no_activity(
    request: AnyRequest,
    services: Opened,
    org_id: FromPath[str],
    days: _Days = 30,
    order: _Order = "most",
    limit: _Limit = 20,
    after: _After = None,
    group: Group = None,
) -> Response[MentorsListed]:
    """Answer with those of whom nothing was counted for so long; who never had anything, since his code was issued."""
    return await _listed(request, services, org_id, "quiet", bound=days, page=Page(order, limit, after, group))


@get(f"{_LISTS}/pending", summary="Mentors whose registrations have been pending for long", **_ROUTE)
async def pending(
    request: AnyRequest,
    services: Opened,
    org_id: FromPath[str],
    days: _Days = 30,
    order: _Order = "most",
    limit: _Limit = 20,
    after: _After = None,
    group: Group = None,
) -> Response[MentorsListed]:
    """Answer with those who have a registration that has been pending for so long.

    By the days on which they were counted. Which of a mentor's registrations was confirmed is not kept: the oldest are
    taken to have been, so nobody is listed too early.
    """
    return await _listed(request, services, org_id, "pending", bound=days, page=Page(order, limit, after, group))


@get(f"{_LISTS}/clicks-only", summary="Mentors with clicks and without registrations", **_ROUTE)
async def clicks_only(
    request: AnyRequest,
    services: Opened,
    org_id: FromPath[str],
    clicks: _Clicks = 1,
    order: _Order = "most",
    limit: _Limit = 20,
    after: _After = None,
    group: Group = None,
) -> Response[MentorsListed]:
    """Answer with those whose link is opened, and who have nobody, neither pending nor confirmed."""
    return await _listed(request, services, org_id, "clicks", bound=clicks, page=Page(order, limit, after, group))


@get(f"{_LISTS}/close-to-badge", summary="Mentors close to their next badge", **_ROUTE)
async def close_to_badge(
    request: AnyRequest,
    services: Opened,
    org_id: FromPath[str],
    within: _Within = 2,
    order: _CloseOrder = "nearest",
    limit: _Limit = 20,
    after: _After = None,
    group: Group = None,
) -> Response[MentorsClose]:
    """Answer with those who have somebody confirmed and miss a few for their next badge."""
    place = _place(after, ClosePlace)
    found = await lists.close(
        services.database, canonical_uuid(org_id), within=within, limit=limit, after=place, order=order, group=group
    )
    return kept(request, found)


@get(f"{_LISTS}/just-reached", summary="Milestones reached, with their badges", **_ROUTE)
async def just_reached(
    request: AnyRequest,
    services: Opened,
    org_id: FromPath[str],
    show: _Of = "all",
    order: _ReachedOrder = "latest",
    limit: _Limit = 20,
    after: _After = None,
    group: Group = None,
) -> Response[JustReached]:
    """Answer with what mentors reached, by when we heard of it: a milestone and its badge are one."""
    place = _place(after, ReachedPlace)
    is_open = show == "open"
    found = await lists.just_reached(
        services.database, canonical_uuid(org_id), is_open=is_open, limit=limit, after=place, order=order, group=group
    )
    return kept(request, found)


@post(_THANKS, summary="Mark a mentor as thanked for a milestone", **_CHANGE)
async def thank(services: Opened, org_id: FromPath[str], mentor_id: FromPath[str], threshold: FromPath[int]) -> Thanked:
    """Answer with since when he is; the first mark stands."""
    return await _mark(services, org_id, mentor_id, threshold, is_thanked=True)


@delete(_THANKS, summary="Take the mark back", **_CHANGE)
async def unthank(
    services: Opened, org_id: FromPath[str], mentor_id: FromPath[str], threshold: FromPath[int]
) -> Thanked:
    """Answer that he is not marked as thanked."""
    return await _mark(services, org_id, mentor_id, threshold, is_thanked=False)


async def _mark(services: Opened, org_id: str, mentor_id: str, threshold: int, *, is_thanked: bool) -> Thanked:
    if not is_uuid(mentor_id):
        raise bad_fields(FieldError(field="mentor_id", message="is not the UUID of a mentor"))
    if not 0 < threshold < 2**63:
        raise bad_fields(FieldError(field="threshold", message="is no count at which a milestone is announced"))
    is_there, thanked_at = await lists.mark_thanked(
        services.database, canonical_uuid(org_id), canonical_uuid(mentor_id), threshold, is_thanked=is_thanked
    )
    if not is_there:
        raise Problem(HTTPStatus.NOT_FOUND, "no mentor of the organisation with this id has reached this milestone")
    return Thanked(thanked_at=thanked_at)


class Page(NamedTuple):
    """Which part of a list a request asks for, not looked at yet."""

    order: Order
    limit: int
    after: str | None
    group: str | None


async def _listed(
    request: AnyRequest, services: Opened, org_id: str, kind: Kind, *, bound: int, page: Page
) -> Response[MentorsListed]:
    place = _place(page.after, ListPlace)
    if place is not None and place.kind != kind:
        raise _bad_place()
    found = await lists.listed(
        services.database,
        canonical_uuid(org_id),
        kind,
        bound=bound,
        order=page.order,
        limit=page.limit,
        after=place,
        group=page.group,
    )
    return kept(request, found)


def _place(after: str | None, kind: type[Cursor]) -> Cursor | None:
    try:
        return None if after is None else read_cursor(after, kind)
    except BadCursor:
        raise _bad_place() from None


def _bad_place() -> Problem:
    return bad_fields(FieldError(field="after", message="is not the `next` of a page of this list"))


HANDLERS: Final = [groups, no_activity, pending, clicks_only, close_to_badge, just_reached, thank, unthank]
