"""`referrals db`: `migrate` brings the database to the newest schema; `roles` is in a module of its own."""

from __future__ import annotations

import rich_click as click

from commands import db_roles
from process.running import find_settings


@click.group()
def command() -> None:
    """Migrate the database, and give each component a login of its own."""


command.add_command(db_roles.command, "roles")


@command.command()
def migrate() -> None:
    """Create or update the tables in REFERRALS_DATABASE_URL, and note REFERRALS_THRESHOLDS there.

    Where REFERRALS_WEB_DATABASE_URL is set, that login of the HTTP side is made too. Where `db roles apply` has handed
    the tables over, as their owner: a login that has his role is enough.

    Safe to run again, and by several at once. Says what it did.
    """
    from sinks.migrate import migrate as bring_up_to_date  # noqa: PLC0415  `--help` needs neither yoyo nor psycopg

    settings = find_settings()
    report = bring_up_to_date(
        settings.database_url, thresholds=settings.thresholds, web_database_url=settings.web_database_url
    )
    for name in report.applied:
        click.echo(f"applied {name}")
    for notice in report.notices:
        click.echo(notice)
    if not report.applied:
        click.echo(f"nothing to do: {report.applied_before} migrations had been applied before")
