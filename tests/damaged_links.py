"""Share links as they arrive after a journey: what each means, or that nobody can be sure, and where the case is from.

Issued are `CODE`, and two of which one begins with the other: `SHORT` and `LONG`. `None` as code: to the neutral page,
and uncounted, because the click could be another mentor's.
"""

from __future__ import annotations

from typing import Final, NamedTuple

CODE: Final = "7KQ2M9XW4T"
SHORT: Final = "8WZ5H3NC6R"
LONG: Final = "8WZ5H3NC6R2"
"""As a collision makes one: with a suffix."""


class Case(NamedTuple):
    """A link, as a browser asks for it."""

    link: str
    code: str | None
    source: str
    channel: str | None = None


ISSUE: Final = "issue 9, section 5"
RFC_3986: Final = "RFC 3986, appendix C: delimiting a URI in context"
RFC_2045: Final = "RFC 2045, 6.7: Quoted-Printable"
GFM: Final = "GitHub Flavored Markdown, 6.9: autolinks (extension)"
WHATSAPP: Final = "WhatsApp's help: how to format your messages"
SLACK: Final = "Slack's documentation: formatting text, <URL|text>"
CROCKFORD: Final = "Crockford's base32: hyphens, O and 0, I and L and 1"

CASES: Final = (
    # What stands behind a link becomes a part of it
    Case("/r/7KQ2M9XW4T.", CODE, ISSUE),
    Case("/r/7KQ2M9XW4T)", CODE, ISSUE),
    Case("/r/7KQ2M9XW4T,", CODE, ISSUE),
    Case("/r/7KQ2M9XW4T%20", CODE, ISSUE),
    Case("/r/7KQ2M9XW4T%E2%80%A6", CODE, ISSUE),
    Case("/r/7KQ2M9XW4T/x", CODE, ISSUE),
    Case("/r/7KQ2M9XW4T%E2%80%8B", CODE, ISSUE),
    Case("/R/7KQ2M9XW4T", CODE, ISSUE),
    Case("/r/7KQ2M9XW4T!", CODE, GFM),
    Case("/r/7KQ2M9XW4T:", CODE, GFM),
    Case("/r/7KQ2M9XW4T'", CODE, "twitter-text, validate: apostrophes behind an address"),
    Case("/r/7KQ2M9XW4T%22", CODE, "https://github.com/markdown-it/linkify-it/issues"),
    Case("/r/7KQ2M9XW4T).", CODE, "https://github.com/mozilla/bleach/issues/49"),
    Case("/r/7KQ2M9XW4T%3E", CODE, RFC_3986),
    Case("/r/%3C7KQ2M9XW4T%3E", CODE, RFC_3986),
    Case("/r/7KQ2M9XW4T]", CODE, "Markdown with the brackets the wrong way round: (text)[link]"),
    Case("/r/7KQ2M9XW4T*", CODE, WHATSAPP),
    Case("/r/*7KQ2M9XW4T*", CODE, WHATSAPP),
    Case("/r/7KQ2M9XW4T_", CODE, WHATSAPP),
    Case("/r/7KQ2M9XW4T~", CODE, WHATSAPP),
    Case("/r/7KQ2M9XW4T%7CJoin%20us%3E", CODE, SLACK),
    Case("/r/7KQ2M9XW4T%5C", CODE, "a JSON string escaped twice"),
    Case("/r/7KQ2M9XW4T%E2%80%9D", CODE, "Word's autocorrection: typographic quotes"),
    Case("/r/7KQ2M9XW4T%C2%A0", CODE, "Outlook and Word: a no-break space behind a link"),
    Case("/r/7KQ2M9XW4T%0A", CODE, "https://github.com/themesberg/flowbite/pull/118: white space in a link"),
    Case("/r/7KQ2M9XW4T+", CODE, "a space encoded as forms do"),
    Case("/r/7KQ2M9XW4T%20join%20us", CODE, "https://github.com/anomalyco/opencode/issues/49748"),
    Case("/r/7KQ2M9XW4T%EF%BC%88%E5%88%86%E4%BA%AB", CODE, "https://github.com/markdown-it/linkify-it/issues/15"),
    Case("/r/7KQ2M9XW4T%E3%80%82", CODE, "https://github.com/lycheeverse/lychee/pull/2205"),
    Case("/r/7KQ2M9XW4T%EF%BC%81", CODE, "https://github.com/microsoft/vscode/pull/314618"),
    Case("/r/7KQ2M9XW4T%E3%80%8D%E3%82%92", CODE, "https://github.com/nfrasser/linkifyjs/issues/408"),
    Case("/r/7KQ2M9XW4T%F0%9F%91%88", CODE, "an emoji that points at the link"),
    Case("/r/7KQ2M9XW4Thttps://a.example/r/7KQ2M9XW4T", CODE, "a link pasted twice: developer.chrome.com pull 7850"),
    Case("/r/7KQ2M9XW4T%20https://a.example", CODE, "https://github.com/GoogleChrome/developer.chrome.com/pull/7850"),
    Case("/r/7KQ2M9XW4T%C2%BB", CODE, "French and Russian quotes around a link"),
    Case("/r/%C2%AB7KQ2M9XW4T%C2%BB", CODE, "French and Russian quotes around a link"),
    Case("/r/7KQ2M9XW4T%E3%80%8F", CODE, "https://github.com/nfrasser/linkifyjs/issues/408: Japanese brackets"),
    Case("/r/7KQ2M9XW4T%EF%BC%8C", CODE, "https://github.com/microsoft/vscode/pull/314618: a full-width comma"),
    Case("/r/7KQ2M9XW4T%D8%8C", CODE, "an Arabic comma"),
    Case("/r/7KQ2M9XW4T%E0%A5%A4", CODE, "a danda, the full stop of Hindi"),
    Case("/r/7KQ2M9XW4T*_", CODE, WHATSAPP),
    Case("/r/7KQ2M9XW4T**", CODE, "Markdown: a link in bold type"),
    Case("/r/`7KQ2M9XW4T`", CODE, "Markdown: a link as code"),
    Case("/r/7KQ2M9XW4T;", CODE, GFM),
    Case("/r/7KQ2M9XW4T%E2%80%99s", CODE, "a link in the genitive"),
    Case("/r/7KQ2M9XW4T%E2%80%AC", CODE, "a mark that ends a direction: Unicode 16, 23.2.2"),
    Case("/r/7KQ2M9XW4T%25E2%2580%258B", CODE, "a zero-width space, encoded twice by a mail gateway"),
    Case("/r/7KQ2M9XW4T%252E", CODE, "a full stop, encoded twice by a mail gateway"),
    Case("/r/7KQ2M9XW4T&nbsp;", CODE, "HTML mail: a no-break space behind a link"),
    Case("/r/7KQ2M9XW4T&gt;", CODE, "HTML mail: a link in angle brackets"),
    Case("/r/7KQ2M9XW4T%3C/a%3E", CODE, "HTML that was cut out by a script"),
    Case("/r/7KQ2M9XW4T%0D%0A", CODE, "a line's end, from a file of Windows"),
    Case("/r/7KQ2M9XW4T%u2026", CODE, "JavaScript's escape()"),
    Case("/r/+7KQ2M9XW4T", CODE, "a space in front, encoded as forms do"),
    Case("/r/r/7KQ2M9XW4T", CODE, "an address made of two parts, both with the route"),
    Case("/r/https://a.example/r/7KQ2M9XW4T", CODE, "the whole link given where the code was asked for"),
    Case("/r/https:%2F%2Fa.example%2Fr%2F7KQ2M9XW4T.", CODE, "the same, encoded, with a full stop"),
    Case("/r/ref=7KQ2M9XW4T", CODE, "the landing page's parameter given where the code was asked for"),
    # A query that has become a part of the path, or is damaged itself
    Case("/r/7KQ2M9XW4T&fbclid=x", CODE, ISSUE),
    Case("/r/7KQ2M9XW4T%3Fc%3Dwhatsapp", CODE, ISSUE, "whatsapp"),
    Case("/r/7KQ2M9XW4T%253Fc%253Dwhatsapp", CODE, "https://github.com/Skyfay/SkySend/issues/68", "whatsapp"),
    Case("/r/7KQ2M9XW4T&amp;c=sms", CODE, "HTML mail: &amp; for &, and no ? before it", "sms"),
    Case("/r/7KQ2M9XW4T?utm_source=a&amp;c=sms", CODE, "HTML mail: &amp; for &", "sms"),
    Case("/r/7KQ2M9XW4T?c=whatsapp.", CODE, "https://github.com/showdownjs/showdown/issues/308", "whatsapp"),
    Case("/r/7KQ2M9XW4T?c=whatsapp%29", CODE, "https://github.com/mastodon/mastodon/issues/555", "whatsapp"),
    Case("/r/7KQ2M9XW4T?c=whatsapp?fbclid=x", CODE, "a tracker that puts ? where & belongs", "whatsapp"),
    Case("/r/7KQ2M9XW4T?C=WhatsApp", CODE, "a keyboard that begins words with a capital", "whatsapp"),
    Case("/r/7KQ2M9XW4T.?c=email", CODE, "a mail client's tracking behind a full stop", "email"),
    Case("/r/7KQ2M9XW4T%23top", CODE, "https://github.com/Skyfay/SkySend/issues/68"),
    # Within the code
    Case("/r/7kq2m9xw4t", CODE, CROCKFORD),
    Case("/r/7KQ2M-9XW4T", CODE, CROCKFORD),
    Case("/r/7KQ2M%E2%80%919XW4T", CODE, "https://github.com/ietf-tools/xml2rfc/issues/741: no-break hyphen"),
    Case("/r/7KQ2M%E2%80%939XW4T", CODE, "Word's autocorrection: an en dash for a hyphen"),
    Case("/r/7KQ2M%E2%88%929XW4T", CODE, "LaTeX in mathematics: a minus for a hyphen"),
    Case("/r/7KQ2M%C2%AD9XW4T", CODE, "https://github.com/mozilla/pdf.js/issues/13947: soft hyphen"),
    Case("/r/7KQ2M&shy;9XW4T", CODE, "https://github.com/wkhtmltopdf/wkhtmltopdf/issues/1722"),
    Case("/r/7KQ2M%209XW4T", CODE, "https://github.com/wkhtmltopdf/wkhtmltopdf/issues/1722: spaces for soft hyphens"),
    Case("/r/7KQ2M%E2%80%8B9XW4T", CODE, "https://github.com/whatwg/url/issues/151"),
    Case("/r/%E2%80%8B7KQ2M9XW4T", CODE, "https://github.com/streetcomplete/StreetComplete/issues/3439"),
    Case("/r/7KQ2M9%E2%81%A0XW4T", CODE, "a word joiner: Unicode 16, 23.2.1"),
    Case("/r/7KQ2M9XW4T%E2%80%8E", CODE, "a left-to-right mark, from Windows' dialogs"),
    Case("/r/%EF%BB%BF7KQ2M9XW4T", CODE, "a byte order mark, from a file"),
    Case("/r/%EF%BC%97%EF%BC%AB%EF%BC%B1%EF%BC%92%EF%BC%AD%EF%BC%99%EF%BC%B8%EF%BC%B7%EF%BC%94%EF%BC%B4", CODE,
         "a Japanese keyboard: https://github.com/nfrasser/linkifyjs/issues/460"),
    Case("//r/7KQ2M9XW4T", CODE, "an address that ends with a slash, and a path that begins with one"),
    Case("/r//7KQ2M9XW4T", CODE, "an address that ends with a slash, and a path that begins with one"),
    Case("/r/7KQ2M9XW4T/", CODE, "what many sites do to addresses"),
    Case("/r/8WZ5H3NC6R.", SHORT, f"{ISSUE}: a full stop hides nothing"),
    Case("/r/8WZ5H3NC6R2)", LONG, f"{ISSUE}: a bracket hides nothing"),
    Case("/r/8WZ5H3NC6R2%E2%80%A6", LONG, f"{ISSUE}: no code begins with this one"),
    # Nobody can be sure: a click for the wrong mentor is worse than none
    Case("/r/7KQ2M9XW4", None, "https://github.com/weiran/Hackers/issues/158: cut off"),
    Case("/r/7KQ2M9XW%E2%80%A6", None, "https://github.com/sindresorhus/linkify-urls/issues/39: cut off"),
    Case("/r/7KQ2M9XW4%E2%80%A6", None, "https://github.com/mastodon/mastodon/pull/33229: the last character"),
    Case("/r/8WZ5H3NC6R%E2%80%A6", None, "https://github.com/mastodon/mastodon/pull/33229: it may have been LONG"),
    Case("/r/8WZ5H3NC6R...", None, "https://github.com/getslash/backslash/issues/239: it may have been LONG"),
    Case("/r/8WZ5H3NC6R=", None, "https://github.com/mailcow/mailcow-dockerized/issues/7317: a line's end"),
    Case("/r/8WZ5H3NC6R%25", None, "half an escape"),
    Case("/r/8WZ5H3NC6R%EF%BF%BD", None, "a character that could not be decoded"),
    Case("/r/8WZ5H3NC6R%C2%B2", None, "PDF: a note's number, or the suffix set high"),
    Case("/r/8WZ5H3NC6R%EF%BC%92", None, "a Japanese keyboard: the suffix, or the next word"),
    Case("/r/8WZ5H3NC6R%202", None, "https://github.com/wkhtmltopdf/wkhtmltopdf/issues/1722: a space, or the end"),
    Case("/r/7KQ2%D0%9C9XW4T", None, "Unicode TR 39: a Cyrillic letter that looks like the code's"),
    Case("/r/%E2%80%A6Q2M9XW4T", None, "a link cut off in front"),
    Case("/r/7KQ2M9XW4TJOIN", None, "https://github.com/nfrasser/linkifyjs/issues/82: a word without a space"),
    Case("/r/7KQ2M9XW4TG0", None, "the same, and the word has the code's letters"),
    Case("/r/7KQ2M", None, "a line that was wrapped in the middle of the code"),
    Case("/r/7KQ2M=9XW4T", None, RFC_2045),
    Case("/r/%7BCODE%7D", None, "a mail merge that was not filled in"),
    Case("/r/=37KQ2M9XW4T", None, f"{RFC_2045}: half an escape before the code"),
    Case("/r/ref=8WZ5H3NC6R%E2%80%A6", None, "a parameter, cut off"),
    Case("/r/https://a.example/r/8WZ5H3NC6R%202", None, "a link in a link: a space, or the end"),
    Case("/r/undefined", None, "a script that had no code"),
    Case("/r/", None, "the code was not copied"),
)  # fmt: skip
