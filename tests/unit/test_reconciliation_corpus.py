"""The corpus of membership pages: what systems send, where it was seen, and what must become of each row.

`tests/corpus/membership_pages.json` holds a case for each kind: its pages as they come, how the source is configured,
the verdict on each row, and how the list ends. It is served by a real server on loopback.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from edges.reconciliation.endpoint import Endpoint
from edges.reconciliation.errors import SourceFailed
from edges.reconciliation.mapping import Reading
from edges.reconciliation.members import Member, MemberReader
from edges.reconciliation.pages import Page, csv_pages, json_pages
from edges.reconciliation.verdicts import BadRow, UnclearRow
from models.spreadsheets import text_lines
from models.tolerance import read_uuid
from tests.membership_system import Answer, running_membership_system

CORPUS: Final = Path(__file__).resolve().parents[1] / "corpus"
CASES: Final = json.loads((CORPUS / "membership_pages.json").read_text(encoding="utf-8"))
SPREADSHEETS: Final = json.loads((CORPUS / "csv.json").read_text(encoding="utf-8"))
"""Of mentors; what stands in them is read as members' ids here."""
NOW: Final = datetime(2026, 11, 28, 12, tzinfo=UTC)
CASES_MIN: Final = 80


def verdict(reader: MemberReader, content: object) -> str:
    """Return what becomes of a row: a word, and the time where the source says it."""
    try:
        if isinstance(content, BadRow):
            raise content
        member = reader.read(content, NOW)
    except UnclearRow:
        return "unclear"
    except BadRow:
        return "bad"
    if not isinstance(member, Member):
        return member
    if member.code is None:
        return f"no code: {'unclear' if member.unclear else member.status}"
    return f"{member.status} {member.at.isoformat()}" if member.is_dated else member.status


def read(pages: Any, reader: MemberReader) -> tuple[list[str], str]:  # noqa: ANN401  an iterator of pages
    """Return the verdicts on all rows, and how the list ends."""
    found: list[str] = []
    last: Page | None = None
    total = None
    try:
        for page in pages:
            reader.look(row.content for row in page.rows)
            found += [verdict(reader, row.content) for row in page.rows]
            last, total = page, total if page.total is None else page.total
    except SourceFailed as fault:
        return found, str(fault)
    assert last is not None
    assert last.is_last
    is_whole = last.more is None and (total is None or len(found) >= total)
    return found, "complete" if is_whole else "incomplete"


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_every_row_has_its_right_verdict(case: dict[str, Any]) -> None:
    """No row is lost, none is confirmed that its source does not say is, and the end of the list is known."""
    reader = MemberReader(msgspec.convert(case["configured"], Reading))
    if "csv" in case:
        lines = text_lines([case["csv"].encode(case.get("encoding", "utf-8"))])
        found, end = read(csv_pages(lines, "members.csv", reader), reader)
    else:
        with running_membership_system() as system:
            system.script = [Answer(200, page["body"].encode("utf-8", "surrogatepass"), page.get("headers", {}))
                             for page in case["pages"]]  # fmt: skip
            query = f"?{case['query']}" if case.get("query") else ""
            with Endpoint(system.url, token=None, headers={}) as endpoint:
                found, end = read(json_pages(endpoint, system.url + query), reader)
            assert len(system.asked) == len(case["pages"])
    assert found == case["rows"]
    assert case["end"] in end
    assert case["end"] != "complete" or end == "complete"


@pytest.mark.parametrize("case", SPREADSHEETS, ids=[case["name"] for case in SPREADSHEETS])
def test_damaged_spreadsheets_are_read_as_the_import_reads_them(case: dict[str, Any]) -> None:
    """The same cells, the same lines refused, the same files refused: no cell is taken for another's."""
    first, second, other = (f"0b000000-0000-4000-8000-{number:012}" for number in (1, 2, 3))
    text = case["file"].replace("{1}", first).replace("{2}", second).replace("{3}", other)
    if case["name"] == "the column twice":  # in two cases: what the import refuses, a configured name tells apart
        text = text.replace("Mentor_ID", "mentor_id")
    named = next((name for name in ("MENTOR_ID",) if name in text), "mentor_id")
    reader = MemberReader(Reading(fields=dict.fromkeys(("member_id", "referral_code", "confirmed_at"), named)))
    pages = csv_pages(text_lines([text.encode(case.get("encoding", "utf-8"))]), "m", reader)
    if isinstance(case["gives"], str):
        with pytest.raises(SourceFailed):
            list(pages)
        return
    found: list[object] = []
    for row in (row for page in pages for row in page.rows):
        member = read_uuid(row.content[named]) if isinstance(row.content, dict) else None
        found.append({first: 1, second: 2}[member] if member else int(row.place.partition(":")[2]))
    assert found == [each if isinstance(each, int) else each[0] for each in case["gives"]]


def test_the_corpus_says_where_it_comes_from() -> None:
    """Every case has a source, and no two the same name; the whole has its size."""
    assert len(CASES) >= CASES_MIN
    assert len({case["name"] for case in CASES}) == len(CASES)
    assert all(case["source"] for case in CASES)
