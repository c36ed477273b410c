"""`referrals db migrate`: brings the database to the newest schema."""

from __future__ import annotations

import rich_click as click

from process.running import find_settings


@click.group()
def command() -> None:
    """Migrate the database."""


@command.command()
def migrate() -> None:
    """Create or update the tables in REFERRALS_DATABASE_URL, and note REFERRALS_THRESHOLDS there.

    Where REFERRALS_WEB_DATABASE_URL is set, that login of the HTTP side is made too.

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
