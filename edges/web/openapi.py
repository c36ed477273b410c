"""The OpenAPI description: Litestar's, from the routes, put right where it cannot know how this application answers.

`put_right` works on the finished document, so `/openapi.json` and `referrals schemas` show the same.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from msgspec import Struct

from edges.web.answers.answer import Answer, camel
from edges.web.badges import PostedBadge
from edges.web.docstrings import field_descriptions
from edges.web.examples import BY_MEDIA_TYPE, BY_NAME, BY_OPERATION, CODE, example_of
from edges.web.posted import PostedRegistration, PostedSignup
from edges.web.posted_mail import PostedMailWish
from edges.web.replays import PostedReplay
from edges.web.sign_in.posted import PostedMailAddress, PostedSignIn
from models.codes import TYPED_CODE_PATTERN
from process.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from litestar import Request
    from litestar.handlers import HTTPRouteHandler
    from litestar.types import Method
    from litestar.types.internal_types import PathParameterDefinition

WEBHOOK: Final = "/v1/orgs/{org_id}/registrations"
SIGNUPS: Final = "/v1/orgs/{org_id}/signups"
_BODIES: Final[dict[tuple[str, str], type[Struct]]] = {
    (SIGNUPS, "post"): PostedSignup,
    ("/v1/session", "post"): PostedSignIn,
    ("/v1/sign-in/mail", "post"): PostedMailAddress,
    ("/v1/orgs/{org_id}/badges/{badge_id}", "put"): PostedBadge,
    ("/v1/orgs/{org_id}/mail", "put"): PostedMailWish,
    ("/v1/orgs/{org_id}/dead-letters/replays", "post"): PostedReplay,
}
"""What handlers read by themselves, but for the webhook's, which has headers too."""

_SCHEMAS: Final = "#/components/schemas/{name}"
_NOISE: Final = {"deprecated": False, "allowEmptyValue": False, "allowReserved": False, "headers": {}}
"""What Litestar writes everywhere, and OpenAPI takes for granted."""

_WEBHOOK_HEADERS: Final = {
    "webhook-id": "1 to 255 printable characters; the same when it is sent again.",
    "webhook-timestamp": "Seconds of Unix time, at most 300 from ours.",
    "webhook-signature": "`v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`; there may be several.",
}


def openapi_config() -> OpenAPIConfig:
    """Return what OpenAPI shows beside the routes."""
    return OpenAPIConfig(
        title="Referral Streams",
        version=VERSION,
        path="/openapi.json",
        render_plugins=[_PutRight(path="/")],
        operation_id_creator=_operation_id,
        use_handler_docstrings=True,
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(type="http", scheme="bearer", bearer_format="JWT"),
                "webhook": SecurityScheme(
                    type="apiKey",
                    name="webhook-signature",
                    security_scheme_in="header",
                    description="Standard Webhooks, signed with one of the organisation's secrets.",
                ),
            }
        ),
    )


CHANNEL_PARAMETER: Final = {
    "name": "c",
    "in": "query",
    "schema": {"type": "string", "default": ""},
    "description": "The channel that the link was shared by: whatsapp, sms, ...",
    "required": False,
}
"""Of share links. The route reads the query as a whole; Litestar's reading of one parameter would cost each click."""


def put_right(document: dict[str, Any]) -> dict[str, Any]:
    """Return Litestar's description as this application is."""
    right: dict[str, Any] = _without_noise(document)
    right["paths"] = dict(sorted(right["paths"].items()))  # Litestar's order is another in each process
    for operation in _operations(right):
        _put_operation_right(operation)
    for path, operations in right["paths"].items():
        if path == "/r" or path.startswith("/r/"):
            for operation in operations.values():
                operation["parameters"] = [*operation.get("parameters", []), CHANNEL_PARAMETER]
    schemas = right["components"].setdefault("schemas", {})
    if WEBHOOK in right["paths"]:
        _describe_webhook(right["paths"][WEBHOOK]["post"], schemas)
    for (path, method), kind in _BODIES.items():
        if path in right["paths"]:
            _describe_body(right["paths"][path][method], schemas, kind)
    kinds = {kind.__name__: kind for kind in _answers(Answer)}
    for name in schemas.keys() & kinds.keys():
        _describe_fields(kinds[name], schemas[name])
    for operation in _operations(right):
        _add_examples(operation, schemas)
    return right


class _PutRight(JsonRenderPlugin):
    """Litestar's own route for the description, with what `put_right` returns."""

    _rendered: bytes | None = None
    """It is the same as long as the process lives, and making it takes 20 ms."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        if self._rendered is None:
            self._rendered = super().render(request, put_right(openapi_schema))
        return self._rendered


def _operation_id(handler: HTTPRouteHandler, method: Method, path: list[str | PathParameterDefinition]) -> str:
    """Name an operation as its function is named, with what tells it from others of the same function."""
    parts = [handler.handler_name]
    if len(handler.http_methods) > 1:
        parts.append(method.lower())
    if len(handler.paths) > 1:
        parts += [f"by_{part.name}" for part in path if not isinstance(part, str)]
    return "_".join(parts)


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (operation for path in document["paths"].values() for operation in path.values())


def _without_noise(part: Any) -> Any:  # noqa: ANN401  any part of a JSON document
    if isinstance(part, dict):
        kept = ((name, value) for name, value in part.items() if not (name in _NOISE and value == _NOISE[name]))
        return {name: _without_noise(value) for name, value in kept}
    if isinstance(part, list):
        return [_without_noise(each) for each in part]
    return part


def _put_operation_right(operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path" and parameter["name"].endswith("_id"):
            parameter["schema"]["format"] = "uuid"
    responses = operation["responses"]
    if "application/json" in responses.get("400", {}).get("content", {}):
        del responses["400"]  # Litestar's own; what does not fit is 422 here
    for status, response in responses.items():
        if response["description"] == HTTPStatus(int(status)).description:
            response["description"] = HTTPStatus(int(status)).phrase
        if "content" in response:
            response["content"] = _content(response["content"])
        if not response.get("content"):
            response.pop("content", None)


def _content(content: dict[str, Any]) -> dict[str, Any]:
    """Return the bodies of a response: none where Litestar says that JSON would be null, text where it is not JSON."""
    right = {}
    for media_type, body in content.items():
        kind = media_type.partition(";")[0]
        if body["schema"].get("type") != "null":
            right[kind] = body
        elif kind != "application/json":
            right[kind] = {"schema": {"type": "string"}}
    return right


def _describe_webhook(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Say what the handler reads by itself, because it has to verify the body's bytes: the body and the headers."""
    _describe_body(operation, schemas, PostedRegistration)
    operation["security"] = [{"webhook": []}]
    operation["parameters"] += [
        {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
        for name, text in _WEBHOOK_HEADERS.items()
    ]


def _describe_body(operation: dict[str, Any], schemas: dict[str, Any], kind: type[Struct]) -> None:
    """Say what a body holds that the handler reads by itself."""
    _, parts = msgspec.json.schema_components([kind], ref_template=_SCHEMAS)
    for name, schema in parts.items():
        schema["properties"] = {camel(field): inner for field, inner in schema["properties"].items()}
        schema["required"] = [camel(field) for field in schema.get("required", ())]
        schemas.setdefault(name, schema)
    posted = schemas[kind.__name__]
    if "referralCode" in posted["properties"]:
        posted["properties"]["referralCode"]["pattern"] = TYPED_CODE_PATTERN
    for name, text in field_descriptions(kind).items():
        posted["properties"][camel(name)]["description"] = text
    schema = {"$ref": _SCHEMAS.format(name=kind.__name__)}
    operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}


def _add_examples(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Show what is sent and what is answered where all goes well."""
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in BY_NAME and BY_NAME[parameter["name"]] is not None:
            parameter["example"] = BY_NAME[parameter["name"]]
    bodies = [body for status, body in operation["responses"].items() if status.startswith("2")]
    for body in (operation.get("requestBody", {}), *bodies):
        for kind, part in body.get("content", {}).items():
            make = BY_OPERATION.get(operation["operationId"])
            written = BY_MEDIA_TYPE.get(kind) if make is None else make()
            part["example"] = written or example_of(part["schema"], schemas)
    for header in operation["responses"].get("302", {}).get("headers", {}).values():
        header["example"] = f"https://alder.example.org/join?ref={CODE}&c=whatsapp"


def _answers(kind: type[Answer]) -> Iterator[type[Answer]]:
    """Yield every kind of answer."""
    for each in kind.__subclasses__():
        yield each
        yield from _answers(each)


def _describe_fields(kind: type[Answer], schema: dict[str, Any]) -> None:
    """Add the docstrings of an answer and its fields."""
    if kind.__doc__:
        schema["description"] = kind.__doc__
    said = field_descriptions(kind)
    for field in msgspec.structs.fields(kind):
        if field.name in said:
            schema["properties"][field.encode_name]["description"] = said[field.name]
