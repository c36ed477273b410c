"""The mail server: a conversation by SMTP (RFC 5321), and what its answers mean for a mail.

What a server says of the conversation (it is away, its certificate is another's, it does not know our password, it does
not take our sender) is no mail's fault: `ServerAway`, everything waits. What it says of a recipient or a text is that
mail's: `TryLater` (4xx), or `Refused` (5xx); but a server that does not relay for us blames no address, so that is
`TryLater` too. A conversation that breaks off in the middle of a mail leaves it open
whether the server has taken it; it is tried again with the same Message-ID, by which many servers know it (RFC 1047).

Each mail has a bound as a whole: a server that answers a letter a minute holds up nobody for long.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import aiosmtplib
from aiosmtplib.errors import (
    SMTPAuthenticationError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from process.mail_addresses import for_the_envelope, read_sender
from process.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from email.headerregistry import Address

    from process.settings import Settings

PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
CONNECT_S: Final = 30.0
"""How long a server has until it takes mail: connected, encrypted, signed in."""
_WHERE: Final = "see REFERRALS_SMTP_HOST and REFERRALS_SMTP_PORT"
MAIL_S: Final = 60.0
"""How long it has for one."""
GOODBYE_S: Final = 2.0

_PERMANENT: Final = 500
_CLOSING: Final = 421
_SIGN_IN_FIRST: Final = 530


class ServerAway(Exception):  # noqa: N818  read as what is wrong
    """The server takes no mail now; the message says why, and names no recipient."""


class TryLater(Exception):  # noqa: N818  the same
    """The server does not take this mail now (4xx), or the conversation broke off; the message names no recipient."""

    def __init__(self, problem: str, *, is_over: bool = False) -> None:
        super().__init__(problem)
        self.is_over = is_over
        """Whether the conversation is over too."""


class Refused(Exception):  # noqa: N818  the same
    """The server will never take this mail (5xx); the message names no recipient."""

    def __init__(self, problem: str, *, is_address: bool) -> None:
        super().__init__(problem)
        self.is_address = is_address
        """Whether it is the address that it refuses, and not what was sent."""


class Envelope(NamedTuple):
    """Whom a mail goes to."""

    address: str
    needs_utf8: bool
    """Whether the server must know SMTPUTF8 for it."""


class MailServer:
    """The server of the settings."""

    def __init__(self, settings: Settings) -> None:
        """Take it from the settings without connecting; raise SettingsError where there is none."""
        if settings.smtp_host is None or settings.mail_from is None:
            raise SettingsError("REFERRALS_SMTP_HOST: not set, so there is no server to give mail to; docs/mail.md")
        if (settings.smtp_username is None) != (settings.smtp_password is None):
            raise SettingsError(
                "REFERRALS_SMTP_USERNAME and REFERRALS_SMTP_PASSWORD go together: set both, or neither. A running `up` "
                "hands its settings on to other commands, and no password: set that again"
            )
        self.sender: Address = read_sender(settings.mail_from)
        self._settings = settings
        self._port = settings.smtp_port or PORTS[settings.smtp_security]
        self.place = f"{settings.smtp_host}:{self._port}"
        """Where it is, for people."""
        self._tls = None if settings.smtp_security == "none" else _tls_context(settings)

    @asynccontextmanager
    async def conversation(self) -> AsyncIterator[Conversation]:
        """Connect, encrypt and sign in, for the body; raise ServerAway."""
        password = self._settings.smtp_password
        smtp = aiosmtplib.SMTP(
            hostname=self._settings.smtp_host,
            port=self._port,
            username=self._settings.smtp_username,
            password=None if password is None else password.get_secret_value(),
            local_hostname=socket.gethostname(),
            timeout=CONNECT_S,
            use_tls=self._settings.smtp_security == "tls",
            start_tls=self._settings.smtp_security == "starttls",
            tls_context=self._tls,
        )
        try:
            async with asyncio.timeout(CONNECT_S):
                await smtp.connect()
        except (SMTPException, OSError) as fault:  # ssl's errors and TimeoutError are OSErrors
            smtp.close()
            raise ServerAway(f"{self.place}: {self._explained(fault)}") from None
        try:
            yield Conversation(smtp, self.sender, self.place)
        finally:
            with suppress(SMTPException, OSError):
                async with asyncio.timeout(GOODBYE_S):
                    await smtp.quit()
            smtp.close()

    def _explained(self, fault: Exception) -> str:
        """Return what is wrong with the server, and what to do about it."""
        cause = fault if isinstance(fault, ssl.SSLError) else fault.__cause__
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = cause.verify_message
            return f"its certificate is not accepted: {why}; REFERRALS_SMTP_CA_LOCATION names another authority"
        if isinstance(fault, SMTPAuthenticationError):
            return f"it does not let us in ({fault.code}); see REFERRALS_SMTP_USERNAME and REFERRALS_SMTP_PASSWORD"
        if isinstance(fault, SMTPResponseException):
            return f"it answers {said(fault)}"
        if isinstance(fault, TimeoutError | SMTPTimeoutError):
            return f"it does not answer within {CONNECT_S:.0f} s; {_WHERE}"
        if isinstance(cause, OSError) and cause.strerror:
            return f"it cannot be reached: {cause.strerror}; {_WHERE}"
        return self._not_offered(" ".join(str(fault).split()) or type(fault).__name__)

    def _not_offered(self, text: str) -> str:
        """Return what aiosmtplib misses at the server, which it says in words alone, and what to do about it."""
        if "AUTH extension" in text:
            if self._settings.smtp_security == "none":
                return "it takes no password on a way without TLS; see REFERRALS_SMTP_SECURITY"
            return "it takes no passwords; leave REFERRALS_SMTP_USERNAME and REFERRALS_SMTP_PASSWORD out"
        if "STARTTLS" in text:
            return "it offers no STARTTLS; REFERRALS_SMTP_SECURITY says how the way to it is secured"
        return text[:200]


class Conversation:
    """A server that listens."""

    def __init__(self, smtp: aiosmtplib.SMTP, sender: Address, place: str) -> None:
        self._smtp = smtp
        self._sender = sender
        self._place = place

    async def send(self, envelope: Envelope, message: bytes) -> None:
        """Give the server a message; it has taken it when this returns.

        Raises:
            ServerAway: it takes none now; this one was not begun.
            TryLater, Refused: what it says of this one.

        """
        if envelope.needs_utf8 and not self._smtp.supports_extension("smtputf8"):
            raise Refused("the mail server cannot send to an address of other letters (SMTPUTF8)", is_address=True)
        try:
            async with asyncio.timeout(MAIL_S):
                await self._converse(envelope, message)
        except TimeoutError:
            self._smtp.close()
            raise TryLater(f"the mail server has not taken it within {MAIL_S:.0f} s", is_over=True) from None

    async def _converse(self, envelope: Envelope, message: bytes) -> None:
        options = ["SMTPUTF8", "BODY=8BITMIME"] if envelope.needs_utf8 else []
        encoding = "utf-8" if envelope.needs_utf8 else "ascii"
        try:
            await self._smtp.mail(self._sender.addr_spec, options=options, encoding=encoding)
        except SMTPSenderRefused as fault:
            raise ServerAway(f"{self._place}: it answers {said(fault)} to REFERRALS_MAIL_FROM") from None
        except (SMTPException, OSError) as fault:
            raise ServerAway(f"{self._place}: {fault}") from None
        try:
            await self._smtp.rcpt(envelope.address, encoding=encoding)
            await self._smtp.data(message)
        except SMTPResponseException as fault:
            await self._forget()
            raise _meant(fault, is_address=isinstance(fault, SMTPRecipientRefused)) from None
        except (SMTPServerDisconnected, SMTPTimeoutError, OSError):
            raise TryLater("the mail server has broken off in the middle of it", is_over=True) from None

    async def _forget(self) -> None:
        """Tell the server to forget a mail that was begun."""
        with suppress(SMTPException, OSError):
            await self._smtp.rset()


def said(fault: SMTPResponseException) -> str:
    """Return a server's answer without its text, which may repeat an address: its code, and the enhanced one."""
    first = str(fault.message).split(" ", 1)[0]
    enhanced = first if first[:2] in {"4.", "5."} and first.replace(".", "").isdigit() else ""
    return f"{fault.code} {enhanced}".strip()


def envelope_of(address: str) -> Envelope:
    """Return whom a mail to an address goes to."""
    return Envelope(*for_the_envelope(address))


def _meant(fault: SMTPResponseException, *, is_address: bool) -> TryLater | Refused:
    if is_address and _is_about_us(fault):
        return TryLater(f"the mail server sends nothing there for us: {said(fault)}; see REFERRALS_SMTP_USERNAME")
    if fault.code >= _PERMANENT:
        of_what = "the address" if is_address else "the mail"
        return Refused(f"the mail server refuses {of_what}: {said(fault)}", is_address=is_address)
    return TryLater(f"the mail server answers {said(fault)}", is_over=fault.code == _CLOSING)


def _is_about_us(fault: SMTPResponseException) -> bool:
    """Return whether a recipient is refused because of who asks: one who has not signed in, or may not.

    Such a server refuses everybody elsewhere until somebody changes a setting, and no address is to blame. Postfix and
    Exchange say so by the enhanced code (RFC 3463: 5.7 is policy), Exim in words alone ("550 relay not permitted").
    """
    is_policy = said(fault).partition(" ")[2].startswith("5.7.")
    return fault.code == _SIGN_IN_FIRST or is_policy or (fault.code >= _PERMANENT and "relay" in fault.message.lower())


def _tls_context(settings: Settings) -> ssl.SSLContext:
    """Return how a server has to show who it is; raise SettingsError where the file cannot be read."""
    location = settings.smtp_ca_location
    try:
        return ssl.create_default_context(cafile=None if location is None else str(location))
    except (OSError, ssl.SSLError) as fault:
        raise SettingsError(f"REFERRALS_SMTP_CA_LOCATION: {location} cannot be read: {fault}") from None
