"""`referrals sign-in-link`: a link that signs somebody in on the pages, once."""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import rich_click as click

from commands.token import TimeToLive
from process.lines import json_line
from process.running import find_settings
from process.settings import SettingsError

if TYPE_CHECKING:
    from edges.registry.tokens import Role
    from edges.web.sign_in.links import SignInLink

GOOD_FOR_MAX = timedelta(days=7)


@click.command()
@click.option("--org", "org_id", type=click.UUID, required=True, metavar="UUID", help="The organisation.")
@click.option("--role", type=click.Choice(["mentor", "coordinator", "org_admin"]), required=True, metavar="ROLE",
              help="A mentor sees himself; coordinator and org_admin see everybody in the organisation, and "
              "org_admin makes its badges.")  # fmt: skip
@click.option("--subject", required=True, metavar="TEXT",
              help="Who signs in: of a mentor the mentor id, of others any name that tells them apart.")  # fmt: skip
@click.option("--ttl", "good_for", type=TimeToLive(), default="15m", show_default=True, metavar="TIME",
              help="How long the link is good: 15m, 2h, at most 7d. The session lasts longer.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def command(*, org_id: UUID, role: Role, subject: str, good_for: timedelta, as_json: bool) -> None:
    """Print a link that signs somebody in on the pages, once.

    For those without an identity provider. Whoever opens it and presses its button first is signed in, so hand it to
    him alone; opening it uses nothing up, a mail scanner may. `referrals sessions` lists and revokes what came of it.
    """
    if good_for > GOOD_FOR_MAX:
        raise click.UsageError("a link is good for 7d at most; the session that it begins lasts by itself")

    from edges.registry.database import owner_database  # noqa: PLC0415  `--help` needs no Postgres
    from edges.web.sign_in.links import make_link  # noqa: PLC0415  the same

    settings = find_settings()
    if settings.public_url is None:
        raise SettingsError(
            "REFERRALS_PUBLIC_URL: not set, so a link would lead nowhere; set it to where people reach `referrals web`"
        )

    async def make() -> SignInLink:
        async with owner_database(settings.database_url) as database:
            return await make_link(database, org_id=org_id, role=role, subject=subject, good_for=good_for)

    made = asyncio.run(make())
    url, until = made.url(settings.public_url), made.expires_at.astimezone(UTC).isoformat(timespec="seconds")
    click.echo(json_line({"url": url, "expires_at": until}) if as_json else url)
