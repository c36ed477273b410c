"""`referrals demo`: the whole program at work, watched and verified."""

from __future__ import annotations

import sys

import rich_click as click
from rich.console import Console

from commands.parts import PARTS_OPTION_HELP
from local import parts
from process.settings import load_settings

EXIT_DIFFERENT = 1
EXIT_CANNOT_READ = 2
DIFFERENCES_SHOWN = 20


@click.command()
@click.option("--seconds", default=30.0, show_default=True, type=click.FloatRange(min=1), metavar="N",
              help="How long the sample traffic runs; Ctrl-C ends it earlier.")  # fmt: skip
@click.option("--events-per-second", default=100.0, show_default=True, type=click.FloatRange(min=1), metavar="N",
              help="Pace of the sample traffic.")  # fmt: skip
@click.option("--mentors", default=300, show_default=True, type=click.IntRange(min=1), metavar="N",
              help="Mentors in the programme.")  # fmt: skip
@click.option("--organisations", default=3, show_default=True, type=click.IntRange(min=1), metavar="N",
              help="Organisations that they belong to.")  # fmt: skip
@click.option("--seed", default=1, show_default=True, metavar="N", help="The same seed makes the same programme.")
@click.option("--chaos", is_flag=True, help="Run two stream workers and kill one of them every few seconds.")
@click.option("--keep", is_flag=True, help="Keep everything running after the verification, until Ctrl-C.")
@click.option(
    "--parts",
    "kind",
    type=click.Choice(["auto", "local", "docker", "external"]),
    default="auto",
    show_default=True,
    help=f"{PARTS_OPTION_HELP} On given servers the demo uses topics and a database of its own, and removes them.",
)
def command(
    *,
    seconds: float,
    events_per_second: float,
    mentors: int,
    organisations: int,
    seed: int,
    chaos: bool,
    keep: bool,
    kind: parts.Kind,
) -> None:
    """Show the whole program at work: real Kafka and Postgres, every component, a believable programme.

    Sends sample traffic, with late, repeated and unusable events in it, shows what happens, and verifies at the end
    that counts, milestones and awards are exactly what the events make due. Everything is stopped and removed then.

    Exit codes: 0 everything agrees; 1 there are differences; 2 Kafka or Postgres cannot be read; 130 and 143 stopped
    before the verification.
    """
    from commands.verify import print_report  # noqa: PLC0415  `--help` needs none of these
    from local.demo.running import DemoOptions, run_demo  # noqa: PLC0415  the same
    from local.demo.views import view_for  # noqa: PLC0415  the same
    from proof.verify.reading import CannotRead  # noqa: PLC0415  the same

    options = DemoOptions(
        seconds=seconds,
        events_per_s=events_per_second,
        seed=seed,
        mentors=mentors,
        organisations=organisations,
        kills_workers=chaos,
        keeps_running=keep,
        kind=kind,
    )
    console = Console(highlight=False)
    try:
        report = run_demo(options, load_settings(), view_for(console))
    except CannotRead as error:
        click.echo(f"referrals: {error}", err=True)
        sys.exit(EXIT_CANNOT_READ)
    if not report.is_clean:
        print_report(report, console, limit=DIFFERENCES_SHOWN)
        sys.exit(EXIT_DIFFERENT)
