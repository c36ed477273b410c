"""`referrals web`: the HTTP side, from share links to the dashboard."""

from __future__ import annotations

import asyncio
import os
import sys

import rich_click as click

from process import afresh
from process.logs import configure
from process.reaching import warn_without_kafka
from process.reaching_postgres import warn_without_postgres
from process.settings import load_settings


@click.command()
def command() -> None:
    """Serve share links, webhooks, the API and the dashboard at REFERRALS_WEB_HOST and REFERRALS_WEB_PORT.

    Prints the address. Needs a migrated database and the topics; while these are away it answers 503 where it needs
    them, and goes on by itself. Runs until SIGTERM or Ctrl-C, and then answers what is under way. Where its certificate
    for Kafka was renewed it does the same and starts itself afresh; who connects meanwhile waits a second or two.
    """
    afresh.begin()
    from edges.registry.keys import with_keys  # noqa: PLC0415 - `--help` needs none of it
    from edges.web.listening import listen  # noqa: PLC0415 - the same

    settings = with_keys(load_settings())
    configure(settings)
    warn_without_kafka(settings)  # who we are there is said before anything listens
    listening = afresh.listening()
    if listening is None:
        listening = listen(settings).detach()
    warn_without_postgres(settings, "database_url" if settings.web_database_url is None else "web_database_url")

    import uvloop  # noqa: PLC0415 - seconds of a busy machine, which nobody waits for whose port is taken

    from edges.web.server import serve  # noqa: PLC0415 - the same
    from process.renewal import REASON  # noqa: PLC0415 - the same

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        handed_on = runner.run(serve(settings, _print, listening=listening))
    if handed_on is not None:
        afresh.replace_this_process(reason=REASON, listening=handed_on)


def _print(address: str) -> None:
    """Print the address, unless it would stand in the log's own file, between lines of JSON: the log says it too."""
    outs = (sys.stdout.fileno(), sys.stderr.fileno())
    if sys.stdout.isatty() or not os.path.sameopenfile(*outs):
        click.echo(address)
