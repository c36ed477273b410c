"""`referrals parts`: Kafka and Postgres alone, for work on the components."""

from __future__ import annotations

import signal
from pathlib import Path

import rich_click as click

from local import parts
from process.lines import json_line
from process.running import noted
from process.settings import load_settings

PARTS_OPTION_HELP = (
    "Which Kafka and Postgres: local, in docker, or external ones by their addresses in the environment. "
    "auto: external where addresses are given, else local."
)

parts_option = click.option(
    "--parts",
    "kind",
    type=click.Choice(["auto", "local", "docker", "external"]),
    default="auto",
    show_default=True,
    help=PARTS_OPTION_HELP,
)
"""Which servers a command works with; the argument is named `kind`."""


@click.command()
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Where the data is kept.")
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as one line of JSON when ready.")
@parts_option
def command(data_dir: Path | None, kind: parts.Kind, *, as_json: bool) -> None:
    """Run Kafka and Postgres alone until stopped, with data that is kept."""
    settings = load_settings()

    def announce(line: str) -> None:
        click.echo(line, err=True)

    try:
        with parts.start(
            kind, data_dir=data_dir or settings.data_dir, durable=True, settings=settings, announce=announce
        ) as running:
            addresses = {"bootstrap_servers": running.bootstrap_servers, "database_url": running.database_url}
            if as_json:
                click.echo(json_line(addresses))
            else:
                for name, value in running.environment().items():
                    click.echo(f"export {name}={value}")
                announce("ready; Ctrl-C stops")
            with noted(running.data_dir, running.environment()):
                signal.pause()
    except KeyboardInterrupt:
        announce("stopped")
