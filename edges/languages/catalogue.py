"""The catalogues: every text of the pages, by key, one file of JSON for each language.

A text may have places, `{name}`, and forms by number, `{"one": ..., "other": ...}`, of which its value `n` chooses.
The scripts of pages read the same files by the same rules (`edges/web/static/shared/text.js`).
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Final, Literal, TypeAlias, cast, get_args

Language: TypeAlias = Literal["en", "nb"]
"""As HTML's `lang` names it."""
Text: TypeAlias = str | dict[str, str]
"""A text, or its forms by CLDR's categories of plural."""

LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
FOLDER: Final = Path(__file__).resolve().parent
PLACE: Final = re.compile(r"\{(\w+)\}")
"""Where a value stands in a text."""


@cache
def catalogue(language: Language) -> dict[str, Text]:
    """Return every text of a language by its key."""
    return cast("dict[str, Text]", json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8")))


def text(language: Language, key: str, **values: object) -> str:
    """Return a text with its values in their places; KeyError where there is no such text or a value is missing."""
    said = catalogue(language)[key]
    form = said if isinstance(said, str) else said[plural(cast("int", values["n"]))]
    return PLACE.sub(lambda place: str(values[place[1]]), form)


def plural(number: int) -> Literal["one", "other"]:
    """Return the category of a whole number, which is the same in all these languages (CLDR 47)."""
    return "one" if number == 1 else "other"
