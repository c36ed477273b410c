"""CSV as spreadsheets write it: rows with their lines, and one that is broken costs itself and not the rest.

Taken: commas, semicolons, tabs or bars as the header has them, `sep=;`, UTF-8 and UTF-16, a byte order mark, CR, LF or
both, quotes, `="CODE"`, blank lines, empty cells too many. A quote that is never closed would swallow every row after
it; so a record that does not come out even is one bad line, and reading goes on with the next line. A cell too many
means that some cell is not where the header says, and nobody knows which: that row is refused.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final, NamedTuple

SEPARATORS: Final = ",;\t|"
RECORD_LINES_MAX: Final = 1_000
"""Lines that one record may have: a text in quotes may hold line breaks."""

UNREADABLE: Final = "\ufffd"
"""Stands in the place of bytes that are no text in the file's encoding: those of Latin-1 in what is read as UTF-8."""

NOT_UTF8: Final = "has letters that are not UTF-8, Latin-1 perhaps; save the file as CSV UTF-8"
ROUNDED: Final = "is a number that a spreadsheet has rounded; give the column the format Text and fill it anew"
"""What `damage_of` returns."""

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001  the wide ones too
"""A spreadsheet takes a cell that begins so for a formula, and runs it."""
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"), (codecs.BOM_UTF8, "utf-8-sig"),
)  # fmt: skip
_HEAD_BYTES: Final = 256
"""So many are looked at for the zeros that UTF-16 and UTF-32 have between letters."""
_ZEROS: Final = (
    ("utf-32-le", {1, 2, 3}), ("utf-32-be", {0, 1, 2}), ("utf-16-le", {1, 3}), ("utf-16-be", {0, 2}),
)  # fmt: skip
"""Which bytes of four are zero, of letters that Latin has: most of a header's."""
_MOST: Final = 0.5
_BLANK: Final = ",;\t| \r\n\ufeff"
_ROUNDED: Final = re.compile(r"\s*[+-]?[0-9]+(?:[.,][0-9]+)?[eE][+][0-9]+\s*")
_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_AS_TEXT: Final = re.compile(r'="([^"]*)"')
_SEP: Final = re.compile(r'"?sep=(.)"?\1*\s*', re.IGNORECASE)


def text_lines(chunks: Iterable[bytes], encoding: str | None = None) -> Iterator[str]:
    """Yield the lines of a file, with their ends, from its bytes in pieces of any size.

    In an encoding that somebody names; else UTF-8, or UTF-16 or UTF-32 where its first bytes say so. UNREADABLE stands
    for what is none of that encoding.
    """
    pieces = iter(chunks)
    head = b""
    while len(head) < _HEAD_BYTES and (piece := next(pieces, None)) is not None:
        head += piece
    decoder = codecs.getincrementaldecoder(encoding or _encoding(head))("replace")
    begun: list[str] = []
    """Of a line that may go on: it is put together once, not anew with each piece."""
    for piece in chain([head], pieces):
        text = decoder.decode(piece)
        if not text:
            continue
        is_going_on = "\n" not in text and "\r" not in text and not (begun and begun[-1].endswith("\r"))
        begun.append(text)
        if is_going_on:
            continue
        lines = _LINE.findall("".join(begun))
        begun = [lines.pop()]  # a CR may have its LF in the next piece
        yield from lines
    yield from _LINE.findall("".join(begun) + decoder.decode(b"", final=True))


def _encoding(head: bytes) -> str:
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    count = len(head) // 4
    if count == 0:
        return "utf-8"
    zeros = [head[at : 4 * count : 4].count(0) / count for at in range(4)]
    for encoding, is_zero in _ZEROS:
        if all(share > _MOST if at in is_zero else share < 1 - _MOST for at, share in enumerate(zeros)):
            return encoding
    return "utf-8"


def damage_of(cell: str) -> str:
    """Return what a spreadsheet has done to a cell whose text cannot be what was meant; empty where nothing is seen."""
    if UNREADABLE in cell:
        return NOT_UTF8
    if _ROUNDED.fullmatch(cell):
        return ROUNDED
    return ""


def as_text(text: str) -> str:
    """Return text that people chose so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


class TableRow(NamedTuple):
    """A record, or what is wrong with it."""

    line: int
    """Of its end, counted from 1: where a person looks."""
    cells: list[str]
    fault: str = ""
    """Why it is none; its cells are empty then."""
    too_many: int = 0
    """How many cells it has, where that is the fault."""


class Table:
    """A CSV file, read once from its beginning to its end."""

    def __init__(self, lines: Iterable[str]) -> None:
        """Read the header: `columns` are its names without the spaces around them."""
        self._source = (line[0] for chunk in lines for line in _LINE.finditer(chunk))
        self._back: deque[str] = deque()
        self._line = 0
        header = self._first().removeprefix("\ufeff")
        said = _SEP.fullmatch(header)
        if said is not None:
            header = self._first()
        outside = re.sub(r'"(?:[^"]|"")*(?:"|$)', "", header)
        self._separator = said[1] if said is not None else max(SEPARATORS, key=outside.count)
        self._back.appendleft(header)
        self._line -= 1
        self.columns: tuple[str, ...] = ()
        """Empty where the file is, or where `fault` says what is wrong with the header."""
        first = next(iter(self.rows()), None)
        if first is not None:
            self.columns = tuple(cell.strip().removeprefix("\ufeff").strip() for cell in first.cells)
        self.fault = first.fault if first is not None else ""

    def rows(self) -> Iterator[TableRow]:
        """Yield the records; blank lines are passed over, and rows of spaces alone."""
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
            elif self.columns and any(cells[len(self.columns) :]):
                count, expected = len(cells), len(self.columns)
                yield TableRow(self._line, [], f"has {count} cells, the header has {expected}", count)
            elif any(map(str.strip, cells)):
                yield TableRow(self._line, [_plain(cell) for cell in cells])

    def _first(self) -> str:
        """Return the first line that is not blank."""
        while (line := self._next()) is not None:
            if line.strip(_BLANK):
                return line
        return ""

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
