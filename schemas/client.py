"""A typed Python client of the HTTP API, written from its OpenAPI description; `referrals schemas` writes it anew.

It needs nothing but the standard library, so that whoever wants it copies one file. What is signed (the webhook), what
goes on without end (events) and what people follow (share links) is left out.
"""

from __future__ import annotations

import json
import re
from keyword import iskeyword
from textwrap import fill, indent
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]

WIDTH: Final = 120

_TYPES: Final = {"boolean": "bool", "integer": "int", "null": "None", "number": "float", "string": "str"}

_NAMES: Final = ("Any", "Literal", "NotRequired", "TypedDict", "cast")

_HEAD: Final = '''\
"""The HTTP API of Referral Streams {version}, typed. `referrals schemas` writes it: copy it, do not edit it.

    client = Client("https://refer.example.org", token)
    for entry in client.leaderboard(org_id, limit=10)["entries"]:
        print(entry["rank"], entry["mentorId"], entry["confirmedAttributions"])

It needs nothing but Python 3.11. An answer other than the one asked for is a Problem; a server that cannot be reached
is an OSError, as urllib raises it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import {names}
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request, urlopen
'''

_CLIENT: Final = '''
Parameters = Mapping[str, str | int | float | bool | None]
NONE: Parameters = {}


class Problem(Exception):  # noqa: N818  it is called what it is
    """An answer other than the one asked for (RFC 9457)."""

    def __init__(self, status: int, detail: str, errors: list[FieldError]) -> None:
        """Take the HTTP status, what is wrong, and with 422 the fields at fault."""
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail
        self.errors = errors


class Client:
    """Asks one installation, with one token."""

    def __init__(self, url: str, token: str = "", *, timeout_s: float = 30.0) -> None:
        """Take the address without a path, and the token that every request shows."""
        if urlsplit(url).scheme not in {"http", "https"}:
            raise ValueError(f"{url} is not the address of a server; it begins with https:// or http://")
        self._url = url.rstrip("/")
        self._token = token
        self._timeout_s = timeout_s

    def _json(self, method: str, path: str, parameters: Parameters = NONE, body: object = None) -> Any:  # noqa: ANN401
        return json.loads(self._ask(method, path, parameters, body))

    def _json_or_none(self, method: str, path: str) -> Any:  # noqa: ANN401
        return json.loads(self._ask(method, path) or b"null")

    def _ask(self, method: str, path: str, parameters: Parameters = NONE, body: object = None) -> bytes:
        given = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in parameters.items()
            if value is not None
        }
        query = f"?{urlencode(given)}" if given else ""
        headers = {"Accept": "*/*", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self._url}{path}{query}", data, headers, method=method)  # noqa: S310  http alone
        if self._token:
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        try:
            with urlopen(request, timeout=self._timeout_s) as response:  # noqa: S310  the same
                return cast("bytes", response.read())
        except HTTPError as fault:
            with fault:
                raise _problem(fault.code, fault.read()) from None
'''

_TAIL: Final = '''

def _problem(status: int, content: bytes) -> Problem:
    """Return what an answer says of itself; a proxy before the server may say something else."""
    try:
        said = json.loads(content)
        return Problem(status, str(said["detail"]), said.get("errors", []))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Problem(status, content[:200].decode("utf-8", "replace"), [])


def _part(value: str) -> str:
    """Return a value as a part of a path."""
    return quote(value, safe="")
'''


def client_source(document: Schema) -> str:
    """Return the client's source text."""
    operations = list(_operations(document))
    schemas = document["components"]["schemas"]
    types = [_type(name, schemas[name]) for name in sorted(_used(operations, schemas))]
    # What is no class looks up at once the names that it holds.
    parts = sorted(types, key=lambda source: not source.startswith("class"))
    methods = [_method(*operation) for operation in operations]
    names = sorted(name for name in _NAMES if any(re.search(rf"\b{name}\b", part) for part in (*parts, _CLIENT)))
    head = _HEAD.replace("{version}", document["info"]["version"]).replace("{names}", ", ".join(names))
    return "\n\n".join([head, *parts]) + "\n" + _CLIENT + "\n" + "\n\n".join(methods) + "\n" + _TAIL


def _operations(document: Schema) -> Iterator[tuple[str, str, Schema]]:
    """Yield method, path and operation of what the client can ask."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            signed = any("webhook" in one for one in operation.get("security", ()))
            well = [status for status in operation["responses"] if status.startswith("2")]
            kinds = {kind for status in well for kind in operation["responses"][status].get("content", {})}
            if well and method != "head" and not signed and "text/event-stream" not in kinds:
                yield method, path, operation


def _used(operations: list[tuple[str, str, Schema]], schemas: dict[str, Schema]) -> set[str]:
    """Return the names of the types that the operations take and answer, with those inside them."""
    found = {"FieldError"}
    open_parts: list[Any] = [
        part
        for _, _, operation in operations
        for part in (
            operation.get("requestBody"),
            *(answer for status, answer in operation["responses"].items() if status.startswith("2")),
        )
    ]
    while open_parts:
        part = open_parts.pop()
        if isinstance(part, dict):
            name = str(part.get("$ref", "")).rpartition("/")[2]
            if name and name not in found:
                found.add(name)
                open_parts.append(schemas[name])
            open_parts += part.values()
        elif isinstance(part, list):
            open_parts += part
    return found


def _type(name: str, schema: Schema) -> str:
    """Return a type of an answer or a body."""
    required = schema.get("required", ())
    fields = [
        (field, _hint(inner) if field in required else f"NotRequired[{_hint(inner)}]", inner.get("description", ""))
        for field, inner in schema["properties"].items()
    ]
    said = schema.get("description", "What is sent.")
    if any(iskeyword(field) for field, _, _ in fields):
        held = "".join(f'        "{field}": {hint},\n' for field, hint, _ in fields)
        return f'{name} = TypedDict(\n    "{name}",\n    {{\n{held}    }},\n)\n"""{_prose(said, 0)}"""\n'
    lines = [f'class {name}(TypedDict):\n    """{_prose(said, 4)}"""\n']
    for field, hint, description in fields:
        line = f"    {field}: {hint}"
        if len(line) > WIDTH and hint.startswith("Literal["):
            line = f"    {field}: Literal[\n        {hint.removeprefix('Literal[').removesuffix(']')}\n    ]"
        lines.append(line + (f'\n    """{_prose(description, 4)}"""' if description else ""))
    return "\n".join(lines) + "\n"


def _hint(schema: Schema) -> str:
    """Return a schema as a type hint."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if forms := schema.get("anyOf") or schema.get("oneOf"):
        return " | ".join(dict.fromkeys(_hint(form) for form in forms))
    if "const" in schema or "enum" in schema:
        values = [schema["const"]] if "const" in schema else schema["enum"]
        return f"Literal[{', '.join(map(_literal, values))}]"
    kinds = schema["type"] if isinstance(schema.get("type"), list) else [schema.get("type")]
    return " | ".join(_hint_of(kind, schema) for kind in kinds)


def _hint_of(kind: str | None, schema: Schema) -> str:
    """Return the hint of one of a schema's types."""
    if kind == "array":
        return f"list[{_hint(schema['items'])}]"
    if kind == "object":
        others = schema.get("additionalProperties")
        return f"dict[str, {_hint(others) if isinstance(others, dict) else 'Any'}]"
    return _TYPES.get(str(kind), "Any")


def _literal(value: object) -> str:
    """Return a constant as the formatter writes it."""
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _named(name: str) -> str:
    """Return the name of an argument."""
    return f"{name}_" if iskeyword(name) else name


def _method(method: str, path: str, operation: Schema) -> str:
    """Return the method that asks for an operation."""
    parameters = operation.get("parameters", ())
    query = [each for each in parameters if each["in"] == "query"]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    given = ["self", *(f"{each['name']}: str" for each in parameters if each["in"] == "path")]
    given += [f"body: {_hint(body['schema'])}"] if body else []
    given += ["*", *(f"{_named(each['name'])}: {_optional(each['schema'])} = None" for each in query)] if query else []
    answer = next(found for status, found in operation["responses"].items() if status.startswith("2"))
    content = answer.get("content", {})
    kind = _hint(content["application/json"]["schema"]) if "application/json" in content else "bytes"
    is_perhaps_nothing = kind != "bytes" and "204" in operation["responses"]
    kind += " | None" if is_perhaps_nothing else ""
    where = re.sub(r"\{(\w+)\}", r"{_part(\1)}", path)
    lines = [f'path = f"{where}"' if "{" in where else f'path = "{where}"']
    asked = [f'"{method.upper()}"', "path"]
    if query:
        lines += ["parameters = {", *(f'    "{each["name"]}": {_named(each["name"])},' for each in query), "}"]
        asked.append("parameters")
    asked += ["body=body"] if body else []
    lines.append(f"return self._ask({', '.join(asked)})")
    if kind != "bytes":
        asks = "_json_or_none" if is_perhaps_nothing else "_json"
        lines[-1:] = [f"answer: {kind} = self.{asks}({', '.join(asked)})", "return answer"]
    called = "".join(f"        {line}\n" for line in lines).rstrip()
    said = "\n\n".join([operation["summary"] + ".", operation["description"]])
    signature = f"    def {operation['operationId']}({', '.join(given)}) -> {kind}:"
    if len(signature) > WIDTH:
        listed = ", ".join(given)
        if len(listed) > WIDTH - 8:
            listed = ",\n        ".join(given) + ","
        signature = f"    def {operation['operationId']}(\n        {listed}\n    ) -> {kind}:"
    return f'{signature}\n        """{_prose(said, 8)}\n        """\n{called}'


def _optional(schema: Schema) -> str:
    """Return the hint of what may be left out."""
    hint = _hint(schema)
    return hint if "None" in hint.split(" | ") else f"{hint} | None"


def _prose(said: str, margin: int) -> str:
    """Return a description as a docstring has it, its lines no longer than they may be."""
    paragraphs = [fill(part.replace("\n", " "), WIDTH - margin - 6) for part in said.split("\n\n")]
    return indent("\n\n".join(paragraphs), " " * margin).strip()
