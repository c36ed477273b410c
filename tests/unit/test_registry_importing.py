"""Mentors from CSV: what spreadsheets write, and what is wrong in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from edges.registry.importing import BadHeader, BadLine, read_mentors
from models.spreadsheets import text_lines

FIRST = "0b000000-0000-4000-8000-000000000001"
SECOND = "0B000000-0000-4000-8000-00000000000A"
OTHER = "0c000000-0000-4000-8000-00000000000c"
"""In a column that is not the mentor's."""


def read(text: str) -> list[str | tuple[int, str]]:
    """Return the mentors as text, and the bad lines as number and reason."""
    return [
        (each.number, each.reason) if isinstance(each, BadLine) else str(each.mentor_id)
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
        f"sep=;\r\nNavn;Mentor-ID\r\nBerg, Anna;{FIRST}\r\nx;{SECOND}\r\n",
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


def test_what_to_do_about_a_header_of_other_names() -> None:
    """Which columns are wanted; what stands there is not repeated, for without a header it is somebody's name."""
    with pytest.raises(BadHeader) as told:
        read(f"Id;Kari Nordmann\n{FIRST};x\n")
    assert str(told.value).endswith(
        "it has 2 columns, and none of that name: call the column of their ids so, and display_name that of names"
    )


def test_bad_lines_are_numbered_and_the_others_read() -> None:
    """The number is the line's in the file, blank ones counted; what stands there is not repeated."""
    assert read(f"name,mentor_id\nA,{FIRST}\n\nB,{FIRST[:-1]}\nC\nD,{'x' * 50}\nE,{SECOND}\n") == [
        FIRST,
        (4, "mentor_id is not a UUID"),
        (5, "has 1 cells, and mentor_id is column 2"),
        (6, "mentor_id is not a UUID"),
        SECOND.lower(),
    ]


CASES: Final = json.loads((Path(__file__).parents[1] / "corpus" / "csv.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
@pytest.mark.parametrize("piece_bytes", [1, 1 << 16])
def test_corpus(case: dict[str, Any], piece_bytes: int) -> None:
    """Each file of the corpus gives its mentors and its refusals, in pieces of any size.

    1 and 2 in `gives` are the mentors; a list is a refusal: its line, and a part of the reason; a text is what is wrong
    with the whole file.
    """
    text = case["file"].replace("{1}", FIRST).replace("{2}", SECOND).replace("{3}", OTHER)
    encoded = text.encode(case.get("encoding", "utf-8"))
    pieces = [encoded[at : at + piece_bytes] for at in range(0, len(encoded), piece_bytes)]
    found: list[object] = []
    if isinstance(case["gives"], str):
        with pytest.raises(BadHeader, match=case["gives"]):
            list(read_mentors(text_lines(pieces)))
        return
    for each in read_mentors(text_lines(pieces)):
        if isinstance(each, BadLine):
            number, reason = case["gives"][len(found)]
            assert (each.number, reason in each.reason) == (number, True), each
            found.append([number, reason])
        else:
            found.append({FIRST: 1, SECOND.lower(): 2}[str(each.mentor_id)])
    assert found == case["gives"]


def test_the_corpus_is_large_enough() -> None:
    """Sixty cases, each with its source."""
    assert len(CASES) >= 60
    assert all(case["source"] for case in CASES)
