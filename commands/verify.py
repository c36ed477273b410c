"""`referrals verify`: recompute everything from the source topics and compare."""

from __future__ import annotations

import gc
import sys
from contextlib import nullcontext
from pathlib import Path

import rich_click as click
from confluent_kafka import KafkaException
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from commands.saying import say
from process.lines import json_line
from process.reaching import KafkaAway, require_kafka
from process.running import find_settings
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
@click.option(
    "--checkpoint",
    "checkpoint_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="What an earlier check has found right, and where this one leaves it; default: in the data directory.",
)
@click.option("--no-checkpoint", is_flag=True, help="Begin with nothing, and leave nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every difference.")
def command(
    *,
    wait_s: float,
    no_database: bool,
    show_all: bool,
    checkpoint_file: Path | None,
    no_checkpoint: bool,
    as_json: bool,
) -> None:
    """Recompute everything from the source topics and compare.

    Reads codes, clicks and registrations from their beginning, apart from the app's own code, and compares what must
    be with the counts topic, the milestones, the dead letters, the moved records and the tables in Postgres.

    What retention has removed cannot be recomputed. It is taken from the last check that found nothing wrong, which
    leaves a file; without one it is bounded by how many records are gone. What is beyond proof is said.

    Exit codes: 0 nothing contradicts; 1 there are differences, or records are not processed yet; 2 Kafka or
    Postgres cannot be read.
    """
    settings = find_settings()
    if no_checkpoint:
        checkpoint_file = None
    elif checkpoint_file is None:
        checkpoint_file = settings.data_dir / "verify" / f"{settings.topic_prefix}checkpoint.json"
    gc.set_threshold(GC_THRESHOLD)
    console = Console(stderr=True)
    progress = _progress(console) if console.is_terminal else None
    task = progress.add_task("reading", total=None) if progress else None

    def show(done: int, total: int) -> None:
        if progress is not None and task is not None:
            progress.update(task, completed=done, total=total)

    try:
        require_kafka(settings, say)
        with progress or nullcontext():
            oracle = Oracle(settings, on_progress=show, on_wait=say, checkpoint_file=checkpoint_file)
            report = oracle.check(wait_s=wait_s, with_database=not no_database)
    except (CannotRead, KafkaAway, KafkaException) as error:
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
    _print_beyond_proof(report, console)
    for note in report.notes:
        console.print(f"note: {note}", markup=False)
    shown = report.differences[:limit]
    for difference in shown:
        console.print(str(difference), markup=False, soft_wrap=True)
    if len(shown) < len(report.differences):
        console.print(f"... and {len(report.differences) - len(shown):,} more; --all prints them")
    rate = report.records / report.seconds if report.seconds else 0.0
    if report.is_clean:
        verdict = "[bold green]clean[/]" + (", as far as can be proven" if report.beyond_proof else "")
    elif report.differences:
        differences = len(report.differences)
        verdict = f"[bold red]{differences:,} difference{'s' * (differences != 1)}[/]"
    else:
        verdict = "[bold red]not processed to the end[/]"
    console.print(f"{verdict}: {report.records:,} source records in {report.seconds:.1f} s ({rate:,.0f}/s)")


def _print_beyond_proof(report: Report, console: Console) -> None:
    """Say what retention has removed, and what cannot be proven for it."""
    others = {topic: count for topic, count in report.removed.items() if count and topic not in report.sources}
    for topic, count in others.items():
        console.print(f"removed by retention from {topic}: {count:,} records at most", markup=False)
    if report.beyond_proof:
        console.print("beyond proof, because records are gone, and within what those may explain:", markup=False)
    for what, count in report.beyond_proof.items():
        console.print(f"  {count:,} {what}", markup=False)


def _sources(report: Report) -> Table:
    """Return the conservation table: a column for each topic, so that large numbers fit 80 characters too."""
    table = Table(title="Where each record went", box=box.SIMPLE, title_justify="left")
    table.add_column("", overflow="fold")
    for topic in report.sources:
        table.add_column(topic, justify="right", overflow="fold")
    sources = report.sources.values()
    rows = {
        "removed by retention": [report.removed[topic] for topic in report.sources],
        "offsets": [source.offsets for source in sources],
        "gaps": [source.gaps for source in sources],
        "records": [source.records for source in sources],
        **{name: [source.dispositions[name] for source in sources] for name in DISPOSITIONS},
    }
    for name, counts in rows.items():
        table.add_row(name, *(f"{count:,}" for count in counts))
    return table


def _checks(report: Report) -> Table:
    table = Table(title="What was compared", box=box.SIMPLE, title_justify="left")
    table.add_column("check", overflow="fold")
    table.add_column("compared", justify="right", overflow="fold")
    table.add_column("differences", justify="right", overflow="fold")
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
