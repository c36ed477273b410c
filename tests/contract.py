"""CONTRACT.md and README.md as the tests read them: tables and blocks by heading."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
NOT_BUILT: Final = "*not built yet*"


def section(file: str, heading: str) -> str:
    """Return what stands under a heading, to the next one of its rank or above."""
    text = (ROOT / file).read_text(encoding="utf-8")
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^#{{1,6}} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"{file} has no heading {heading!r}"
    return found[2]


def tables(file: str, heading: str) -> list[list[dict[str, str]]]:
    """Return the tables under a heading: of each its rows, by the names of the columns, backticks left out."""
    found: list[list[dict[str, str]]] = []
    for block in re.findall(r"(?:^\|.*\|\n)+", section(file, heading), re.MULTILINE):
        names, _, *rows = [
            [cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in block.strip().splitlines()
        ]
        found.append([dict(zip((name.strip("` ") for name in names), row, strict=True)) for row in rows])
    return found


def quoted(cell: str) -> list[str]:
    """Return what stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def blocks(file: str, heading: str, language: str) -> list[str]:
    """Return the fenced blocks of a language under a heading."""
    return re.findall(rf"^```{language}\n(.*?)^```$", section(file, heading), re.MULTILINE | re.DOTALL)
