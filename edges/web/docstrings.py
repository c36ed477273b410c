"""What the source says of a type's fields: the docstrings below them, which Python itself does not keep."""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache


def field_descriptions(kind: type) -> dict[str, str]:
    """Return field -> the docstring below it, in one line, for those that have one; none where there is no source."""
    definition = _classes(kind.__module__).get(kind.__name__)
    if definition is None:
        return {}
    found = {}
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            text = ast.literal_eval(below.value)
            if isinstance(text, str):
                found[field.target.id] = inspect.cleandoc(text).replace("\n", " ")
    return found


@cache
def _classes(module: str) -> dict[str, ast.ClassDef]:
    """Return the classes of a module by name. It is read once for all of them, not once for each."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except OSError:
        return {}
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
