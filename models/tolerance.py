"""What every edge takes for a code, an id, a time or a status: what is certain, however it was written, and no more.

One place for webhook, reconciliation, import, `publish` and commands (rule 9), so that the same text means the same
wherever it comes in. The stream takes what the contract says of a topic's records and repairs nothing else.

What is not certain is refused with what it has to be. A number is no code, no id and no time: its zeros or its unit
are lost. A date without a time, and a time without an offset, are many instants.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache
from typing import Final, get_args

from models.codes import CODE_LENGTH, is_code, normalise_code
from models.errors import BadCode
from models.events import Status

TEXT_LENGTH_MAX: Final = 2_000
"""More than this is no code with something around it."""

EARLIEST: Final = datetime(2000, 1, 2, tzinfo=UTC)
"""There were no referral links before; it is a birthday, or some system's zero."""

STATUS_WORDS: Final[dict[str, Status]] = {
    **{status: status for status in get_args(Status)},
    **dict.fromkeys(("cancelled", "canceled", "resigned", "terminated"), "withdrawn"),
    **dict.fromkeys(("pending", "applied", "invited"), "pending_signup"),
}
"""Words that can mean nothing else. What `active` or `registered` means, nobody knows but who writes it."""

# -- text --------------------------------------------------------------------------------------------------------------

_UNSEEN: Final = "".join(map(chr, (*range(0x09, 0x0E), *range(0x1C, 0x21), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200E),
                                   0x2028, 0x2029, 0x202F, 0x205F, 0x2060, 0x3000, 0xFEFF)))  # fmt: skip
_INVISIBLE: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""What shows nothing and is of no category that says so; beside controls, formats and variation selectors."""
_MINUS_SIGNS: Final = frozenset("\u2212\u2043\u02d7\u00ad")
"""Hyphens that Unicode does not call dashes: minus, hyphen bullet, modifier minus, and the soft hyphen."""
_QUOTES: Final = "\"'`\u00b4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a"


def trimmed(text: str) -> str:
    """Return a text without what nobody sees around it: spaces, a byte order mark, zero-width characters."""
    return text.strip(_UNSEEN)


def plain_text(text: str) -> str:
    """Return the text with every hyphen as `-`, every white space as a space, and without what nobody sees.

    Letters and digits of East Asian width, or of a mathematical alphabet, become the plain ones where the text has no
    plain ones: in `CODE\uff12` the last may be somebody's next word.
    """
    if text.isascii() and text.isprintable():
        return text
    is_wide = not any(each.isascii() and each.isalnum() for each in text)
    return "".join(_plain(each, is_wide=is_wide) for each in text)


def _plain_signs(text: str) -> str:
    """Return the text as `plain_text` does, its letters and digits as they are."""
    return text if text.isascii() else "".join(_plain(each, is_wide=False) for each in text)


def _plain(character: str, *, is_wide: bool) -> str:
    """Return what a character stands for, nothing where nobody sees it."""
    if character.isascii():
        return character if character.isprintable() else " " if character.isspace() else ""
    category = unicodedata.category(character)
    if category == "Pd" or character in _MINUS_SIGNS:
        return "-"
    if character.isspace():
        return " "
    if category in {"Cf", "Cc"} or character in _INVISIBLE or "\ufe00" <= character <= "\ufe0f":
        return ""
    if is_wide and ("\uff01" <= character <= "\uff5e" or "\U0001d400" <= character <= "\U0001d7ff"):
        return unicodedata.normalize("NFKC", character)
    return character


# -- codes -------------------------------------------------------------------------------------------------------------


def read_code(value: object) -> str:
    """Return the code that a value from outside certainly is, normalised.

    White space and quotation marks around it go, other hyphens are hyphens, and it may be written in groups as codes
    are printed: of one length, the last one at most as long, with a digit somewhere. Other words that would make a
    code together are words, a name and a number for example; and where one of the groups is a code by itself, what
    stands beside it may be anything. Nor is a number certain: it may have lost its zeros.

    Raises:
        BadCode: it is none, or not certainly one.

    """
    if not isinstance(value, str):
        msg = "referral_code is not a text; a number may have lost its zeros"
        raise BadCode(msg)
    try:
        return normalise_code(value)
    except BadCode:
        if len(value) > TEXT_LENGTH_MAX:
            raise
    groups = [group for group in plain_text(value).strip(f" -{_QUOTES}").split() if group.strip("-")]
    if len(groups) > 1:
        _check_groups(groups)
    try:
        return normalise_code("".join(groups))
    except BadCode:
        return normalise_code(value)  # again, so that the error shows what was given


def _check_groups(groups: list[str]) -> None:
    """Raise BadCode where a code in groups may be something else."""
    first, last = len(groups[0]), len(groups[-1])
    joined = "".join(groups)
    if (
        any(is_code(group) for group in groups)
        or any(len(group) != first for group in groups[:-1])
        or last > first
        or len(joined) < CODE_LENGTH
        or not any(each.isdigit() for each in joined)
    ):
        shown = " ".join(groups)[:40]
        msg = f"referral_code {shown!r} has spaces in it and may be something else; send the code alone, without spaces"
        raise BadCode(msg)


# -- ids ---------------------------------------------------------------------------------------------------------------

_WRITTEN: Final = r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_WRITTEN_UUID: Final = re.compile(
    rf"(?:[uU][rR][nN]:[uU][uU][iI][dD]:)?(?P<plain>{_WRITTEN})|\{{(?P<braced>{_WRITTEN})\}}|\((?P<round>{_WRITTEN})\)"
)
_NO_IDS: Final = ("0" * 32, "f" * 32)


def read_uuid(value: object) -> str | None:
    """Return the one id that a value from outside certainly is, in lower case; None where it is none.

    Taken: space around it, either case, other hyphens, `{...}`, `(...)`, `urn:uuid:...`, and 32 digits alone. Not taken
    is what `uuid.UUID` takes beyond that, because it takes what `int()` does: underscores, a sign, hyphens anywhere,
    digits of other scripts. Nor the ids of zeros and of ones alone: they stand for "not set".
    """
    if not isinstance(value, str):
        return None
    found = _WRITTEN_UUID.fullmatch(_plain_signs(trimmed(value)))
    if found is None:
        return None
    digits = (found["plain"] or found["braced"] or found["round"]).replace("-", "").lower()
    if digits in _NO_IDS:
        return None
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


# -- times -------------------------------------------------------------------------------------------------------------

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME: Final = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,12}))?)?"
    r"(?: ?(?P<offset>Z|z|UTC|[+-][0-9]{2}(?::?[0-9]{2})?)(?:\[[A-Za-z][\w+/-]{0,63}\])?)?"
)
_DOTNET: Final = re.compile(r"/Date\((-?[0-9]{1,17})(?:[+-][0-9]{4})?\)/")
_MINUTES: Final = 60
_END_OF_DAY: Final = 24


class BadTime(Exception):  # noqa: N818 - a verdict on a value, not a failure
    """A value that is no certain instant; the text says what it must be, and quotes nothing."""


def written_time(text: str) -> datetime | date | None:
    """Return the time or the date that a text is; None where it is neither. A time without an offset has no zone.

    RFC 3339, and what ISO 8601 and libraries write beside it: `+0000`, `+00`, a comma, no seconds, more digits than
    anybody counts, 24:00 for the end of a day, a leap second (the next one), the name of a zone behind the offset,
    `/Date(1700000000000)/`.
    """
    text = _plain_signs(text)
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
        if dotnet := _DOTNET.fullmatch(text):
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(dotnet[1]))
        found = _TIME.fullmatch(text)
        return None if found is None else _of_parts(found)
    except (ValueError, OverflowError):
        return None


def _of_parts(found: re.Match[str]) -> datetime:
    """Return the time of a day, hour and so on; raise ValueError where there is no such time."""
    hour, minute, second = (int(found[part] or 0) for part in ("hour", "minute", "second"))
    micro = min(round(float(f"0.{found['fraction'] or 0}") * 1_000_000), 999_999)
    day = datetime.combine(
        date.fromisoformat(found["day"]), time(), read_offset(found["offset"]) if found["offset"] else None
    )
    if (hour, minute, second, micro) == (_END_OF_DAY, 0, 0, 0):
        return day + timedelta(days=1)
    if (hour, minute, second) == (_END_OF_DAY - 1, _MINUTES - 1, _MINUTES):
        return day + timedelta(days=1)
    return day.replace(hour=hour, minute=minute, second=second, microsecond=micro)


def read_instant(value: object) -> datetime:
    """Return the one instant that a value from outside certainly is. Raises BadTime."""
    if not isinstance(value, str):
        raise BadTime("is not a text; write it as 2026-11-20T10:00:00Z, a number does not say in what it counts")
    at = written_time(trimmed(value))
    if at is None:
        raise BadTime("is no time; write it as 2026-11-20T10:00:00Z")
    if not isinstance(at, datetime):
        raise BadTime("is a date without a time; write it as 2026-11-20T10:00:00Z")
    if at.tzinfo is None:
        raise BadTime("has no offset; write it as 2026-11-20T10:00:00Z or 2026-11-20T11:00:00+01:00")
    return at


@lru_cache(64)
def read_offset(text: str) -> timezone:
    """Return the zone of an offset from UTC as times have it; raise ValueError."""
    if text in {"Z", "z", "UTC"}:
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    if int(digits[2:]) >= _MINUTES:
        raise ValueError(text)
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


# -- words -------------------------------------------------------------------------------------------------------------


def read_status(value: object) -> Status | None:
    """Return the status that a word certainly means; None where it is none."""
    return STATUS_WORDS.get(trimmed(value).lower()) if isinstance(value, str) else None
