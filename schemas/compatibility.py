"""What a released schema promised and today's does not keep: the faults by name, none where everything is kept.

Two promises, after who writes. Of what others write (clicks, request bodies) everything that was good must stay good:
no field goes, takes less, or becomes required. Of what the program writes (counts, answers) everything must look as it
did: no field goes, takes less, gets another form, or is there only sometimes. Fields may come in both.

It compares the JSON Schema that this project's types make, keyword by keyword, and where it cannot tell (another
`pattern`) it says that the field narrows: whoever released it looks.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from edges.web.answers.answer import camel

Schema = dict[str, Any]
Writer = Literal["others", "program"]

_AT_LEAST: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_AT_MOST: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_AS_GIVEN: Final = ("pattern", "format", "contentEncoding")
_REQUIRED: Final = "becomes required"


def broken(released: Schema, today: Schema, *, writer: Writer) -> list[str]:
    """Return what today's schema of one document breaks of the released one's promise, a line for each fault."""
    faults = _narrowed(_Place(released, released), _Place(today, today), "")
    if writer == "program":
        faults = [fault for fault in faults if not fault.endswith(_REQUIRED)]  # being always there harms no reader
        widened = _narrowed(_Place(today, today), _Place(released, released), "", may_come=True)
        faults += [_from_the_reader(fault) for fault in widened]
    return sorted(set(faults))


def broken_http(released: Schema, today: Schema) -> list[str]:
    """Return what today's OpenAPI description breaks of the released one's: routes, parameters, bodies and answers."""
    faults = []
    for path, operations in released["paths"].items():
        for method, was in operations.items():
            name = f"{method.upper()} {path}"
            now = today["paths"].get(path, {}).get(method)
            if now is None:
                faults.append(f"{name} is gone")
                continue
            known = {each["name"] for each in was.get("parameters", ()) if each["required"]}
            faults += [
                f"{name}: the parameter {each['name']} becomes required"
                for each in now.get("parameters", ())
                if each["required"] and each["name"] not in known
            ]
            # Of the names in a request each style is taken (edges/web/posted.py).
            asked, asks = _json_body(released, was.get("requestBody")), _json_body(today, now.get("requestBody"))
            faults += _broken_body(f"{name}, request", _in_camel(asked), _in_camel(asks), writer="others")
            for status, answer in was["responses"].items():
                if status not in now["responses"]:
                    faults.append(f"{name} does not answer {status} any more")
                elif status.startswith("2"):
                    old, new = _json_body(released, answer), _json_body(today, now["responses"][status])
                    faults += _broken_body(f"{name}, answer {status}", old, new, writer="program")
    return faults


def _broken_body(name: str, old: Schema | None, new: Schema | None, *, writer: Writer) -> list[str]:
    """Return what a body breaks of the promise of the released one."""
    if old is None:
        return []
    return (
        [f"{name}: {fault}" for fault in broken(old, new, writer=writer)] if new else [f"{name}: is not JSON any more"]
    )


def _json_body(document: Schema, part: Schema | None) -> Schema | None:
    """Return the schema of a body with what its references lead to."""
    schema = ((part or {}).get("content") or {}).get("application/json", {}).get("schema")
    return None if schema is None else {**schema, "components": document["components"]}


def _in_camel(part: Any) -> Any:  # noqa: ANN401  any part of a schema
    """Return a schema with the names of its fields in camel case."""
    if isinstance(part, list):
        return [_in_camel(each) for each in part]
    if not isinstance(part, dict):
        return part
    right = {key: _in_camel(value) for key, value in part.items()}
    if isinstance(right.get("properties"), dict):
        right["properties"] = {camel(field): schema for field, schema in right["properties"].items()}
    if isinstance(right.get("required"), list):
        right["required"] = [camel(field) for field in right["required"]]
    return right


def _from_the_reader(fault: str) -> str:
    """Say a fault that was found by comparing the other way round."""
    return fault.replace("narrows", "gets another form").replace(_REQUIRED, "is not always there any more")


class _Place:
    """A schema inside its document, whose definitions its references mean."""

    def __init__(self, schema: Schema, document: Schema) -> None:
        while "$ref" in schema:
            found: Any = document
            for name in schema["$ref"].removeprefix("#/").split("/"):
                found = found[name]
            schema = {**found, **{key: value for key, value in schema.items() if key != "$ref"}}
        self.schema = schema
        self.document = document

    def at(self, schema: Schema) -> _Place:
        return _Place(schema, self.document)

    @property
    def forms(self) -> list[_Place]:
        """What it may be, one of them: alternatives, and types where there are several."""
        if "anyOf" in self.schema or "oneOf" in self.schema:
            return [form for one in self.schema.get("anyOf") or self.schema["oneOf"] for form in self.at(one).forms]
        if isinstance(self.schema.get("type"), list):
            return [self.at({**self.schema, "type": kind}) for kind in self.schema["type"]]
        return [self]

    @property
    def values(self) -> set[Any] | None:
        if "const" in self.schema:
            return {self.schema["const"]}
        return set(self.schema["enum"]) if "enum" in self.schema else None


def _narrowed(old: _Place, new: _Place, path: str, *, may_come: bool = False) -> list[str]:
    """Return what `old` allows and `new` does not; `may_come`: fields that only `old` has are no fault."""
    faults: list[str] = []
    for form in old.forms:
        alike = [other for other in new.forms if _is_alike(form, other)] or new.forms
        tried = [_narrowed_form(form, other, path, may_come=may_come) for other in alike]
        nearest = min(tried, key=len)
        faults += nearest
    return faults


def _is_alike(old: _Place, new: _Place) -> bool:
    was, now = old.schema.get("type"), new.schema.get("type")
    return now is None or was == now or {was, now} == {"integer", "number"}


def _narrowed_form(old: _Place, new: _Place, path: str, *, may_come: bool) -> list[str]:
    was, now = old.schema, new.schema
    name = path or "the document"
    if not _is_alike(old, new) or (was.get("type"), now.get("type")) == ("number", "integer"):
        return [f"{name} narrows: was {was.get('type', 'anything')}, is {now['type']}"]
    faults = []
    if new.values is not None and (old.values is None or not old.values <= new.values):
        faults.append(f"{name} narrows: takes only {sorted(new.values)}")
    faults += [
        f"{name} narrows: {keyword} was {was.get(keyword, 'not given')}, is {now[keyword]}"
        for keyword in (*_AT_LEAST, *_AT_MOST, *_AS_GIVEN, "uniqueItems")
        if keyword in now and _is_tighter(keyword, was.get(keyword), now[keyword])
    ]
    faults += _narrowed_object(old, new, path, may_come=may_come)
    for keyword in ("items", "propertyNames"):
        if isinstance(now.get(keyword), dict):
            inner = was.get(keyword, {})
            faults += _narrowed(old.at(inner), new.at(now[keyword]), f"{path}[]", may_come=may_come)
    return faults


def _narrowed_object(old: _Place, new: _Place, path: str, *, may_come: bool) -> list[str]:
    was, now = old.schema, new.schema
    dotted = f"{path}." if path else ""
    required = set(now.get("required", ())) - set(was.get("required", ()))
    faults = [
        f"{dotted}{field} {_REQUIRED}"
        for field in sorted(required)
        if not may_come or field in was.get("properties", {})
    ]
    for field, schema in was.get("properties", {}).items():
        if field in now.get("properties", {}):
            inner = new.at(now["properties"][field])
            faults += _narrowed(old.at(schema), inner, f"{dotted}{field}", may_come=may_come)
        elif not may_come:
            faults.append(f"{dotted}{field} is gone")
    others = now.get("additionalProperties", True)
    if others is False and was.get("additionalProperties", True) is not False and not may_come:
        faults.append(f"{path or 'the document'} narrows: takes no other fields")
    elif isinstance(others, dict):
        before = was.get("additionalProperties", {})
        inner_before = before if isinstance(before, dict) else {}
        faults += _narrowed(old.at(inner_before), new.at(others), f"{dotted}*", may_come=may_come)
    return faults


def _is_tighter(keyword: str, was: Any, now: Any) -> bool:  # noqa: ANN401  values of JSON Schema's keywords
    if keyword in _AT_LEAST:
        return was is None or now > was
    if keyword in _AT_MOST:
        return was is None or now < was
    return bool(now != was)
