"""`referrals state`: the stream app's rows, the positions they stand at, and what to do where they do not fit.

A worker refuses a partition whose state contradicts the cluster, says why every minute, and works on with the others.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.console import Console

from commands.reshard import reshard
from commands.saying import say
from process.lines import json_line
from process.reaching import require_kafka
from process.running import find_settings
from process.settings import Settings

if TYPE_CHECKING:
    from streams.engine.deciding import PartitionState
    from streams.engine.options import EngineOptions

EXIT_REFUSED = 1

partitions_option = click.option(
    "--partition", "partitions", type=click.IntRange(min=0), multiple=True, metavar="N",
    help="This partition; can be given several times.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each partition.")


@click.group()
def command() -> None:
    """Show the stream app's state, and decide about it where it contradicts the cluster."""


@command.command()
@partitions_option
@json_option
def show(partitions: Sequence[int], *, as_json: bool) -> None:
    """Show the rows of each partition, the positions they stand at, and whether a worker takes them as they are.

    Changes nothing. Exit code 1 where a partition is refused.
    """
    from streams.engine.deciding import examine  # noqa: PLC0415  `--help` needs no Kafka

    options, numbers = _asked(find_settings(), partitions)
    states = examine(options, numbers)
    _report(states, as_json=as_json)
    if any(state.reason for state in states):
        sys.exit(EXIT_REFUSED)


@command.command()
@click.option("--partition", "partitions", type=click.IntRange(min=0), multiple=True, metavar="N", required=True,
              help="This partition; can be given several times.")  # fmt: skip
@json_option
def accept(partitions: Sequence[int], *, as_json: bool) -> None:
    """Go on with the rows as they are and the topics as they are.

    For records that are gone (deleted before they were counted, or with a topic that was made anew): they stay
    uncounted. A source goes on at the position that is known, brought into what is there. Workers take the partition up
    by themselves. Rows that are not whole, because a changelog is gone or was emptied, are refused: `rebuild` them.
    """
    from streams.engine.deciding import accept as accept_state  # noqa: PLC0415  the same

    options, numbers = _asked(find_settings(), partitions)
    _report(accept_state(options, numbers), as_json=as_json)


@command.command()
@partitions_option
@click.option("--all", "everything", is_flag=True, help="Every partition.")
@json_option
def rebuild(partitions: Sequence[int], *, everything: bool, as_json: bool) -> None:
    """Forget the rows, and let the workers count anew what the source topics still have.

    Milestones that were announced are not announced again. What retention has removed from the source topics cannot be
    counted any more. Works beside running workers, which begin anew by themselves; `referrals verify` tells when all is
    as it must be. After `state reshard` the records before it are counted here, by the number of partitions of their
    time, and the partitions whose records count together are counted anew together.
    """
    from streams.app import attribution_of  # noqa: PLC0415  the same
    from streams.beginning import Beginnings  # noqa: PLC0415  the same
    from streams.engine.deciding import rebuild as rebuild_state  # noqa: PLC0415  the same
    from streams.eras import Anew  # noqa: PLC0415  the same

    if everything == bool(partitions):
        raise click.UsageError("say which: --partition N, or --all")
    settings = find_settings()
    options, numbers = _asked(settings, partitions)
    anew = Anew(options, Beginnings(options, settings.topic_prefix), partial(attribution_of, settings))
    together = anew.together(numbers)
    if added := sorted(set(together) - set(numbers)):
        say(f"counted anew with them, because their records count together: partitions {', '.join(map(str, added))}")
    console = Console(stderr=True, highlight=False)
    with console.status("reading what was announced") if console.is_terminal else nullcontext():
        _report(rebuild_state(options, together, begins=anew), as_json=as_json)
    if anew.left_out:
        say(f"left out, because folding them fails: {len(anew.left_out):,} records, the first {anew.left_out[0]}")


def _asked(settings: Settings, partitions: Sequence[int]) -> tuple[EngineOptions, Sequence[int]]:
    from streams.app import engine_options  # noqa: PLC0415  the same
    from streams.engine.cluster import Cluster  # noqa: PLC0415  the same

    require_kafka(settings, say)
    options = engine_options(settings)
    Cluster(options).check_topics()
    beyond = [number for number in partitions if number >= settings.partitions]
    if beyond:
        raise click.UsageError(f"partition {beyond[0]} is not one of 0 to {settings.partitions - 1}")
    return options, sorted(set(partitions)) or range(settings.partitions)


def _report(states: Iterable[PartitionState], *, as_json: bool) -> None:
    """Print each partition as soon as it is done."""
    for state in states:
        if as_json:
            click.echo(json_line(_fields(state)))
            continue
        rows = ", ".join(f"{table} {count:,}" for table, count in state.rows.items())
        click.echo(f"partition {state.number}: {rows}")
        for topic, log in state.sources.items():
            stand = state.standing.sources.get(topic) if state.standing else None
            at = "nowhere" if stand is None else f"{stand.next:,}"
            offset = state.committed.get(topic)
            group = "none" if offset is None else f"{offset:,}"
            click.echo(f"  {topic}: rows stand at {at}, group's offset {group}, records {log.first:,} to {log.end:,}")
        if state.reason:
            click.echo(f"  REFUSED: {state.reason}")
            choices = ", or ".join(f"{remedy} --partition {state.number}" for remedy in state.remedies)
            if choices:
                click.echo(f"  decide: referrals state {choices}")


def _fields(state: PartitionState) -> dict[str, Any]:
    return {
        "partition": state.number,
        "rows": state.rows,
        "positions": None if state.standing is None else state.standing.positions,
        "offsets": state.committed,
        "topics": {topic: {"first": log.first, "end": log.end} for topic, log in state.sources.items()},
        "goes_on_at": state.positions,
        "refused": state.reason,
        "remedies": state.remedies,
    }


command.add_command(reshard)
