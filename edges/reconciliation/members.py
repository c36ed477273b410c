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

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from edges.reconciliation.columns import Columns, Names
from edges.reconciliation.mapping import FIELDS, OWN_WORDS, REMOVED, Field, Reading, spoken
from edges.reconciliation.marks import Marks
from edges.reconciliation.reasons import Why
from edges.reconciliation.times import Time, TimeReader, UnreadTime
from edges.reconciliation.verdicts import BadRow, UnclearRow, damage
from models.errors import BadCode
from models.tolerance import read_code, read_uuid

Verdict = Literal["without_code", "not_confirmed"]
COLUMNS_KEPT: Final = 256
"""Columns whose names are kept, for who asks which there were."""


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
        self.columns = Columns(reading.fields)
        self._words: dict[str, str] = {
            **OWN_WORDS,
            **{spoken(theirs): ours for theirs, ours in reading.statuses.items()},
        }
        self._times = TimeReader(reading.times, reading.zone)
        self._marks = Marks(reading, self._times)
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
                if len(self.keys_seen) < COLUMNS_KEPT:
                    self.keys_seen.update(map(str, row))
                names = self.columns.names(tuple(row))
                self.fields_seen.update(field for field in FIELDS if self.columns.has(row, names[field]))

    def read(self, row: object, now: datetime, place: str = "") -> Member | Verdict:
        """Return the member, or why there is nothing to be reconciled in the row.

        Raises:
            UnclearRow: it is not certain what the row says.
            BadRow: the row cannot be read.

        """
        if not isinstance(row, Mapping):
            raise BadRow("no-object")
        names = self.columns.names(tuple(row))
        if is_removed(row):
            return self._of_removed(row, now, place)
        code = self.columns.value(row, names, "referral_code")
        member_id = read_uuid(self.columns.value(row, names, "member_id"))
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
            value = self.columns.value(row, names, "member_id")
            if value is None:
                raise BadRow("missing", field=self.columns.shown("member_id"))
            raise BadRow((damage(value) or Why("no-uuid")).about(self.columns.shown("member_id")))
        return Member(self._code(code), member_id, *word, place)

    def never_seen(self) -> list[str]:
        """Return which of the fields that must be read no row had a column for, as an error names them."""
        return [self.columns.shown(field) for field in self.columns.needed if field not in self.fields_seen]

    # -- what the row says ----------------------------------------------------------------------------------------

    def _word(
        self, row: Mapping[str, Any], names: Names, now: datetime
    ) -> tuple[Literal["confirmed", "withdrawn"], datetime, bool] | None:
        """Return state, since when, and whether the source says when; None: neither confirmed nor withdrawn."""
        mark = self._marks.meaning(row, names, now, may_be_unknown=True)
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
                    "confirmed-and-withdrawn",
                    field=self.columns.shown("status"),
                    withdrawn=self.columns.shown("withdrawn_at"),
                )
            return self._withdrawn(withdrawn, confirmed, now)
        if confirmed is None:
            if status == "confirmed":
                raise UnclearRow(
                    "confirmed-without-time",
                    field=self.columns.shown("status"),
                    confirmed=self.columns.shown("confirmed_at"),
                )
            return None
        self._marks.meaning(row, names, now, may_be_unknown=False)
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
                field=self.columns.shown("status"),
                withdrawn=self.columns.shown("withdrawn_at"),
                confirmed=self.columns.shown("confirmed_at"),
            )
        return "withdrawn", max(withdrawn.at, min(withdrawn.until, earliest)), True

    def _status(self, row: Mapping[str, Any], names: Names) -> str | None:
        """Return what the status means; None: there is no such column."""
        name = names["status"]
        if name is None and "status" not in self.fields_seen:
            return None
        status = self.columns.value(row, names, "status")
        if status is None:
            raise UnclearRow("empty", field=self.columns.shown("status"))
        text = ""
        if isinstance(status, float) and status.is_integer():
            status = int(status)
        if isinstance(status, str | int | float):  # true, false and numbers are words too
            text = spoken(str(status))
        meaning = self._words.get(text)
        if meaning is None:
            raise UnclearRow((damage(status) or Why("word")).about(self.columns.shown("status")))
        return meaning

    def _time(self, row: Mapping[str, Any], names: Names, field: Field, now: datetime) -> Time | None:
        value = self.columns.value(row, names, field)
        try:
            return self._times.read(value, now)
        except UnreadTime as fault:
            raise UnclearRow((damage(value) or fault.why).about(self.columns.shown(field))) from None

    def _time_or_none(self, row: Mapping[str, Any], names: Names, field: Field, now: datetime) -> Time | None:
        try:
            return self._time(row, names, field, now)
        except UnclearRow:
            return None

    def _of_removed(self, row: Mapping[str, Any], now: datetime, place: str) -> Member | Verdict:
        """Return what a row says that is no more than: this one was deleted."""
        member_id = removed_id(row)
        if member_id is None:
            raise BadRow("deleted-no-uuid")
        meaning = self._marks.of_removed
        if meaning in {"ignored", "left_out"}:
            return "not_confirmed"
        unclear = Why("deleted", {"mark": REMOVED}) if meaning is None else None
        return Member(None, member_id, "withdrawn", now, is_dated=False, place=place, unclear=unclear)

    def _of_uncoded(
        self, row: Mapping[str, Any], names: Names, member_id: str, now: datetime, place: str
    ) -> Member | Verdict:
        try:
            word = self._word(row, names, now)
        except BadRow as fault:
            return Member(None, member_id, "confirmed", now, is_dated=False, place=place, unclear=fault.why)
        return "without_code" if word is None else Member(None, member_id, *word, place)

    def _code(self, typed: object) -> str:
        try:
            return read_code(typed)
        except BadCode:
            raise BadRow((damage(typed) or Why("no-code")).about(self.columns.shown("referral_code"))) from None


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
