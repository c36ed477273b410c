"""The pages that links in mails open: they confirm an address, or end a subscription, by a button and without a script.

Opening one changes nothing, because mail scanners follow links; its button posts, and so does a mail program that
unsubscribes by one click (RFC 8058). A subscription that has ended already is answered as one that has just ended.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from edges.languages.catalogue import text
from edges.web.assets import Asset, load_assets, pack

if TYPE_CHECKING:
    from edges.languages.catalogue import Language
    from edges.web.mail_subscriptions import Linked, Topic

State: TypeAlias = Literal["confirm", "confirmed", "gone", "end", "ended", "away"]


class _Said(NamedTuple):
    """What a page says, by the keys of its texts."""

    heading: str
    text: str
    button: str = ""


_SAID: Final[dict[State, _Said]] = {
    "confirm": _Said("mail-page.confirm", "mail-page.confirm-text", "mail-page.confirm-button"),
    "confirmed": _Said("mail-page.confirmed", "mail-page.confirmed-text"),
    "gone": _Said("mail-page.gone", "mail-page.gone-text"),
    "end": _Said("mail-page.end", "mail-page.end-text", "mail-page.end-button"),
    "ended": _Said("mail-page.ended", "mail-page.ended-text"),
    "away": _Said("mail-page.away", "mail-page.away-text"),
}
_TOPICS: Final[dict[Topic, str]] = {"summary": "mail-page.summary", "badges": "mail-page.badges"}


def mail_page(language: Language, state: State, linked: Linked | None = None) -> Asset:
    """Return a page; `linked` is what the link is about, where that is said."""
    template = load_assets().page("mail", language)
    said = _SAID[state]
    values = {}
    if linked is not None:
        name = linked.organisation or text(language, "mail.your-organisation")
        values = {"name": name, "what": text(language, _TOPICS[linked.topic])}
    body = f'<p class="lead">{escape(text(language, said.text, **values))}</p>'
    if said.button:
        button = escape(text(language, said.button))
        body += f'<form method="post"><button class="button primary">{button}</button></form>'
    page = template.content.decode().replace("{heading}", escape(text(language, said.heading)))
    return pack(page.replace("{said}", body).encode(), template.media_type)
