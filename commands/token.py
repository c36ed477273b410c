"""`referrals token`: a bearer token for the HTTP side."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import rich_click as click

from process.running import find_settings

if TYPE_CHECKING:
    from edges.registry.tokens import Role

UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
TIME_TO_LIVE = re.compile(r"([1-9][0-9]{0,7})([smhd])")


class TimeToLive(click.ParamType):
    """A number and its unit: 90s, 30m, 12h, 7d."""

    name = "duration"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the time."""
        parts = TIME_TO_LIVE.fullmatch(value)
        if parts is None:
            self.fail(f"{value!r} is no time: give a number and its unit, for example 90s, 30m, 12h or 7d", param, ctx)
        return timedelta(seconds=int(parts[1]) * UNITS_S[parts[2]])


@click.command()
@click.option("--org", "org_id", type=click.UUID, required=True, metavar="UUID", help="The organisation.")
@click.option("--role", type=click.Choice(["mentor", "coordinator", "org_admin", "onboarding"]), required=True,
              metavar="ROLE",
              help="A mentor sees himself; coordinator and org_admin see everybody in the organisation, and "
              "org_admin makes its badges; onboarding may post who is coming, and see nothing.")  # fmt: skip
@click.option("--subject", type=click.UUID, metavar="UUID",
              help="Who he is; of a mentor the mentor id. Of onboarding it may be left out.")  # fmt: skip
@click.option("--ttl", "good_for", type=TimeToLive(), default="12h", show_default=True, metavar="TIME",
              help="How long it is good: 90s, 30m, 12h, 7d.")  # fmt: skip
def command(*, org_id: UUID, role: Role, subject: UUID | None, good_for: timedelta) -> None:
    """Print a bearer token (JWT) for the HTTP side.

    It is signed with REFERRALS_JWT_SECRET, or, beside a running `referrals up`, with the secret in its data directory.
    Where an identity provider signs tokens, ask it instead.
    """
    from edges.registry.keys import with_keys  # noqa: PLC0415  `--help` needs none of it
    from edges.registry.tokens import make_token  # noqa: PLC0415  the same

    if subject is None and role != "onboarding":
        raise click.UsageError("Missing option '--subject'.")
    settings = with_keys(find_settings())
    click.echo(make_token(settings, org_id=org_id, subject=subject or org_id, role=role, good_for=good_for))
