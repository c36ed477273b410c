"""Names that organisations give their mentors: what is taken as one, and by what it is found again.

A name is a stranger's text that others will read in a page, a table and a spreadsheet. So it is one line of letters, as
long as a line is: nothing that turns the direction of the text around it, nothing that cannot be seen.
"""

from __future__ import annotations

import unicodedata
from typing import Final, NamedTuple

from models.spreadsheets import damage_of

LENGTH_MAX: Final = 100
"""Characters of a name or a group."""
MARKS_MAX: Final = 3
"""Marks above and below one letter; Hebrew and Vietnamese need them, and a heap of them covers the lines around."""
WORDS_MAX: Final = 8
"""Words of a name by which it is found."""
KEYS_MAX: Final = WORDS_MAX + 2
"""Keys of a name: one that begins with each word, and two of the first and the last."""

_JOINERS: Final = "\u200c\u200d"
"""Invisible, and part of the writing of Persian and Hindi, and of emoji."""
_REFUSED: Final = {
    "Cc": "has a control character",
    "Cf": "has an invisible character, or one that turns the direction of text",
    "Cs": "has half a character",
    "Co": "has a character that only some fonts have",
    "Zl": "has a line break",
    "Zp": "has a line break",
}
_APOSTROPHES: Final = str.maketrans(dict.fromkeys("'’‘ʼ`´", ""))  # noqa: RUF001  what people type for one
_PLAIN: Final = str.maketrans(
    {"ø": "o", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ħ": "h", "ı": "i", "ŋ": "n"}  # noqa: RUF001  the letters themselves
)
"""Letters that Unicode does not take apart, as people without them on their keyboard type them."""


class Name(NamedTuple):
    """A name as it is kept, or what is wrong with it."""

    text: str
    """Empty: there is none, or it is refused."""
    fault: str = ""
    """What is wrong; nothing of the name itself."""


def read_name(cell: str) -> Name:
    """Return the name or group that a cell of a table gives: composed (NFC), with single spaces, or why it is none."""
    damage = damage_of(cell)
    if damage:
        return Name("", damage)
    spaced = "".join(" " if unicodedata.category(each) == "Zs" else each for each in cell.strip())
    text = unicodedata.normalize("NFC", " ".join(filter(None, spaced.split(" "))))
    if len(text) > LENGTH_MAX:
        return Name("", f"is longer than {LENGTH_MAX} characters")
    marks = 0
    for each in text:
        category = unicodedata.category(each)
        if category in _REFUSED and each not in _JOINERS:
            return Name("", _REFUSED[category])
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if marks > MARKS_MAX:
            return Name("", f"has more than {MARKS_MAX} marks on one letter")
    if text and not any(unicodedata.category(each)[0] in "LNS" for each in text):
        return Name("", "has nothing to read")
    return Name(text)


def folded(text: str) -> str:
    """Return the words of a text without case and accents, separated by single spaces: `Øyvind Ås` is `oyvind as`."""
    bare = _without_marks(_without_marks(text).casefold()).translate(_PLAIN).translate(_APOSTROPHES)
    return " ".join("".join(each if each.isalnum() else " " for each in bare).split())


def name_keys(name: str) -> list[str]:
    """Return what the beginning of a search is compared with, at most KEYS_MAX keys.

    The name beginning with each of its words, and its first and last word in both orders: `Anna Maria Berg` is found by
    what begins `anna maria`, `maria berg`, `berg anna` and `anna berg`.
    """
    words = folded(name).split()[:WORDS_MAX]
    keys = [" ".join(words[place:] + words[:place]) for place in range(len(words))]
    if len(words) > 2:  # noqa: PLR2004  of two words these are there already
        keys += [f"{words[0]} {words[-1]}", f"{words[-1]} {words[0]}"]
    return list(dict.fromkeys(keys))


def _without_marks(text: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
