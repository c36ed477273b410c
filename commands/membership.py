"""`referrals reconcile configure`, `sources` and `remove`: where organisations' members are listed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import rich_click as click

from process.running import find_settings

if TYPE_CHECKING:
    from edges.reconciliation.mapping import Reading
    from edges.reconciliation.oauth import Client
    from edges.reconciliation.preview import Preview
    from process.settings import Settings

DAY_H = 24.0
ROWS_SHOWN = 20

NO_SOURCE = "say where its members are listed with: referrals reconcile configure --org ORG --url URL"

_READING = (
    click.option(
        "--field",
        "fields",
        multiple=True,
        metavar="NAME=COLUMN",
        help="Which column is member_id, referral_code, status, confirmed_at or withdrawn_at; a path for what stands "
        "in an object: member.id. Nothing else is read. One not given is the column that has our own name for it.",
    ),
    click.option(
        "--status",
        "statuses",
        multiple=True,
        metavar="WORD=MEANING",
        help="What a word of the status column means: confirmed, withdrawn or pending. Known are our own words, and "
        "those for cancelled; a row with any other is unclear.",
    ),
    click.option(
        "--mark",
        "marks",
        multiple=True,
        metavar="COLUMN=MEANING",
        help="What it means where a column marks a record as deleted, merged or deactivated: withdrawn, left_out or "
        "ignored. Not said, such a row is unclear.",
    ),
    click.option(
        "--times",
        default="",
        show_default=False,
        metavar="FORM",
        help="How times are written, if not 2026-11-20T10:00:00Z or 2026-11-20: seconds, milliseconds, or as strptime "
        "has it, %d.%m.%Y for example.",
    ),
    click.option(
        "--zone",
        default="",
        show_default=False,
        metavar="ZONE",
        help="Of times without one, and of dates: Europe/Berlin, or +01:00.",
    ),
)


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say how rows are read."""
    for option in reversed(_READING):
        command = option(command)
    return command


def read_reading(
    *, fields: Sequence[str], statuses: Sequence[str], marks: Sequence[str], times: str, zone: str
) -> Reading:
    """Return what the options say; raise BadSource."""
    from edges.reconciliation.configuring import read_pairs  # noqa: PLC0415  `--help` needs no Postgres
    from edges.reconciliation.mapping import Reading  # noqa: PLC0415  the same

    words = {theirs.lower(): ours for theirs, ours in read_pairs(statuses, option="--status").items()}
    reading = Reading(
        fields=read_pairs(fields, option="--field"),
        statuses=words,
        marks=read_pairs(marks, option="--mark"),
        times=times,
        zone=zone,
    )
    reading.check()
    return reading


@click.command()
@click.option("--org", required=True, type=click.UUID, metavar="ORG", help="The organisation.")
@click.option("--url", required=True, metavar="URL",
              help="https://... of the list, with {since} where the time belongs from which on members are wanted; or "
              "an absolute path to a CSV file.")  # fmt: skip
@click.option("--kind", type=click.Choice(["json", "odata", "csv"]), default="json", show_default=True,
              help="json: pages of rows; odata: as Dynamics has it; csv: a table.")  # fmt: skip
@reading_options
@click.option("--overlap", "overlap_h", type=click.FloatRange(min=0), default=DAY_H, show_default=True, metavar="HOURS",
              help="How far before the last run the next one asks again: members are entered late.")  # fmt: skip
@click.option("--every", default="", show_default=False, metavar="TIME",
              help="Reconcile so long after the last run began: 15m, 6h, 2d; at least 1m. Not given: at "
              "REFERRALS_RECONCILE_AT.")  # fmt: skip
@click.option("--next-parameter", "parameter", default="", show_default=False, metavar="NAME",
              help="Of the query: where number or word of the next page goes; found out if not given.")  # fmt: skip
@click.option("--delta", is_flag=True, help="With odata: have changes tracked, and ask for them alone.")
@click.option(
    "--token-from-env", metavar="NAME", help="Send the bearer token that this environment variable holds now."
)
@click.option("--client-id", metavar="ID", help="Ask for tokens by OAuth 2.0's client credentials, as this client.")
@click.option("--client-secret-from-env", metavar="NAME", help="Its secret: what this environment variable holds now.")
@click.option("--tenant", metavar="TENANT", help="Of Microsoft Entra: grants the tokens for Dynamics.")
@click.option("--token-url", metavar="URL", help="What grants the tokens, where it is not Microsoft Entra.")
@click.option(
    "--scope", default="", show_default=False, metavar="SCOPE", help="What they are asked for, with --token-url."
)
@click.option("--yes", is_flag=True, help="Save without asking; not asked either where there is no terminal.")
@click.option(
    "--preview", "only_preview", is_flag=True, help="Show what would be made of the first page; save nothing."
)
@click.option("--unseen", is_flag=True, help="Save without asking the source for its first page.")
def configure(  # noqa: PLR0913  the options of a command
    *,
    org: UUID,
    url: str,
    kind: Literal["json", "odata", "csv"],
    overlap_h: float,
    every: str,
    parameter: str,
    delta: bool,
    token_from_env: str | None,
    client_id: str | None,
    client_secret_from_env: str | None,
    tenant: str | None,
    token_url: str | None,
    scope: str,
    yes: bool,
    only_preview: bool,
    unseen: bool,
    **reading_given: Any,  # noqa: ANN401  the reading_options
) -> None:
    """Say where an organisation's members are listed; it replaces what was said before.

    The source's first page is asked for, and what would be made of each row is shown, with the reason, before it is
    saved. For Dynamics see docs/dynamics.md.

    The token or the client's secret is stored encrypted, as the organisation's membership secret. After a change the
    next run begins with the first member again. Works on REFERRALS_DATABASE_URL as the user who owns its tables.
    """
    from edges.reconciliation.configuring import (  # noqa: PLC0415  the same
        check_organisation,
        check_url,
        configure_source,
        read_interval,
    )
    from edges.reconciliation.errors import BadSource, SourceFailed  # noqa: PLC0415  the same
    from edges.reconciliation.pages import SINCE  # noqa: PLC0415  the same
    from edges.reconciliation.preview import preview, resolved  # noqa: PLC0415  the same
    from edges.reconciliation.runs import Source  # noqa: PLC0415  the same
    from edges.reconciliation.tokens import keep_token  # noqa: PLC0415  the same

    if token_from_env is not None and (client_id or client_secret_from_env):
        raise BadSource("--token-from-env and --client-id: give one of them")
    client = _client(url, client_id, tenant, token_url, scope)
    source = Source(
        kind=kind,
        url=url,
        reading=read_reading(**reading_given),
        parameter=parameter,
        client=client,
        is_delta=delta,
        overlap=timedelta(hours=overlap_h),
        run_every=read_interval(every) if every else None,
    )
    check_url(source)
    if delta and (kind != "odata" or SINCE in url or "$filter" in url):
        raise BadSource("--delta is OData's, and takes neither {since} nor $filter: changes cannot be tracked with one")
    settings = find_settings()
    check_organisation(settings.database_url, str(org))
    given = _given_secret(token_from_env, client_secret_from_env)
    if not unseen:
        try:
            shown = preview(source, given or _kept_secret(settings, str(org), source))
        except SourceFailed as fault:
            raise click.ClickException(
                f"{fault}; nothing is saved: see that --url is right and answers from here, or save it with --unseen"
            ) from None
        _show(shown)
        if only_preview:
            return
        source = _with_reading(source, resolved(source.reading, shown))
        if sys.stdin.isatty() and not yes:
            click.confirm("Save it?", abort=True)
    if given is not None:
        keep_token(settings, str(org), given)
    configure_source(settings.database_url, str(org), source, with_new_token=given is not None)
    click.echo(f"{org}: members come from {url.partition('?')[0]} ({kind})")
    if source.run_every is not None:
        click.echo(f"the leader of the stream workers reconciles it every {every}")
    if SINCE not in url and not delta:
        click.echo(f"each run reads the whole list: the address has no {SINCE}")


def _client(url: str, client_id: str | None, tenant: str | None, token_url: str | None, scope: str) -> Client | None:
    """Return who asks for tokens; None: nobody. Raises BadSource."""
    from edges.reconciliation.errors import BadSource  # noqa: PLC0415  the same
    from edges.reconciliation.oauth import Client, of_tenant  # noqa: PLC0415  the same

    if client_id is None:
        if tenant or token_url or scope:
            raise BadSource("--tenant, --token-url and --scope go with --client-id")
        return None
    if (tenant is None) == (token_url is None):
        raise BadSource("--client-id needs --tenant, for Microsoft Entra, or --token-url")
    if tenant is not None:
        return of_tenant(tenant, client_id, url)
    return Client(token_url=token_url or "", client_id=client_id, scope=scope)


def _given_secret(token_from_env: str | None, client_secret_from_env: str | None) -> str | None:
    """Return the token or the client's secret that an environment variable holds; None: none was named."""
    from edges.reconciliation.configuring import secret_from, token_from  # noqa: PLC0415  the same

    if token_from_env is not None:
        return token_from(token_from_env)
    if client_secret_from_env is not None:
        return secret_from(client_secret_from_env, option="--client-secret-from-env")
    return None


def _kept_secret(settings: Settings, org_id: str, source: Any) -> str | None:  # noqa: ANN401  a Source
    """Return the secret that is kept, if it would go where it went before."""
    from edges.reconciliation.configuring import may_send_kept_secret  # noqa: PLC0415  the same
    from edges.reconciliation.tokens import read_token  # noqa: PLC0415  the same

    return read_token(settings, org_id) if may_send_kept_secret(settings.database_url, org_id, source) else None


def _with_reading(source: Any, reading: Reading) -> Any:  # noqa: ANN401  a Source
    import msgspec  # noqa: PLC0415  the same

    return msgspec.structs.replace(source, reading=reading)


def _show(shown: Preview) -> None:
    """Print what would be made of the first page."""
    from rich import box  # noqa: PLC0415  the same
    from rich.console import Console  # noqa: PLC0415  the same
    from rich.table import Table  # noqa: PLC0415  the same

    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 150)
    read = ", ".join(f"{field} from {column}" for field, column in shown.fields.items()) or "nothing"
    console.print(f"columns: {', '.join(shown.columns) or 'none'}\nread: {read}")
    table = Table(box=box.SIMPLE)
    for name in ("row", "would be", "why"):
        table.add_column(name)
    for each in shown.rows[:ROWS_SHOWN]:
        table.add_row(each.place, each.verdict, each.reason)
    if shown.rows:
        console.print(table)
    counts = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(shown.verdicts.items())) or "no rows"
    console.print(f"the first page: {counts}")
    if shown.more is not None:
        console.print(f"not complete: {shown.more}; say where it goes with --next-parameter")


@click.command()
@click.option("--org", required=True, type=click.UUID, metavar="ORG", help="The organisation.")
def remove(*, org: UUID) -> None:
    """Ask an organisation's membership system no more, and forget its token; what runs have found is kept."""
    from edges.reconciliation.configuring import remove_source  # noqa: PLC0415  the same

    if not remove_source(find_settings().database_url, str(org)):
        raise click.ClickException(f"organisation {org} has no membership source")
    click.echo(f"{org}: is not reconciled any more")


@click.command()
def sources() -> None:
    """List the sources, and how the last run of each ended."""
    from edges.reconciliation.configuring import list_sources  # noqa: PLC0415  the same

    found = list_sources(find_settings().database_url)
    for each in found:
        click.echo(f"{each.org_id}  {each.kind}  {each.url}")
        if each.started_at is None:
            click.echo("  never run")
        else:
            outcome = each.error or each.incomplete or _outcome(each)
            click.echo(f"  last run {each.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}: {outcome}")
    if not found:
        click.echo(f"no organisation has a membership source; {NO_SOURCE}")


def _outcome(state: Any) -> str:  # noqa: ANN401  a SourceState
    if state.finished_at is None:
        return "not at its end"
    left = f", {state.unclear:,} unclear, {state.bad_rows:,} bad" if state.unclear or state.bad_rows else ""
    return f"{state.back_filled:,} back-filled{left}"
