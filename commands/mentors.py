"""`referrals mentors import`: mentors and their codes from CSV."""

from __future__ import annotations

import asyncio
import codecs
import sys
import time
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import rich_click as click
from rich.console import Console

from commands.complaints import Complaints
from commands.progress import progress_on
from commands.saying import say

if TYPE_CHECKING:
    from edges.registry.importing import BadLine, Imported

STANDARD_INPUT = "-"
READ_BYTES = 1 << 16


@click.group()
def command() -> None:
    """Bring mentors in."""


@command.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--org",
    "org_id",
    type=click.UUID,
    required=True,
    metavar="UUID",
    help="Their organisation, as `referrals orgs list` names it.",
)
@click.option(
    "--encoding",
    callback=lambda _, __, name: _text_encoding(name),
    metavar="NAME",
    help="Of a file that is not Unicode, such as cp1252: what Excel writes as plain CSV in Western Europe.",
)
def import_file(*, file: str, org_id: UUID, encoding: str | None) -> None:
    """Make the mentors of a CSV file known, and issue a code to each who has none.

    The first line is a header with a column mentor_id. Where it has a column display_name, names are kept, and with
    them what a column group or region says; an empty name erases the name and the group of that mentor. Other columns
    are ignored: without display_name everybody stays a pseudonym. Names are in Postgres alone, for the organisation's
    coordinators; to erase one for good, take it out of this file too, and let backups of the database expire.

    FILE can be - for standard input. Doing it again changes nothing. A row that is left out is named on standard error
    with its line and the reason (the first 50, then their total), and the exit code is 1. Where Kafka is away the codes
    are stored and are published later; that is said, and is no failure.
    """
    from commands.registry import open_registry, publish_waiting  # noqa: PLC0415  `--help` needs no Postgres
    from edges.registry import importing  # noqa: PLC0415  the same
    from models.spreadsheets import text_lines  # noqa: PLC0415  the same

    name = "standard input" if file == STANDARD_INPUT else file
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    progress = progress_on(console) if console.is_terminal else None
    total = None if file == STANDARD_INPUT else Path(file).stat().st_size
    task = progress.add_task("importing", total=total, rate="") if progress else None
    started_s = time.monotonic()
    done = importing.Imported()
    complaints = Complaints(console)

    def complain(line: BadLine) -> None:
        complaints(f"{name}:{line.number}", line.reason)

    with click.open_file(file, "rb") as opened, progress or nullcontext(), closing(complaints):

        def show() -> None:
            if progress is not None and task is not None:
                read_bytes = 0 if total is None else opened.tell()
                progress.update(task, completed=read_bytes, rate=f"{done.mentors:,} mentors, {rate():,}/s")

        def rate() -> int:
            return round(done.mentors / max(time.monotonic() - started_s, 1e-3))

        async def run() -> None:
            async with open_registry() as registry:
                lines = text_lines(iter(partial(opened.read, READ_BYTES), b""), encoding)
                await importing.import_mentors(
                    registry.codes, registry.database, org_id, lines, done, complain=complain, progress=show
                )
                await publish_waiting(registry.settings)

        try:
            asyncio.run(run())
        except importing.BadHeader as fault:
            raise click.ClickException(f"{name}: {fault}") from None
        except KeyboardInterrupt:
            click.echo(f"stopped: {done.mentors:,} mentors are imported; the same again goes on from there", err=True)
            raise
    _report(done, time.monotonic() - started_s)
    if done.bad:
        sys.exit(1)


def _report(done: Imported, seconds: float) -> None:
    """Say what came of a file, and what would let more of it be read."""
    click.echo(
        f"read {done.mentors:,} mentors in {seconds:.1f} s: {done.new:,} new, each with a code made; "
        f"{done.changed:,} changed, {done.unchanged:,} unchanged; "
        f"{done.bad:,} {'row' if done.bad == 1 else 'rows'} left out"
    )
    if done.unnamed:
        click.echo("no names are kept: the file has no column display_name")
    if done.undecoded:
        say("or say in which encoding it is: Excel writes plain CSV in Western Europe in --encoding cp1252")


def _text_encoding(name: str | None) -> str | None:
    """Return the name of an encoding of text, as Python has it."""
    if name is None:
        return None
    try:
        "".encode(name)
        return codecs.lookup(name).name
    except (LookupError, UnicodeError):
        raise click.BadParameter(f"there is no encoding of text called {name!r}; it is cp1252, perhaps") from None
