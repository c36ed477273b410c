"""Mail addresses: what is taken as one, by email-validator, and whom mail is from.

An address is a stranger's text that goes into a header and into the conversation with a mail server. What passes here
is one address: no line break, no second one, no words around it, no quoted part, no bare host.
"""

from __future__ import annotations

from email.headerregistry import Address
from email.utils import parseaddr
from typing import Final

from email_validator import EmailNotValidError, validate_email

LENGTH_MAX: Final = 254
"""What a server has to take (RFC 5321, 4.5.3.1, less the angle brackets)."""
NAME_LENGTH_MAX: Final = 60


class BadAddress(ValueError):  # noqa: N818  read as what is wrong
    """No address that mail can be sent to; the message says why, without the address."""


def read_address(text: str) -> str:
    """Return an address as it is kept: composed (NFC), its domain in lower case and readable.

    Other letters than ASCII's are taken before and after the @; a server that cannot send to them says so later.

    Raises:
        BadAddress: it is none.

    """
    text = text.strip()
    if len(text) > LENGTH_MAX:
        raise BadAddress(f"it has more than {LENGTH_MAX} characters")
    try:
        return validate_email(text, check_deliverability=False, strict=True).normalized
    except EmailNotValidError as fault:
        raise BadAddress(_said(fault)) from None


def for_the_envelope(address: str) -> tuple[str, bool]:
    """Return a kept address as a mail server is told it, and whether that needs SMTPUTF8 (RFC 6531).

    Only what stands before the @ needs it: a domain of other letters has a form in ASCII.
    """
    found = validate_email(address, check_deliverability=False)
    if found.ascii_email is not None:
        return found.ascii_email, False
    return f"{found.local_part}@{found.ascii_domain}", True


def read_sender(text: str) -> Address:
    """Return whom mail is from: `Name <address>`, or an address alone; raise BadAddress."""
    name, address = parseaddr(text)
    name = " ".join(name.split())
    if len(name) > NAME_LENGTH_MAX or not name.isprintable():
        raise BadAddress(f"the name has more than {NAME_LENGTH_MAX} characters, or some that are not printed")
    kept, needs_utf8 = for_the_envelope(read_address(address))
    if needs_utf8:
        raise BadAddress("before the @ it has other letters than a mail server must take")
    return Address(name, addr_spec=kept)


def _said(fault: EmailNotValidError) -> str:
    """Return what is wrong without what was given: these messages quote characters alone, and are one line."""
    return " ".join(str(fault).split()).rstrip(".")
