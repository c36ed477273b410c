"""A letter as a message (RFC 5322, MIME), made by the standard library, and the headers that it goes with.

The standard library folds a header of one long word into encoded words (of CPython 3.11 to 3.13), which nobody
understands as an address: so List-Unsubscribe is written beside it, out of an address that is ASCII. Texts that people
chose are cut to a line before they come near a header; a line break in one would raise.
"""

from __future__ import annotations

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

from edges.mail.letter import Letter, as_html, as_text

if TYPE_CHECKING:
    from datetime import datetime

    from edges.mail.server import Envelope

SUBJECT_LENGTH_MAX: Final = 150


def message_id(mail_id: str, sender: Address) -> str:
    """Return the Message-ID of a mail: the same however often it is sent."""
    return f"<{mail_id}@{sender.domain}>"


def write_message(letter: Letter, *, mail_id: str, sender: Address, envelope: Envelope, now: datetime) -> bytes:
    """Return the bytes that a mail server is given.

    Args:
        letter: what is written.
        mail_id: which mail of the outbox it is.
        sender: whom it is from.
        envelope: whom it goes to; its address alone, no name.
        now: when it is sent.

    """
    message = EmailMessage(policy=SMTPUTF8 if envelope.needs_utf8 else SMTP)
    message["From"] = sender
    local, _, domain = envelope.address.rpartition("@")
    message["To"] = Address(username=local, domain=domain)
    message["Subject"] = one_line(letter.subject)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = message_id(mail_id, sender)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(as_text(letter), cte="quoted-printable")
    message.add_alternative(as_html(letter), subtype="html", cte="quoted-printable")
    message["Content-Language"] = letter.language  # last: the library takes Content-... for the first part's
    return _unsubscribing(letter) + message.as_bytes()


def one_line(text: str) -> str:
    """Return a text as a header takes it: one line, nothing that is not seen, not longer than is read."""
    printed = "".join(each if each.isprintable() else " " for each in text)
    spaced = " ".join(printed.split())
    return spaced if len(spaced) <= SUBJECT_LENGTH_MAX else f"{spaced[: SUBJECT_LENGTH_MAX - 1]}…"


def _unsubscribing(letter: Letter) -> bytes:
    """Return how a mail program unsubscribes: by one click (RFC 8058), which is asked of https alone."""
    if letter.unsubscribe is None:
        return b""
    lines = [f"List-Unsubscribe: <{letter.unsubscribe.url}>"]
    if letter.unsubscribe.url.startswith("https:"):
        lines.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click")
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")
