"""What badges are called: the seeded ones in the reader's language, others as somebody named them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edges.languages.catalogue import text

if TYPE_CHECKING:
    from edges.languages.catalogue import Language

_SEEDED: Final = {
    "First recruit": "badge.first",
    "Five recruits": "badge.five",
    "Ten recruits": "badge.ten",
    "Twenty-five recruits": "badge.twenty-five",
}
"""As sinks/migrations/0002_recruitment_badges.sql names them; `edges/web/static/shared/badge-names.js` has the same."""


def badge_name(language: Language, name: str) -> str:
    """Return a badge's name for somebody who reads this language."""
    return text(language, _SEEDED[name]) if name in _SEEDED else name
