"""Finding a mentor by what people have of him: his name, his code, his id, or as much of it as a page shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from edges.web.answers.mentors import MentorFound, MentorsFound
from edges.web.queries import statement
from models.codes import is_code, normalise_code
from models.names import KEYS_MAX, folded

if TYPE_CHECKING:
    from edges.web.database import Database

LEAST_DIGITS: Final = 4
"""Of an id's beginning: among 100,000 mentors one or two begin with the same four."""
_DIGITS: Final = 32
_NOBODY: Final = "0" * _DIGITS
_LAST: Final = "f" * _DIGITS
_AFTER_EVERY_LETTER: Final = "\U0010ffff"

# `0d9e…7f6a` is how pages write an id; dots are what a keyboard has for it.
_PART_OF_ID: Final = re.compile(r"([0-9a-f]{4,32})(?:(?:…|\.{2,3})([0-9a-f]{1,12}))?")


class Wanted(NamedTuple):
    """What a text may mean; it may be several, because some codes look like the beginning of an id, or like a name."""

    code: str
    """Empty: it is no code."""
    first: str
    last: str
    """The ids between which it is, both included, 32 digits each; both zero: it is no part of an id."""
    ending: str
    named: str
    """What a name begins with, as `models.names.folded` writes it; empty: it is no part of a name."""


def read_wanted(text: str) -> Wanted | None:
    """Return what a text may mean, as it was typed or copied; an empty one means everybody.

    None where it is nothing that anybody could be found by.
    """
    text = text.strip()
    if not text:
        return Wanted("", _NOBODY, _LAST, "", "")
    code = normalise_code(text) if is_code(text) else ""
    part = _PART_OF_ID.fullmatch(text.lower().replace("-", ""))
    named = folded(text)
    if part is None:
        return Wanted(code, _NOBODY, _NOBODY, "", named) if code or named else None
    return Wanted(code, part[1].ljust(_DIGITS, "0"), part[1].ljust(_DIGITS, "f"), part[2] or "", named)


async def find_mentors(database: Database, org_id: str, wanted: Wanted, *, limit: int) -> MentorsFound:
    """Return the organisation's mentors whom it means, at most `limit`."""
    end = wanted.named and wanted.named + _AFTER_EVERY_LETTER
    values = {"org_id": org_id, "limit": limit, "keys": KEYS_MAX, "named_end": end, **wanted._asdict()}
    rows = await database.rows(org_id, statement("mentors_found"), values)
    return MentorsFound(
        mentors=[
            MentorFound(mentor_id=mentor_id, referral_code=code, display_name=name, group=group)
            for mentor_id, code, name, group in rows
        ]
    )
