"""Errors as problem details (RFC 9457), one form for every route: `application/problem+json`.

A route raises `Problem`; what it does not raise itself comes out in the same form: Litestar's own errors, parameters
that do not fit (422 with the fields), Kafka or Postgres away (503 with Retry-After), and anything unexpected (500 that
tells nothing of the inside; the log has it).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ExceptionHandlersMap
from msgspec import UNSET

from edges.web.answers.answer import FieldError, ProblemDetails
from edges.web.database import DatabaseUnavailable
from edges.web.producer import BrokerUnavailable
from process.settings import SettingsError

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 5
"""What a 503 asks its client to wait."""

_FIELD: Final = re.compile(r" - at `\$\.?([^`]+)`$")

log = structlog.get_logger("web")


class Problem(Exception):  # noqa: N818  it is called what it becomes
    """An answer other than the one asked for."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Take the HTTP status, a sentence for the caller, the fields at fault, and headers of the answer."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})


def unavailable(detail: str) -> Problem:
    """Return the problem of a part that is away: 503, to be tried again."""
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": str(RETRY_AFTER_S)})


def bad_fields(*errors: FieldError) -> Problem:
    """Return the problem of a request whose fields cannot be used: 422."""
    named = ", ".join(error.field for error in errors)
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"cannot be used: {named}", errors=errors)


def field_error(fault: msgspec.ValidationError) -> FieldError:
    """Return the field that msgspec found at fault, `body` for the whole, and what is wrong with it."""
    text = str(fault)
    at = _FIELD.search(text)
    missing = re.search(r"missing required field `(\w+)`", text)
    names = [at.group(1)] if at else []
    if missing:
        return FieldError(field=".".join([*names, missing.group(1)]), message="is required")
    return FieldError(field=".".join(names) or "body", message=_FIELD.sub("", text))


def problem_answers(*statuses: int) -> dict[int, ResponseSpec]:
    """Return these statuses as OpenAPI shows them: `responses=problem_answers(401, 404)` of a route."""
    return {
        status: ResponseSpec(
            ProblemDetails, description=HTTPStatus(status).phrase, media_type=MEDIA_TYPE, generate_examples=False
        )
        for status in statuses
    }


def problem_handlers() -> ExceptionHandlersMap:
    """Return the application's exception handlers."""
    return {
        Problem: _on_problem,
        ValidationException: _on_validation,
        HTTPException: on_http_exception,
        BrokerUnavailable: _on_unavailable,
        DatabaseUnavailable: _on_unavailable,
        SettingsError: _on_unavailable,
        Exception: _on_unexpected,
    }


def status_of(error: Exception) -> HTTPStatus:
    """Return the status with which an error is answered."""
    if isinstance(error, Problem | HTTPException):
        return HTTPStatus(error.status if isinstance(error, Problem) else error.status_code)
    if isinstance(error, BrokerUnavailable | DatabaseUnavailable | SettingsError):
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.INTERNAL_SERVER_ERROR


def _render(problem: Problem) -> Response[bytes]:
    details = ProblemDetails(
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        detail=problem.detail,
        errors=problem.errors or UNSET,
    )
    return Response(
        msgspec.json.encode(details),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **problem.headers},
    )


def _on_problem(_: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    return _render(problem)


def _on_validation(_: Request[Any, Any, Any], error: ValidationException) -> Response[bytes]:
    """Turn Litestar's list of parameters that do not fit into ours."""
    faults = error.extra if isinstance(error.extra, list) else []
    errors = [FieldError(field=fault.get("key", "body"), message=fault.get("message", "")) for fault in faults]
    return _render(bad_fields(*errors) if errors else Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "cannot be used"))


def on_http_exception(_: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer with the problem that an error of Litestar's own is."""
    status = HTTPStatus(error.status_code)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request_failed", status=int(status), exc_info=error)
    return _render(Problem(status, _SAID_OF.get(status, status.phrase), headers=error.headers))


def _on_unavailable(
    _: Request[Any, Any, Any], error: BrokerUnavailable | DatabaseUnavailable | SettingsError
) -> Response[bytes]:
    return _render(unavailable(str(error)))


def _on_unexpected(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    log.error("request_failed", status=500, exc_info=error)
    return _render(Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "something went wrong here; it is in the log"))


_SAID_OF: Final = {
    HTTPStatus.NOT_FOUND: "nothing is here",
    HTTPStatus.METHOD_NOT_ALLOWED: "this address does not take the method",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the body is larger than is taken here",
    HTTPStatus.BAD_REQUEST: "the request cannot be read",
}
"""Litestar's own words repeat the address, and in it what the caller sent."""
