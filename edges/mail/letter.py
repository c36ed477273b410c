"""A letter: what somebody is written, as text and as HTML, the same in both.

Whatever stands in it is a text: names of mentors, badges and organisations become neither markup nor headers. Mail
programs know neither style sheets nor scripts, so the HTML has its styles in it and asks for nothing from anywhere: who
opens it tells nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edges.languages.catalogue import Language

_MUTED: Final = 'class="muted" style="color:#5b6472"'
_LINK: Final = 'class="link" style="color:#0b5cad"'
_PAGE: Final = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>{title}</title>
<style>
@media (prefers-color-scheme: dark) {{
  body, .page {{ background: #14171c !important; color: #e8eaee !important; }}
  .muted {{ color: #a4adbb !important; }}
  .link {{ color: #8cc1ff !important; }}
  .line {{ border-color: #343a44 !important; }}
  .button {{ background: #8cc1ff !important; color: #10233a !important; }}
}}
</style>
</head>
<body class="page" style="margin:0;padding:0;background:#ffffff;color:#1b1f26">
<div class="page" style="max-width:560px;margin:0 auto;padding:24px 16px;background:#ffffff;color:#1b1f26;\
font:16px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;overflow-wrap:anywhere">
{body}
</div>
</body>
</html>
"""


class Link(NamedTuple):
    """Where something leads."""

    label: str
    url: str


class Paragraph(NamedTuple):
    """Some sentences."""

    text: str
    link: Link | None = None
    """What follows them."""


class Figure(NamedTuple):
    """A number beside the one before it."""

    label: str
    now: str
    note: str
    """What is said of it, the number before among it."""


class Figures(NamedTuple):
    """A table of numbers."""

    rows: Sequence[Figure]
    link: Link


class Listing(NamedTuple):
    """A few of something, each with where it leads; and where all of them are."""

    heading: str
    items: Sequence[tuple[Link, str]]
    """Each with what is said of it."""
    more: Link


Part = Paragraph | Figures | Listing


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """What somebody is written."""

    language: Language
    subject: str
    heading: str
    parts: Sequence[Part]
    button: Link | None = None
    """What to do about it, where it is one thing."""
    why: str
    """Why he is written to."""
    unsubscribe: Link | None = None
    """How he is not written to any more."""


def as_text(letter: Letter) -> str:
    """Return the letter as plain text."""
    blocks = [letter.heading]
    for part in letter.parts:
        if isinstance(part, Paragraph):
            blocks.append(part.text + (f"\n{part.link.label}: {part.link.url}" if part.link else ""))
        elif isinstance(part, Figures):
            rows = [f"{row.label}: {row.now} ({row.note})" for row in part.rows]
            blocks.append("\n".join([*rows, f"{part.link.label}: {part.link.url}"]))
        else:
            items = [f"- {link.label}{f': {note}' if note else ''}\n  {link.url}" for link, note in part.items]
            blocks.append("\n".join([part.heading, *items, f"{part.more.label}: {part.more.url}"]))
    if letter.button is not None:
        blocks.append(f"{letter.button.label}:\n{letter.button.url}")
    blocks.append("-- \n" + letter.why)
    if letter.unsubscribe is not None:
        blocks[-1] += f"\n{letter.unsubscribe.label}: {letter.unsubscribe.url}"
    return "\n\n".join(blocks) + "\n"


def as_html(letter: Letter) -> str:
    """Return the letter as HTML."""
    blocks = [f'<h1 style="margin:0 0 16px;font-size:22px;line-height:1.3">{escape(letter.heading)}</h1>']
    for part in letter.parts:
        if isinstance(part, Paragraph):
            link = f" {_anchor(part.link)}" if part.link else ""
            blocks.append(f'<p style="margin:0 0 16px">{escape(part.text)}{link}</p>')
        elif isinstance(part, Figures):
            blocks.append(_figures(part))
        else:
            blocks.append(_listing(part))
    if letter.button is not None:
        blocks.append(
            f'<p style="margin:24px 0"><a class="button" href="{escape(letter.button.url)}" '
            'style="display:inline-block;padding:12px 20px;border-radius:8px;background:#0b5cad;color:#ffffff;'
            f'font-weight:600;text-decoration:none">{escape(letter.button.label)}</a></p>'
        )
    foot = escape(letter.why)
    if letter.unsubscribe is not None:
        foot += f"<br>{_anchor(letter.unsubscribe)}"
    blocks.append(
        '<p class="muted line" style="margin:32px 0 0;padding-top:16px;border-top:1px solid #d9dee5;'
        f'font-size:13px;color:#5b6472">{foot}</p>'
    )
    return _PAGE.format(language=letter.language, title=escape(letter.subject), body="\n".join(blocks))


def _anchor(link: Link) -> str:
    return f'<a {_LINK} href="{escape(link.url)}">{escape(link.label)}</a>'


def _figures(part: Figures) -> str:
    cell = 'class="line" style="padding:8px 0;border-bottom:1px solid #d9dee5;text-align:left;vertical-align:baseline'
    rows = "".join(
        f'<tr><th scope="row" {cell};font-weight:400;overflow-wrap:normal">{escape(row.label)}</th>'
        f'<td {cell};padding-left:12px;text-align:right">'
        f'<span style="font-size:20px;font-weight:650">{escape(row.now)}</span><br>'
        f'<span class="muted" style="font-size:13px;color:#5b6472">{escape(row.note)}</span></td></tr>'
        for row in part.rows
    )
    return (
        f'<table style="width:100%;border-collapse:collapse;margin:0 0 8px">{rows}</table>'
        f'<p style="margin:0 0 24px">{_anchor(part.link)}</p>'
    )


def _listing(part: Listing) -> str:
    items = "".join(
        f'<li style="margin:0 0 4px"><bdi>{_anchor(link)}</bdi>'
        + (f" <span {_MUTED}>{escape(note)}</span>" if note else "")
        + "</li>"
        for link, note in part.items
    )
    listed = f'<ul style="margin:0 0 8px;padding-left:20px">{items}</ul>' if items else ""
    return (
        f'<h2 style="margin:0 0 8px;font-size:17px">{escape(part.heading)}</h2>{listed}'
        f'<p style="margin:0 0 24px">{_anchor(part.more)}</p>'
    )
