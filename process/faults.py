"""An error as a log may have it: what it is and where in the code, without its text.

The text of an error that nobody foresaw may quote what was being worked on (a KeyError is its key), and that is often a
member's id. It is kept where the record itself is kept: in the dead letter's headers.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Final

FRAMES_MAX: Final = 8
_ROOT: Final = Path(__file__).resolve().parents[1]


def named(error: BaseException) -> str:
    """Return an error's class, and where it was raised."""
    frames = where(error)
    return f"{type(error).__name__} at {frames[-1]}" if frames else type(error).__name__


def where(error: BaseException) -> list[str]:
    """Return the innermost calls that led to an error, outermost first, and those of what caused it behind them."""
    frames: list[str] = []
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:  # one that is raised again may be its own cause in the end
        frames += [f"from {type(cause).__name__}"] if seen else []
        seen.add(id(cause))
        frames += [
            f"{_path(call.filename)}:{call.lineno} {call.name}"
            for call in traceback.extract_tb(cause.__traceback__)[-FRAMES_MAX:]
        ]
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return frames


def _path(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) else file
