"""`referrals schemas`: the machine-readable contract, written from the types."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from schemas.files import FOLDER, differences, write


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 where a file is not as it must be.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=FOLDER,
    help="Where the files are; default: the package schemas.",
)
def command(*, check: bool, folder: Path) -> None:
    """Write OpenAPI, AsyncAPI and the events' JSON Schemas from the types.

    openapi.json has the HTTP side, referrals_client.py is a Python client of it; asyncapi.yaml has the topics, events/
    each event of them.
    """
    changed = differences(folder) if check else write(folder)
    for path in changed:
        click.echo(f"{folder / path}: {'is not what the types say; run: referrals schemas' if check else 'written'}")
    if not changed:
        click.echo(f"{folder}: everything is as the types say")
    elif check:
        raise SystemExit(1)
