"""Channels that strangers name: one of a list, or `other`, which takes no place among a mentor's channels (rule 6)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from models.events import UNKNOWN_CHANNEL
from models.mentors import OTHER_CHANNEL
from models.tolerance import plain_text

if TYPE_CHECKING:
    from collections.abc import Collection

CHANNEL_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
"""What a listed channel may be called."""

_LOOKED_AT: Final = 200
"""Characters; the names that count have 32 at most."""


def listed_channel(named: str, listed: Collection[str]) -> str | None:
    """Return which of the listed channels is named, `other` for any else, None where none is named.

    What a link's end has collected on its way (`whatsapp.`, `whatsapp)`) does not hide the name.
    """
    text = plain_text(named[:_LOOKED_AT]).strip().lower()
    if not text or text == UNKNOWN_CHANNEL:
        return None
    name = CHANNEL_NAME.match(text)
    if name is None or name[0] not in listed or text[name.end() :].strip(_ENDS):
        return OTHER_CHANNEL
    return name[0]


_ENDS: Final = " .,;:!?)]}>'\"*_~/\\\u2026\u201d\u2019\u00bb"
"""What sentences, brackets and marked-up text put behind a link."""
