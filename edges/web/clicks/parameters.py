"""What a share link's query says: the channel, and what the landing page learns of it.

The landing page gets the channel as it is counted, so that it can name it in the registration, and the link's other
parameters, as campaigns have them (`utm_source`), within bounds. Never `ref`, which names the code, and none that the
page's own address has: a stranger makes the link, and the page is the organisation's.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from urllib.parse import parse_qsl, quote

from models.channels import listed_channel
from models.tolerance import plain_text

CHANNEL: Final = "c"
"""Names the channel, in the link's query and in the landing page's."""
CODE: Final = "ref"
"""Names the code in the landing page's query."""

PARAMETERS_MAX: Final = 20
NAME_LENGTH_MAX: Final = 40
VALUE_LENGTH_MAX: Final = 200
TOTAL_MAX: Final = 1_500
"""Characters that are added to an address, escapes included; servers take 8,000."""
QUERY_BYTES_MAX: Final = 8_000
"""A longer one is read no further."""
REMEMBERED: Final = 1_024

Passed = Literal["all", "channel", "none"]
"""What the landing page learns."""

_NAME: Final = re.compile(rf"[A-Za-z][A-Za-z0-9_-]{{0,{NAME_LENGTH_MAX - 1}}}")
_ANOTHER: Final = re.compile(r"[?&#]")
"""Begins another parameter that was written, or encoded, into the channel: `c=whatsapp?fbclid=...`."""
_HTML: Final = "amp;"
"""What stands before a name where `&amp;` was not read as `&`."""


class Query(NamedTuple):
    """What a link's query says."""

    channel: str | None
    """One of the list, or `other`; None: it names none."""
    passed: str
    """To be put behind the code in the landing page's query: empty, or `&c=whatsapp&...`."""


@lru_cache(REMEMBERED)
def read_query(query: str, *, channels: tuple[str, ...], own: frozenset[str], passed: Passed) -> Query:
    """Return what the query of a link says.

    Args:
        query: as it was sent, percent-encoded.
        channels: that are counted by their names.
        own: names of the landing page's own parameters, in lower case.
        passed: what the landing page is to learn.

    """
    named: dict[str, str] = {}
    for name, value in parse_qsl(query[:QUERY_BYTES_MAX]):
        named.setdefault(name.removeprefix(_HTML), value)
    lowered = {name.lower(): value for name, value in reversed(named.items())}
    channel = listed_channel(_ANOTHER.split(lowered[CHANNEL])[0], channels) if CHANNEL in lowered else None
    told = [] if channel is None or passed == "none" or CHANNEL in own else [(CHANNEL, channel)]
    if passed == "all":
        never = own | {CHANNEL, CODE}
        told += [
            (name, plain_text(value)[:VALUE_LENGTH_MAX])
            for name, value in named.items()
            if _NAME.fullmatch(name) and name.lower() not in never
        ]
    return Query(channel, _bounded(told))


def _bounded(told: list[tuple[str, str]]) -> str:
    """Return the parameters, as many as fit."""
    text = ""
    for name, value in told[:PARAMETERS_MAX]:
        more = f"&{name}={quote(value, safe='')}"
        if len(text) + len(more) <= TOTAL_MAX:
            text += more
    return text
