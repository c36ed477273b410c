"""What a source's first page would be made of, shown before it is saved: verdicts with reasons, nothing quoted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from edges.reconciliation.address import is_path
from edges.reconciliation.endpoint import ASKED_ONCE
from edges.reconciliation.errors import SourceFailed
from edges.reconciliation.mapping import Field, Reading
from edges.reconciliation.members import MemberReader
from edges.reconciliation.opening import opened_endpoint
from edges.reconciliation.pages import Page, csv_pages, first_url, json_pages
from edges.reconciliation.reasons import Fault
from edges.reconciliation.runs import Source
from edges.reconciliation.verdicts import BadRow, UnclearRow
from models.spreadsheets import text_lines


class Seen(NamedTuple):
    """What a row would be."""

    place: str
    verdict: str
    """confirmed, withdrawn, not confirmed, without code, unclear or bad."""
    reason: str


class Preview(NamedTuple):
    """What a source's first page would be made of."""

    rows: list[Seen]
    verdicts: dict[str, int]
    columns: list[str]
    """Of the source, those of its first row."""
    fields: dict[Field, str]
    """Which of them is read for which field."""
    more: Fault | None
    """Why the source could not be read to its end: it says that there is more, and not where."""


def preview(source: Source, secret: str | None) -> Preview:
    """Ask for a source's first page, once, and return what it would be made of; nothing is published or saved.

    Raises:
        SourceFailed: it cannot be asked, or its answer not be read.
        BadSource: what it is configured with cannot be used.

    """
    source.reading.check()
    reader = MemberReader(source.reading)
    now = datetime.now(UTC)
    with ExitStack() as opened:
        page = _first_page(source, secret, reader, opened)
    reader.look(row.content for row in page.rows)
    seen = [_seen(reader, row.place, row.content, now) for row in page.rows]
    contents = [row.content for row in page.rows if isinstance(row.content, Mapping)]
    columns = list(dict.fromkeys([*page.columns, *(str(key) for content in contents for key in content)]))
    try:
        fields = reader.columns.found(tuple(columns))
    except UnclearRow as fault:
        raise SourceFailed(str(fault)) from None
    return Preview(seen, dict(Counter(each.verdict for each in seen)), columns, fields, page.more)


def resolved(reading: Reading, shown: Preview) -> Reading:
    """Return the reading with every column named, as it was shown: later ones cannot take its place."""
    there: dict[str, str] = {field: name for field, name in shown.fields.items() if name in shown.columns}
    return Reading(
        fields={**there, **reading.fields},
        statuses=reading.statuses,
        marks=reading.marks,
        times=reading.times,
        zone=reading.zone,
    )


def _first_page(source: Source, secret: str | None, reader: MemberReader, opened: ExitStack) -> Page:
    if is_path(source.url):
        try:
            file = Path(source.url).open("rb")  # noqa: SIM115  just below
        except OSError as fault:
            raise SourceFailed(f"{source.url}: {fault.strerror or type(fault).__name__}") from None
        return next(csv_pages(text_lines(opened.enter_context(file)), source.url, reader))
    endpoint = opened.enter_context(opened_endpoint(source, secret, ASKED_ONCE))
    url = first_url(source.url, None)
    if source.kind == "csv":
        return next(csv_pages(text_lines([endpoint.get(url).body]), "line", reader))
    return next(json_pages(endpoint, url, parameter=source.parameter))


def _seen(reader: MemberReader, place: str, content: object, now: datetime) -> Seen:
    try:
        if isinstance(content, BadRow):
            raise content
        member = reader.read(content, now, place)
    except UnclearRow as fault:
        return Seen(place, "unclear", str(fault))
    except BadRow as fault:
        return Seen(place, "bad", str(fault))
    if isinstance(member, str):
        return Seen(place, member.replace("_", " "), "")
    if member.unclear is not None:
        return Seen(place, "unclear", str(member.unclear))
    since = f"since {member.at:%Y-%m-%d %H:%M:%SZ}" if member.is_dated else "its source does not say when"
    matched = "; has no code, and is looked up by member id" if member.code is None else ""
    return Seen(place, member.status, since + matched)
