"""What is written, but for the week: a first mail that asks whether an address is right, and news of a badge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edges.languages.badge_names import badge_name
from edges.languages.catalogue import text
from edges.mail.letter import Letter, Link, Paragraph

if TYPE_CHECKING:
    from edges.languages.catalogue import Language
    from edges.mail.links import Links
    from edges.mail.outbox import Mail, Recipient


def organisation_called(language: Language, name: str | None) -> str:
    """Return what an organisation is called, also where nobody has said so."""
    return name or text(language, "mail.your-organisation")


def write_first(mail: Mail, recipient: Recipient, links: Links) -> Letter:
    """Return what asks whether an address is right; whoever did not ask for it need do nothing."""
    language = recipient.language
    name = organisation_called(language, mail.organisation)
    what = "mail.confirm-badges" if recipient.topic == "badges" else "mail.confirm-summary"
    return Letter(
        language=language,
        subject=text(language, "mail.confirm-subject", name=name),
        heading=text(language, "mail.confirm-heading"),
        parts=[Paragraph(text(language, what, name=name)), Paragraph(text(language, "mail.confirm-press"))],
        button=Link(
            text(language, "mail.confirm-open"), links.confirm(mail.org_id, mail.subscription_id, recipient.secret)
        ),
        why=text(language, "mail.confirm-why"),
    )


def write_badge(mail: Mail, recipient: Recipient, links: Links, named: str) -> Letter:
    """Return the news of a badge."""
    language = recipient.language
    name, badge = organisation_called(language, mail.organisation), badge_name(language, named)
    return Letter(
        language=language,
        subject=text(language, "mail.badge-subject", badge=badge),
        heading=text(language, "mail.badge-heading", badge=badge),
        parts=[Paragraph(text(language, "mail.badge-text", name=name, badge=badge))],
        button=Link(text(language, "mail.badge-open"), links.own_page),
        why=text(language, "mail.badge-why", name=name),
        unsubscribe=unsubscribing(mail, recipient, links),
    )


def write_sign_in(mail: Mail, recipient: Recipient, url: str) -> Letter:
    """Return what brings a link that signs in."""
    language = recipient.language
    name = organisation_called(language, mail.organisation)
    return Letter(
        language=language,
        subject=text(language, "mail.sign-in-subject", name=name),
        heading=text(language, "mail.sign-in-heading", name=name),
        parts=[Paragraph(text(language, "mail.sign-in-text"))],
        button=Link(text(language, "mail.sign-in-open"), url),
        why=text(language, "mail.sign-in-why"),
    )


def write_test() -> Letter:
    """Return what `referrals mail test` sends."""
    subject = text("en", "mail.test-subject")
    return Letter(language="en", subject=subject, heading=subject, parts=[], why=text("en", "mail.test-text"))


def unsubscribing(mail: Mail, recipient: Recipient, links: Links) -> Link:
    """Return how somebody is not written to any more."""
    url = links.unsubscribe(mail.org_id, mail.subscription_id, recipient.secret)
    return Link(text(recipient.language, "mail.unsubscribe"), url)
