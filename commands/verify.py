"""`referrals verify`: recompute everything from the source topics and compare."""

from __future__ import annotations

import gc
import sys
from contextlib import nullcontext

import rich_click as click
from confluent_kafka import KafkaException
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from process.lines import json_line
from process.settings import load_settings
from proof.verify.oracle import Oracle
from proof.verify.reading import CannotRead
from proof.verify.report import CHECKS, DISPOSITIONS, TABLE_CHECKS, Report

EXIT_DIFFERENT = 1
EXIT_CANNOT_READ = 2

DIFFERENCES_SHOWN = 20
WAIT_S = 30.0
WIDTH_IN_FILES = 120
"""Characters a line where no terminal says how wide it is."""

GC_THRESHOLD = 200_000
"""Objects made until Python looks for cycles: millions of records are read and none is in a cycle; a tenth faster."""


@click.command()
@click.option("--wait", "wait_s", default=WAIT_S, show_default=True, type=click.FloatRange(min=0), metavar="SECONDS",
              help="How long the program may take to catch up first.")  # fmt: skip
@click.option("--no-database", is_flag=True, help="Compare the topics only, not Postgres.")
@click.option("--all", "show_all", is_flag=True, help=f"Print every difference, not the first {DIFFERENCES_SHOWN}.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every difference.")
def command(*, wait_s: float, no_database: bool, show_all: bool, as_json: bool) -> None:
    """Recompute everything from the source topics and compare.

    Reads codes, clicks and registrations from their beginning, apart from the app's own code, and compares what must
    be with the counts topic, the milestones, the dead letters, the moved records and the tables in Postgres.

    Exit codes: 0 everything is as it must be; 1 there are differences, or records are not processed yet; 2 Kafka or
    Postgres cannot be read.
    """
    settings = load_settings()
    gc.set_threshold(GC_THRESHOLD)
    console = Console(stderr=True)
    progress = _progress(console) if console.is_terminal else None
    task = progress.add_task("reading", total=None) if progress else None

    def show(done: int, total: int) -> None:
        if progress is not None and task is not None:
            progress.update(task, completed=done, total=total)

    try:
        with progress or nullcontext():
            report = Oracle(settings, on_progress=show).check(wait_s=wait_s, with_database=not no_database)
    except (CannotRead, KafkaException) as error:
        click.echo(f"referrals: {error}", err=True)
        sys.exit(EXIT_CANNOT_READ)
    if as_json:
        click.echo(json_line(report.as_json()))
    else:
        width = None if sys.stdout.isatty() else WIDTH_IN_FILES
        print_report(report, Console(highlight=False, width=width), limit=None if show_all else DIFFERENCES_SHOWN)
    if not report.is_clean:
        sys.exit(EXIT_DIFFERENT)


def print_report(report: Report, console: Console, *, limit: int | None) -> None:
    """Print a report for people: what is not processed first, then what was compared, then the differences.

    At most `limit` differences are printed; None: all.
    """
    if report.unprocessed:
        console.print(
            f"[bold red]{report.unprocessed:,} records not processed yet[/]: is the stream app running? What follows "
            "differs at least by them."
        )
    console.print(_sources(report))
    console.print(_checks(report))
    for note in report.notes:
        console.print(f"note: {note}", markup=False)
    shown = report.differences[:limit]
    for difference in shown:
        console.print(str(difference), markup=False, soft_wrap=True)
    if len(shown) < len(report.differences):
        console.print(f"... and {len(report.differences) - len(shown):,} more; --all prints them")
    rate = report.records / report.seconds if report.seconds else 0.0
    if report.is_clean:
        verdict = "[bold green]clean[/]"
    elif report.differences:
        verdict = f"[bold red]{len(report.differences):,} differences[/]"
    else:
        verdict = "[bold red]not processed to the end[/]"
    console.print(f"{verdict}: {report.records:,} source records in {report.seconds:.1f} s ({rate:,.0f}/s)")


def _sources(report: Report) -> Table:
    table = Table(title="Where each record went", box=box.SIMPLE, title_justify="left")
    table.add_column("topic")
    for name in ("offsets", "gaps", "records", *DISPOSITIONS):
        table.add_column(name, justify="right")
    for topic, source in report.sources.items():
        counts = [source.offsets, source.gaps, source.records, *(source.dispositions[name] for name in DISPOSITIONS)]
        table.add_row(topic, *(f"{count:,}" for count in counts))
    return table


def _checks(report: Report) -> Table:
    table = Table(title="What was compared", box=box.SIMPLE, title_justify="left")
    table.add_column("check")
    table.add_column("compared", justify="right")
    table.add_column("differences", justify="right")
    for check in CHECKS:
        _add_check(table, report, check)
    if report.with_database:
        for check in TABLE_CHECKS:
            _add_check(table, report, check)
    else:
        table.add_row("Postgres", "not compared", "--no-database")
    return table


def _add_check(table: Table, report: Report, check: str) -> None:
    differences = sum(difference.check == check for difference in report.differences)
    table.add_row(check, f"{report.compared[check]:,}", f"[red]{differences:,}[/]" if differences else "0")


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
    )
