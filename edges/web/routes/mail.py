"""Mail that somebody wants: `/v1/orgs/{org_id}/mail`, each for himself; and the pages that links in mails open."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from litestar import Request, Response, delete, get, post, put
from litestar.params import FromPath

from edges.languages.choice import COOKIE, read_choice
from edges.web.answers.people import MailWish
from edges.web.bodies import read_body, read_plain_body
from edges.web.database import DatabaseUnavailable
from edges.web.identity import BEARER, Identity, person_of_org
from edges.web.mail_pages import State, mail_page
from edges.web.mail_subscriptions import (
    CONFIRM,
    UNSUBSCRIBE,
    Linked,
    TooOften,
    confirm_by_link,
    end_by_link,
    find_by_link,
    find_subscription,
    subscribe,
    topic_of,
    unsubscribe,
)
from edges.web.posted_mail import posted_address, read_wish
from edges.web.problems import Problem, problem_answers
from edges.web.routes.pages import keep_choice, page_language, send_in
from edges.web.services import Opened, Services
from edges.web.sign_in.credentials import Credential, read_credential
from models.events import in_utc

AnyRequest = Request[Any, Any, Any]
SignedInRequest = Request[Identity, Any, Any]

MAIL: Final = "/v1/orgs/{org_id:str}/mail"
_ROUTE: Final[dict[str, Any]] = {"guards": [person_of_org], "security": BEARER, "tags": ["mail"]}
_NOT_KEPT: Final = {"Cache-Control": "no-store"}


@get(MAIL, summary="What you are told by mail", responses=problem_answers(401, 403, 404, 422, 503), **_ROUTE)
async def mail_wish(request: SignedInRequest, services: Opened, org_id: FromPath[str]) -> Response[MailWish]:  # noqa: ARG001  the guard's
    """Answer with what who asks is told by mail, and at which address; of nobody else."""
    return await _answer(request, services)


@put(
    MAIL,
    summary="Be told by mail",
    responses=problem_answers(401, 403, 404, 409, 413, 415, 422, 429, 503),
    **_ROUTE,
)
async def wish_mail(request: SignedInRequest, services: Opened, org_id: FromPath[str]) -> Response[MailWish]:  # noqa: ARG001  the same
    """Send a first mail to an address; what is in it says when the address is confirmed, and nothing comes before."""
    if services.settings.smtp_host is None:
        raise Problem(HTTPStatus.CONFLICT, "this installation sends no mail; REFERRALS_SMTP_HOST names its mail server")
    wish = read_wish(await read_plain_body(request))
    address = posted_address(wish.address)
    try:
        await subscribe(services.database, request.user, address, wish.language)
    except TooOften:
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS, "as many first mails were sent as a day allows; try again tomorrow"
        ) from None
    return await _answer(request, services)


@delete(
    MAIL,
    status_code=HTTPStatus.OK,
    summary="Be told no more",
    responses=problem_answers(401, 403, 404, 422, 503),
    **_ROUTE,
)
async def end_mail(request: SignedInRequest, services: Opened, org_id: FromPath[str]) -> Response[MailWish]:  # noqa: ARG001  the same
    """Delete the address of who asks."""
    await unsubscribe(services.database, request.user)
    return await _answer(request, services)


async def _answer(request: SignedInRequest, services: Services) -> Response[MailWish]:
    found = await find_subscription(services.database, request.user)
    wish = MailWish(
        is_sent=services.settings.smtp_host is not None,
        topic=topic_of(request.user.role),
        address=None if found is None else found.address,
        language=None if found is None else found.language,
        asked_at=None if found is None else in_utc(found.asked_at),
        confirmed_at=None if found is None or found.confirmed_at is None else in_utc(found.confirmed_at),
        refused_at=None if found is None or found.refused_at is None else in_utc(found.refused_at),
    )
    return Response(wish, headers=_NOT_KEPT)


# -- links -------------------------------------------------------------------------------------------------------------


@get(f"{CONFIRM}/{{link:str}}", include_in_schema=False)
async def confirming(request: AnyRequest, services: Opened, link: FromPath[str]) -> Response[bytes]:
    """Answer with the page that confirms an address; opening it does not."""
    return await _page(request, services, link, "confirm", "gone")


@post(f"{CONFIRM}/{{link:str}}", include_in_schema=False, status_code=HTTPStatus.OK)
async def confirm(request: AnyRequest, services: Opened, link: FromPath[str]) -> Response[bytes]:
    """Let an address count."""
    await read_body(request)
    try:
        credential = read_credential(link)
        is_there = credential is not None and await confirm_by_link(services.database, credential)
    except DatabaseUnavailable:
        return _send(request, None, "away")
    return await _page(request, services, link, "confirmed", "gone") if is_there else _send(request, None, "gone")


@get(f"{UNSUBSCRIBE}/{{link:str}}", include_in_schema=False)
async def unsubscribing(request: AnyRequest, services: Opened, link: FromPath[str]) -> Response[bytes]:
    """Answer with the page that ends a subscription; opening it does not."""
    return await _page(request, services, link, "end", "ended")


@post(f"{UNSUBSCRIBE}/{{link:str}}", include_in_schema=False, status_code=HTTPStatus.OK)
async def end(request: AnyRequest, services: Opened, link: FromPath[str]) -> Response[bytes]:
    """End a subscription: by the page's button, or as a mail program does by one click (RFC 8058)."""
    await read_body(request)
    try:
        credential = read_credential(link)
        linked = await _linked(services, credential)
        if credential is not None:
            await end_by_link(services.database, credential)
    except DatabaseUnavailable:
        return _send(request, None, "away")
    return _send(request, linked, "ended")


async def _page(request: AnyRequest, services: Services, link: str, state: State, otherwise: State) -> Response[bytes]:
    chosen = keep_choice(request)
    if chosen is not None:
        return chosen
    try:
        linked = await _linked(services, read_credential(link))
    except DatabaseUnavailable:
        return _send(request, None, "away")
    return _send(request, linked, otherwise if linked is None else state)


async def _linked(services: Services, credential: Credential | None) -> Linked | None:
    return None if credential is None else await find_by_link(services.database, credential)


def _send(request: AnyRequest, linked: Linked | None, state: State) -> Response[bytes]:
    """Answer in the language that was chosen here, else in that of the mail."""
    status = {"gone": HTTPStatus.NOT_FOUND, "away": HTTPStatus.SERVICE_UNAVAILABLE}.get(state, HTTPStatus.OK)
    language = read_choice(request.cookies.get(COOKIE)) or (linked.language if linked else page_language(request))
    answer = send_in(request, mail_page(language, state, linked), language, status)
    answer.headers["Cache-Control"] = "no-store"
    return answer


HANDLERS: Final = [mail_wish, wish_mail, end_mail, confirming, confirm, unsubscribing, end]
