"""`referrals codes`: a mentor's referral code, and whether its link works."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import rich_click as click

from models.errors import BadCode
from models.tolerance import read_code
from process.lines import json_line

if TYPE_CHECKING:
    from edges.registry.disabling import ShareLink
    from edges.registry.issuing import Issued


@click.group()
def command() -> None:
    """Issue referral codes, and stop their links."""


@command.command()
@click.option("--org", "org_id", type=click.UUID, required=True, metavar="UUID", help="The mentor's organisation.")
@click.option("--mentor", "mentor_id", type=click.UUID, required=True, metavar="UUID", help="The mentor.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def issue(*, org_id: UUID, mentor_id: UUID, as_json: bool) -> None:
    """Print a mentor's code; it is made, stored and published if he has none.

    A mentor has one code in an organisation, for ever: asking again prints the same. Where Kafka is away the code is
    stored and is published later; that is said, and is no failure.
    """
    from commands.registry import open_registry, publish_waiting, share_url  # noqa: PLC0415  `--help` needs no Postgres

    async def run() -> tuple[Issued, str | None]:
        async with open_registry() as registry:
            issued = await registry.codes.issue(org_id, mentor_id)
            await publish_waiting(registry.settings)
            return issued, share_url(registry.settings, issued.code)

    issued, link = asyncio.run(run())
    if not as_json:
        click.echo(issued.code)
        return
    fields = {
        "referral_code": issued.code,
        "org_id": str(org_id),
        "mentor_id": str(mentor_id),
        "issued_at": issued.issued_at.isoformat(),
        "is_new": issued.is_new,
    }
    click.echo(json_line(fields | ({"share_url": link} if link else {})))


@command.command()
@click.argument("code", required=False)
@click.option("--org", "org_id", type=click.UUID, metavar="UUID", help="The mentor's organisation, in place of CODE.")
@click.option("--mentor", "mentor_id", type=click.UUID, metavar="UUID", help="The mentor, with --org.")
@click.option("--undo", is_flag=True, help="Let the link work again.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def disable(*, code: str | None, org_id: UUID | None, mentor_id: UUID | None, undo: bool, as_json: bool) -> None:
    """Stop a mentor's share link: it leads to the neutral page, and its clicks are not counted any more.

    The code stays his: his counts and badges stand, and confirmations that come late still count. Running servers take
    note of it within half a minute.
    """
    from edges.registry.database import owner_database  # noqa: PLC0415  `--help` needs no Postgres
    from edges.registry.disabling import set_disabled  # noqa: PLC0415  the same
    from process.running import find_settings  # noqa: PLC0415  the same

    if (code is None) is (org_id is None) or (org_id is None) is not (mentor_id is None):
        raise click.UsageError("give a CODE, or --org and --mentor")
    try:
        code = code and read_code(code)
    except BadCode as fault:
        raise click.UsageError(str(fault)) from None

    async def run() -> ShareLink:
        async with owner_database(find_settings().database_url) as database:
            return await set_disabled(database, code=code, org_id=org_id, mentor_id=mentor_id, is_disabled=not undo)

    link = asyncio.run(run())
    if as_json:
        click.echo(
            json_line(
                {
                    "referral_code": link.code,
                    "org_id": str(link.org_id),
                    "mentor_id": str(link.mentor_id),
                    "disabled_at": link.disabled_at and link.disabled_at.isoformat(),
                }
            )
        )
    elif link.disabled_at is None:
        click.echo(f"{link.code}: the link works")
    else:
        click.echo(f"{link.code}: the link is disabled since {link.disabled_at:%Y-%m-%d %H:%M:%S} UTC")
