"""Which columns of a membership system's rows hold which field: those that were configured, else those of our names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, cast

from edges.reconciliation.mapping import FIELDS, OWN_NAMES, Field, folded
from edges.reconciliation.verdicts import UnclearRow
from models.received import Twice
from models.tolerance import trimmed

NEEDED: Final[tuple[Field, ...]] = ("member_id", "referral_code", "confirmed_at")
SETS_KEPT: Final = 256
"""Sets of columns of which is kept what was found in them; a source has one, mostly."""

Name = str | None
"""The column of a field, or its path with dots; None: there is none."""
Names = Mapping[Field, Name]

_NOWHERE: Final = object()
_EMPTY_WORDS: Final = ("NULL", "null", "\\N", "None", "nil", "undefined")


class Columns:
    """The columns of one source."""

    def __init__(self, configured: Mapping[str, str]) -> None:
        """Take the column, or the path, of each field that was configured."""
        self._configured: dict[str, str] = dict(configured)
        self.names = lru_cache(SETS_KEPT)(self._find)
        """Returns the column of each field among a row's keys."""

    @property
    def needed(self) -> list[Field]:
        """The fields that must be there."""
        return [field for field in FIELDS if field in NEEDED or field in self._configured]

    def found(self, keys: tuple[str, ...]) -> dict[Field, str]:
        """Return which column is read for which field; raise UnclearRow where two have its name."""
        found: dict[Field, str] = {}
        for field, name in self._find(keys).items():
            _check_one(field, name)
            if name is not None and (name in keys or "." in name):
                found[field] = name
        return found

    def missing(self, columns: tuple[str, ...]) -> list[str]:
        """Return which of the fields that must be read are not among a file's columns, as an error names them."""
        there = self.found(columns)
        return [self.shown(field) for field in self.needed if there.get(field) not in columns]

    def likely(self, shown: str, columns: Iterable[str]) -> str:
        """Return what an error adds about a missing field: the columns whose name ends as it does, and no other.

        A file without a header has somebody's row in its place.
        """
        own = OWN_NAMES[cast("Field", shown.split(maxsplit=1)[0])]
        found = sorted({column for column in columns if folded(column).endswith(own)})
        return f" ({' or '.join(found[:3])}?)" if found else ""

    def has(self, row: Mapping[str, Any], name: Name) -> bool:
        """Tell whether a row has a column."""
        if name is None:
            return False
        return name in row or ("." in name and _along(row, name) is not _NOWHERE)

    def value(self, row: Mapping[str, Any], names: Names, field: Field) -> object:
        """Return the value of a field; None where it is empty. Raises UnclearRow where two say it."""
        name = names[field]
        if name is None:
            return None
        _check_one(field, name)
        if isinstance(row, Twice) and name in row.names:
            raise UnclearRow("twice", field=self.shown(field))
        value = row.get(name)
        if value is None and "." in name:
            value = _along(row, name)
        if value is _NOWHERE:
            return None
        if isinstance(value, str):
            value = trimmed(value)
        return None if value in ("", [], {}) or value in _EMPTY_WORDS else value

    def shown(self, field: Field) -> str:
        """Return a field's name as the operator knows it."""
        given = self._configured.get(field)
        return f"{field} ({given})" if given else field

    def _find(self, keys: tuple[Any, ...]) -> dict[Field, Name]:
        """Return the column of each field."""
        by_fold: dict[str, list[str]] = {}
        for key in keys:
            by_fold.setdefault(folded(key), []).append(key)
        found: dict[Field, Name] = {}
        for field, own in OWN_NAMES.items():
            if given := self._configured.get(field):
                found[field] = given
                continue
            there = next((by_fold[name] for name in own if name in by_fold), [])
            found[field] = None if not there else there[0] if len(there) == 1 else _Two(there[0])
        return found


class _Two(str):
    """A name that two columns have."""

    __slots__ = ()


def _check_one(field: Field, name: Name) -> None:
    if isinstance(name, _Two):
        raise UnclearRow("two-columns", field=field)


def _along(row: Mapping[str, Any], path: str) -> object:
    value: object = row
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return _NOWHERE
        if isinstance(value, Twice) and part in value.names:
            raise UnclearRow("something-twice")
        value = value[part]
    return value
