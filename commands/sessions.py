"""`referrals sessions ...`: who is signed in on the pages, and signing them out."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import rich_click as click

from process.lines import json_line
from process.running import find_settings

if TYPE_CHECKING:
    from edges.web.sign_in.revoking import ListedSession


@click.group()
def command() -> None:
    """Look at who is signed in on the pages, and sign them out.

    Works on REFERRALS_DATABASE_URL as the user who owns its tables. Bearer tokens are no sessions: they end by
    themselves.
    """


@command.command(name="list")
@click.option("--org", "org_id", type=click.UUID, metavar="UUID", help="Of this organisation alone.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each.")
def list_all(*, org_id: UUID | None, as_json: bool) -> None:
    """List the sessions that have not ended: whose they are, since when, when they were last used."""
    from edges.registry.database import owner_database  # noqa: PLC0415  `--help` needs no Postgres
    from edges.web.sign_in.revoking import list_sessions  # noqa: PLC0415  the same

    async def read() -> list[ListedSession]:
        async with owner_database(find_settings().database_url) as database:
            return await list_sessions(database, org_id)

    found = asyncio.run(read())
    for each in found:
        times = {name: _text(getattr(each, name)) for name in ("signed_in_at", "last_seen_at", "expires_at")}
        if as_json:
            ids = {"org_id": str(each.org_id), "session_id": str(each.session_id)}
            click.echo(json_line({**each._asdict(), **ids, **times}))
        else:
            click.echo(f"{each.session_id}  {each.role} {each.subject}, organisation {each.org_id}")
            click.echo(
                f"  signed in by {each.signed_in_by} {times['signed_in_at']}, last seen {times['last_seen_at']}, "
                f"ends {times['expires_at']}"
            )
    if not found and not as_json:
        click.echo("nobody is signed in")


@command.command()
@click.option("--org", "org_id", type=click.UUID, required=True, metavar="UUID", help="The organisation.")
@click.option("--id", "session_id", type=click.UUID, metavar="UUID", help="One session, as `list` shows it.")
@click.option("--subject", metavar="TEXT", help="Every session of one person, as `list` shows him.")
@click.option("--all", "everybody", is_flag=True, help="Every session of the organisation.")
def revoke(*, org_id: UUID, session_id: UUID | None, subject: str | None, everybody: bool) -> None:
    """End sessions, from their next request on; open pages of live figures end within seconds.

    With --subject and --all go links that were not used yet, with --subject his mail address. Exit code 1 where --id or
    --subject names nobody.
    """
    if sum((session_id is not None, subject is not None, everybody)) != 1:
        raise click.UsageError("say which: --id, --subject or --all, one of them")

    from edges.registry.database import owner_database  # noqa: PLC0415  the same
    from edges.web.sign_in.revoking import revoke_sessions  # noqa: PLC0415  the same

    async def end() -> int:
        async with owner_database(find_settings().database_url) as database:
            return await revoke_sessions(database, org_id, session_id=session_id, subject=subject)

    ended = asyncio.run(end())
    click.echo(f"{ended} session{'' if ended == 1 else 's'} ended")
    if ended == 0 and not everybody:
        sys.exit(1)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
