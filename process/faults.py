"""An error as a log may have it: what it is and where in the code, without what it quotes.

The text of an error that nobody foresaw may quote what was being worked on (a KeyError is its key), and that is often a
member's id. It is kept where the record itself is kept: in the dead letter's headers.

Postgres says in its first line what is wrong, and in the further ones (DETAIL, CONTEXT) with which row: codes, names
and addresses, of others as well. Those are kept nowhere. Its words for them are the server's language's, so they are
not looked for in texts: what counts is what was raised (`said`, `without_rows`).
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Final

FRAMES_MAX: Final = 8
_DATA_EXCEPTION: Final = "22"
_MARK: Final = 2
"""So long is what Postgres writes under a place in a statement: ^."""
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


def said(error: BaseException) -> str:
    """Return what an error says, its class where it says nothing; of Postgres's only what has no row's values.

    Of an error of the data themselves (SQLSTATE class 22) that is the class: its first line quotes them too.
    """
    text = str(error).strip()
    if not _is_postgres(error):
        return text or type(error).__name__
    if str(getattr(error, "sqlstate", None) or "").startswith(_DATA_EXCEPTION):
        return type(error).__name__
    return text.partition("\n")[0] or type(error).__name__


def without_rows(text: str, error: BaseException) -> str:
    """Return a text that shows an error and what caused it, a traceback for example, without the values of rows."""
    for each in _chain(error):
        if not _is_postgres(each):
            continue
        whole, kept = str(each).strip(), said(each)
        if not whole or whole == kept:
            continue
        text = text.replace(whole, kept)
        first, *others = whole.splitlines()
        for line in (line.strip() for line in others):  # those that are indented, or quoted with more around them
            text = text.replace(line, "") if len(line) > _MARK else text
        text = text if first == kept else text.replace(first, kept)
    return text


def without_texts(text: str, error: BaseException) -> str:
    """Return a text that has the `repr` of an error, as asyncio's of a task that failed has, with its name instead."""
    for each in _chain(error):
        text = text.replace(repr(each), named(each))
    return text


def _is_postgres(error: BaseException) -> bool:
    """Tell whether it is psycopg's; without importing it, for not every process has to do with Postgres."""
    return any(cls.__module__.partition(".")[0] == "psycopg" for cls in type(error).__mro__)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that a traceback of it shows beside it."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions


def _path(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) else file
