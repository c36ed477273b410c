"""`referrals reconcile status`: the last runs of each organisation, and what they have left."""

from __future__ import annotations

import sys
from datetime import UTC
from typing import Any
from uuid import UUID

import rich_click as click

from commands.reconcile_report import show_left
from process.lines import json_line
from process.settings import load_settings


@click.command()
@click.option("--org", type=click.UUID, metavar="ORG", help="This organisation only.")
@click.option("--last", type=click.IntRange(min=1, max=100), default=3, show_default=True, metavar="RUNS",
              help="How many runs of each organisation.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def status(*, org: UUID | None, last: int, as_json: bool) -> None:
    """Show the last runs of each organisation, and what is left.

    Exit codes: 0 the last run of each organisation saw everything and left nothing; 1 one did not.
    """
    from edges.reconciliation.history import last_runs  # noqa: PLC0415  `--help` needs no Postgres

    found = last_runs(load_settings().database_url, None if org is None else str(org), last)
    newest: dict[str, Any] = {}
    for run in found:
        newest.setdefault(run.org_id, run)
    if as_json:
        click.echo(json_line({"runs": [run.as_json() for run in found]}))
    else:
        _show(found)
    if not all(run.is_done for run in newest.values()):
        sys.exit(1)


def _show(runs: list[Any]) -> None:
    if not runs:
        click.echo("there was no run")
    shown = ""
    for run in runs:
        if run.org_id != shown:
            shown = run.org_id
            click.echo(run.org_id)
            is_newest = True
        counts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in run.counts.items() if count)
        click.echo(f"  {run.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ} {run.state}: {counts or 'no rows'}")
        for why in filter(None, (run.error, run.incomplete)):
            click.echo(f"    {why}")
        if is_newest:
            show_left(run.org_id, run.rows_left, run.left)
        is_newest = False
