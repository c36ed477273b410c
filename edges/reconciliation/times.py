"""A time as membership systems write it: read where it is certain, refused where it is not, and "not set" told apart.

RFC 3339 with an offset, a date, and `/Date(1700000000000)/` need nothing said. A time without a zone, one by a local
custom (20.11.2026) and a number of seconds are read only as the organisation has configured. What nobody has entered is
often written as a time, the smallest or largest that some library knows: that is no time.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edges.reconciliation.errors import BadSource
from edges.reconciliation.reasons import Why
from models.events import AHEAD_MAX
from models.tolerance import EARLIEST, read_offset, trimmed, written_time

SECONDS: Final = "seconds"
MILLISECONDS: Final = "milliseconds"

FOR_EVER: Final = 2900
"""A year from which on a time means "never"."""

_NOT_SET: Final = frozenset({"", "null", "none", "nil", "undefined", "nan", "nat", "\\n", "0", "-", "n/a"})
_ZEROS: Final = tuple(
    datetime.combine(date.fromisoformat(day), time(), UTC)
    for day in (
        "1601-01-01",  # Windows' FILETIME
        "1753-01-01",  # SQL Server's datetime
        "1899-12-30",  # OLE automation, Excel
        "1899-12-31",
        "1900-01-01",  # SQL Server's smalldatetime, an empty text as datetime, Dynamics
        "1901-12-13",  # the smallest 32-bit Unix time
        "1904-01-01",  # Excel of the Macintosh
        "1970-01-01",  # Unix
        "1980-01-01",  # FAT, ZIP
        "2000-01-01",  # PostgreSQL's epoch, many a device's clock
        "2001-01-01",  # Apple's
        "2038-01-19",  # the largest 32-bit Unix time
        "2079-06-06",  # smalldatetime's last day
        "2099-12-31",  # for ever, typed by hand
    )
)
_ZONE_MAX: Final = timedelta(hours=14)
_DAY: Final = timedelta(days=1)

_NUMBER: Final = re.compile(r"-?[0-9]{1,17}(?:\.[0-9]{1,9})?")
_OFFSET: Final = re.compile(r"([+-])([0-9]{2}):([0-9]{2})")
_DIRECTIVES: Final = frozenset("dmYyHMSIpfzj%")
"""Of strptime's: what reads the same in every language but a.m. and p.m."""


IN_THE_FUTURE: Final = Why("future")


class UnreadTime(Exception):  # noqa: N818  a verdict on a value, not a failure
    """A value is no certain time; `why` says so of the field that it stands in, once that is given (`Why.about`)."""

    def __init__(self, why: Why | str, **values: str) -> None:
        """Take why, or its code and values."""
        self.why = Why(why, values) if isinstance(why, str) else why
        super().__init__(self.why.code)


class Time(NamedTuple):
    """A time in UTC; of a date its first and its last moment."""

    at: datetime
    until: datetime


class TimeReader:
    """Reads the times of one source."""

    def __init__(self, form: str = "", zone: str = "") -> None:
        """Take what the source is configured with; raise BadSource for what cannot be used.

        Args:
            form: empty: RFC 3339; `seconds` or `milliseconds` since 1970; else a pattern of strptime's.
            zone: of times without one: `Europe/Berlin`, or `+01:00`; empty: such a time is refused, and a date is
            UTC's.

        """
        self._form = form
        self._zone = zone_of(zone) if zone else None
        if form not in {"", SECONDS, MILLISECONDS}:
            _check_pattern(form)

    def read(self, value: object, now: datetime) -> Time | None:
        """Return the time; None: it is not set. Raises UnreadTime."""
        found = self._parse(value)
        if found is None:
            return None
        at, until = found
        if _is_never(at):
            return None
        zone = at.tzinfo or self._zone or UTC
        try:
            first, last = (each.replace(tzinfo=zone).astimezone(UTC) for each in (at, until))
        except OverflowError:
            return None
        if _is_zero(at, first):
            return None
        if zone is not UTC and at.tzinfo is None and until == at and _is_twice_or_never(at, zone):
            raise UnreadTime("time-twice")
        if first < EARLIEST:
            raise UnreadTime("too-early")
        if first > now + AHEAD_MAX:
            raise UnreadTime(IN_THE_FUTURE)
        return Time(first, last)

    def _parse(self, value: object) -> tuple[datetime, datetime] | None:
        """Return the first and the last moment as they stand there; None: it is not set."""
        if value is None or value in ([], {}):
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise UnreadTime("no-time")
        text = trimmed(value) if isinstance(value, str) else repr(value)
        if text.lower() in _NOT_SET or text.startswith("0000-00-00") or value == 0:
            return None
        if text.startswith("/Date("):
            return self._by_rfc(text)
        if self._form in {SECONDS, MILLISECONDS}:
            if not _NUMBER.fullmatch(text):
                raise UnreadTime(f"no-{self._form}")
            return _of_unix(float(text) / (1000 if self._form == MILLISECONDS else 1))
        if self._form:
            return self._by_pattern(text)
        return self._by_rfc(text)

    def _by_rfc(self, text: str) -> tuple[datetime, datetime]:
        at = written_time(text)
        if at is None:
            raise UnreadTime("time-form")
        if not isinstance(at, datetime):
            return _whole(at)
        if at.tzinfo is None:
            self._need_zone(at)
        return at, at

    def _by_pattern(self, text: str) -> tuple[datetime, datetime]:
        try:
            if not text.isascii():
                raise ValueError  # noqa: TRY301  strptime takes the digits of any script
            at = datetime.strptime(text, self._form)  # noqa: DTZ007  its zone, if it has none, is the configured one
        except ValueError:
            raise UnreadTime("time-pattern", pattern=self._form) from None
        if "%H" in self._form or "%I" in self._form:
            if at.tzinfo is None:
                self._need_zone(at)
            return at, at
        return _whole(at.date())

    def _need_zone(self, at: datetime) -> None:
        if self._zone is None and not _is_never(at) and not _is_zero(at, at.replace(tzinfo=UTC)):
            raise UnreadTime("no-zone")


@lru_cache(64)
def zone_of(name: str) -> tzinfo:
    """Return a time zone by its name or offset; raise BadSource."""
    try:
        if _OFFSET.fullmatch(name):
            return read_offset(name)
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadSource(
            f"--zone {name}: there is no such time zone; give for example Europe/Berlin or +01:00"
        ) from None


def _check_pattern(form: str) -> None:
    directives = re.findall(r"%(.)", form)
    if not directives or not set(directives) <= _DIRECTIVES or not {"d", "m"} <= set(directives):
        raise BadSource(
            f"--times {form}: give seconds, milliseconds, or a pattern of day and month as strptime has it, "
            "%d.%m.%Y for example"
        )


def _of_unix(seconds: float) -> tuple[datetime, datetime]:
    try:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        raise UnreadTime("number-no-time") from None
    return at, at


def _whole(day: date) -> tuple[datetime, datetime]:
    return datetime.combine(day, time()), datetime.combine(day, time.max)


def _is_never(at: datetime) -> bool:
    return at.year <= 1 or at.year >= FOR_EVER


def _is_zero(at: datetime, first: datetime) -> bool:
    """Tell whether it is what some system has for a time that was not set; a late one only on the hour."""
    return any(_is_near(first, zero) for zero in _ZEROS if _is_round(at) or zero < EARLIEST)


def _is_near(first: datetime, zero: datetime) -> bool:
    """Tell whether it is that day in some zone."""
    return zero - _ZONE_MAX <= first < zero + _DAY + _ZONE_MAX


def _is_round(at: datetime) -> bool:
    """Tell whether it is the first or last second of an hour, as the zeros of systems are in any zone."""
    return (at.minute, at.second) in {(0, 0), (30, 0), (45, 0), (59, 59)} or at.year == 2038  # noqa: PLR2004  it ends at 03:14:07


def _is_twice_or_never(at: datetime, zone: tzinfo) -> bool:
    return at.replace(tzinfo=zone, fold=0).utcoffset() != at.replace(tzinfo=zone, fold=1).utcoffset()
