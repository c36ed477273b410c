"""`referrals state reshard`: another number of partitions, with everything that was counted."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import rich_click as click

from commands.saying import say
from process.lines import json_line
from process.reaching import require_kafka
from process.running import find_settings

if TYPE_CHECKING:
    from process.settings import Settings
    from streams.resharding import Outlook

EXIT_NOT_DONE: Final = 1
DIFFERENCES_SHOWN: Final = 20


@click.command("reshard")
@click.option("--partitions", type=click.IntRange(min=2), required=True, metavar="N",
              help="How many each source topic is to have: a multiple of what it has.")  # fmt: skip
@click.option("--unread", "unread_max", type=click.IntRange(min=0), default=0, show_default=True, metavar="N",
              help="So many records may not be counted yet; workers move them afterwards.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what is in the way, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def reshard(*, partitions: int, unread_max: int, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Give the source topics more partitions, and let everything that was counted go along.

    Workers and `referrals counts` must be stopped, and everything read. Rows go where their codes belong, and the
    source topics get their partitions; records stay where they are, and nothing is counted twice. Kafka takes no
    partition away, so there is no way back. Killed anywhere, run it again: it goes on, and no worker starts until it is
    over. At the end everything is recomputed, as by `referrals verify`.

    Then set REFERRALS_PARTITIONS for all components, and start them.

    Exit codes: 0 done, or nothing to be done; 1 something is in the way, or what was recomputed differs.
    """
    from streams.resharding import Resharding  # noqa: PLC0415  `--help` needs no Kafka

    settings = find_settings()
    require_kafka(settings, say)
    resharding = Resharding(settings, partitions, unread_max=unread_max)
    outlook = resharding.look()
    if outlook.obstacles:
        _report(outlook, as_json=as_json, done=False)
        sys.exit(EXIT_NOT_DONE)
    if dry_run:
        _report(outlook, as_json=as_json, done=False)
        return
    if not outlook.is_over:
        if not yes and not outlook.is_begun:
            asked = f"{outlook.former} partitions become {outlook.partitions}, and there is no way back. Go on?"
            click.confirm(asked, abort=True, err=True)
        resharding.run(outlook, lambda step: None if as_json else say(step))
    unread, differences = _prove(settings)
    _report(outlook, as_json=as_json, done=True, unproven=unread, differences=differences)
    if differences and not unread:
        sys.exit(EXIT_NOT_DONE)


def _prove(settings: Settings) -> tuple[int, list[str]]:
    """Recompute everything; return how many records workers have still to read, and what differs."""
    from proof.verify.oracle import Oracle  # noqa: PLC0415  `--help` needs no Kafka
    from proof.verify.reading import CannotRead  # noqa: PLC0415  the same

    try:
        report = Oracle(settings).check(wait_s=0, with_database=False)
    except CannotRead as error:
        raise click.ClickException(f"done, and not proven: {error}; run `referrals verify`") from None
    return report.to_be_counted, [str(difference) for difference in report.differences]


def _report(
    outlook: Outlook, *, as_json: bool, done: bool, unproven: int = 0, differences: list[str] | None = None
) -> None:
    differences = differences or []
    if as_json:
        fields = {
            "former": outlook.former,
            "partitions": outlook.partitions,
            "begun": outlook.is_begun,
            "done": done,
            "unread": outlook.unread,
            "in_the_way": outlook.obstacles,
            "to_be_counted": unproven,
            "differences": differences,
        }
        click.echo(json_line(fields))
        return
    if not done:
        begun = " (begun)" if outlook.is_begun else ""
        click.echo(f"{outlook.former} partitions to {outlook.partitions}{begun}")
        for line in outlook.obstacles:
            click.echo(f"  IN THE WAY: {line}")
        return
    click.echo(
        f"{outlook.partitions} partitions: set REFERRALS_PARTITIONS={outlook.partitions} and start the components"
    )
    if unproven:
        click.echo(f"  {unproven:,} records have come meanwhile: when workers have read them, run `referrals verify`")
    elif differences:
        for line in differences[:DIFFERENCES_SHOWN]:
            click.echo(f"  DIFFERS: {line}")
    else:
        click.echo("  recomputed from the source topics: clean")
