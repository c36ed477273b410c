"""`referrals reconcile status`: the last runs of each organisation, and what they have left."""

from __future__ import annotations

import sys
from datetime import UTC, timedelta
from typing import Any
from uuid import UUID

import rich_click as click

from commands.reconcile_report import show_left
from process.lines import json_line
from process.running import find_settings


@click.command()
@click.option("--org", type=click.UUID, metavar="ORG", help="This organisation only.")
@click.option("--last", type=click.IntRange(min=1, max=100), default=3, show_default=True, metavar="RUNS",
              help="How many runs of each organisation.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def status(*, org: UUID | None, last: int, as_json: bool) -> None:
    """Show the last runs of each organisation, what is left, and when the next is due.

    Exit codes: 0 the last run of each organisation saw everything and left nothing; 1 one did not.
    """
    from edges.reconciliation.history import last_runs, schedules  # noqa: PLC0415  `--help` needs no Postgres

    settings = find_settings()
    asked = None if org is None else str(org)
    found = last_runs(settings.database_url, asked, last)
    planned = schedules(settings.database_url, asked)
    newest: dict[str, Any] = {}
    for run in found:
        newest.setdefault(run.org_id, run)
    if as_json:
        told = [
            {
                "org_id": each.org_id,
                "every_s": None if each.run_every is None else each.run_every.total_seconds(),
                "due_at": each.due_at,
            }
            for each in planned
        ]
        click.echo(json_line({"runs": [run.as_json() for run in found], "schedules": told}))
    else:
        _show(found, {each.org_id: _planned(each, settings.reconcile_at) for each in planned})
    if not all(run.is_done for run in newest.values()):
        sys.exit(1)


def _planned(schedule: Any, reconcile_at: str) -> str:  # noqa: ANN401  a Schedule
    """Return when an organisation is reconciled, for a person."""
    if reconcile_at == "off":
        return "never, REFERRALS_RECONCILE_AT is off"
    how = f"at {reconcile_at} (REFERRALS_RECONCILE_AT)"
    if schedule.run_every is not None:
        how = f"every {_interval(schedule.run_every)}"
    if schedule.due_at is not None:
        how += f", next at {schedule.due_at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
    return how


def _interval(every: timedelta) -> str:
    minutes = every // timedelta(minutes=1)
    for unit, size in (("d", 24 * 60), ("h", 60)):
        if minutes % size == 0:
            return f"{minutes // size}{unit}"
    return f"{minutes}m"


def _show(runs: list[Any], planned: dict[str, str]) -> None:
    if not runs:
        click.echo("there was no run")
    for org_id in planned.keys() - {run.org_id for run in runs}:
        click.echo(f"{org_id}: {planned[org_id]}\n  never run")
    shown = ""
    for run in runs:
        if run.org_id != shown:
            shown = run.org_id
            click.echo(f"{run.org_id}: {planned.get(run.org_id, 'has no source any more')}")
            is_newest = True
        counts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in run.counts.items() if count)
        click.echo(f"  {run.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ} {run.state}: {counts or 'no rows'}")
        for why in filter(None, (run.error, run.incomplete)):
            click.echo(f"    {why}")
        if is_newest:
            show_left(run.org_id, run.rows_left, run.left)
        is_newest = False
