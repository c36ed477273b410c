"""An organisation's mentors with their counts as CSV, for a spreadsheet: a page at a time, however many there are."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final

from edges.web.queries import statement
from models.spreadsheets import as_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from edges.web.database import Database, Rows

HEADER: Final = (
    "mentor_id",
    "referral_code",
    "total_clicks",
    "pending_attributions",
    "confirmed_attributions",
    "conversion_rate",
    "milestones",
    "badges",
    "last_event_at",
    "display_name",
    "group",
)
PAGE: Final = 1_000
_BEFORE_ALL: Final = "00000000-0000-0000-0000-000000000000"


async def first_page(database: Database, org_id: str) -> Rows:
    """Return the first mentors; whoever begins to answer only then can still say that the database is away."""
    return await _page(database, org_id, _BEFORE_ALL)


async def write(database: Database, org_id: str, rows: Rows) -> AsyncIterator[bytes]:
    """Yield the whole file, of which the first page is given; as much of it at a time as a page has."""
    yield _lines([HEADER])
    while rows:
        yield _lines(map(_cells, rows))
        rows = await _page(database, org_id, rows[-1][0]) if len(rows) == PAGE else []


async def _page(database: Database, org_id: str, after: str) -> Rows:
    return await database.rows(org_id, statement("export"), {"org_id": org_id, "after": after, "limit": PAGE})


def _cells(row: tuple[Any, ...]) -> tuple[Any, ...]:
    mentor_id, code, clicks, pending, confirmed, rate, milestones, badges, last_event_at, name, group = row
    held = " | ".join(map(as_text, badges or ()))
    named = (as_text(name or ""), as_text(group or ""))
    return (
        mentor_id,
        as_text(code or ""),
        clicks,
        pending,
        confirmed,
        rate,
        milestones,
        held,
        last_event_at or "",
        *named,
    )


def _lines(rows: Iterable[Iterable[Any]]) -> bytes:
    file = io.StringIO()
    csv.writer(file, lineterminator="\r\n").writerows(rows)
    return file.getvalue().encode()
