"""Share links that something has happened to on their way: which codes they may mean, and whether that is certain.

Messengers take the full stop behind a link for a part of it, mail clients wrap it and encode it twice, PDF puts other
hyphens into it, and people copy what stands beside it. The code is what comes first, up to the first character that
none can have; what follows is passed over. Where that character may hide the rest of a longer code (an ellipsis, a
letter of another script, half an escape) the code is certain only if no other that was issued begins with it: whoever
asks has to look. A code is never lengthened, shortened or corrected; a click for the wrong mentor is worse than none.
"""

from __future__ import annotations

import html
import re
from typing import Final, NamedTuple
from urllib.parse import unquote

from models.codes import normalise_code
from models.errors import BadCode
from models.tolerance import TEXT_LENGTH_MAX, plain_text

_ENCODED_TIMES_MAX: Final = 3
"""Gateways that rewrite links encode what was encoded before."""

_ROUTE: Final = re.compile(r"^/*r/", re.IGNORECASE)
_AGAIN: Final = re.compile(
    r"^(?:(?:https?:/+[^/\s?#]{1,255})?/*r/+|(?:ref|code|referral_code) *[=:] *)+", re.IGNORECASE
)
"""A link, a route or a parameter that was put where the code belongs: `/r/https://a.example/r/CODE`."""
_ENTITY: Final = re.compile(r"&#?\w{1,10};")
_BEFORE: Final = re.compile(r"^(?:[^\w%=?&#.…\ufffd]|_)+")
"""What may stand before a code: brackets, quotes, spaces, pictures. Not what may have taken its beginning away."""
_GROUPS: Final = re.compile(r"[0-9A-Za-z]+(?:[-+ ]+[0-9A-Za-z]+)*")
"""A code in one piece or in groups; words that follow it look the same."""
_SCHEME: Final = re.compile(r"https?$", re.IGNORECASE)
_NOTHING_LEFT: Final = re.compile(r"(?:[^\w%=…\ufffd]|_)*$")
_GOES_ON: Final = re.compile(r"[-+ ]*[?&#;]|:/")
"""A query or a fragment, as addresses have them, or another address."""
_ELLIPSIS: Final = re.compile(r"\.\.|…")


class Damaged(NamedTuple):
    """What a link may mean."""

    codes: tuple[str, ...]
    """Normalised; all of them begin with the first, the shortest."""
    is_certain: bool
    """Else one of them must be issued, and no other code that begins with the first."""
    query: str
    """The query that has become a part of the path; empty where there is none."""


def read_damaged(path: str) -> Damaged | None:
    """Return what a link's path, decoded once, may mean; None where no code can be made out."""
    if len(path) > TEXT_LENGTH_MAX:
        return None
    if not _ROUTE.match(path):
        return None
    text = _BEFORE.sub("", _decoded(_ROUTE.sub("", path, count=1)), count=1)
    text = _BEFORE.sub("", _AGAIN.sub("", text, count=1), count=1)
    found = _GROUPS.match(text)
    if found is None:
        return None
    rest = text[found.end() :]
    groups = re.split(r"[-+ ]+", found[0])
    if rest.startswith(":/"):  # the link was pasted twice, without a space; two slashes have become one here
        groups[-1] = _SCHEME.sub("", groups[-1])
    codes = list(_codes(groups))
    if not codes:
        return None
    is_whole = codes[-1] == codes[0] and len("".join(groups)) == len(codes[0])
    ends_there = _NOTHING_LEFT.match(rest) or _GOES_ON.match(rest)
    return Damaged(
        tuple(codes),
        is_certain=is_whole and ends_there is not None and _ELLIPSIS.match(rest) is None,
        query=re.split(r"[?&]", rest, maxsplit=1)[-1] if re.match(r"[^\w#]*[?&]", rest) else "",
    )


def _decoded(text: str) -> str:
    """Return a text as it was before it was encoded, once or more often, for addresses and for HTML."""
    for _ in range(_ENCODED_TIMES_MAX):
        before, text = text, html.unescape(unquote(text)) if _ENTITY.search(text) else unquote(text)
        if text == before:
            break
    return plain_text(text)


def _codes(groups: list[str]) -> list[str]:
    """Return the codes that the first groups are, one or more of them."""
    codes = []
    joined = ""
    for group in groups:
        joined += group
        try:
            codes.append(normalise_code(joined))
        except BadCode:
            continue
    return list(dict.fromkeys(codes))
