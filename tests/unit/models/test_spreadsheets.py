"""CSV as spreadsheets write it: nothing is swallowed, and each line is where it says."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import spreadsheets
from models.spreadsheets import Table, text_lines

CELLS = st.text(alphabet=st.sampled_from('ab";,\n\r\t '), max_size=6)


ROWS = st.lists(CELLS, min_size=3, max_size=3).filter(lambda cells: any(map(str.strip, cells)))


@given(rows=st.lists(ROWS, max_size=8), separator=st.sampled_from(",;\t"))
def test_what_is_written_is_read(rows: list[list[str]], separator: str) -> None:
    """Whatever a cell holds, a table that is written right comes back whole, but for rows of spaces alone."""
    text = io.StringIO()
    csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL).writerows([["one", "two", "three"], *rows])
    table = Table(text.getvalue().splitlines(keepends=True))
    assert table.columns == ("one", "two", "three")
    assert [row.cells for row in table.rows()] == rows


@given(lines=st.lists(st.sampled_from(["1,2,3\n", '"1",2,3\n', '1,"2\n', '1,2,"3\n', '"\n', "\n"]), max_size=12))
def test_every_line_is_read_or_named(lines: list[str]) -> None:
    """Quotes that are never closed cost their own line: a row without one is there, and each line once at most."""
    rows = list(Table(["a,b,c\n", *lines]).rows())
    assert [row.line for row in rows] == sorted({row.line for row in rows})
    before_quotes = next((at for at, line in enumerate(lines) if '"' in line), len(lines))
    plain = sum(line == "1,2,3\n" for line in lines[:before_quotes])
    assert sum(row.cells == ["1", "2", "3"] for row in rows) >= plain


def test_line_ends_of_every_kind() -> None:
    """A file of one line by some counts is many by others."""
    for end in ("\n", "\r", "\r\n"):
        table = Table([f"a,b{end}1,2{end}3,4"])
        assert [(row.line, row.cells) for row in table.rows()] == [(2, ["1", "2"]), (3, ["3", "4"])]


@given(text=st.text(alphabet="ab\n\r\u00e5", max_size=40), cuts=st.lists(st.integers(1, 7), min_size=1, max_size=9))
def test_a_file_in_pieces_has_the_lines_of_the_whole(text: str, cuts: list[int]) -> None:
    """Wherever it is cut, also within a letter and between CR and LF."""
    data, pieces = text.encode(), []
    while data:
        cuts.append(cuts.pop(0))
        pieces.append(data[: cuts[-1]])
        data = data[cuts[-1] :]
    assert list(text_lines(pieces)) == list(text_lines([text.encode()]))
    assert "".join(text_lines(pieces)) == text


def test_a_long_line_is_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell of megabytes comes in thousands of pieces: looked through anew with each, it would take minutes."""

    class Lines:
        looked_at = 0

        def findall(self, text: str) -> list[str]:
            self.looked_at += len(text)
            return usual.findall(text)

    usual, counted = spreadsheets._LINE, Lines()  # noqa: SLF001  how much it looks at is what is asked
    monkeypatch.setattr(spreadsheets, "_LINE", counted)
    text = "a,b\n1," + "x" * 1_000_000 + "\n2,3\n"
    pieces = [text[at : at + 1_000].encode() for at in range(0, len(text), 1_000)]
    assert "".join(text_lines(pieces)) == text
    assert counted.looked_at <= 2 * len(text)
