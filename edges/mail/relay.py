"""The relay: what is due in the outbox goes to the mail server, until it is stopped.

Failure handling: the mail server away, or not letting us in: said once, everything waits, tried again after 5 s and
then less often, every 5 minutes in the end. Postgres away: the same, every few seconds. A mail that the server puts off
is tried again by itself (`Mail.next_try`); one that it refuses is given up, and said. What fails in the writing of one
mail (a fault of the program) puts that mail off, and the others go out. Lines name a mail by its id, and no address.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Final
from uuid import UUID

import psycopg
import structlog

from edges.mail.contents import write_badge, write_first, write_sign_in
from edges.mail.links import Links
from edges.mail.message import write_message
from edges.mail.outbox import BATCH_MAX, SIGN_IN_FOR, Mail, Outbox, Recipient, open_outbox
from edges.mail.server import Conversation, MailServer, Refused, ServerAway, TryLater, envelope_of
from edges.mail.summary import write_summary
from edges.web.database import Database, DatabaseUnavailable
from edges.web.sign_in.links import make_link
from process.fault_points import fault_point
from process.faults import said
from process.postgres import is_pooled_async
from process.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edges.mail.letter import Letter
    from edges.mail.metrics import MailState, Outcome
    from process.settings import Settings

LOOK_S: Final = 5.0
"""How often it looks by itself, in case a notification was lost."""
TURN_S: Final = 0.5
"""The shortest wait: what is due and in somebody else's hand is not asked for again at once."""
SUMMARIES_S: Final = 60.0
FORGET_S: Final = 3600.0
STORE_RETRY_S: Final = 2.0
SERVER_RETRY_FIRST_S: Final = 5.0
SERVER_RETRY_MOST_S: Final = 300.0

log = structlog.stdlib.get_logger("mail")


class MailRelay:
    """Sends what is due."""

    def __init__(self, settings: Settings, state: MailState, on_turn: Callable[[], None] = lambda: None) -> None:
        """Make it without connecting.

        Args:
            settings: where Postgres, the mail server and the pages are.
            state: what it notes of itself.
            on_turn: called with each turn, many times a minute, as long as it moves.

        Raises:
            SettingsError: no mail can be sent with these settings.

        """
        if settings.public_url is None:
            raise SettingsError(
                "REFERRALS_PUBLIC_URL: not set, so the links in a mail would lead nowhere; set it to where people "
                "reach `referrals web`"
            )
        self._settings = settings
        self._state = state
        self._on_turn = on_turn
        self._server = MailServer(settings)
        self._links = Links(settings.public_url)
        # By the login that reads what pages show, and may do nothing else, where there is one.
        url = settings.web_database_url or settings.database_url
        self._database = Database(settings.model_copy(update={"database_url": url}), component="mail")
        self._stop = asyncio.Event()
        self.is_in_hand = False
        """Whether a mail is with the server, or was taken and is not noted yet: who ends then sends it twice."""
        self._summaries_s = -SUMMARIES_S
        self._forgot_s = -FORGET_S

    async def run(self) -> None:
        """Send what is due until `stop`, and finish the mail in hand."""
        failures = 0
        async with self._database:
            while not self._stop.is_set():
                self._turn()
                wait_s = STORE_RETRY_S
                try:
                    async with open_outbox(self._settings.database_url) as outbox:
                        if not await is_pooled_async(outbox.connection):  # there a notice would come to somebody else
                            await outbox.connection.execute("LISTEN referrals_mail")
                        self._note_store_back()
                        while not self._stop.is_set():
                            await self.work(outbox)
                            failures = 0
                            await self._wait_for_more(outbox)
                except ServerAway as fault:
                    wait_s = min(SERVER_RETRY_FIRST_S * 2 ** min(failures, 10), SERVER_RETRY_MOST_S)
                    failures += 1
                    if self._state.note_away(str(fault)):
                        log.warning("mail.server_away", reason=str(fault))
                except (psycopg.Error, DatabaseUnavailable) as fault:
                    self._note_store_away(fault)
                await self._pause(wait_s)

    def stop(self) -> None:
        """End when the mail in hand is done."""
        self._stop.set()

    async def work(self, outbox: Outbox) -> int:
        """Put what falls due into the outbox, and send all that is; return how many the server has taken.

        Raises:
            ServerAway: what is left waits.
            psycopg.Error, DatabaseUnavailable: the same.

        """
        await self._tend(outbox)
        self._state.figures = await outbox.figures()  # also where the mail server is away
        self._state.has_looked = True
        sent = 0
        while due := await outbox.due():
            tried, taken = await self._send_all(outbox, due)
            sent += taken
            if not tried or len(due) < BATCH_MAX or self._stop.is_set():
                break  # what is left is new, or in somebody else's hand
        self._state.figures = await outbox.figures()
        return sent

    async def _tend(self, outbox: Outbox) -> None:
        now_s = time.monotonic()
        if now_s - self._summaries_s >= SUMMARIES_S:
            count = await outbox.put_summaries(datetime.now(UTC))
            self._summaries_s = now_s
            if count:
                log.info("mail.summaries_due", mails=count)
        if now_s - self._forgot_s >= FORGET_S:
            await outbox.forget()
            self._forgot_s = now_s

    async def _send_all(self, outbox: Outbox, due: list[tuple[str, str]]) -> tuple[int, int]:
        """Try each of these mails; connected once, and again where the server has ended the conversation.

        Returns how many were in nobody else's hand, and how many of them the server has taken.
        """
        tried = sent = 0
        async with AsyncExitStack() as connected:
            conversation: Conversation | None = None
            for org_id, mail_id in due:
                self._turn()
                if self._stop.is_set():
                    break
                async with outbox.taken(org_id, mail_id) as mail:
                    if mail is None:
                        continue
                    tried += 1
                    if mail.recipient is None or mail.recipient.is_refused or not mail.is_wanted:
                        await outbox.drop(mail)
                        self._count(mail, "not_wanted")
                        continue
                    if conversation is None:
                        conversation = await connected.enter_async_context(self._server.conversation())
                        self._note_server_back()
                    is_sent, is_over = await self._send(outbox, mail, mail.recipient, conversation)
                sent += is_sent
                if is_over:
                    conversation = None
                    await connected.aclose()
        return tried, sent

    async def _send(
        self, outbox: Outbox, mail: Mail, recipient: Recipient, conversation: Conversation
    ) -> tuple[bool, bool]:
        """Try a mail and note what became of it; whether the server has taken it, and whether it listens no more."""
        fault_point("mail.taken")
        try:
            envelope = envelope_of(recipient.address)
            letter = await self._write(outbox, mail, recipient)
            message = write_message(
                letter, mail_id=mail.mail_id, sender=self._server.sender, envelope=envelope, now=datetime.now(UTC)
            )
        except (psycopg.OperationalError, DatabaseUnavailable):
            raise
        except Exception as fault:  # noqa: BLE001  whatever it is, the others go out
            self._say_not_written(mail, fault)
            await self._put_off(outbox, mail, "it could not be written; the log says why")
            return False, False
        self.is_in_hand = True
        try:
            await conversation.send(envelope, message)
        except TryLater as fault:
            await self._put_off(outbox, mail, str(fault))
            return False, fault.is_over
        except Refused as fault:
            await self._give_up(outbox, mail, str(fault), is_address=fault.is_address)
            return False, False
        else:
            fault_point("mail.accepted")
            await outbox.note_sent(mail)
        finally:
            self.is_in_hand = False
        self._count(mail, "sent")
        log.info("mail.sent", mail_id=mail.mail_id, kind=mail.kind, attempts=mail.attempts + 1)
        return True, False

    async def _write(self, outbox: Outbox, mail: Mail, recipient: Recipient) -> Letter:
        if mail.kind == "confirm":
            return write_first(mail, recipient, self._links)
        if mail.kind == "badge":
            async with outbox.connection.transaction():  # what fails in it leaves the mail's own as it is
                badge_name = await outbox.badge_name(mail.about)
            return write_badge(mail, recipient, self._links, badge_name)
        if mail.kind == "sign_in":
            link = await make_link(
                outbox,
                org_id=UUID(mail.org_id),
                role=recipient.role,
                subject=recipient.subject,
                good_for=SIGN_IN_FOR,
            )
            return write_sign_in(mail, recipient, link.url(self._links.base))
        return await write_summary(mail, recipient, self._links, self._database)

    async def _put_off(self, outbox: Outbox, mail: Mail, problem: str) -> None:
        wait = mail.next_try()
        if wait is None:
            await self._give_up(outbox, mail, f"tried for too long; {problem}", is_address=False)
            return
        await outbox.note_later(mail, wait, problem)
        self._count(mail, "put_off")
        log.info("mail.put_off", mail_id=mail.mail_id, kind=mail.kind, reason=problem, wait_s=wait.total_seconds())

    async def _give_up(self, outbox: Outbox, mail: Mail, problem: str, *, is_address: bool) -> None:
        await outbox.note_gave_up(mail, problem, is_address=is_address)
        self._count(mail, "gave_up")
        log.warning("mail.gave_up", mail_id=mail.mail_id, kind=mail.kind, reason=problem)

    def _say_not_written(self, mail: Mail, fault: Exception) -> None:
        """Say where it failed, and not in its words: they may have the address, or a name."""
        at = extract_tb(fault.__traceback__)[-1]
        log.error(
            "mail.not_written",
            mail_id=mail.mail_id,
            kind=mail.kind,
            reason=f"{type(fault).__name__} at {Path(at.filename).name}:{at.lineno}",
        )

    async def _wait_for_more(self, outbox: Outbox) -> None:
        """Wait until something comes, something put off is due, or a while has passed."""
        next_at = self._state.figures.next_at
        wait_s = LOOK_S if next_at is None else (next_at - datetime.now(UTC)).total_seconds()
        self._turn()
        waiting = asyncio.create_task(self._next_notification(outbox, min(max(wait_s, TURN_S), LOOK_S)))
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not waiting.done():
            waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting

    async def _next_notification(self, outbox: Outbox, timeout_s: float) -> None:
        async for _ in outbox.connection.notifies(timeout=timeout_s, stop_after=1):
            pass

    async def _pause(self, wait_s: float) -> None:
        """Wait, and turn all the while; less long where it is to stop."""
        ends_s = time.monotonic() + wait_s
        while not self._stop.is_set() and (left_s := ends_s - time.monotonic()) > 0:
            self._turn()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), min(left_s, LOOK_S))

    def _turn(self) -> None:
        self._state.turned_s = time.monotonic()
        self._on_turn()

    def _count(self, mail: Mail, outcome: Outcome) -> None:
        self._state.outcomes[mail.kind, outcome] += 1

    def _note_server_back(self) -> None:
        away_s = self._state.note_back()
        if away_s is not None:
            log.info("mail.server_back", away_s=round(away_s, 1))

    def _note_store_away(self, fault: Exception) -> None:
        """Note and say why; Postgres's further lines have the row's values, addresses among them."""
        reason = said(fault)[:200]
        if self._state.store_away is None:
            log.warning("mail.store_away", reason=reason)
        self._state.store_away = reason

    def _note_store_back(self) -> None:
        if self._state.store_away is not None:
            log.info("mail.store_back")
        self._state.store_away = None
