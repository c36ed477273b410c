"""A row of a membership system, read as a member: which names its fields have, what its words mean, what is wrong.

Nothing that a row says is quoted in an error: a field may hold anything, a name too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

import msgspec

from models.codes import normalise_code
from models.errors import BadCode
from models.events import Instant, in_utc

Field = Literal["member_id", "referral_code", "confirmed_at", "withdrawn_at", "status"]
Word = Literal["confirmed", "withdrawn", "pending"]

USUAL_NAMES: Final[dict[Field, tuple[str, ...]]] = {
    "member_id": ("memberid", "newmemberid", "contactid", "id"),
    "referral_code": ("referralcode", "refcode"),
    "confirmed_at": (
        "confirmedat", "confirmedon", "registeredat", "registeredon", "joinedat", "joinedon", "createdat", "createdon",
    ),
    "withdrawn_at": ("withdrawnat", "withdrawnon", "cancelledat", "canceledat", "resignedat", "endedat"),
    "status": ("status", "membershipstatus"),
}  # fmt: skip
"""Their names for each field, best first, in lower case and letters and digits only: `Member ID` is `memberid`."""

USUAL_WORDS: Final[dict[str, Word]] = {
    **dict.fromkeys(("confirmed", "active", "registered", "approved"), "confirmed"),
    **dict.fromkeys(("withdrawn", "cancelled", "canceled", "resigned", "terminated"), "withdrawn"),
    **dict.fromkeys(("pending", "pending_signup", "applied", "invited"), "pending"),
}
"""Their words for a status, in lower case."""

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


class BadRow(Exception):  # noqa: N818 - a verdict on a row, not a failure
    """The row cannot be read; the text says which field and what it must be, and quotes nothing."""


class Member(NamedTuple):
    """What the membership system says of a member who came with a code."""

    code: str
    """Normalised."""
    member_id: str
    """In lower case."""
    status: Literal["confirmed", "withdrawn"]
    at: datetime
    """Since when, in UTC."""


class MemberReader:
    """Reads the rows of one source."""

    def __init__(self, fields: Mapping[str, str], statuses: Mapping[str, str]) -> None:
        """Take what the source is configured with.

        Args:
            fields: our names to theirs; the usual names for those that are not given.
            statuses: their words, in lower case, to ours; beside the usual words.

        """
        self._fields = dict(fields)
        self._words: dict[str, str] = {**USUAL_WORDS, **statuses}
        self._names = lru_cache(256)(self._find_names)

    def read(self, row: object) -> Member | Literal["without_code", "not_confirmed"]:
        """Return the member, or why there is nothing to be reconciled in the row.

        Raises BadRow.
        """
        if not isinstance(row, Mapping):
            raise BadRow("is not an object with fields")
        names = self._names(tuple(row))
        code = _value(row, names["referral_code"])
        if code is None:
            return "without_code"
        word = self._word(_value(row, names["status"]))
        if word == "pending":
            return "not_confirmed"
        member_id = _value(row, names["member_id"])
        if member_id is None:
            raise BadRow(f"has no {self._shown('member_id')}")
        withdrawn_at = _value(row, names["withdrawn_at"]) if word == "withdrawn" else None
        field: Field = "confirmed_at" if withdrawn_at is None else "withdrawn_at"
        at = withdrawn_at if withdrawn_at is not None else _value(row, names["confirmed_at"])
        if at is None:
            raise BadRow(f"has no {self._shown('confirmed_at')}")
        return Member(self._code(code), self._uuid(member_id), word, self._instant(at, field))

    def missing_columns(self, columns: tuple[str, ...]) -> list[str]:
        """Return which of the fields that every member needs are not among a file's columns, as an error names them."""
        names = self._find_names(columns)
        needed: tuple[Field, ...] = ("member_id", "referral_code", "confirmed_at")
        return [self._shown(field) for field in needed if not any(name in columns for name in names[field])]

    def _find_names(self, keys: tuple[Any, ...]) -> dict[Field, tuple[str, ...]]:
        """Return the keys to look under for each field, best first; kept for each set of keys, mostly one."""
        folded: dict[str, str] = {}
        for key in keys:
            folded.setdefault("".join(filter(str.isalnum, str(key))).lower(), key)
        found: dict[Field, tuple[str, ...]] = {}
        for field, usual in USUAL_NAMES.items():
            given = self._fields.get(field)
            found[field] = (given,) if given else tuple(folded[name] for name in usual if name in folded)
        return found

    def _word(self, status: object) -> Literal["confirmed", "withdrawn", "pending"]:
        if status is None and "status" not in self._fields:
            return "confirmed"  # a list of members, and nothing else
        text = str(status).lower() if isinstance(status, str | int) else ""  # true, false and numbers are words too
        match self._words.get(text):
            case "confirmed":
                return "confirmed"
            case "withdrawn":
                return "withdrawn"
            case "pending":
                return "pending"
        raise BadRow(f"{self._shown('status')} is no word known; say what it means with --status WORD=confirmed")

    def _code(self, typed: object) -> str:
        try:
            return normalise_code(typed if isinstance(typed, str) else "")
        except BadCode:
            raise BadRow(f"{self._shown('referral_code')} cannot be a referral code") from None

    def _uuid(self, text: object) -> str:
        try:
            return str(UUID(text if isinstance(text, str) else ""))
        except ValueError:
            raise BadRow(f"{self._shown('member_id')} is not a UUID") from None

    def _instant(self, text: object, field: Field) -> datetime:
        try:
            if isinstance(text, str) and _DATE.fullmatch(text):
                day = date.fromisoformat(text)
                return datetime(day.year, day.month, day.day, tzinfo=UTC)
            return in_utc(msgspec.convert(text, Instant))
        except (ValueError, msgspec.ValidationError):
            raise BadRow(
                f"{self._shown(field)} is neither a time with offset (2026-11-20T10:00:00Z) nor a date (2026-11-20)"
            ) from None

    def _shown(self, field: Field) -> str:
        """Return a field's name as the operator knows it."""
        given = self._fields.get(field)
        return f"{field} ({given})" if given else field


def _value(row: Mapping[str, Any], names: tuple[str, ...]) -> object:
    """Return the first value that is not empty under one of the names; a name may be a path: `member.id`."""
    for name in names:
        value = row.get(name)
        if value is None and "." in name:
            value = row
            for part in name.split("."):
                value = value.get(part) if isinstance(value, Mapping) else None
        if isinstance(value, str):
            value = value.strip()
        if value is not None and value != "":
            return value
    return None
