"""A membership system's list as pages of rows: JSON over HTTP, page after page, or CSV.

Where the next page is, `continuation.py` finds out. A list that never ends is noticed: by an address that was asked
before, by a page that says what an earlier one said, and by their number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from edges.reconciliation.continuation import continuation
from edges.reconciliation.documents import read_document, trouble
from edges.reconciliation.endpoint import Endpoint
from edges.reconciliation.errors import PageGone, SourceFailed
from edges.reconciliation.members import MemberReader
from edges.reconciliation.reasons import Fault, Why
from edges.reconciliation.verdicts import BadRow, UnclearRow
from models.received import twice_or_once
from models.spreadsheets import Table, TableRow

SINCE: Final = "{since}"
"""In a source's address: becomes the time from which on members are asked for."""
THE_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""What it becomes where all are asked for."""

PAGES_MAX: Final = 100_000
CSV_ROWS: Final = 10_000
"""Rows that are taken for a page of a CSV file."""
PAGE_ROWS: Final = 5_000
"""Rows that an OData source is asked for at a time: Dynamics gives no more."""

ACCEPTED: Final[Mapping[str, Mapping[str, str]]] = {
    "json": {"Accept": "application/json"},
    "odata": {
        "Accept": "application/json",
        "OData-MaxVersion": "4.0",
        "OData-Version": "4.0",
        "Prefer": f"odata.maxpagesize={PAGE_ROWS}",
    },
    "csv": {"Accept": "text/csv"},
}
"""Headers of a request, by the kind of source."""


class Row(NamedTuple):
    """A row, and where it is."""

    place: str
    """As a person finds it: `page 3, row 17`, `members.csv:17`, or `line:17` of a file by http.

    The dashboard says the first and the last in its language (`edges/web/static/dashboard/left.js`).
    """
    content: object
    """What stands there; a BadRow where it is not even a row."""


class Page(NamedTuple):
    """Rows that come together."""

    rows: list[Row]
    next_url: str | None
    """Where the next page is; None: there is none, or this source's pages have no addresses."""
    is_last: bool
    more: Fault | None = None
    """Why it is not the end of the list though nothing can be read after it."""
    total: int | None = None
    """How many rows the whole list has, as the page says."""
    delta_url: str | None = None
    """Where what changes from now on can be asked for."""
    columns: tuple[str, ...] = ()
    """Of a table; the rows of others have their own."""


@dataclass(slots=True)
class Trail:
    """What was read of a list, so that a circle is noticed; kept while its reading is interrupted."""

    urls: set[str] = field(default_factory=set)
    pages: dict[int, int] = field(default_factory=dict)
    """Numbers of the pages read, by what they said."""
    number: int = 0
    is_guess: bool = False
    """Some page's address was a guess."""
    is_step: bool = False
    """The next page's address was not said."""
    rows: int = 0
    """How many rows the pages had."""
    trouble: Fault | None = None
    """Which page said that something went wrong, beside its rows."""


def first_url(url: str, since: datetime | None) -> str:
    """Return the address of the first page: the source's, with the time put in where it asks for it."""
    from_then = (since or THE_BEGINNING).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return url.replace(SINCE, quote(from_then, safe=""))


def json_pages(
    endpoint: Endpoint, url: str, *, trail: Trail | None = None, parameter: str = "", pages_max: int = PAGES_MAX
) -> Iterator[Page]:
    """Yield the pages from one on, each asked for when the one before it has been dealt with.

    Raises SourceFailed.
    """
    trail = Trail() if trail is None else trail
    next_url: str | None = url
    while next_url is not None:
        number = trail.number + 1
        if next_url in trail.urls or number > pages_max:
            raise SourceFailed(Fault("no-end", {"page": str(number)}))
        try:
            answer = endpoint.get(next_url)
        except PageGone:
            if not (trail.is_guess or trail.is_step) or not trail.number:
                raise
            yield _nowhere(Fault("guess-missing", {"page": str(number)}))
            return
        document = read_document(answer.body, number)
        goes_on = continuation(
            answer, len(document.rows), document.around, number=number, parameter=parameter, seen=trail.rows
        )
        said = _what_is_said(document.rows)
        if document.rows and said in trail.pages:
            if trail.is_guess:
                yield _nowhere(Fault("guess-repeats", {"page": str(number), "before": str(trail.pages[said])}))
                return
            raise SourceFailed(Fault("said-before", {"page": str(number), "before": str(trail.pages[said])}))
        if fault := trouble(document.around):
            trail.trouble = Fault("page-trouble", {"page": str(number), "name": fault})
        more = goes_on.more or trail.trouble
        if trail.is_guess and not document.rows and goes_on.url is None:
            more = Fault("guess-empty")
        trail.is_guess, trail.is_step = trail.is_guess or goes_on.is_guess, goes_on.is_step
        trail.rows += len(document.rows)
        trail.urls.add(next_url)
        trail.pages[said] = trail.number = number
        next_url = None if goes_on.url in trail.urls and goes_on.is_end_said else goes_on.url
        yield Page(
            [Row(f"page {number}, row {at}", each) for at, each in enumerate(document.rows, start=1)],
            next_url,
            is_last=next_url is None,
            more=more,
            total=goes_on.total,
            delta_url=goes_on.delta_url,
        )


def _nowhere(why: Fault) -> Page:
    """Return the end of a list whose next page was asked for at an address that nobody had said."""
    return Page([], None, is_last=True, more=why)


def csv_pages(lines: Iterable[str], name: str, reader: MemberReader) -> Iterator[Page]:
    """Yield the rows of a CSV file, separated as its header is.

    Raises SourceFailed where the header lacks a column that must be read, or has two for it.
    """
    table = Table(lines)
    columns = table.columns
    if table.fault:
        raise SourceFailed(f"{name}: the header {table.fault}")
    try:
        missing = reader.columns.missing(columns)
        read = set(reader.columns.found(columns).values())
    except UnclearRow as fault:
        raise SourceFailed(f"{name}: {fault}") from None
    twice = sorted(column for column in read if columns.count(column) > 1)
    if twice:
        raise SourceFailed(Fault("column-twice", {"name": name, "column": twice[0]}))
    if missing:
        wanted = f"{missing[0].split()[0]}=COLUMN{reader.columns.likely(missing[0], columns)}"
        raise SourceFailed(Fault("no-column", {"name": name, "fields": ", ".join(missing), "wanted": wanted}))
    needed = max((columns.index(column) for column in read if column in columns), default=-1) + 1
    rows: list[Row] = []
    for row in table.rows():
        content: object
        if row.fault:
            content = BadRow(_why(row, columns))
        elif len(row.cells) < needed:
            content = BadRow("ends-before", column=columns[needed - 1])
        else:
            content = _named(columns, row.cells)
        rows.append(Row(f"{name}:{row.line}", content))
        if len(rows) == CSV_ROWS:
            yield Page(rows, None, is_last=False, columns=columns)
            rows = []
    yield Page(rows, None, is_last=True, columns=columns)


def _why(row: TableRow, columns: tuple[str, ...]) -> Why:
    """Return why a record is none."""
    if row.too_many:
        return Why("too-many-cells", {"count": str(row.too_many), "expected": str(len(columns))})
    return Why("no-csv")


def _named(columns: tuple[str, ...], cells: list[str]) -> dict[str, str]:
    """Return the cells by their columns; where two columns have one name and say two things, that is noted."""
    found = dict(zip(columns, cells, strict=False))
    if len(found) == min(len(columns), len(cells)):
        return found
    return twice_or_once(list(zip(columns, cells, strict=False)))


def _what_is_said(rows: list[Any]) -> int:
    """Return a number that is the same for the same rows in any order."""
    return hash(frozenset(hash(_frozen(row)) for row in rows))


def _frozen(value: object) -> object:
    if isinstance(value, Mapping):
        return frozenset((key, _frozen(each)) for key, each in value.items())
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    return repr(value) if isinstance(value, float | BadRow) else value
