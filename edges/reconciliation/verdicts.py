"""Why a row of a membership system is not taken: it cannot be read, or does not say certainly what the member is."""

from __future__ import annotations

from typing import Final

from edges.reconciliation.reasons import Why
from models.spreadsheets import NOT_UTF8, ROUNDED, damage_of

_DAMAGES: Final = {NOT_UTF8: Why("not-utf8"), ROUNDED: Why("rounded")}


class BadRow(Exception):  # noqa: N818 - a verdict on a row, not a failure
    """The row cannot be read; `why` says which field and what it must be, and quotes nothing."""

    def __init__(self, why: Why | str, **values: str) -> None:
        """Take why, or its code and values."""
        self.why = Why(why, values) if isinstance(why, str) else why
        super().__init__(str(self.why))


class UnclearRow(BadRow):
    """The row can be read, and does not say certainly what the member is; `why` says why."""

    member_id: str | None = None
    """Whose it is, where that is certain: what another row says of him is not certain either."""


def damage(value: object) -> Why | None:
    """Return what a spreadsheet has done to a value; None where nothing is seen."""
    return _DAMAGES.get(damage_of(value)) if isinstance(value, str) else None
