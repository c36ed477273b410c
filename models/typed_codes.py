"""Codes as they reach us through people, programs and paper: what around and within one is certain, and nothing else.

The stream takes codes as the contract says (`models.codes`). The edges take more, because what has been pasted, mailed,
printed or typed with another keyboard is still the same code: one place for all of them (rule 9).
"""

from __future__ import annotations

import unicodedata
from typing import Final

from models.codes import normalise_code
from models.errors import BadCode

TEXT_LENGTH_MAX: Final = 2_000
"""More than this is no code with something around it."""

_INVISIBLE: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""What shows nothing and is of no category that says so; beside controls, formats and variation selectors."""
_MINUS_SIGNS: Final = frozenset("\u2212\u2043\u02d7\u00ad")
"""Hyphens that Unicode does not call dashes: minus, hyphen bullet, modifier minus, and the soft hyphen."""
_QUOTES: Final = "\"'`\u00b4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a"


def plain_text(text: str) -> str:
    """Return the text with every hyphen as `-`, every white space as a space, and without what nobody sees.

    Letters and digits of East Asian width, or of a mathematical alphabet, become the plain ones where the text has no
    plain ones: in `CODE\uff12` the last may be somebody's next word.
    """
    if text.isascii() and text.isprintable():
        return text
    is_wide = not any(each.isascii() and each.isalnum() for each in text)
    return "".join(_plain(each, is_wide=is_wide) for each in text)


def read_typed_code(text: str) -> str:
    """Return the code that is certainly meant: white space and quotation marks around it go, and spaces within.

    Raises:
        BadCode: what is left is not 8 to 12 characters of the alphabet.

    """
    try:
        return normalise_code(text)
    except BadCode:
        if len(text) > TEXT_LENGTH_MAX:
            raise
    try:
        return normalise_code(plain_text(text).strip(f" -{_QUOTES}").replace(" ", ""))
    except BadCode:
        return normalise_code(text)  # again, so that the error shows what was given


def _plain(character: str, *, is_wide: bool) -> str:
    """Return what a character stands for, nothing where nobody sees it."""
    if character.isascii():
        return character if character.isprintable() else " " if character.isspace() else ""
    category = unicodedata.category(character)
    if category == "Pd" or character in _MINUS_SIGNS:
        return "-"
    if character.isspace():
        return " "
    if category in {"Cf", "Cc"} or character in _INVISIBLE or "\ufe00" <= character <= "\ufe0f":
        return ""
    if is_wide and ("\uff01" <= character <= "\uff5e" or "\U0001d400" <= character <= "\U0001d7ff"):
        return unicodedata.normalize("NFKC", character)
    return character
