"""What `referrals reconcile` shows: progress, a table for people, an exit code for scripts."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC
from typing import TYPE_CHECKING

import rich_click as click
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from commands.membership import NO_SOURCE
from edges.reconciliation.runs import COUNTS

if TYPE_CHECKING:
    from edges.reconciliation.runs import Run
    from edges.reconciliation.topic import OnProgress

EXIT_FAILED = 1
EXIT_BUSY = 75
"""As sysexits has it: another process is at it, try again later."""

WIDTH_IN_FILES = 150
"""Characters a line where no terminal says how wide it is."""
ROWS_SHOWN = 20
ALWAYS_SHOWN = ("members_read", "matched", "back_filled", "unknown_code")


def print_runs(runs: Sequence[Run], *, dry_run: bool) -> None:
    """Print a table for people: counts that nobody has are left out."""
    if not runs:
        click.echo(f"nothing to do: no organisation has a membership source; {NO_SOURCE}")
        return
    shown = [name for name in COUNTS if name in ALWAYS_SHOWN or any(getattr(run.counts, name) for run in runs)]
    table = Table(
        title="What would be done; nothing was" if dry_run else "What was found", box=box.SIMPLE, title_justify="left"
    )
    table.add_column("organisation", no_wrap=True)
    table.add_column("since (UTC)")
    for name in shown:
        table.add_column(name.replace("_", " "), justify="right")
    for run in runs:
        since = "the beginning" if run.since is None else f"{run.since.astimezone(UTC):%Y-%m-%d %H:%M}"
        counts = [f"{getattr(run.counts, name):,}" for name in shown]
        table.add_row(run.org_id, "a file" if run.until is None and run.since is None else since, *counts)
    Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH_IN_FILES).print(table)
    for run in runs:
        show_left(run.org_id, [(row.place, row.reason) for row in run.rows_left], run.left)
        if run.incomplete is not None:
            click.echo(f"{run.org_id}: not complete: {run.incomplete}", err=True)
        if run.is_busy:
            click.echo(f"{run.org_id}: another process is reconciling it; nothing was done here", err=True)
        elif run.error is not None:
            click.echo(f"{run.org_id}: {run.error}", err=True)
        elif run.is_resumed:
            click.echo(f"{run.org_id}: went on with a run that had not come to its end")


def show_left(org_id: str, rows: Sequence[tuple[str, str]], left: int) -> None:
    """Print which rows somebody has to look at, and why."""
    if not left:
        return
    click.echo(f"{org_id}: {left:,} rows are left, and nothing of them was published:", err=True)
    for place, reason in rows[:ROWS_SHOWN]:
        click.echo(f"  {place}: {reason}", err=True)
    if left > ROWS_SHOWN:
        click.echo(f"  and {left - ROWS_SHOWN:,} more; see: referrals reconcile status --json", err=True)


def exit_code(runs: Sequence[Run]) -> int:
    """Return what scripts are told; of an organisation the last run counts."""
    last = {run.org_id: run for run in runs}.values()
    if any(run.error or run.incomplete or run.left for run in last):
        return EXIT_FAILED
    return EXIT_BUSY if any(run.is_busy for run in last) else 0


@contextmanager
def progress(*, hidden: bool) -> Iterator[OnProgress]:
    """Show on a terminal how far the registrations topic is read."""
    console = Console(stderr=True)
    if hidden or not console.is_terminal:
        yield lambda _done, _all: None
        return
    with Progress(
        TextColumn("reading registrations"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
