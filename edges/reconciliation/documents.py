"""A page of JSON as rows: one row that is broken costs itself, not the page.

Systems write what their language calls JSON: half an emoji, NaN, line breaks in texts, the same key twice. All of that
is read, and what a row makes of it is seen when the row is. Where a row is no JSON at all, the others are read without
it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from edges.reconciliation.errors import SourceFailed
from edges.reconciliation.mapping import folded, truth
from edges.reconciliation.reasons import Fault
from edges.reconciliation.verdicts import BadRow
from models.received import twice_or_once

LISTS: Final = (
    "value", "items", "results", "data", "members", "records", "contacts", "entries", "rows", "list", "content",
    "hydra:member",
    "member", "resources", "elements", "objects", "values", "users", "people", "persons", "customers", "accounts",
    "memberships", "nodes",
)  # fmt: skip
WRAPPERS: Final = ("d", "data", "result", "response", "_embedded", "payload", "body")
"""Objects in which the list may stand."""
_ERRORS: Final = frozenset({"error", "errors", "fault", "faults", "odataerror", "exception"})
"""Names under which a page says what went wrong."""
_WELL: Final = frozenset({"success", "ok", "issuccess", "successful", "succeeded"})
_ILL: Final = frozenset({"iserror", "haserror", "haserrors", "failed", "isfailure"})
_NONE: Final = frozenset({"", "0", "none", "null", "nil", "false", "no", "ok"})
_STATES: Final = frozenset({"status", "state", "result", "outcome"})
_STATES_ILL: Final = frozenset(
    {"error", "fail", "failed", "failure", "partial", "partialsuccess", "incomplete", "timeout"}
)

BROKEN_MAX: Final = 10_000
DIGITS_MAX: Final = 400
_PARTS: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_SHOWN: Final = ", ".join(LISTS[:10])


class Document(NamedTuple):
    """What a page says."""

    rows: list[Any]
    """A BadRow in the place of each that is no JSON."""
    around: tuple[Mapping[str, Any], ...]
    """The objects around the list, the outermost first; empty where the page is nothing but the list."""


def read_document(body: bytes, number: int) -> Document:
    """Return a page's rows and what stands around them. Raises SourceFailed."""
    document = _decoded(body.decode(_encoding(body), "replace").removeprefix("\ufeff"), number)
    if isinstance(document, list):
        return Document(document, ())
    if isinstance(document, dict):
        around: tuple[Mapping[str, Any], ...] = (document,)
        found = _lists(document)
        for name in WRAPPERS:
            inner = document.get(name)
            if not found and isinstance(inner, dict):
                around = (document, inner)
                found = _lists(inner) or ([next(iter(inner))] if name == "_embedded" and _is_list_of_one(inner) else [])
                document = inner if found else document
        if len(found) == 1:
            rows = document[found[0]]
            fault = trouble(around)
            if fault and not rows:
                raise SourceFailed(Fault("page-ill", {"page": str(number), "name": fault}))
            return Document(rows, around)
        if found:
            raise SourceFailed(Fault("several-lists", {"page": str(number), "names": ", ".join(found)}))
    raise SourceFailed(Fault("no-list", {"page": str(number), "names": _SHOWN}))


def trouble(around: tuple[Mapping[str, Any], ...]) -> str:
    """Return the name under which a page says that something went wrong; empty: it does not."""
    for each in around:
        for key, value in each.items():
            name = folded(key)
            if name in _ERRORS and value and str(value).strip().lower() not in _NONE:
                return str(key)
            if (name in _WELL and truth(value) is False) or (name in _ILL and truth(value) is True):
                return str(key)
            if name in _STATES and isinstance(value, str) and folded(value) in _STATES_ILL:
                return str(key)
    return ""


def _lists(document: Mapping[str, Any]) -> list[str]:
    return [name for name, value in document.items() if isinstance(value, list) and name.lower() in LISTS]


def _is_list_of_one(document: Mapping[str, Any]) -> bool:
    return len(document) == 1 and isinstance(next(iter(document.values())), list)


def _encoding(body: bytes) -> str:
    encoding = json.detect_encoding(body)
    return "utf-8" if encoding == "utf-8-sig" else encoding


def _decoded(text: str, number: int) -> Any:  # noqa: ANN401  anything that JSON can be
    """Return what the text says, with a BadRow for each row that cannot be read."""
    try:
        return _loads(text)
    except (ValueError, RecursionError) as fault:
        first = fault
    broken: list[tuple[int, int]] = []
    try:
        for start, end in _row_spans(text):
            try:
                _loads(text[start:end])
            except ValueError:
                broken.append((start, end))
        if 0 < len(broken) <= BROKEN_MAX:
            for start, end in reversed(broken):
                text = f'{text[:start]}{{"{_BROKEN}": true}}{text[end:]}'
            return _loads(text)
    except (ValueError, RecursionError):
        pass
    raise SourceFailed(Fault("page-no-json", {"page": str(number), "said": _where(first)})) from None


def _where(fault: Exception) -> str:
    return f"{fault.msg} at byte {fault.pos:,}" if isinstance(fault, json.JSONDecodeError) else type(fault).__name__


def _row_spans(text: str) -> list[tuple[int, int]]:
    """Return where the objects stand that are rows: those in a list that is in nothing but objects."""
    spans: list[tuple[int, int]] = []
    open_: list[str] = []
    start = 0
    for part in _PARTS.finditer(text):
        sign = part[0]
        if sign in "{[":
            if sign == "{" and open_ and open_[-1] == "[" and open_.count("[") == 1:
                start = part.start()
            open_.append(sign)
        elif sign in "}]" and open_:
            open_.pop()
            if sign == "}" and open_ and open_[-1] == "[" and open_.count("[") == 1:
                spans.append((start, part.end()))
    return spans


_BROKEN: Final = "\ue000 no row"


def _pairs(pairs: list[tuple[str, Any]]) -> Any:  # noqa: ANN401  an object, or what stands for a row that is none
    found = dict(pairs)
    if len(found) == len(pairs):
        return BadRow("no-json") if _BROKEN in found else found
    return twice_or_once(pairs)


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= DIGITS_MAX else float("inf")


_decoder: Final = json.JSONDecoder(object_pairs_hook=_pairs, parse_int=_whole_number, strict=False)


def _loads(text: str) -> Any:  # noqa: ANN401  the same
    return _decoder.decode(text)
