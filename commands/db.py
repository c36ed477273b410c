"""`referrals db`: the newest schema, and analysts who are let in; `roles` is in a module of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import rich_click as click

from commands import db_roles
from process.lines import json_line
from process.running import find_settings

if TYPE_CHECKING:
    from sinks.analysts import Grant


@click.group()
def command() -> None:
    """Migrate the database, give each component a login of its own, and let analysts in."""


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


@command.command(name="grant-analyst")
@click.argument("login")
@click.option("--org", "organisations", type=click.UUID, multiple=True, help="An organisation; may be given again.")
@click.option("--every-organisation", is_flag=True, help="All of them, those to come as well.")
def grant_analyst(*, login: str, organisations: tuple[UUID, ...], every_organisation: bool) -> None:
    """Let an analyst's LOGIN read the tables of the contract, of these organisations and no others.

    A login that is not there is made, and its address printed with a password, this once. It reads counts, codes,
    badges and history; no names and no secrets, and it writes nothing. What was granted before stays.
    """
    from sinks.analysts import grant  # noqa: PLC0415  `--help` needs no psycopg

    if bool(organisations) == every_organisation:
        raise click.UsageError("give --org, once for each organisation, or --every-organisation")
    address = grant(find_settings().database_url, login, None if every_organisation else organisations)
    sees = "every organisation" if every_organisation else ", ".join(map(str, organisations))
    click.echo(f"{login} sees {sees}")
    if address is not None:
        click.echo(f"the login was made; its address, shown this once: {address}")


@command.command(name="revoke-analyst")
@click.argument("login")
@click.option("--org", "organisations", type=click.UUID, multiple=True, help="Only this; may be given again.")
def revoke_analyst(*, login: str, organisations: tuple[UUID, ...]) -> None:
    """Take back what an analyst's LOGIN was granted; exit code 1 where that was nothing.

    The login itself stays; DROP ROLE ends it.
    """
    from sinks.analysts import revoke  # noqa: PLC0415  the same

    count = revoke(find_settings().database_url, login, organisations or None)
    click.echo(f"{count} taken back from {login}")
    if not count:
        raise SystemExit(1)


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each.")
def analysts(*, as_json: bool) -> None:
    """List the analysts' logins, and the organisations that each of them sees."""
    from sinks.analysts import grants  # noqa: PLC0415  the same

    for each in grants(find_settings().database_url):
        click.echo(json_line(_fields(each)) if as_json else f"{each.login}  {each.org_id or 'every organisation'}")


def _fields(grant: Grant) -> dict[str, str | None]:
    return {
        "login": grant.login,
        "org_id": None if grant.org_id is None else str(grant.org_id),
        "granted_at": grant.granted_at.isoformat(),
    }
