"""`referrals producers check`: what is wrong with what somebody's producer has sent."""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import UTC, datetime

import rich_click as click

from commands.saying import say
from models.topics import CLICKS, CODES, REGISTRATIONS
from operations.producers import ProducersCheck
from process.lines import json_line
from process.reaching import require_kafka
from process.running import find_settings

TOPICS = {"codes": CODES, "clicks": CLICKS, "registrations": REGISTRATIONS}
LAST = 1_000
FINDINGS_SHOWN = 50


@click.group()
def command() -> None:
    """Check what producers send."""


@command.command()
@click.option("--topic", "names", multiple=True, type=click.Choice(list(TOPICS)), help="Of these alone; default: all.")
@click.option("--last", default=LAST, show_default=True, type=click.IntRange(min=1), metavar="N",
              help="Read the last N records of each partition.")  # fmt: skip
@click.option("--since", type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ"]), metavar="TIME",
              help="Instead: those since then, by their timestamps; 2026-11-20T10:30:00Z.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with the first 1,000 findings.")
def check(*, names: tuple[str, ...], last: int, since: datetime | None, as_json: bool) -> None:
    """Say what is wrong with records in the source topics, each with topic/partition/offset.

    Kinds: partitioner (not where murmur2 puts the key), key (none, or not the normalised code), fields (it becomes a
    dead letter), clock (more than a day ahead, or further back than the topic keeps), code (never issued). Nothing that
    stands in a value is shown. Records that the stream app has moved are passed over.

    Exit codes: 0 nothing is wrong; 1 something is, or the topics cannot be read.
    """
    settings = find_settings()
    require_kafka(settings, say)
    with closing(ProducersCheck(settings)) as producers:
        checked = producers.check(
            [TOPICS[name] for name in names or TOPICS],
            last=last,
            since=since.replace(tzinfo=UTC) if since is not None else None,
        )
    if as_json:
        findings = [finding._asdict() for finding in checked.findings]
        told = {"records": checked.records, "wrong": checked.wrong, "kinds": checked.kinds, "findings": findings}
        click.echo(json_line(told))
    else:
        for finding in checked.findings[:FINDINGS_SHOWN]:
            click.echo(str(finding))
        count = checked.kinds.total()
        if count > FINDINGS_SHOWN:
            click.echo(f"... and {count - FINDINGS_SHOWN:,} more")
        by_kind = ", ".join(f"{kind} {number:,}" for kind, number in sorted(checked.kinds.items()))
        click.echo(f"{checked.records:,} records checked, {checked.wrong:,} wrong" + (f": {by_kind}" if count else ""))
    if checked.wrong:
        sys.exit(1)
