"""Who is signed in, signing in and out: `/v1/session`, `/v1/sessions`, `/v1/sign-in`; to the provider and back.

Signing in is always a POST of one of our own pages, or the provider's answer to this browser: nothing that a mail
scanner, a preview or another site can ask for signs anybody in, or uses up a link. A link's secret stands behind `#`
and is sent to no server but in that POST.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

import structlog
from litestar import Request, Response, delete, get, post
from litestar.background_tasks import BackgroundTask
from litestar.openapi.datastructures import ResponseSpec
from litestar.response import Redirect

from edges.web.answers.people import Asked, SignedIn, SignInWays
from edges.web.bodies import read_plain_body
from edges.web.database import DatabaseUnavailable
from edges.web.identity import (
    ANYBODY,
    BEARER,
    BadToken,
    Identity,
    find_signed_in,
    require_our_page,
    signed_in,
    unauthorised,
)
from edges.web.posted_mail import posted_address
from edges.web.problems import Problem, problem_answers
from edges.web.services import Opened, Services
from edges.web.sign_in.claims import ROLES_OF_PEOPLE, NotKnownHere
from edges.web.sign_in.cookies import FLOW, SESSION, forget_cookie, read_cookie, set_cookie
from edges.web.sign_in.credentials import read_credential
from edges.web.sign_in.flow import LASTS_S, new_flow, read_flow
from edges.web.sign_in.posted import PostedSignIn, read_mail_address, read_sign_in
from edges.web.sign_in.provider import CALLBACK, Declined, NotVouchedFor, ProviderAway

if TYPE_CHECKING:
    from litestar.datastructures import Cookie

    from edges.web.sign_in.sessions import Begun

AnyRequest = Request[Any, Any, Any]

NOT_KEPT: Final = {"Cache-Control": "no-store"}

log = structlog.get_logger("web")


_PROBLEMS: Final[dict[type[Exception], str]] = {
    DatabaseUnavailable: "away",
    ProviderAway: "away",
    Declined: "declined",
    NotVouchedFor: "refused",
    NotKnownHere: "unknown",
}
"""Why nobody is signed in, as the page is told it."""


@get("/v1/sign-in", tags=["session"], summary="Return how people sign in here", responses=problem_answers(422))
async def ways_to_sign_in(services: Opened) -> SignInWays:
    """Answer with the provider's name, if there is one."""
    return SignInWays(
        provider=None if services.provider is None else services.provider.name, by_mail=services.settings.mail_sign_in
    )


@post(
    "/v1/sign-in/mail",
    status_code=HTTPStatus.ACCEPTED,
    tags=["session"],
    summary="Have a link sent that signs in",
    responses={
        202: ResponseSpec(Asked, description="It is sent, if it can be", generate_examples=False),
        **problem_answers(403, 409, 413, 415, 422),
    },
)
async def mail_sign_in(request: AnyRequest, services: Opened) -> Response[Asked]:
    """Answer the same whether anybody has confirmed the address or not, and as soon; what comes of it is a mail.

    One in a minute and five in an hour are sent to an address.
    """
    require_our_page(services.settings, request)
    if not services.settings.mail_sign_in:
        raise Problem(HTTPStatus.CONFLICT, "nobody signs in by mail here; REFERRALS_MAIL_SIGN_IN allows it")
    posted = read_mail_address(await read_plain_body(request))
    address = posted_address(posted.address)
    return Response(
        Asked(address=address), headers=NOT_KEPT, background=BackgroundTask(_ask_for_link, services, address)
    )


async def _ask_for_link(services: Services, address: str) -> None:
    """Have a link sent, after the answer: how long it takes tells nothing."""
    try:
        await services.database.rows(None, "SELECT mail_sign_in_links(%s)::text", [address])
    except DatabaseUnavailable as fault:
        log.warning("sign_in_mail_not_asked", reason=str(fault))


@get(
    "/v1/session",
    security=ANYBODY,
    tags=["session"],
    summary="Return who is signed in",
    responses={
        204: ResponseSpec(None, description="Nobody is", generate_examples=False),
        **problem_answers(401, 422, 503),
    },
)
async def who_is_signed_in(request: AnyRequest) -> Response[SignedIn]:
    """Answer with whose the cookie or the token is."""
    identity = await find_signed_in(request)
    if identity is None:
        return cast("Response[SignedIn]", Response(None, status_code=HTTPStatus.NO_CONTENT, headers=NOT_KEPT))
    return Response(_answer(identity), headers=NOT_KEPT)


@post(
    "/v1/session",
    status_code=HTTPStatus.CREATED,
    tags=["session"],
    summary="Sign in on a page of this server, by a link or a token",
    responses={
        201: ResponseSpec(SignedIn, description="The session is in a cookie", generate_examples=False),
        **problem_answers(401, 403, 413, 415, 422, 503),
    },
)
async def sign_in(request: AnyRequest, services: Opened) -> Response[SignedIn]:
    """Begin a session, and end the one that the browser had."""
    require_our_page(services.settings, request)
    begun = await _begin(services, read_sign_in(await read_plain_body(request)))
    await _end_former(request, services)
    return Response(_answer(begun.identity), headers=NOT_KEPT, cookies=[_session_cookie(request, services, begun)])


@delete("/v1/session", tags=["session"], summary="Sign out", responses=problem_answers(403, 422, 503))
async def sign_out(request: AnyRequest, services: Opened) -> Response[None]:
    """End the browser's session, if it has one, and make it forget the cookie."""
    if read_cookie(services.settings, request, SESSION) is not None:
        require_our_page(services.settings, request)
        await _end_former(request, services)
    return _signed_out(request, services)


@delete(
    "/v1/sessions",
    guards=[signed_in],
    security=BEARER,
    tags=["session"],
    summary="Sign out everywhere",
    responses=problem_answers(401, 403, 422, 503),
)
async def sign_out_everywhere(request: Request[Identity, Any, Any], services: Opened) -> Response[None]:
    """End every session of who asks."""
    await services.sessions.end_everywhere(request.user)
    return _signed_out(request, services)


@get("/sign-in/provider", include_in_schema=False)
async def to_the_provider(request: AnyRequest, services: Opened) -> Redirect:
    """Send the browser to the provider, with what it has to bring back in a cookie; `return_to`: a page of ours."""
    if services.provider is None:
        return _try_again("none")
    flow = new_flow(request.query_params.get("return_to"), time.time())
    try:
        url = await services.provider.where_to_sign_in(flow)
    except (ProviderAway, NotVouchedFor) as fault:
        return _failed("away", str(fault), [])
    cookie = set_cookie(services.settings, request, FLOW, flow.cookie, lasts_s=LASTS_S)
    return Redirect(url, status_code=303, headers=NOT_KEPT, cookies=[cookie])


@get(CALLBACK, include_in_schema=False)
async def back_from_the_provider(request: AnyRequest, services: Opened) -> Redirect:
    """Begin a session for whom the provider vouches for, in the browser that was sent there, and go on to its page."""
    text = read_cookie(services.settings, request, FLOW)
    flow = None if text is None else read_flow(text)
    if services.provider is None:
        return _try_again("none")
    if flow is None or not flow.is_answered_by(request.query_params.get("state", ""), time.time()):
        return _try_again("browser")  # the cookie stays: it may be of a sign-in in another tab
    cookies = [forget_cookie(services.settings, request, FLOW)]
    try:
        person = await services.provider.person(flow, request.query_params)
        begun = await services.sessions.begin(*person, signed_in_by="provider")
        await _end_former(request, services)
    except tuple(_PROBLEMS) as fault:
        return _failed(_PROBLEMS[type(fault)], str(fault), cookies)
    cookies.append(_session_cookie(request, services, begun))
    return Redirect(flow.return_to, status_code=303, headers=NOT_KEPT, cookies=cookies)


async def _begin(services: Services, posted: PostedSignIn) -> Begun:
    """Return a new session; raise Problem, 401, where what was posted opens none."""
    if posted.link is not None:
        link = read_credential(posted.link)
        begun = None if link is None else await services.sessions.begin_by_link(link)
        if begun is None:
            raise unauthorised(BadToken("the link was used already, or has ended; ask for another"))
        return begun
    try:
        identity = await services.tokens.verify((posted.token or "").strip())
    except BadToken as fault:
        raise unauthorised(fault) from None
    if identity.role not in ROLES_OF_PEOPLE:
        raise Problem(HTTPStatus.FORBIDDEN, f"a token of the role {identity.role} is no person's, and opens no page")
    return await services.sessions.begin(
        identity.org_id, identity.subject, identity.role, signed_in_by="token", until_s=identity.expires_s
    )


async def _end_former(request: AnyRequest, services: Services) -> None:
    """End the session that the browser came with."""
    text = read_cookie(services.settings, request, SESSION)
    former = None if text is None else read_credential(text)
    if former is not None:
        await services.sessions.end(former)


def _session_cookie(request: AnyRequest, services: Services, begun: Begun) -> Cookie:
    lasts_s = max(1, int(begun.identity.expires_s - time.time()))
    return set_cookie(services.settings, request, SESSION, begun.credential.text, lasts_s=lasts_s)


def _signed_out(request: AnyRequest, services: Services) -> Response[None]:
    return Response(
        None,
        status_code=HTTPStatus.NO_CONTENT,
        headers=NOT_KEPT,
        cookies=[forget_cookie(services.settings, request, SESSION)],
    )


def _answer(identity: Identity) -> SignedIn:
    return SignedIn(
        org_id=identity.org_id,
        subject=identity.subject,
        role=identity.role,
        expires_at=datetime.fromtimestamp(identity.expires_s, UTC),
        by_session=identity.session_id is not None,
    )


def _failed(problem: str, reason: str, cookies: list[Cookie]) -> Redirect:
    log.warning("sign_in_failed", problem=problem, reason=reason)
    return _try_again(problem, cookies)


def _try_again(problem: str, cookies: list[Cookie] | None = None) -> Redirect:
    """Lead to the page that says what went wrong; it knows the word and shows nothing else of the address."""
    return Redirect(f"/sign-in?problem={problem}", status_code=303, headers=NOT_KEPT, cookies=cookies or [])


HANDLERS: Final = [
    ways_to_sign_in,
    mail_sign_in,
    who_is_signed_in,
    sign_in,
    sign_out,
    sign_out_everywhere,
    to_the_provider,
    back_from_the_provider,
]
