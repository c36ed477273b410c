"""What it means that a membership system marks a record as deleted, merged or deactivated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from edges.reconciliation.columns import SETS_KEPT, Names
from edges.reconciliation.mapping import CONTAINERS, REMOVED, Marking, Reading, folded, is_gone, marking, truth
from edges.reconciliation.times import IN_THE_FUTURE, TimeReader, UnreadTime
from edges.reconciliation.verdicts import UnclearRow
from models.received import Twice
from models.tolerance import trimmed


class Marks:
    """The marks of one source's records."""

    def __init__(self, reading: Reading, times: TimeReader) -> None:
        """Take what the source is configured with, and what reads its times."""
        self._meanings = {folded(name): meaning for name, meaning in reading.marks.items()}
        self._times = times
        self._containers = {path.partition(".")[0] for path in reading.fields.values() if "." in path}
        self._among = lru_cache(SETS_KEPT)(self._find)

    @property
    def of_removed(self) -> str | None:
        """What a row means that is no more than: this one was deleted; None: nobody has said."""
        return self._meanings.get(REMOVED)

    def meaning(self, row: Mapping[str, Any], names: Names, now: datetime, *, may_be_unknown: bool) -> str | None:
        """Return what it means that the source marks the record; None: it does not, or it means nothing.

        Raises UnclearRow where nobody has said what it means, and it may not be so.
        """
        found: str | None = None
        for path, value, kind, is_twice in self._marking(row, names):
            if not is_twice and not self._is_marked(kind, value, now):
                continue
            meaning = self._meanings.get(folded(path.rpartition(".")[2]))
            if meaning is None and may_be_unknown:
                continue
            if meaning is None:
                raise UnclearRow("marked", column=path, mark=path.rpartition(".")[2])
            if meaning != "ignored" and found != "left_out":
                found = meaning
        return found

    def _marking(self, row: Mapping[str, Any], names: Names) -> Iterator[tuple[str, object, Marking, bool]]:
        """Yield what may mark a record: its path, its value, how, and whether the row says it twice."""
        inside = [
            key for key, value in row.items()
            if isinstance(value, Mapping) and (key in self._containers or folded(key) in CONTAINERS)
        ]  # fmt: skip
        read = {str(name) for name in names.values()}
        for prefix, each in (("", row), *((f"{key}.", row[key]) for key in inside)):
            twice = each.names if isinstance(each, Twice) else ()
            for key, kind in self._among(tuple(each)):
                if prefix + key not in read:
                    yield prefix + key, each[key], kind, key in twice

    def _is_marked(self, kind: Marking, value: object, now: datetime) -> bool:  # noqa: PLR0911  one for each form
        if value is None or value in ("", [], {}) or (isinstance(value, str) and not trimmed(value)):
            return False
        if kind == "state":
            return is_gone(str(value))
        if kind == "statecode":  # a number, or its label; letters are a state of a country
            return is_gone(str(value)) or not (str(value).strip().isalpha() or truth(value) is False)
        says = truth(value)
        if kind == "active":
            return says is not True
        if says is not None:
            return says
        if kind == "master":
            return True
        try:  # a time: one that has come
            at = self._times.read(value, now)
        except UnreadTime as fault:
            return fault.why != IN_THE_FUTURE
        return at is not None and at.at <= now

    def _find(self, keys: tuple[Any, ...]) -> list[tuple[str, Marking]]:
        """Return the columns that may mark a record, and how; one that was configured marks it as `gone` does."""
        found = ((key, marking(key) or ("gone" if folded(key) in self._meanings else None)) for key in map(str, keys))
        return [(key, kind) for key, kind in found if kind is not None]
