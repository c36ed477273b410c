"""`referrals codes issue`: a mentor's referral code."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import rich_click as click

from process.lines import json_line

if TYPE_CHECKING:
    from edges.registry.issuing import Issued


@click.group()
def command() -> None:
    """Issue referral codes."""


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
