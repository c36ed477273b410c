"""Which language somebody reads: the one he has chosen here, else the first of his browser's that we have."""

from __future__ import annotations

from typing import Final

from edges.languages.catalogue import LANGUAGES, Language

DEFAULT: Final[Language] = "en"
"""For whom nothing else is known of."""
COOKIE: Final = "language"
"""What keeps a choice: the language and nothing else."""

_UNDERSTOOD: Final[dict[str, Language]] = {"en": "en", "nb": "nb", "no": "nb", "nn": "nb"}
"""What we write for whom, by the first part of a language tag: who reads Nynorsk reads Bokmål rather than English."""


def language_of(chosen: str | None, accept_language: str) -> Language:
    """Return the language for a request, from its cookie and its Accept-Language."""
    return read_choice(chosen) or read_accepted(accept_language)


def read_choice(chosen: str | None) -> Language | None:
    """Return a language that was chosen by its name; None where there is no such, or nothing was chosen."""
    return next((language for language in LANGUAGES if language == chosen), None)


def read_accepted(accept_language: str) -> Language:
    """Return the language that an Accept-Language header likes best (RFC 9110, 12.5.4), as far as it can be read."""
    liked: list[tuple[float, Language]] = []
    for each in accept_language.split(","):
        tag, _, weight = each.partition(";")
        language = _UNDERSTOOD.get(tag.strip().lower().partition("-")[0])
        quality = _quality(weight)
        if language is not None and quality > 0:
            liked.append((quality, language))
    return max(liked, key=lambda one: one[0], default=(0, DEFAULT))[1]  # of several the first


def _quality(weight: str) -> float:
    name, _, value = weight.partition("=")
    try:
        return float(value) if name.strip().lower() == "q" else 1.0
    except ValueError:
        return 0.0
