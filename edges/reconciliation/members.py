"""A row of a membership system, read as a member: confirmed is only who the source says is confirmed.

What a row says follows from the columns that the organisation has named, and from nothing beside them:

    status          times                                       the row says
    pending         whatever                                    not confirmed
    confirmed       confirmed_at, and no later withdrawn_at     confirmed, then
    withdrawn       withdrawn_at, not before confirmed_at       withdrawn, then
    withdrawn       without its own time                        withdrawn, when the row was read
    no such column  confirmed_at, withdrawn_at                  the later of both; at the same time withdrawn
    no such column  neither                                     not confirmed
    anything else                                               unclear

A date without a time lasts the whole day: a withdrawal of the day of the confirmation came after it. A record that its
source marks as deleted, merged or deactivated is unclear where it would be confirmed, unless the mapping says what the
mark means; that goes before all the rest. Nothing that a row says is quoted: a field may hold anything, a name too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, cast

from edges.reconciliation.mapping import (
    CONTAINERS,
    FIELDS,
    OWN_NAMES,
    OWN_WORDS,
    REMOVED,
    Field,
    Marking,
    Reading,
    folded,
    is_gone,
    marking,
    spoken,
    truth,
)
from edges.reconciliation.reasons import Why
from edges.reconciliation.times import IN_THE_FUTURE, Time, TimeReader, UnreadTime
from models.errors import BadCode
from models.received import Twice
from models.spreadsheets import NOT_UTF8, ROUNDED, damage_of
from models.tolerance import read_code, read_uuid, trimmed

Verdict = Literal["without_code", "not_confirmed"]
NEEDED: Final[tuple[Field, ...]] = ("member_id", "referral_code", "confirmed_at")
KEYS_KEPT: Final = 256


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


class Member(NamedTuple):
    """What the membership system says of a member."""

    code: str | None
    """Normalised; None: the row has none, and the member may be known under one."""
    member_id: str
    """In lower case."""
    status: Literal["confirmed", "withdrawn"]
    at: datetime
    """Since when, in UTC."""
    is_dated: bool = True
    """False: the source does not say when; `at` is when it was asked."""
    place: str = ""
    """Where the row stands, as a person finds it."""
    unclear: Why | None = None
    """Why nothing certain is said; only of a row without a code, of which nothing is to be said unless its member is
    known."""


class MemberReader:
    """Reads the rows of one source."""

    def __init__(self, reading: Reading) -> None:
        """Take what the source is configured with."""
        self._reading = reading
        self._fields = dict(reading.fields)
        self._words: dict[str, str] = {
            **OWN_WORDS,
            **{spoken(theirs): ours for theirs, ours in reading.statuses.items()},
        }
        self._marks = {folded(name): meaning for name, meaning in reading.marks.items()}
        self._times = TimeReader(reading.times, reading.zone)
        self._names = lru_cache(KEYS_KEPT)(self._find_names)
        self._marks_among = lru_cache(KEYS_KEPT)(self._find_marks)
        self._containers = {path.partition(".")[0] for path in self._fields.values() if "." in path}
        self.fields_seen: set[str] = set()
        """Of our fields, those whose column some row had."""

        self.keys_seen: set[str] = set()
        """Columns that some row had, the first ones."""
        self.rows_seen = 0
        """How many rows had columns to be looked at."""

    def look(self, rows: Iterable[object]) -> None:
        """See which columns there are, before any row is read: one that is left out of a row is empty in it."""
        for row in rows:
            if isinstance(row, Mapping) and not is_removed(row):
                self.rows_seen += 1
                if len(self.keys_seen) < KEYS_KEPT:
                    self.keys_seen.update(map(str, row))
                names = self._names(tuple(row))
                self.fields_seen.update(field for field in FIELDS if self._has(row, names[field]))

    def read(self, row: object, now: datetime, place: str = "") -> Member | Verdict:
        """Return the member, or why there is nothing to be reconciled in the row.

        Raises:
            UnclearRow: it is not certain what the row says.
            BadRow: the row cannot be read.

        """
        if not isinstance(row, Mapping):
            raise BadRow("no-object")
        names = self._names(tuple(row))
        if is_removed(row):
            return self._of_removed(row, now, place)
        code = self._value(row, names, "referral_code")
        member_id = read_uuid(self._value(row, names, "member_id"))
        if code is None:
            return "without_code" if member_id is None else self._of_uncoded(row, names, member_id, now, place)
        try:
            word = self._word(row, names, now)
        except UnclearRow as fault:
            fault.member_id = member_id
            raise
        if word is None:
            return "not_confirmed"
        if member_id is None:
            value = self._value(row, names, "member_id")
            if value is None:
                raise BadRow("missing", field=self._shown("member_id"))
            raise BadRow((_damage(value) or Why("no-uuid")).about(self._shown("member_id")))
        return Member(self._code(code), member_id, *word, place)

    def columns(self, keys: tuple[str, ...]) -> dict[Field, str]:
        """Return which column is read for which field; raise UnclearRow where two have its name."""
        found: dict[Field, str] = {}
        for field, name in self._find_names(keys).items():
            if isinstance(name, _Two):
                raise UnclearRow("two-columns", field=field)
            if name is not None and (name in keys or "." in name):
                found[field] = name
        return found

    def missing_columns(self, columns: tuple[str, ...]) -> list[str]:
        """Return which of the fields that must be read are not among a file's columns, as an error names them."""
        there = self.columns(columns)
        needed = [field for field in FIELDS if field in NEEDED or field in self._fields]
        return [self._shown(field) for field in needed if there.get(field) not in columns]

    def likely(self, shown: str, columns: Iterable[str]) -> str:
        """Return what an error adds about a missing field: the columns whose name ends as it does, and no other.

        A file without a header has somebody's row in its place.
        """
        own = OWN_NAMES[cast("Field", shown.split(maxsplit=1)[0])]
        found = sorted({column for column in columns if folded(column).endswith(own)})
        return f" ({' or '.join(found[:3])}?)" if found else ""

    def never_seen(self) -> list[str]:
        """Return which of the fields that must be read no row had a column for."""
        needed = [field for field in FIELDS if field in NEEDED or field in self._fields]
        return [self._shown(field) for field in needed if field not in self.fields_seen]

    # -- what the row says ----------------------------------------------------------------------------------------

    def _word(
        self, row: Mapping[str, Any], names: Mapping[Field, _Name], now: datetime
    ) -> tuple[Literal["confirmed", "withdrawn"], datetime, bool] | None:
        """Return state, since when, and whether the source says when; None: neither confirmed nor withdrawn."""
        mark = self._mark(row, now, may_be_unknown=True)
        if mark == "left_out":
            return None
        status = "withdrawn" if mark == "withdrawn" else self._status(row, names)
        if status == "pending":
            return None
        withdrawn = self._time(row, names, "withdrawn_at", now)
        if status == "withdrawn":
            return self._withdrawn(withdrawn, self._time_or_none(row, names, "confirmed_at", now), now)
        confirmed = self._time(row, names, "confirmed_at", now)
        if withdrawn is not None and (confirmed is None or withdrawn.until >= confirmed.at):
            if status == "confirmed":
                raise UnclearRow(
                    "confirmed-and-withdrawn", field=self._shown("status"), withdrawn=self._shown("withdrawn_at")
                )
            return self._withdrawn(withdrawn, confirmed, now)
        if confirmed is None:
            if status == "confirmed":
                raise UnclearRow(
                    "confirmed-without-time", field=self._shown("status"), confirmed=self._shown("confirmed_at")
                )
            return None
        self._mark(row, now, may_be_unknown=False)
        return "confirmed", confirmed.at, True

    def _withdrawn(
        self, withdrawn: Time | None, confirmed: Time | None, now: datetime
    ) -> tuple[Literal["withdrawn"], datetime, bool]:
        earliest = now if confirmed is None else max(now, confirmed.at)
        if withdrawn is None:
            return "withdrawn", earliest, False
        if confirmed is not None and withdrawn.until < confirmed.at:
            raise UnclearRow(
                "withdrawn-before",
                field=self._shown("status"),
                withdrawn=self._shown("withdrawn_at"),
                confirmed=self._shown("confirmed_at"),
            )
        return "withdrawn", max(withdrawn.at, min(withdrawn.until, earliest)), True

    def _status(self, row: Mapping[str, Any], names: Mapping[Field, _Name]) -> str | None:
        """Return what the status means; None: there is no such column."""
        name = names["status"]
        if name is None and "status" not in self.fields_seen:
            return None
        status = self._value(row, names, "status")
        if status is None:
            raise UnclearRow("empty", field=self._shown("status"))
        text = ""
        if isinstance(status, float) and status.is_integer():
            status = int(status)
        if isinstance(status, str | int | float):  # true, false and numbers are words too
            text = spoken(str(status))
        meaning = self._words.get(text)
        if meaning is None:
            raise UnclearRow((_damage(status) or Why("word")).about(self._shown("status")))
        return meaning

    def _time(self, row: Mapping[str, Any], names: Mapping[Field, _Name], field: Field, now: datetime) -> Time | None:
        value = self._value(row, names, field)
        try:
            return self._times.read(value, now)
        except UnreadTime as fault:
            raise UnclearRow((_damage(value) or fault.why).about(self._shown(field))) from None

    def _time_or_none(
        self, row: Mapping[str, Any], names: Mapping[Field, _Name], field: Field, now: datetime
    ) -> Time | None:
        try:
            return self._time(row, names, field, now)
        except UnclearRow:
            return None

    def _mark(self, row: Mapping[str, Any], now: datetime, *, may_be_unknown: bool) -> str | None:
        """Return what it means that the source marks the record; None: it does not, or it means nothing.

        Raises UnclearRow where nobody has said what it means, and it may not be so.
        """
        found: str | None = None
        for path, value, kind, is_twice in self._marking(row):
            if not is_twice and not self._is_marked(kind, value, now):
                continue
            meaning = self._marks.get(folded(path.rpartition(".")[2]))
            if meaning is None and may_be_unknown:
                continue
            if meaning is None:
                raise UnclearRow("marked", column=path, mark=path.rpartition(".")[2])
            if meaning != "ignored" and found != "left_out":
                found = meaning
        return found

    def _marking(self, row: Mapping[str, Any]) -> Iterator[tuple[str, object, Marking, bool]]:
        """Yield what may mark a record: its path, its value, how, and whether the row says it twice."""
        inside = [
            key for key, value in row.items()
            if isinstance(value, Mapping) and (key in self._containers or folded(key) in CONTAINERS)
        ]  # fmt: skip
        read = {str(name) for name in self._names(tuple(row)).values()}
        for prefix, each in (("", row), *((f"{key}.", row[key]) for key in inside)):
            twice = each.names if isinstance(each, Twice) else ()
            for key, kind in self._marks_among(tuple(each)):
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

    def _of_removed(self, row: Mapping[str, Any], now: datetime, place: str) -> Member | Verdict:
        """Return what a row says that is no more than: this one was deleted."""
        member_id = removed_id(row)
        if member_id is None:
            raise BadRow("deleted-no-uuid")
        meaning = self._marks.get(REMOVED)
        if meaning in {"ignored", "left_out"}:
            return "not_confirmed"
        unclear = Why("deleted", {"mark": REMOVED}) if meaning is None else None
        return Member(None, member_id, "withdrawn", now, is_dated=False, place=place, unclear=unclear)

    def _of_uncoded(
        self, row: Mapping[str, Any], names: Mapping[Field, _Name], member_id: str, now: datetime, place: str
    ) -> Member | Verdict:
        try:
            word = self._word(row, names, now)
        except BadRow as fault:
            return Member(None, member_id, "confirmed", now, is_dated=False, place=place, unclear=fault.why)
        return "without_code" if word is None else Member(None, member_id, *word, place)

    # -- where it stands ------------------------------------------------------------------------------------------

    def _find_names(self, keys: tuple[Any, ...]) -> dict[Field, _Name]:
        """Return the column of each field; kept for each set of columns, mostly one."""
        by_fold: dict[str, list[str]] = {}
        for key in keys:
            by_fold.setdefault(folded(key), []).append(key)
        found: dict[Field, _Name] = {}
        for field, own in OWN_NAMES.items():
            if given := self._fields.get(field):
                found[field] = given
                continue
            there = next((by_fold[name] for name in own if name in by_fold), [])
            found[field] = None if not there else there[0] if len(there) == 1 else _Two(there[0])
        return found

    def _find_marks(self, keys: tuple[Any, ...]) -> list[tuple[str, Marking]]:
        """Return the columns that may mark a record, and how; one that was configured marks it as `gone` does."""
        found = ((key, marking(key) or ("gone" if folded(key) in self._marks else None)) for key in map(str, keys))
        return [(key, kind) for key, kind in found if kind is not None]

    def _has(self, row: Mapping[str, Any], name: _Name) -> bool:
        if name is None:
            return False
        return name in row or ("." in name and _along(row, name) is not _NOWHERE)

    def _value(self, row: Mapping[str, Any], names: Mapping[Field, _Name], field: Field) -> object:
        """Return the value of a field; None where it is empty."""
        name = names[field]
        if name is None:
            return None
        if isinstance(name, _Two):
            raise UnclearRow("two-columns", field=field)
        if isinstance(row, Twice) and name in row.names:
            raise UnclearRow("twice", field=self._shown(field))
        value = row.get(name)
        if value is None and "." in name:
            value = _along(row, name)
        if value is _NOWHERE:
            return None
        if isinstance(value, str):
            value = trimmed(value)
        return None if value in ("", [], {}) or value in _EMPTY_WORDS else value

    def _code(self, typed: object) -> str:
        try:
            return read_code(typed)
        except BadCode:
            raise BadRow((_damage(typed) or Why("no-code")).about(self._shown("referral_code"))) from None

    def _shown(self, field: Field) -> str:
        """Return a field's name as the operator knows it."""
        given = self._fields.get(field)
        return f"{field} ({given})" if given else field


class _Two(str):
    """A name that two columns have."""

    __slots__ = ()


_Name = str | None
_NOWHERE: Final = object()
_DAMAGES: Final = {NOT_UTF8: Why("not-utf8"), ROUNDED: Why("rounded")}
_EMPTY_WORDS: Final = ("NULL", "null", "\\N", "None", "nil", "undefined")


def _damage(value: object) -> Why | None:
    """Return what a spreadsheet has done to a value; None where nothing is seen."""
    return _DAMAGES.get(damage_of(value)) if isinstance(value, str) else None


def is_removed(row: Mapping[str, Any]) -> bool:
    """Tell whether a row says no more than that a record was deleted: `$deletedEntity` (OData 4), `@removed` (4.01)."""
    context = row.get("@odata.context", row.get("@context", ""))
    return (
        "@removed" in row
        or "@odata.removed" in row
        or (isinstance(context, str) and context.endswith("$deletedEntity"))
    )


def removed_id(row: Mapping[str, Any]) -> str | None:
    """Return whose record was deleted: `id`, or `@id` as `contacts(GUID)`."""
    for name in ("id", "@odata.id", "@id"):
        value = row.get(name)
        if isinstance(value, str):
            found = read_uuid(value.rpartition("(")[2].removesuffix(")") if value.endswith(")") else value)
            if found is not None:
                return found
    return None


def _along(row: Mapping[str, Any], path: str) -> object:
    value: object = row
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return _NOWHERE
        if isinstance(value, Twice) and part in value.names:
            raise UnclearRow("something-twice")
        value = value[part]
    return value
