"""The OpenAPI description as a page for people: every operation with what it takes, what it answers, and an example.

It needs no script. The page's own words are in the reader's language, the description's are English and marked so.
"""

from __future__ import annotations

import json
import re
from html import escape
from typing import TYPE_CHECKING, Any, Final

from edges.languages.catalogue import Language, text
from edges.web.answers.answer import camel
from edges.web.examples import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]

METHODS: Final = ("get", "post", "put", "patch", "delete")  # what HEAD answers, GET says
_CODE: Final = re.compile(r"`([^`]+)`")


def reference(document: Schema, language: Language) -> str:
    """Return the markup of the operations, those of a tag together."""
    tags: dict[str, list[str]] = {}
    contents: dict[str, list[str]] = {}
    schemas = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method in METHODS:
            if method in operations:
                operation = operations[method]
                tag = operation["tags"][0]
                tags.setdefault(tag, []).append(_operation(path, method, operation, schemas, language))
                contents.setdefault(tag, []).append(
                    f'<li><a href="#{operation["operationId"]}">{escape(operation["summary"])}</a></li>'
                )
    listed = "".join(f"<li>{escape(tag)}<ul>{''.join(links)}</ul></li>" for tag, links in contents.items())
    return (
        f'<nav class="panel contents" aria-label="{_said(language, "docs.contents")}" lang="en"><ul>{listed}</ul></nav>'
        + "".join(
            f'<section><h2 lang="en">{escape(tag)}</h2>{"".join(operations)}</section>'
            for tag, operations in tags.items()
        )
    )


def _operation(path: str, method: str, operation: Schema, schemas: dict[str, Schema], language: Language) -> str:
    parts = [
        f"<h3><code>{method.upper()} {_breakable(path)}</code></h3>",
        f'<p class="strong" lang="en">{_prose(operation["summary"])}</p>',
        *(f'<p lang="en">{_prose(part)}</p>' for part in operation["description"].split("\n\n")),
        f'<p class="quiet">{_said(language, _rights(operation))}</p>',
    ]
    if parameters := operation.get("parameters"):
        rows = [(each["name"], _type_of(each, schemas), each.get("description", "")) for each in parameters]
        parts.append(_table(_said(language, "docs.parameters"), rows, language))
    body = _body(operation)
    if body is not None:
        needed = _resolved(body["schema"], schemas).get("required", ())
        rows = [
            (name, f"{kind}, required" if name in needed else kind, said)
            for name, kind, said in _fields(body["schema"], schemas)
        ]
        parts.append(_table(_said(language, "docs.body"), rows, language))
    parts.append(_example(_said(language, "docs.request"), _request(path, method, operation)))
    others = []
    for status, response in operation["responses"].items():
        contents = response.get("content", {}) if status.startswith("2") else {}
        for kind, content in contents.items():
            title = f'{_said(language, "docs.answer")} {status}, <span lang="en">{escape(kind)}</span>'
            fields = list(_fields(content["schema"], schemas))
            parts += [_table(title, fields, language)] if fields else []
            parts.append(_example(_said(language, "docs.example") if fields else title, _shown(content["example"])))
        if not contents:
            others.append(f"<li><code>{status}</code> <span>{_prose(response['description'])}</span></li>")
    if others:
        parts.append(f'<h4>{_said(language, "docs.others")}</h4><ul class="statuses" lang="en">{"".join(others)}</ul>')
    return f'<article class="panel operation" id="{operation["operationId"]}">{"".join(parts)}</article>'


def _rights(operation: Schema) -> str:
    """Return the key of what is said about who may ask."""
    schemes = {name for one in operation.get("security", ()) for name in one}
    return "docs.bearer" if "bearer" in schemes else "docs.webhook" if "webhook" in schemes else "docs.anybody"


def _request(path: str, method: str, operation: Schema) -> str:
    """Return the request as a command, with the examples in their places."""
    address = re.sub(r"\{(\w+)\}", lambda name: str(BY_NAME.get(camel(name[1]), name[0])), path)
    lines = [f"curl{'' if method == 'get' else f' -X {method.upper()}'} https://refer.example.org{address}"]
    lines += ["-H 'Authorization: Bearer TOKEN'"] if _rights(operation) == "docs.bearer" else []
    lines += [
        f"-H '{each['name']}: {each.get('example', '')}'"
        for each in operation.get("parameters", ())
        if each["in"] == "header"
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    lines += [] if body is None else [f"-d '{json.dumps(body['example'], ensure_ascii=False)}'"]
    return " \\\n  ".join(lines)


def _fields(schema: Schema, schemas: dict[str, Schema], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield each field of an object and of those in it: its name, its type, and what is said of it."""
    for name, inner in _resolved(schema, schemas).get("properties", {}).items():
        yield f"{prefix}{name}", _type(inner, schemas), inner.get("description", "")
        for form in inner.get("anyOf") or inner.get("oneOf") or (inner,):
            held = _resolved(form, schemas)
            if held.get("type") == "array":
                yield from _fields(held["items"], schemas, f"{prefix}{name}[].")
            else:
                yield from _fields(held, schemas, f"{prefix}{name}.")


def _body(operation: Schema) -> Schema | None:
    """Return what a request's body is like; None where it has none."""
    body: Schema | None = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return body


def _resolved(schema: Schema, schemas: dict[str, Schema]) -> Schema:
    return schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _type(schema: Schema, schemas: dict[str, Schema]) -> str:
    """Return what a value may be, in words."""
    forms = schema.get("anyOf") or schema.get("oneOf")
    if forms:
        return " or ".join(dict.fromkeys(_type(form, schemas) for form in forms))
    found = _resolved(schema, schemas)
    if "enum" in found:
        return " or ".join(json.dumps(value) for value in found["enum"])
    if "const" in found:
        return json.dumps(found["const"])
    kind = found.get("type", "anything")
    words = " or ".join(kind) if isinstance(kind, list) else kind
    return str(found.get("format", words))


def _type_of(parameter: Schema, schemas: dict[str, Schema]) -> str:
    """Return where a parameter stands, what it may be, and whether it must be there."""
    needed = ", required" if parameter.get("required") else ""
    return f"{parameter['in']}, {_type(parameter['schema'], schemas)}{needed}"


def _table(title: str, rows: list[tuple[str, str, str]], language: Language) -> str:
    """Return a table as `shared/table.js` makes it."""
    heads = [_said(language, key) for key in ("docs.name", "docs.type", "docs.means")]
    lines = "".join(
        f'<tr role="row"><th scope="row" role="rowheader"><code>{_breakable(name)}</code></th>'
        f'<td role="cell" lang="en">{escape(kind)}</td><td role="cell" lang="en">{_prose(said)}</td></tr>'
        for name, kind, said in rows
    )
    head = "".join(f'<th scope="col" role="columnheader">{each}</th>' for each in heads)
    return (
        f'<h4>{title}</h4><table class="fields" role="table"><thead role="rowgroup"><tr role="row">{head}</tr></thead>'
        f'<tbody role="rowgroup">{lines}</tbody></table>'
    )


def _example(title: str, code: str) -> str:
    return f'<h4>{title}</h4><pre tabindex="0" lang="en"><code>{escape(code)}</code></pre>'


def _shown(example: Any) -> str:  # noqa: ANN401  any JSON
    return example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)


def _prose(said: str) -> str:
    """Return a description, of whose marks only those of code are used here."""
    return _CODE.sub(r"<code>\1</code>", escape(said.replace("\n", " ")))


def _breakable(name: str) -> str:
    """Return a path or a name that may be broken where its parts end."""
    return re.sub(r"([/._])", r"<wbr>\1", escape(name))


def _said(language: Language, key: str) -> str:
    return escape(text(language, key))
