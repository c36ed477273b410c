"""The application: every route, and what is done for each request whatever its route.

To add routes: a module in `edges/web/routes/` with a list `HANDLERS`, and a line in `_ROUTES` here. A handler takes
`services: Opened`, and `request.user` is the `Identity` where a guard of `edges.web.identity` stands before it.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from litestar import HttpMethod, Litestar, Response, Router, route
from litestar.di import Provide
from litestar.exceptions import NotFoundException

from edges.web.bodies import BODY_BYTES_MAX
from edges.web.metrics import UNMATCHED
from edges.web.openapi import openapi_config
from edges.web.problems import problem_handlers
from edges.web.query_parameters import refuse_unknown_parameters
from edges.web.routes import (
    badges,
    codes,
    counts,
    dead_letters,
    docs,
    events,
    exports,
    health,
    history,
    lists,
    mail,
    open_badges,
    organisation,
    pages,
    pipeline,
    qr,
    redirect,
    registrations,
    sign_in,
    signups,
)
from edges.web.services import Services

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from litestar.handlers import HTTPRouteHandler
    from litestar.types import ControllerRouterHandler, Message, Send

_ROUTES: Final = (
    badges,
    codes,
    counts,
    dead_letters,
    docs,
    events,
    exports,
    health,
    history,
    lists,
    mail,
    open_badges,
    organisation,
    pages,
    pipeline,
    qr,
    redirect,
    registrations,
    sign_in,
    signups,
)

_POLICY: Final = b"default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", _POLICY),
)
_WITH_FORMS: Final = (
    *_SECURITY_HEADERS[:-1],
    (b"content-security-policy", _POLICY.replace(b"form-action 'none'", b"form-action 'self'")),
)
"""Of the pages that work without a script: those that links in mails open."""


def create_web(services: Services) -> Litestar:
    """Return the application on these services."""
    return Web(
        services=services,
        route_handlers=handlers(),
        dependencies={"services": Provide(lambda: services, use_cache=True, sync_to_thread=False)},
        exception_handlers={**problem_handlers(), NotFoundException: pages.answer_missing},
        logging_config=None,
        request_max_body_size=BODY_BYTES_MAX,
        openapi_config=openapi_config(),
    )


def handlers() -> list[ControllerRouterHandler]:
    """Return the handlers of every route."""
    found: list[HTTPRouteHandler] = [handler for module in _ROUTES for handler in module.HANDLERS]
    strict = [handler for handler in found if _takes_what_it_knows(handler)]
    others = [handler for handler in found if not _takes_what_it_knows(handler)]
    together = [*_options(strict), *strict]
    return [Router("/", route_handlers=together, before_request=refuse_unknown_parameters), *others]


def _options(handlers: Iterable[HTTPRouteHandler]) -> Iterator[HTTPRouteHandler]:
    """Yield the answer to OPTIONS for each path of several handlers: Litestar's own names the methods of the first."""
    methods: dict[str, list[set[str]]] = {}
    for handler in handlers:
        for path in handler.paths:
            methods.setdefault(path, []).append({str(method) for method in handler.http_methods})
    for path, sets in methods.items():
        if len(sets) > 1:
            yield _allowing(path, ", ".join(sorted({"OPTIONS"}.union(*sets))))


def _allowing(path: str, allowed: str) -> HTTPRouteHandler:
    """Return what answers OPTIONS; named as Litestar names its own."""

    @route(path, http_method=HttpMethod.OPTIONS, status_code=204, include_in_schema=False, sync_to_thread=False)
    def options_handler() -> Response[None]:
        return Response(None, headers={"Allow": allowed})

    return options_handler


def _takes_what_it_knows(handler: HTTPRouteHandler) -> bool:
    """Tell whether a route is for programs that can be told of their mistakes (`edges.web.query_parameters`)."""
    return handler is not registrations.take_registration and any(path.startswith("/v1/") for path in handler.paths)


class Web(Litestar):
    """Litestar, with security headers on every answer, and every request counted and logged, route or none."""

    def __init__(self, *, services: Services, **configuration: Any) -> None:  # noqa: ANN401  Litestar's own
        super().__init__(**configuration)
        self.services = self.state.services = services
        self._metrics = services.metrics
        self._access_log = services.access_log

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  lifespans have other types
        """Answer a request."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        method = scope["method"]
        if method == "HEAD" and not _is_share_link(scope["path"]):
            # As GET, of which the server sends the head: it has the scope that says HEAD. What goes on without end
            # ends, because after the answer's head it hears that the client is gone.
            scope, send = {**scope, "method": "GET"}, _head_alone(send)
        started_s = time.perf_counter()
        status = 0

        async def send_observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                ours = _WITH_FORMS if scope["path"].startswith("/mail/") else _SECURITY_HEADERS
                message["headers"] = [*message["headers"], *ours]
                if status == HTTPStatus.METHOD_NOT_ALLOWED or method == "OPTIONS":
                    message["headers"] = _with_head(message["headers"])
            await send(message)

        try:
            await super().__call__(scope, receive, send_observed)
        finally:
            seconds = time.perf_counter() - started_s
            route = scope.get("path_template") or UNMATCHED
            self._metrics.observe(route, method, status, seconds)
            self._access_log.note(method, route, status, seconds)


def _with_head(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return an answer's headers with HEAD among what an address takes, where GET is."""
    return [
        (name, value + b", HEAD" if name == b"allow" and b"GET" in value and b"HEAD" not in value else value)
        for name, value in headers
    ]


def _is_share_link(path: str) -> bool:
    """Tell whether HEAD is another thing than GET: of share links it is not counted."""
    return path.lower() == "/r" or path[:3].lower() == "/r/"


def _head_alone(send: Send) -> Send:
    """Return what sends an answer's head, and nothing after it."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_head
