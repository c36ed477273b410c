"""A membership system's list as pages of rows: JSON over HTTP, page after page, or CSV.

JSON is a list, or an object with a list under one of `LISTS`. The next page is where `@odata.nextLink`, `next` (also
under `links` or `_links`) or the Link header says. A list that never ends is noticed: by a page that was read before,
by one that says what the page before it said, and by their number.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec

from edges.reconciliation.address import followed
from edges.reconciliation.endpoint import Answer, Endpoint
from edges.reconciliation.errors import SourceFailed
from edges.reconciliation.members import BadRow, MemberReader

LISTS: Final = ("value", "items", "results", "data", "members")
NEXT_LINKS: Final = ("@odata.nextLink", "odata.nextLink", "next", "nextLink")

SINCE: Final = "{since}"
"""In a source's address: becomes the time from which on members are asked for."""
THE_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""What it becomes where all are asked for."""

PAGES_MAX: Final = 100_000
CSV_ROWS: Final = 10_000
"""Rows that are taken for a page of a CSV file."""

ACCEPTED: Final[Mapping[str, Mapping[str, str]]] = {
    "json": {"Accept": "application/json"},
    "odata": {
        "Accept": "application/json",
        "OData-MaxVersion": "4.0",
        "OData-Version": "4.0",
        "Prefer": "odata.maxpagesize=5000",  # Dynamics gives no more
    },
    "csv": {"Accept": "text/csv"},
}
"""Headers of a request, by the kind of source."""

_MARK: Final = b"\xef\xbb\xbf"  # with which some servers begin UTF-8


class Row(NamedTuple):
    """A row, and where it is."""

    place: str
    """As a person finds it: `page 3, row 17` or `members.csv:17`."""
    content: object
    """What stands there; a BadRow where it is not even a row."""


class Page(NamedTuple):
    """Rows that come together."""

    rows: list[Row]
    next_url: str | None
    """Where the next page is; None: there is none, or this source's pages have no addresses."""
    is_last: bool


def first_url(url: str, since: datetime | None) -> str:
    """Return the address of the first page: the source's, with the time put in where it asks for it."""
    from_then = (since or THE_BEGINNING).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return url.replace(SINCE, quote(from_then, safe=""))


def json_pages(endpoint: Endpoint, url: str, *, pages_max: int = PAGES_MAX) -> Iterator[Page]:
    """Yield the pages from one on, each asked for when the one before it has been dealt with.

    Raises SourceFailed.
    """
    seen: set[str] = set()
    before: list[Any] = []
    next_url: str | None = url
    number = 0
    while next_url is not None:
        number += 1
        if next_url in seen or number > pages_max:
            raise SourceFailed(f"page {number} was read before, or is one too many: the list does not end")
        seen.add(next_url)
        answer = endpoint.get(next_url)
        contents, link = _read(answer, number)
        if contents and contents == before:
            raise SourceFailed(f"page {number} says what page {number - 1} said: the links do not lead on")
        before = contents
        next_url = followed(link, page=answer.url) if link else None
        rows = [Row(f"page {number}, row {at}", each) for at, each in enumerate(contents, start=1)]
        yield Page(rows, next_url, is_last=next_url is None)


def csv_pages(lines: Iterable[str], name: str, reader: MemberReader) -> Iterator[Page]:
    """Yield the rows of a CSV file, separated by commas, semicolons or tabs as its header is.

    Raises SourceFailed where the header lacks a column that every member needs.
    """
    lines = iter(lines)
    header = next(lines, "")
    separator = max(",;\t", key=header.count)
    table = csv.reader(chain([header], lines), delimiter=separator)
    columns = tuple(column.strip() for column in next(table, []))
    missing = reader.missing_columns(columns)
    if missing:
        raise SourceFailed(
            f"{name} has no column for {', '.join(missing)}; say which one it is with --field {missing[0].split()[0]}"
            "=COLUMN"
        )
    rows: list[Row] = []
    for content in _contents(table, columns):
        rows.append(Row(f"{name}:{table.line_num}", content))
        if len(rows) == CSV_ROWS:
            yield Page(rows, None, is_last=False)
            rows = []
    yield Page(rows, None, is_last=True)


def _contents(table: Any, columns: tuple[str, ...]) -> Iterator[dict[str, str] | BadRow]:  # noqa: ANN401 - csv's reader has no public type
    while True:
        try:
            cells = next(table)
        except StopIteration:
            return
        except csv.Error as fault:  # a quote that is never closed, for example
            yield BadRow(f"is no row of CSV: {fault}")
            continue
        if len(cells) > len(columns):
            yield BadRow(f"has {len(cells)} fields, the header has {len(columns)}")
        elif cells:
            yield dict(zip(columns, cells, strict=False))


def _read(answer: Answer, number: int) -> tuple[list[Any], str | None]:
    """Return a page's rows, and where the next page is."""
    try:
        document = msgspec.json.decode(answer.body.removeprefix(_MARK))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise SourceFailed(f"page {number} is not JSON") from None
    if isinstance(document, list):
        return document, answer.next_link
    if isinstance(document, dict):
        for name in LISTS:
            if isinstance(document.get(name), list):
                return document[name], _next_link(document) or answer.next_link
    raise SourceFailed(f"page {number} is neither a list nor an object with one under {', '.join(LISTS)}")


def _next_link(document: Mapping[str, Any]) -> str | None:
    for place in (document, document.get("links"), document.get("_links")):
        if not isinstance(place, Mapping):
            continue
        for name in NEXT_LINKS:
            link = place.get(name)
            if isinstance(link, Mapping):
                link = link.get("href")
            if link and isinstance(link, str):
                return link
    return None
