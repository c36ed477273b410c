"""Why a row is left, and why a source cannot be read: a code with values, which each language says in its own words.

The text of a code stands in the catalogues (`edges/languages`), under `left.CODE` and `fault.CODE`. At a terminal and
in logs it is English; the dashboard says it in the language of its page (`edges/web/static/dashboard/left.js` and
`faults.js`). A value is the name of a column, a number, a pattern of the configuration, an address without its query
or what a library said; never what a row holds.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

from edges.languages.catalogue import text

PREFIX: Final = "left."
FAULT: Final = "fault."
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


class Fault(NamedTuple):
    """Why a source cannot be read, or has more than was read."""

    code: str
    values: dict[str, str] = {}  # noqa: RUF012  as above

    def __str__(self) -> str:
        """Return it in English; raise KeyError where there is no such code, or a value of it is missing."""
        return text("en", FAULT + self.code, **self.values)

    def tried(self, times: int) -> Fault:
        """Return it of what was tried so often."""
        return self if times == 1 else Fault(f"{self.code}-often", {**self.values, "times": str(times)})


Said: TypeAlias = Fault | str
"""A fault, or what others say of it, Postgres and Kafka among them, in whatever words."""


class RowLeft(NamedTuple):
    """A row that is left."""

    place: str
    """Where it stands, as a person finds it."""
    reason: str
    """Why, in English."""
    why: Why | None = None
    """The same as a code; None: a version noted it that had none."""
