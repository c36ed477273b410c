"""The statements of queries.sql by their names."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

_QUERIES: Final = Path(__file__).parent / "queries.sql"
_HEADING: Final = re.compile(r"^-- name: (\w+) --$", re.MULTILINE)


def statement(name: str) -> bytes:
    """Return a statement of queries.sql."""
    return statements()[name]


@cache
def statements() -> dict[str, bytes]:
    """Return every statement by its name, in the order of the file."""
    _, *named = _HEADING.split(_QUERIES.read_text(encoding="utf-8"))
    return {name: text.strip().encode() for name, text in zip(named[::2], named[1::2], strict=True)}
