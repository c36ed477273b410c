"""`referrals orgs ...`: organisations and their secrets."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import IO, TYPE_CHECKING
from uuid import UUID

import rich_click as click

from process.lines import json_line
from process.running import find_settings

if TYPE_CHECKING:
    from edges.registry.organisations import NewOrganisation, Organisation, SetOrganisation
    from edges.registry.secrets import NewSecret, Purpose

JSON_HELP = "Print one line of JSON."


@click.group()
def command() -> None:
    """Make organisations, and keep their secrets.

    Works on REFERRALS_DATABASE_URL as the user who owns its tables. Secrets are stored encrypted with
    REFERRALS_SECRET_KEYS, or, beside a running `referrals up`, with the keys in its data directory.
    """


@command.command()
@click.argument("name")
@click.option("--landing-url", metavar="URL", help="Where share links lead; without: to the neutral page.")
@click.option("--time-zone", metavar="ZONE", help="In whose days its figures are, such as Europe/Oslo; without: UTC.")
@click.option("--org-id", type=click.UUID, metavar="UUID", help="Its id, where it has one already; else one is made.")
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def create(*, name: str, landing_url: str | None, time_zone: str | None, org_id: UUID | None, as_json: bool) -> None:
    """Make an organisation, with a secret for its codes, one for its webhooks, and a key for badges taken along.

    Prints org_id and webhook_secret. The webhook's secret is for whoever posts registrations; it is shown this once.
    """
    from commands.registry import open_registry  # noqa: PLC0415  `--help` needs no Postgres
    from edges.registry.organisations import create_organisation  # noqa: PLC0415  the same
    from edges.registry.secrets import webhook_text  # noqa: PLC0415  the same

    async def make() -> NewOrganisation:
        async with open_registry() as registry:
            return await create_organisation(
                registry.database,
                registry.secrets,
                name=name,
                landing_url=landing_url,
                time_zone=time_zone,
                org_id=org_id,
            )

    made = asyncio.run(make())
    fields = {"org_id": str(made.org_id), "webhook_secret": webhook_text(made.webhook.secret)}
    public_url = find_settings().public_url
    print_fields(fields | ({} if public_url is None else {"web_url": public_url}), as_json=as_json)


@command.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each.")
def list_all(*, as_json: bool) -> None:
    """List the organisations: id, name, landing page, mentors with a code, and what secrets are in use."""
    from edges.registry.database import owner_database  # noqa: PLC0415  the same
    from edges.registry.organisations import list_organisations  # noqa: PLC0415  the same

    async def read() -> list[Organisation]:
        async with owner_database(find_settings().database_url) as database:
            return await list_organisations(database)

    found = asyncio.run(read())
    for each in found:
        if as_json:
            click.echo(json_line({**each._asdict(), "org_id": str(each.org_id)}))
        else:
            secrets = ", ".join(each.secrets) or "none"
            click.echo(f"{each.org_id}  {each.name or '(no name)'}")
            click.echo(
                f"  {each.codes:,} codes; secrets: {secrets}; days of {each.time_zone}; links lead to "
                f"{each.landing_url or 'the neutral page'}"
            )
    if not found and not as_json:
        click.echo("there are no organisations yet; make one with: referrals orgs create NAME")


@command.command(name="set")
@click.argument("org", type=click.UUID)
@click.option("--name", help="What it is called.")
@click.option("--landing-url", metavar="URL", help="Where its share links lead; '' for the neutral page.")
@click.option("--time-zone", metavar="ZONE", help="In whose days its figures are shown, such as Europe/Oslo.")
def change(*, org: UUID, name: str | None, landing_url: str | None, time_zone: str | None) -> None:
    """Change an organisation's name, landing page or time zone.

    With another time zone the days of its history are made anew; nothing that happened moves.
    """
    from edges.registry.database import owner_database  # noqa: PLC0415  the same
    from edges.registry.organisations import set_organisation  # noqa: PLC0415  the same

    if name is None and landing_url is None and time_zone is None:
        raise click.UsageError("nothing to change: give --name, --landing-url or --time-zone")

    async def write() -> SetOrganisation:
        async with owner_database(find_settings().database_url) as database:
            return await set_organisation(database, org, name=name, landing_url=landing_url, time_zone=time_zone)

    now = asyncio.run(write())
    leads_to = now.landing_url or "the neutral page"
    click.echo(f"{org}  {now.name or '(no name)'}; links lead to {leads_to}; days of {now.time_zone}")


@command.command(name="rotate-secret")
@click.argument("org", type=click.UUID)
@click.option("--purpose", type=click.Choice(["webhook", "code", "membership", "credential"]), default="webhook",
              show_default=True, help="webhook: signs what is posted to us. code: makes codes; issued ones stay. "
              "membership: opens the membership system. credential: signs badges that are taken along.")  # fmt: skip
@click.option("--secret-file", type=click.File("r"), metavar="FILE",
              help="Take the secret from there, - for standard input, instead of making one.")  # fmt: skip
@click.option("--old-good-for", "good_for_days", type=click.FloatRange(min=0), metavar="DAYS",
              help="How long the old one stays good, and those before it at most; 0 ends them. Of credentials the old "
              "one alone. [default: 7; of credentials a century]")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def rotate_secret(
    *, org: UUID, purpose: Purpose, secret_file: IO[str] | None, good_for_days: float | None, as_json: bool
) -> None:
    """Put a new secret in use.

    The one before stays good for a week, so that whoever signs with it can change over. Codes that are issued stay as
    they are. Credentials that a key has signed are good as long as it is: end one that got lost with --old-good-for 0,
    and who holds them takes them along again. A webhook's secret is printed, this once; the others are shown to nobody.
    """
    from commands.registry import open_registry  # noqa: PLC0415  the same
    from edges.registry.secrets import parse_secret, webhook_text  # noqa: PLC0415  the same

    if purpose == "membership" and secret_file is None:
        raise click.UsageError("the membership system's secret cannot be made here: give it with --secret-file")
    if purpose == "credential" and secret_file is not None:
        raise click.UsageError("a key of credentials is made here and never leaves: leave --secret-file out")
    given = parse_secret(purpose, secret_file.read()) if secret_file is not None else None

    good_for = None if good_for_days is None else timedelta(days=good_for_days)

    async def rotate() -> NewSecret:
        async with open_registry() as registry:
            return await registry.secrets.replace(org, purpose, given, replaced_good_for=good_for)

    made = asyncio.run(rotate())
    fields = {"org_id": str(org), "purpose": purpose}
    if purpose == "webhook":
        fields["webhook_secret"] = webhook_text(made.secret)
    if made.replaced_good_until is not None:
        fields["old_good_until"] = made.replaced_good_until.isoformat(timespec="seconds")
    print_fields(fields, as_json=as_json)


@command.command()
def reseal() -> None:
    """Encrypt every secret again with the newest key of REFERRALS_SECRET_KEYS.

    To replace a key: add one with a higher version everywhere, run this, then remove the old one.
    """
    from commands.registry import open_registry  # noqa: PLC0415  the same
    from edges.registry.secrets import reseal as seal_all_again  # noqa: PLC0415  the same

    async def run() -> tuple[int, int]:
        async with open_registry() as registry:
            return await seal_all_again(registry.database, registry.box), registry.box.newest

    count, version = asyncio.run(run())
    click.echo(f"{count:,} secrets encrypted again; all are with key version {version} now")


def print_fields(fields: dict[str, str], *, as_json: bool) -> None:
    """Print a result: one line of JSON, or a line for each field."""
    if as_json:
        click.echo(json_line(fields))
    else:
        for name, value in fields.items():
            click.echo(f"{name}: {value}")
