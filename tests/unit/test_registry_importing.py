"""Mentors from CSV: what spreadsheets write, and what is wrong in them."""

from __future__ import annotations

import pytest

from edges.registry.importing import BadHeader, BadLine, read_mentors

FIRST = "0b000000-0000-4000-8000-000000000001"
SECOND = "0B000000-0000-4000-8000-00000000000A"


def read(text: str) -> list[str | tuple[int, str]]:
    """Return the mentors as text, and the bad lines as number and reason."""
    return [
        (each.number, each.reason) if isinstance(each, BadLine) else str(each)
        for each in read_mentors(text.splitlines(keepends=True))
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"mentor_id\n{FIRST}\n{SECOND}\n",
        f"mentor_id\r\n{FIRST}\r\n{SECOND}",
        f"\ufeffmentor_id\n{FIRST}\n{SECOND}\n",
        f"name,mentor_id,since\nAnna,{FIRST},2020\n,{SECOND},\n",
        f"Name;Mentor_ID\nBerg, Anna;{FIRST}\nx;{SECOND}\n",
        f"name\tmentor_id\nAnna\t{FIRST}\nx\t{SECOND}\n",
        f'"name","mentor_id"\n"Anna\nBerg, ""A""","{FIRST}"\nx," {SECOND} "\n',
        f"mentor_id\n\n{FIRST}\n\n\n{SECOND}\n\n",
        f"mentor_id,name\n{FIRST},A\0B\n,\n{SECOND},\ufffd\n",
    ],
)
def test_what_spreadsheets_write(text: str) -> None:
    """Byte order mark, separators, quotes, blank lines, other columns: two mentors each time, in lower case."""
    assert read(text) == [FIRST, SECOND.lower()]


@pytest.mark.parametrize("text", ["", "\n", FIRST, "mentor\nx\n", "mentor_id,mentor_id\n"])
def test_the_header_is_required(text: str) -> None:
    """Without it nothing is read."""
    with pytest.raises(BadHeader, match="the first line must be a header with one column mentor_id"):
        read(text)


def test_bad_lines_are_numbered_and_the_others_read() -> None:
    """The number is the line's in the file, blank ones counted."""
    assert read(f"name,mentor_id\nA,{FIRST}\n\nB,{FIRST[:-1]}\nC\nD,{'x' * 50}\nE,{SECOND}\n") == [
        FIRST,
        (4, f"mentor_id '{FIRST[:-1]}' is not a UUID"),
        (5, "has 1 columns, and mentor_id is column 2"),
        (6, f"mentor_id '{'x' * 40}...' is not a UUID"),
        SECOND.lower(),
    ]


def test_a_lost_quote_is_said_and_not_silently_the_end() -> None:
    """It swallows lines up to the end of the file or to the next quote; either way that is named."""
    assert read(f'mentor_id,name\n{FIRST},"Anna\n{SECOND},Bert\n') == [(2, "unexpected end of data; read up to line 3")]
    assert read(f'mentor_id,name\n{FIRST},"Anna\n{SECOND},"Bert\n{SECOND},C\n') == [
        (2, "',' expected after '\"'; read up to line 3"),
        SECOND.lower(),
    ]
    assert read(f'mentor_id,name\n"{"x" * 200_000}\n{SECOND},C\n') == [
        (2, "field larger than field limit (131072); read up to line 2"),
        SECOND.lower(),
    ]
