"""`referrals up`: the whole program without traffic, with data that is kept."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from commands.parts import parts_option
from local import parts
from process.lines import json_line
from process.running import noted
from process.settings import load_settings


@click.command()
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Where data and logs are kept.")
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as one line of JSON when ready.")
@parts_option
def command(data_dir: Path | None, kind: parts.Kind, *, as_json: bool) -> None:
    """Run Kafka, Postgres and every component until stopped, with data that is kept.

    Topics are created and the database is migrated first. What ends by itself is started again. Ctrl-C and SIGTERM stop
    everything in order. What happens is said on standard error, the addresses on standard output.
    """
    from local.installation import start_installation  # noqa: PLC0415  `--help` needs none of it
    from local.installation.tending import tend  # noqa: PLC0415  the same

    settings = load_settings()
    data_dir = (data_dir or settings.data_dir).resolve()

    def announce(line: str) -> None:
        click.echo(line, err=True)

    try:
        with (
            start_installation(settings, data_dir=data_dir, durable=True, kind=kind, announce=announce) as installation,
            noted(data_dir, installation.environment),
        ):
            if as_json:
                click.echo(json_line({**installation.addresses, "monitoring_urls": installation.monitoring_urls}))
            else:
                for name, address in installation.addresses.items():
                    click.echo(f"{name}: {address}")
                for name, address in installation.monitoring_urls.items():
                    click.echo(f"{name}: {address}/metrics, {address}/health/live, {address}/health/ready")
                beside = "" if data_dir == settings.data_dir else f" with REFERRALS_DATA_DIR={data_dir}"
                announce(f"ready; Ctrl-C stops. Other commands find it{beside}, in any terminal")
                announce(f"data and logs are in {data_dir}")
            tend(installation, announce)
    except KeyboardInterrupt:
        announce("stopped")
