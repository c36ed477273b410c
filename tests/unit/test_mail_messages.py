"""Letters as messages: what a stranger's text can do in one, and what a mail program makes of it."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from typing import Any, Final
from uuid import uuid4

import pytest

from edges.languages.catalogue import LANGUAGES, Language
from edges.mail.contents import write_badge, write_first
from edges.mail.letter import Figure, Figures, Letter, Link, Listing, Paragraph, as_html, as_text
from edges.mail.links import Links
from edges.mail.message import SUBJECT_LENGTH_MAX, message_id, one_line, write_message
from edges.mail.outbox import TRIED_FOR, Mail, Recipient
from edges.mail.server import envelope_of
from edges.mail.summary import days_called, number
from edges.web.sign_in.credentials import read_credential
from process.mail_addresses import BadAddress, for_the_envelope, read_address, read_sender

SENDER: Final = Address("Referrals", addr_spec="referrals@example.org")
NOW: Final = datetime(2026, 11, 30, 7, tzinfo=UTC)
BAD: Final = 'Ærlig\r\nBcc: all@example.org\r\n\r\n<script>alert("1")</script>'
LINKS: Final = Links("https://refer.example.org/")


def mail(**changed: Any) -> Mail:  # noqa: ANN401
    """Return a mail that is due."""
    recipient = Recipient("kari@example.org", "en", "kari", "coordinator", "summary", bytes(32), True, False)  # noqa: FBT003
    base = Mail(
        str(uuid4()), str(uuid4()), "badge", str(uuid4()), "about", NOW, 0, NOW, recipient, "Alder & Co", "Europe/Oslo"
    )
    return base._replace(**changed)


def sent(letter: Letter, to: str = "kari@example.org") -> EmailMessage:
    """Return a letter as a mail program reads it."""
    content = write_message(letter, mail_id="one", sender=SENDER, envelope=envelope_of(to), now=NOW)
    assert b"\n" not in content.replace(b"\r\n", b""), "every line ends as the protocol has it"
    assert max(map(len, content.split(b"\r\n"))) <= 998
    return message_from_bytes(content, policy=default)


def letter(**changed: Any) -> Letter:  # noqa: ANN401
    """Return a letter with everything in it."""
    given: dict[str, Any] = {
        "language": "en",
        "subject": "A subject",
        "heading": "A heading",
        "parts": [
            Paragraph("A paragraph", Link("a link", "https://refer.example.org/a?b=1&c=2")),
            Figures([Figure("Clicks", "1,234", "1,000 before")], Link("open", "https://refer.example.org/open")),
            Listing("Some", [(Link("Anna", "https://refer.example.org/me#mentor=1"), "3 pending")], Link("all", "https://x.example")),
        ],
        "button": Link("Press", "https://refer.example.org/press"),
        "why": "Why you are written to.",
        "unsubscribe": Link("Unsubscribe", f"https://refer.example.org/mail/unsubscribe/{'a' * 86}"),
    }  # fmt: skip
    return Letter(**(given | changed))


class Read(HTMLParser):
    """What a page says, where it leads, and what it would fetch."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append(tag)
        for name, value in attrs:
            if name == "href":
                self.links.append(value or "")
            if name in {"src", "background", "srcset", "onclick", "onload"}:
                self.fetched.append(value or "")

    def handle_data(self, data: str) -> None:
        """Note a text."""
        if data.strip():
            self.texts.append(data.strip())


def test_headers() -> None:
    """What programs go by: who, to whom, which, that no person wrote it, how to unsubscribe."""
    message = sent(letter())
    assert message["From"] == "Referrals <referrals@example.org>"
    assert message["To"] == "kari@example.org"
    assert message["Message-ID"] == message_id("one", SENDER) == "<one@example.org>"
    assert message["Date"] == "Mon, 30 Nov 2026 07:00:00 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "en"
    assert message["List-Unsubscribe"] == f"<https://refer.example.org/mail/unsubscribe/{'a' * 86}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_one_click_is_asked_of_https_alone() -> None:
    """RFC 8058, 3.1; on somebody's own machine the page's button does."""
    message = sent(letter(unsubscribe=Link("Unsubscribe", "http://127.0.0.1:8080/mail/unsubscribe/a")))
    assert "List-Unsubscribe-Post" not in message
    assert message["List-Unsubscribe"] == "<http://127.0.0.1:8080/mail/unsubscribe/a>"
    assert "List-Unsubscribe" not in sent(letter(unsubscribe=None))


@pytest.mark.parametrize(
    "text", [BAD, "\x00a\x1bb\u2028c\u202ed", "Ø" * 500, "word " * 200, "🦔" * 300, "", "=?utf-8?q?a?="]
)
def test_a_strangers_text_is_a_text(text: str) -> None:
    """In a subject it is one line of bounded length; in a body it is no markup; no header comes of it."""
    message = sent(letter(subject=text, heading=text, parts=[Paragraph(text)], why=text))
    assert set(message.keys()) == set(sent(letter()).keys())
    subject = " ".join(message["Subject"].split())  # where it is folded, the library reads two spaces for one
    assert len(subject) <= SUBJECT_LENGTH_MAX
    assert subject.isprintable()
    page = message.get_body(("html",))
    assert page is not None
    read = Read(page.get_content())
    assert "script" not in read.tags
    assert message["To"] == "kari@example.org"


def test_a_subject_is_cut_at_a_character() -> None:
    """Not in the middle of one, and it says that it was."""
    assert one_line("Ø" * 151) == "Ø" * 149 + "…"
    assert one_line("a\r\n b\tc") == "a b c"


def test_text_and_html_say_the_same() -> None:
    """Each link of one is in the other, and each word; nothing is fetched by who opens it."""
    whole = letter()
    read, plain = Read(as_html(whole)), as_text(whole)
    assert read.fetched == []
    assert "img" not in read.tags
    assert set(read.links) == {word for word in plain.split() if word.startswith("https:")}
    for said in ("A heading", "A paragraph", "Clicks", "1,234", "1,000 before", "Anna", "3 pending", "Press"):
        assert said in read.texts
        assert said in plain


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_letter_has_where_it_leads(language: Language) -> None:
    """Links carry what opens the page; a first mail cannot unsubscribe from what has not begun."""
    mentor = Recipient("kari@example.org", language, "0d9e", "mentor", "badges", bytes(range(32)), True, False)  # noqa: FBT003
    of = mail(organisation=None)
    first = write_first(of, mentor, LINKS)
    assert first.button is not None
    assert first.unsubscribe is None
    credential = read_credential(first.button.url.rpartition("/")[2])
    assert credential == (of.org_id, of.subscription_id, bytes(range(32)))
    news = write_badge(of, mentor, LINKS, "First recruit")
    assert news.unsubscribe is not None
    assert news.unsubscribe.url.startswith("https://refer.example.org/mail/unsubscribe/")
    assert {first.language, news.language} == {language}
    assert "{" not in as_text(first) + as_text(news)
    own = write_badge(of, mentor, LINKS, "Hedgehog <b>")
    assert "Hedgehog &lt;b&gt;" in as_html(own)


def test_days_and_numbers_as_they_are_written() -> None:
    """In each language, over the turn of a year too."""
    first, last = NOW.date().replace(day=23), NOW.date().replace(day=29)
    assert days_called("en", first, last) == "23 November to 29 November 2026"
    assert days_called("nb", first, last) == "23. november til 29. november 2026"
    assert days_called("en", first.replace(month=12, day=28), last.replace(year=2027, month=1, day=3)) == (
        "28 December 2026 to 3 January 2027"
    )
    assert number("en", 1234567) == "1,234,567"
    assert number("nb", 1234567) == "1\u00a0234\u00a0567"


def test_how_long_a_mail_is_tried() -> None:
    """After a minute, then twice as long each time and at most two hours, for five days."""
    waits = [mail(attempts=attempts).next_try() for attempts in range(12)]
    minutes = [wait.total_seconds() / 60 for wait in waits if wait is not None]
    assert minutes == [1, 2, 4, 8, 16, 32, 64, 120, 120, 120, 120, 120]
    late = NOW + TRIED_FOR
    assert mail(attempts=1, now=late).next_try() is None
    assert mail(attempts=0, now=late).next_try() is not None, "it waited for our own server"
    assert mail(attempts=5000).next_try() is not None


@pytest.mark.parametrize(
    ("text", "kept", "told", "needs_utf8"),
    [
        (" kari@example.org ", "kari@example.org", "kari@example.org", False),
        ("Kari.Berg+refer@EXAMPLE.org", "Kari.Berg+refer@example.org", "Kari.Berg+refer@example.org", False),
        ("kari@blåbær.example.org", "kari@blåbær.example.org", "kari@xn--blbr-roah.example.org", False),
        ("kåri@example.org", "kåri@example.org", "kåri@example.org", True),
    ],
)
def test_addresses(text: str, kept: str, told: str, needs_utf8: bool) -> None:  # noqa: FBT001
    """As they are kept, and as a server is told them."""
    assert read_address(text) == kept
    assert for_the_envelope(kept) == (told, needs_utf8)


@pytest.mark.parametrize(
    "text",
    [
        "", "kari", "kari@", "@example.org", "kari@localhost", "kari@example", "kari@[127.0.0.1]",
        '"ka ri"@example.org',
        "Kari <kari@example.org>", "kari@example.org, ola@example.org", "kari@example.org\r\nBcc: ola@example.org",
        "kari@example.org\n", "kari\x00@example.org", "kari@exam ple.org", f"{'k' * 65}@example.org",
        f"kari@{'e' * 300}.org", "kari@example..org", "kari@example.org>", "kari@example.org?subject=x&bcc=y@z.org",
    ],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    """Refused with a reason, which has none of what was given but its characters."""
    if text.strip() == "kari@example.org":
        assert read_address(text) == "kari@example.org"
        return
    with pytest.raises(BadAddress) as fault:
        read_address(text)
    assert "kari@example" not in str(fault.value)
    assert str(fault.value)


def test_whom_mail_is_from() -> None:
    """A name and an address, or the address alone."""
    assert str(read_sender("Referrals <referrals@example.org>")) == "Referrals <referrals@example.org>"
    assert read_sender("referrals@example.org").addr_spec == "referrals@example.org"
    for bad in (
        "Referrals",
        "Referrals <>",
        "å@example.org",
        f"{'R' * 61} <referrals@example.org>",
        "R\x07 <r@example.org>",
    ):
        with pytest.raises(BadAddress):
            read_sender(bad)
