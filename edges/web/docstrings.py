"""What the source says of a type's fields: the docstrings below them, which Python itself does not keep."""

from __future__ import annotations

import ast
import inspect
from textwrap import dedent


def field_descriptions(kind: type) -> dict[str, str]:
    """Return field -> the docstring below it, in one line, for those that have one; none where there is no source."""
    try:
        source = inspect.getsource(kind)
    except OSError:
        return {}
    (definition,) = ast.parse(dedent(source)).body
    if not isinstance(definition, ast.ClassDef):
        raise TypeError(f"{kind} is not a class")
    found = {}
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            text = ast.literal_eval(below.value)
            if isinstance(text, str):
                found[field.target.id] = inspect.cleandoc(text).replace("\n", " ")
    return found
