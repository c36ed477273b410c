"""Why a row is left for somebody to look at: a code with values, which each language says in its own words.

The text of a code stands in the catalogues (`edges/languages`) under `left.CODE`. At a terminal and in logs it is
English; the dashboard says it in the language of its page (`edges/web/static/dashboard/left.js`). A value is the name
of a column, a number or a pattern of the configuration, and never what a row holds.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from edges.languages.catalogue import text

PREFIX: Final = "left."
"""Of their keys in the catalogues."""


class Why(NamedTuple):
    """Why a row is left."""

    code: str
    values: dict[str, str] = {}  # noqa: RUF012  of a tuple's class: nobody changes it

    def __str__(self) -> str:
        """Return it in English; raise KeyError where there is no such code, or a value of it is missing."""
        return text("en", PREFIX + self.code, **self.values)

    def about(self, field: str) -> Why:
        """Return it of a field, which the operator knows by that name."""
        return Why(self.code, {**self.values, "field": field})


class RowLeft(NamedTuple):
    """A row that is left."""

    place: str
    """Where it stands, as a person finds it."""
    reason: str
    """Why, in English."""
    why: Why | None = None
    """The same as a code; None: a version noted it that had none."""
