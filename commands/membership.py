"""`referrals reconcile configure`, `sources` and `remove`: where organisations' members are listed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, timedelta
from typing import Literal
from uuid import UUID

import rich_click as click

from process.settings import load_settings

DAY_H = 24.0

FIELD_HELP = (
    "What a field is called there: member_id, referral_code, confirmed_at, withdrawn_at or status. The usual names "
    "need not be given."
)
STATUS_HELP = "What a word of the status means: confirmed, withdrawn or pending. The usual words need not be given."
NO_SOURCE = "say where its members are listed with: referrals reconcile configure --org ORG --url URL"


@click.command()
@click.option("--org", required=True, type=click.UUID, metavar="ORG", help="The organisation.")
@click.option("--url", required=True, metavar="URL",
              help="https://... of the list, with {since} where the time belongs from which on members are wanted; or "
              "an absolute path to a CSV file.")  # fmt: skip
@click.option("--kind", type=click.Choice(["json", "odata", "csv"]), default="json", show_default=True,
              help="json: pages with a link to the next; odata: as Dynamics has it; csv: a table.")  # fmt: skip
@click.option("--field", "fields", multiple=True, metavar="NAME=THEIRS", help=FIELD_HELP)
@click.option("--status", "statuses", multiple=True, metavar="WORD=MEANING", help=STATUS_HELP)
@click.option("--overlap", "overlap_h", type=click.FloatRange(min=0), default=DAY_H, show_default=True, metavar="HOURS",
              help="How far before the last run the next one asks again: members are entered late.")  # fmt: skip
@click.option(
    "--token-from-env", metavar="NAME", help="Send the bearer token that this environment variable holds now."
)
def configure(
    *,
    org: UUID,
    url: str,
    kind: Literal["json", "odata", "csv"],
    fields: Sequence[str],
    statuses: Sequence[str],
    overlap_h: float,
    token_from_env: str | None,
) -> None:
    """Say where an organisation's members are listed; it replaces what was said before.

    For Dynamics, say: --kind odata --url 'https://HOST/api/data/v9.2/contacts?$filter=modifiedon ge {since}'

    The token is stored encrypted, as the organisation's membership secret. After a change the next run begins with the
    first member again. Works on REFERRALS_DATABASE_URL as the user who owns its tables.
    """
    from edges.reconciliation.configuring import (  # noqa: PLC0415  `--help` needs no Postgres
        check_fields,
        check_statuses,
        check_url,
        configure_source,
        read_pairs,
        token_from,
    )
    from edges.reconciliation.pages import SINCE  # noqa: PLC0415  the same
    from edges.reconciliation.runs import Source  # noqa: PLC0415  the same
    from edges.reconciliation.tokens import keep_token  # noqa: PLC0415  the same

    source = Source(
        kind=kind,
        url=url,
        fields=check_fields(read_pairs(fields, option="--field")),
        statuses=check_statuses(read_pairs(statuses, option="--status")),
        overlap=timedelta(hours=overlap_h),
    )
    check_url(source)
    settings = load_settings()
    if token_from_env is not None:
        keep_token(settings, str(org), token_from(token_from_env))
    configure_source(settings.database_url, str(org), source, with_new_token=token_from_env is not None)
    click.echo(f"{org}: members come from {url.partition('?')[0]} ({kind})")
    if SINCE not in url:
        click.echo(f"each run reads the whole list: the address has no {SINCE}")


@click.command()
@click.option("--org", required=True, type=click.UUID, metavar="ORG", help="The organisation.")
def remove(*, org: UUID) -> None:
    """Ask an organisation's membership system no more, and forget its token; what runs have found is kept."""
    from edges.reconciliation.configuring import remove_source  # noqa: PLC0415  the same

    if not remove_source(load_settings().database_url, str(org)):
        raise click.ClickException(f"organisation {org} has no membership source")
    click.echo(f"{org}: is not reconciled any more")


@click.command()
def sources() -> None:
    """List the sources, and how the last run of each ended."""
    from edges.reconciliation.configuring import list_sources  # noqa: PLC0415  the same

    found = list_sources(load_settings().database_url)
    for each in found:
        click.echo(f"{each.org_id}  {each.kind}  {each.url}")
        if each.started_at is None:
            click.echo("  never run")
        else:
            outcome = each.error or (f"{each.back_filled:,} back-filled" if each.finished_at else "not at its end")
            click.echo(f"  last run {each.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}: {outcome}")
    if not found:
        click.echo(f"no organisation has a membership source; {NO_SOURCE}")
