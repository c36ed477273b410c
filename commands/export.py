"""`referrals export counts` and `export history`: what was counted, as CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO
from uuid import UUID

import rich_click as click
from rich.console import Console

from commands.export_parquet import require_duckdb, write_parquet
from commands.progress import progress_on
from models.spreadsheets import as_text
from process.lines import json_line
from process.running import find_settings

if TYPE_CHECKING:
    from operations.tables import Row


@click.group()
def command() -> None:
    """Export what was counted."""


_FORMAT = click.option("--format", "form", type=click.Choice(["csv", "jsonl", "parquet"]), default="csv",
                       show_default=True, help="jsonl: a line of JSON for each row. parquet: by --output.")  # fmt: skip
_ORG = click.option("--org", type=click.UUID, metavar="ORG", help="Of this organisation only.")
_OUTPUT = click.option("--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
                       help="Into this file, which appears when it is whole; default: standard output.")  # fmt: skip


@command.command("counts")
@_FORMAT
@_ORG
@_OUTPUT
def counts_(*, form: str, org: UUID | None, output: Path | None) -> None:
    """Write every mentor's counts and name, by organisation and mentor; nothing that names a member.

    In CSV by_channel and milestones are JSON. They are the counts that `referrals counts` has projected, each
    organisation's as it was at one moment.
    """
    from operations.exporting import FIELDS, counts  # noqa: PLC0415  `--help` needs no Postgres
    from operations.tables import tables  # noqa: PLC0415  the same

    settings = find_settings()
    _check(form, output)
    with tables(settings.database_url) as database:
        written = _write(form, output, FIELDS, _shown(counts(database, None if org is None else str(org))))
    if output is not None:
        click.echo(f"{output}: {written:,} rows")


@command.command("history")
@click.option("--days", type=int, metavar="N", help="So many days, today included; default: 30.")
@click.option("--quarter", metavar="QUARTER", help="A quarter such as 2026-Q4, or `current`.")
@click.option("--from", "first", metavar="DAY", help="The first day, such as 2026-11-01.")
@click.option("--to", "last", metavar="DAY", help="The last day, included; default: today.")
@_FORMAT
@_ORG
@_OUTPUT
def history_(
    *,
    days: int | None,
    quarter: str | None,
    first: str | None,
    last: str | None,
    form: str,
    org: UUID | None,
    output: Path | None,
) -> None:
    """Write what happened on which day and by which channel: clicks, registered, confirmed, withdrawn.

    Days are the organisation's (`orgs set --time-zone`), by when it occurred. Where nothing happened there is no row.
    """
    from models.periods import BadPeriod  # noqa: PLC0415  the same
    from operations.exporting import HISTORY_FIELDS, Asked, history  # noqa: PLC0415  the same
    from operations.tables import tables  # noqa: PLC0415  the same

    settings = find_settings()
    _check(form, output)
    asked = Asked(days, quarter, first, last)
    try:
        with tables(settings.database_url) as database:
            rows = _shown(history(database, asked, None if org is None else str(org)), "rows")
            written = _write(form, output, HISTORY_FIELDS, rows)
    except BadPeriod as fault:
        raise click.UsageError(f"--{fault.field} {fault.message}") from None
    if output is not None:
        click.echo(f"{output}: {written:,} rows")


def _check(form: str, output: Path | None) -> None:
    """Raise before anything is read where the form cannot be written."""
    if form != "parquet":
        return
    if output is None:
        raise click.UsageError("--format parquet needs --output FILE: such a file is written from its end")
    require_duckdb()


def _write(form: str, output: Path | None, fields: tuple[str, ...], rows: Iterable[Row]) -> int:
    """Write the rows as they are wanted; return how many."""
    if output is None:
        return _WRITERS[form](sys.stdout, fields, rows)
    with _unfinished(output) as unfinished:
        if form == "parquet":
            return write_parquet(unfinished, fields, rows)
        with unfinished.open("x", encoding="utf-8", newline="") as file:
            return _WRITERS[form](file, fields, rows)


def _write_csv(file: TextIO, fields: tuple[str, ...], rows: Iterable[Row]) -> int:
    """Write a header and a row for each; return how many."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(fields)
    count = 0
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in fields])
        count += 1
    return count


def _write_lines(file: TextIO, _fields: tuple[str, ...], rows: Iterable[Row]) -> int:
    count = 0
    for row in rows:
        file.write(json_line(row) + "\n")
        count += 1
    return count


_WRITERS: Final = {"csv": _write_csv, "jsonl": _write_lines}


def _cell(value: Any) -> Any:  # noqa: ANN401  whatever a column holds
    if isinstance(value, dict | list):
        return json_line(value)
    return as_text(value) if isinstance(value, str) else value


def _shown(rows: Iterable[Row], called: str = "mentors") -> Iterator[Row]:
    """Pass the rows on; on a terminal count them where they are written elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal or sys.stdout.isatty():
        yield from rows
        return
    with progress_on(console) as bar:
        task = bar.add_task("exporting", total=None, rate="")
        for number, row in enumerate(rows, 1):
            yield row
            if number % 1_000 == 0:
                bar.update(task, rate=f"{number:,} {called}")


@contextmanager
def _unfinished(output: Path) -> Iterator[Path]:
    """Give where to write; the file gets its name when it is whole, and is not there where it failed."""
    unfinished = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        yield unfinished
        unfinished.replace(output)
    except OSError as error:
        raise click.ClickException(f"{output}: {error.strerror}") from None
    finally:
        unfinished.unlink(missing_ok=True)
