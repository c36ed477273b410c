"""A real mail server in a thread: aiosmtpd, with TLS, passwords, and the bad manners that servers have."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP
from pathlib import Path
from typing import Any, Final, Literal

from aiosmtpd import smtp
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from cryptography.hazmat.primitives.serialization import Encoding

from local.parts.ports import LOOPBACK, free_ports
from process.settings import Settings
from tests.secured_kafka import certify

SENDER: Final = "Referrals <referrals@example.org>"
USER: Final = "referrals"
PASSWORD: Final = "of the mail server"  # noqa: S105  it guards nothing
DEADLINE_S: Final = 30.0


@dataclass
class Post:
    """What a server has taken, and how it behaves."""

    taken: list[tuple[str, EmailMessage, bytes]] = field(default_factory=list)
    """Recipient, message and bytes, in the order they came."""
    refuses: dict[str, str] = field(default_factory=dict)
    """What a recipient is answered."""
    refuses_text: str = ""
    """What every text is answered, if anything."""
    greylists: int = 0
    """So many recipients are put off before one is taken."""
    dies: Literal["", "at recipient", "before taking", "after taking"] = ""
    """Where it closes the connection, once, without an answer."""
    delay_s: float = 0.0
    """How long it takes for a text."""
    conversations: int = 0

    def to(self, address: str) -> list[EmailMessage]:
        """Return what was sent to an address."""
        return [message for recipient, message, _ in self.taken if recipient == address]

    async def handle_EHLO(  # noqa: N802  aiosmtpd's name
        self, server: smtp.SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Greet."""
        del server, envelope
        session.host_name = hostname
        self.conversations += 1
        return responses

    async def handle_RCPT(  # noqa: N802  the same
        self, server: smtp.SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or say why not."""
        del session, options
        if self.dies == "at recipient":
            self._die(server)
        if self.greylists > 0:
            self.greylists -= 1
            return f"450 4.2.0 <{address}>: Recipient address rejected: Greylisted"
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: smtp.SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  the same
        """Take a message, or say why not."""
        del session
        content = envelope.content
        assert isinstance(content, bytes)
        if self.refuses_text:
            return self.refuses_text
        if self.dies == "before taking":
            self._die(server)
            return "250 OK"
        await asyncio.sleep(self.delay_s)
        message = BytesParser(EmailMessage, policy=SMTP).parsebytes(content)
        self.taken += [(address, message, content) for address in envelope.rcpt_tos]
        if self.dies == "after taking":
            self._die(server)
        return "250 OK"

    def _die(self, server: Any) -> None:  # noqa: ANN401  its transport has no type
        self.dies = ""
        server.transport.abort()


@dataclass(frozen=True)
class MailServerDouble:
    """A running server."""

    post: Post
    port: int
    security: Literal["starttls", "tls", "none"]
    authority: Path | None

    def settings(self, **changed: object) -> dict[str, Any]:
        """Return the settings by which it is found."""
        ours: dict[str, Any] = {
            "smtp_host": LOOPBACK,
            "smtp_port": self.port,
            "smtp_security": self.security,
            "smtp_ca_location": self.authority,
            "mail_from": SENDER,
            "public_url": "https://refer.example.org",
        }
        return ours | changed


@contextmanager
def mail_server(
    security: Literal["starttls", "tls", "none"] = "none",
    *,
    folder: Path | None = None,
    port: int | None = None,
    post: Post | None = None,
    with_password: bool = False,
    smtputf8: bool = True,
) -> Iterator[MailServerDouble]:
    """Run one for the body; with TLS `folder` gets its certificates."""
    post = post or Post()
    context, authority = None, None
    if security != "none":
        assert folder is not None
        by = certify("authority")
        authority = folder / "authority.pem"
        authority.write_bytes(by.made.public_bytes(Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certify("mail", by).write(folder / "mail.pem"))

    def check(server: object, session: object, envelope: object, mechanism: str, data: Any) -> AuthResult:  # noqa: ANN401
        del server, session, envelope, mechanism
        return AuthResult(success=data == LoginPassword(USER.encode(), PASSWORD.encode()), handled=False)

    controller = Controller(
        post,
        hostname=LOOPBACK,
        port=port or free_ports(1)[0],
        enable_SMTPUTF8=smtputf8,
        ssl_context=context if security == "tls" else None,
        tls_context=context if security == "starttls" else None,
        require_starttls=security == "starttls",
        # It does not know TLS that was there before it for TLS, and warns.
        auth_required=with_password and security == "starttls",
        auth_require_tls=security == "starttls",
        authenticator=check,
    )
    controller.start()
    try:
        yield MailServerDouble(post, controller.port, security, authority)
    finally:
        controller.stop()


def settings_with(settings: Settings, server: MailServerDouble, **changed: object) -> Settings:
    """Return settings by which a server is found."""
    return settings.model_copy(update=server.settings(**changed))
