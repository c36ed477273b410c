"""The period that a dashboard shows, and the one before, with which it is compared. Dates are the organisation's."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

DAYS_MAX: Final = 366
"""The longest period: a year."""
FIRST_DAY: Final = date(2000, 1, 1)
"""No programme is older; and a period has one before it."""
DAYS_DEFAULT: Final = 30

_QUARTER: Final = re.compile(r"(\d{4})-?[Qq]([1-4])")
_DAY: Final = timedelta(days=1)
_MONTHS: Final = 3


class BadPeriod(ValueError):  # noqa: N818  read as what is wrong
    """No period that can be shown; `field` is the parameter at fault."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field} {message}")
        self.field = field
        self.message = message


class Period(NamedTuple):
    """Days from the first to the last, both included, and those that they are compared with."""

    first: date
    last: date
    before_first: date
    before_last: date

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1


def read_period(
    today: date,
    *,
    days: int | None = None,
    quarter: str | None = None,
    first: str | None = None,
    last: str | None = None,
) -> Period:
    """Return the period that is asked for, by number of days up to today, by quarter, or from a day to a day.

    What is not over yet ends today, and is compared with as many days. A whole quarter is compared with the whole one
    before it, any other period with as many days right before it.

    Raises:
        BadPeriod: it names the parameter and what would do.

    """
    is_range = first is not None or last is not None
    if (days is not None) + (quarter is not None) + is_range > 1:
        field = "from" if quarter is None else "quarter"
        raise BadPeriod(field, "is one way to name a period: give days, or quarter, or from and to")
    if quarter is not None:
        return _quarter(today, quarter)
    if not is_range:
        days = DAYS_DEFAULT if days is None else days
        if not 1 <= days <= DAYS_MAX:
            raise BadPeriod("days", f"is a number from 1 to {DAYS_MAX}")
        return _period(today - (days - 1) * _DAY, today)
    if first is None:
        raise BadPeriod("from", "is required where to is given")
    begins, ends = _date("from", first), today if last is None else _date("to", last)
    if begins > today:
        raise BadPeriod("from", f"is after today, {today}")
    if ends > today:
        raise BadPeriod("to", f"is after today, {today}")
    if begins > ends:
        raise BadPeriod("from", f"is after to, {ends}")
    if (ends - begins).days >= DAYS_MAX:
        raise BadPeriod("from", f"is more than {DAYS_MAX} days before to; ask for a year at a time")
    return _period(begins, ends)


def quarter_of(day: date) -> str:
    """Return the quarter that a day is in, such as `2026-Q4`."""
    return f"{day.year}-Q{(day.month - 1) // _MONTHS + 1}"


def percentile(counted: Iterable[tuple[int, int]], share: float) -> int | None:
    """Return the smallest value that at least this share does not exceed, of values with how often each occurs."""
    values = sorted((value, number) for value, number in counted if number > 0)
    wanted = share * sum(number for _, number in values)
    reached = 0
    for value, number in values:
        reached += number
        if reached >= wanted:
            return value
    return None


def _quarter(today: date, text: str) -> Period:
    found = _QUARTER.fullmatch(quarter_of(today) if text == "current" else text)
    if found is None:
        raise BadPeriod("quarter", f"is current, or a year and a quarter such as {quarter_of(today)}")
    begins = _begin_of_quarter(int(found[1]), int(found[2])) if int(found[1]) >= FIRST_DAY.year else None
    if begins is None or begins > today:
        raise BadPeriod("quarter", f"is from {FIRST_DAY.year}-Q1 to {quarter_of(today)}")
    before = begins - _DAY
    before_begins = _begin_of_quarter(before.year, (before.month - 1) // _MONTHS + 1)
    following = begins + 31 * _MONTHS * _DAY
    ends = _begin_of_quarter(following.year, (following.month - 1) // _MONTHS + 1) - _DAY
    if ends <= today:
        return Period(begins, ends, before_begins, before)
    return Period(begins, today, before_begins, min(before_begins + (today - begins), before))


def _begin_of_quarter(year: int, number: int) -> date:
    return date(year, (number - 1) * _MONTHS + 1, 1)


def _period(first: date, last: date) -> Period:
    return Period(first, last, first - (last - first) - _DAY, first - _DAY)


def _date(field: str, text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadPeriod(field, "is a day such as 2026-11-20") from None
    if day < FIRST_DAY:
        raise BadPeriod(field, f"is before {FIRST_DAY}")
    return day
