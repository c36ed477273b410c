"""CSV as spreadsheets write it: rows with their lines, and one that is broken costs itself and not the rest.

Taken: commas, semicolons or tabs as the header has them, `sep=;`, a byte order mark, CR, LF or both, quotes, `="CODE"`.
A quote that is never closed would swallow every row after it; so a record that does not come out even is one bad line,
and reading goes on with the next line.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

SEPARATORS: Final = ",;\t|"
RECORD_LINES_MAX: Final = 1_000
"""Lines that one record may have: a text in quotes may hold line breaks."""

_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_AS_TEXT: Final = re.compile(r'="([^"]*)"')
_SEP: Final = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)


class TableRow(NamedTuple):
    """A record, or what is wrong with it."""

    line: int
    """Of its end, counted from 1: where a person looks."""
    cells: list[str]
    fault: str = ""
    """Why it is none; its cells are empty then."""


class Table:
    """A CSV file, read once from its beginning to its end."""

    def __init__(self, lines: Iterable[str]) -> None:
        """Read the header: `columns` are its names without the spaces around them."""
        self._source = (line[0] for chunk in lines for line in _LINE.finditer(chunk))
        self._back: deque[str] = deque()
        self._line = 0
        header = (self._next() or "").removeprefix("\ufeff")
        said = _SEP.fullmatch(header)
        if said is not None:
            header = self._next() or ""
        outside = re.sub(r'"(?:[^"]|"")*"', "", header)
        self._separator = said[1] if said is not None else max(SEPARATORS, key=outside.count)
        self._back.appendleft(header)
        self._line -= 1
        self.columns: tuple[str, ...] = ()
        first = next(iter(self.rows()), None)
        if first is not None:
            self.columns = tuple(cell.strip().removeprefix("\ufeff").strip() for cell in first.cells)

    def rows(self) -> Iterator[TableRow]:
        """Yield the records; blank lines are passed over."""
        while (first := self._next()) is not None:
            taken = [first]
            try:
                cells = next(csv.reader(self._record(taken), delimiter=self._separator, strict=True))
                fault = (
                    ""
                    if len(taken) == 1 or len(cells) == len(self.columns) or not self.columns
                    else "does not come out even"
                )
            except (csv.Error, StopIteration) as error:
                cells, fault = [], str(error) or "is no row"
            if fault:  # what followed its first line may be rows: they are read by themselves
                self._line -= len(taken) - 1
                self._back.extendleft(reversed(taken[1:]))
                yield TableRow(self._line, [], f"{fault}; is a quote in it not closed?")
            elif any(cells):
                yield TableRow(self._line, [_plain(cell) for cell in cells])

    def _record(self, taken: list[str]) -> Iterator[str]:
        yield taken[0]
        while len(taken) < RECORD_LINES_MAX and (line := self._next()) is not None:
            taken.append(line)
            yield line

    def _next(self) -> str | None:
        line = self._back.popleft() if self._back else next(self._source, None)
        if line is not None:
            self._line += 1
        return line


def _plain(cell: str) -> str:
    found = _AS_TEXT.fullmatch(cell)
    return found[1] if found else cell
