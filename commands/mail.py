"""`referrals mail`: sends the mail that people have asked for; tries a mail server; erases somebody's address."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4

import rich_click as click
import structlog

from process.logs import configure
from process.reaching_postgres import warn_without_postgres
from process.running import find_settings

STOP_S: Final = 9.0
"""Container engines kill after 10 s what has not ended."""
MAIL_S: Final = 60.0
"""So long a mail that is with the server may take."""

log = structlog.get_logger("mail")


@click.group(invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Send the mail that people have asked for on their pages: the week to coordinators, badges to mentors.

    Takes it from the outbox in REFERRALS_DATABASE_URL and gives it to REFERRALS_SMTP_HOST. Several share the work. Runs
    until SIGTERM or Ctrl-C, and finishes the mail in hand.
    """
    if context.invoked_subcommand is None:
        asyncio.run(_send())


@command.command()
@click.argument("address")
def test(address: str) -> None:
    """Send a test mail to ADDRESS now, and say what the mail server answers.

    Exit code 1: it was not taken, with the reason.
    """
    from edges.mail.contents import write_test  # noqa: PLC0415  `--help` needs none of it
    from edges.mail.message import write_message  # noqa: PLC0415  the same
    from edges.mail.server import MailServer, Refused, ServerAway, TryLater, envelope_of  # noqa: PLC0415  the same
    from process.mail_addresses import BadAddress, read_address  # noqa: PLC0415  the same

    try:
        envelope = envelope_of(read_address(address))
    except BadAddress as fault:
        raise click.UsageError(f"that is no address that mail can be sent to: {fault}") from None
    server = MailServer(find_settings())

    async def send() -> None:
        message = write_message(
            write_test(), mail_id=str(uuid4()), sender=server.sender, envelope=envelope, now=datetime.now(UTC)
        )
        async with server.conversation() as conversation:
            await conversation.send(envelope, message)

    try:
        asyncio.run(send())
    except Refused as fault:
        elsewhere = fault.is_address and envelope.address.rpartition("@")[2] != server.sender.domain
        perhaps = "; or it does not relay for this installation, which servers may say in the same words: see its rules"
        raise click.ClickException(f"{fault}{perhaps if elsewhere else ''}") from None
    except (ServerAway, TryLater) as fault:
        raise click.ClickException(str(fault)) from None
    click.echo(f"{server.place} has taken it")


@command.command()
@click.option("--org", "org_id", type=click.UUID, required=True, metavar="UUID", help="The organisation.")
@click.option("--address", metavar="TEXT", help="Everybody who is told at this address.")
@click.option("--subject", metavar="TEXT", help="Who: of a mentor the mentor id, else what his session calls him.")
def erase(*, org_id: UUID, address: str | None, subject: str | None) -> None:
    """Erase somebody's mail address, and send nothing more to it.

    By the address or by who it is; he does so himself on his page, or by the link in each mail. Exit code 1: there was
    none.
    """
    if (address is None) == (subject is None):
        raise click.UsageError("give --address or --subject, one of them")
    from edges.registry.addresses import erase_addresses  # noqa: PLC0415  `--help` needs no Postgres
    from edges.registry.database import owner_database  # noqa: PLC0415  the same

    async def run() -> int:
        async with owner_database(find_settings().database_url) as database:
            return await erase_addresses(database, org_id, address=address, subject=subject)

    count = asyncio.run(run())
    click.echo(f"{count} {'address' if count == 1 else 'addresses'} erased")
    if not count:
        raise SystemExit(1)


async def _send() -> None:
    """Run the relay until a signal."""
    from edges.mail.metrics import STANDS_S, MailHealth, MailMetrics, MailState  # noqa: PLC0415  `--help` needs none
    from edges.mail.relay import MailRelay  # noqa: PLC0415  the same
    from process.monitoring import start_monitoring  # noqa: PLC0415  the same

    settings = find_settings()
    configure(settings)
    state = MailState()

    def turn() -> None:
        """Let the process end, with the stacks of its threads, if no other turn comes."""
        faulthandler.dump_traceback_later(STANDS_S, exit=True)

    relay = MailRelay(settings, state, turn)
    loop = asyncio.get_running_loop()

    def cut_short(after_s: float) -> None:
        """End where the relay does not: it waits for a Postgres that is stopped, say. A mail in hand has a minute."""
        if relay.is_in_hand and after_s < MAIL_S:
            loop.call_later(1.0, cut_short, after_s + 1.0)
            return
        log.warning("stop_cut_short", after_s=after_s)
        os._exit(os.EX_TEMPFAIL)

    def stop() -> None:
        """End, in time."""
        relay.stop()
        loop.call_later(STOP_S, cut_short, STOP_S)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    warn_without_postgres(settings, "database_url", "web_database_url")
    start_monitoring("mail", settings, health=MailHealth(state), collectors=[MailMetrics(state)])
    try:
        await relay.run()
    finally:
        faulthandler.cancel_dump_traceback_later()
