"""`referrals reconcile`: asks membership systems for confirmations that never came, and publishes them."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, cast
from uuid import UUID

import rich_click as click

from commands.membership import NO_SOURCE, configure, read_reading, reading_options, remove, sources
from commands.reconcile_status import status
from commands.saying import say
from process.lines import json_line
from process.reaching import require_kafka
from process.running import find_settings

if TYPE_CHECKING:
    from edges.reconciliation.store import RunStore
    from edges.reconciliation.walk import Job

MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"]


@click.group(invoke_without_command=True)
@click.option("--org", type=click.UUID, metavar="ORG", help="This organisation only; without: all that have a source.")
@click.option("--csv", "csv_file", type=click.Path(exists=True, dir_okay=False, allow_dash=True), metavar="FILE",
              help="Take the members from a CSV file, - for standard input, instead of the source.")  # fmt: skip
@reading_options
@click.option("--since", type=click.DateTime(MOMENTS), metavar="TIME",
              help="Ask for members from then on (2026-11-20, in UTC), not since the last run.")  # fmt: skip
@click.option("--batch", "batch_rows", type=click.IntRange(min=1), metavar="ROWS", default=100_000, show_default=True,
              help="Members compared at a time; after each batch it is saved how far the run is.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Publish and save nothing; count what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
@click.option("--due", type=click.Choice(["interval", "crontab"]), hidden=True,
              help="Only those whose own interval is over, or that have none: what the leader asks for.")  # fmt: skip
@click.option("--until-stdin-ends", is_flag=True, hidden=True, help="Stop when standard input ends.")
@click.pass_context
def command(  # noqa: PLR0913  the options of a command
    context: click.Context,
    /,
    *,
    org: UUID | None,
    csv_file: str | None,
    since: datetime | None,
    batch_rows: int,
    dry_run: bool,
    as_json: bool,
    due: Literal["interval", "crontab"] | None,
    until_stdin_ends: bool,
    **reading_given: Any,  # noqa: ANN401  the reading_options
) -> None:
    """Ask membership systems for confirmations that never came.

    Members that a system lists since the last run are compared with the registrations topic; confirmations, and
    withdrawals, that are missing there are published. Running it again changes nothing, and a run that was killed is
    gone on with. The leader of the stream workers runs it at REFERRALS_RECONCILE_AT, or for an organisation that has
    an interval of its own when that is over (reconcile configure --every). How rows are read goes with --csv; a
    source's is said with: reconcile configure.

    Exit codes: 0 everything was seen, and nothing is left; 1 rows are left, unclear or bad, or a source has more than
    it gave, or a source, Kafka or Postgres failed, and the rest is done; 75 another process is reconciling the
    organisation.
    """
    if context.invoked_subcommand is not None:
        if any((org, csv_file, since, dry_run, as_json, *reading_given.values())):
            raise click.UsageError(f"give the options after {context.invoked_subcommand}")
        return
    if csv_file is not None and (org is None or since is not None):
        raise click.UsageError("--csv needs --org, and takes no --since: a file is read whole")
    if csv_file is None and any(reading_given.values()):
        raise click.UsageError("how rows are read goes with --csv; a source's is said with: reconcile configure")
    from commands.reconcile_report import exit_code, print_runs, progress  # noqa: PLC0415  the same
    from edges.reconciliation.reconciler import Reconciler  # noqa: PLC0415  the same
    from edges.reconciliation.store import RunStore  # noqa: PLC0415  the same
    from process import logs  # noqa: PLC0415  `--help` needs neither Kafka nor Postgres

    if until_stdin_ends:
        threading.Thread(target=_stop_at_end_of_stdin, name="stdin", daemon=True).start()
    settings = find_settings()
    logs.configure(settings)
    require_kafka(settings, say)
    started_s = time.monotonic()
    with RunStore(settings.database_url) as store, progress(hidden=as_json) as on_progress:
        reconciler = Reconciler(settings, store, dry_run=dry_run, batch_rows=batch_rows, on_progress=on_progress)
        if csv_file is None:
            runs = reconciler.reconcile(_jobs(store, org, since, due))
        else:
            with _csv_job(cast("UUID", org), csv_file, reading_given) as job:
                runs = reconciler.reconcile([job])
    seconds = time.monotonic() - started_s
    if as_json:
        report = {
            "dry_run": dry_run,
            "seconds": round(seconds, 3),
            "records_read": reconciler.records_read,
            "runs": [run.as_json() for run in runs],
        }
        click.echo(json_line(report))
    else:
        print_runs(runs, dry_run=dry_run)
        if runs:
            click.echo(f"{seconds:.1f} s; {reconciler.records_read:,} records of the registrations topic read")
    sys.exit(exit_code(runs))


for subcommand in (configure, sources, status, remove):
    command.add_command(subcommand)


def _jobs(
    store: RunStore, org: UUID | None, since: datetime | None, due: Literal["interval", "crontab"] | None
) -> list[Job]:
    """Return what is to be done: the organisation's source, all there are, or those whose time has come."""
    from edges.reconciliation.walk import Job  # noqa: PLC0415  the same

    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    if org is not None:
        asked = [str(org)]
    elif due is not None:
        asked = store.due(by_own_interval=due == "interval")
    else:
        asked = store.organisations()
    found = [(each, store.source(each)) for each in asked]
    jobs = [Job(each, source, since) for each, source in found if source is not None]
    if org is not None and not jobs:
        raise click.ClickException(f"organisation {org} has no membership source; {NO_SOURCE}")
    return jobs


@contextmanager
def _csv_job(org: UUID, name: str, reading_given: dict[str, Any]) -> Iterator[Job]:
    """Give the job of a file that is open for the body."""
    from edges.reconciliation.runs import FILE, Source  # noqa: PLC0415  the same
    from edges.reconciliation.walk import Job  # noqa: PLC0415  the same
    from models.spreadsheets import text_lines  # noqa: PLC0415  the same

    source = Source(
        kind=FILE,
        url="standard input" if name == "-" else name,
        reading=read_reading(**reading_given),
    )
    with click.open_file(name, "rb") as file:
        yield Job(str(org), source, lines=text_lines(file))


def _stop_at_end_of_stdin() -> None:
    """Stop as SIGTERM does when whoever started us has gone, or wants us to go."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
