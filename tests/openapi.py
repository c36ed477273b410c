"""Whether an answer is as the OpenAPI description says: its status, its type, its body."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "trace")


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, path and operation of all that is described."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def fault_of(document: dict[str, Any], operation: dict[str, Any], status: int, media_type: str, body: bytes) -> str:
    """Return how an answer differs from what is described; empty where it does not."""
    described = operation["responses"].get(str(status))
    if described is None:
        return f"status {status} is not described"
    content = described.get("content", {})
    if not content:
        return "a body, and none is described" if body else ""
    kind = media_type.partition(";")[0].strip()
    if kind not in content:
        return f"{kind or 'no type'} is not one of {list(content)}"
    if kind.endswith("json"):
        schema = {"components": document["components"], **content[kind]["schema"]}
        fault = next(Draft202012Validator(schema).iter_errors(json.loads(body)), None)
        if fault is not None:
            return f"{fault.json_path}: {fault.message}"
    return ""
