"""Periods: those that a request names, the ones before, and the requests that name none."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.periods import DAYS_MAX, FIRST_DAY, BadPeriod, percentile, read_period

TODAY = date(2026, 11, 29)

PERIODS: list[tuple[dict[str, Any], str]] = [
    ({}, "2026-10-31 2026-11-29 2026-10-01 2026-10-30"),
    ({"days": 1}, "2026-11-29 2026-11-29 2026-11-28 2026-11-28"),
    ({"days": 366}, "2025-11-29 2026-11-29 2024-11-28 2025-11-28"),
    ({"quarter": "current"}, "2026-10-01 2026-11-29 2026-07-01 2026-08-29"),
    ({"quarter": "2026-Q4"}, "2026-10-01 2026-11-29 2026-07-01 2026-08-29"),
    ({"quarter": "2026q3"}, "2026-07-01 2026-09-30 2026-04-01 2026-06-30"),
    ({"quarter": "2024-Q1"}, "2024-01-01 2024-03-31 2023-10-01 2023-12-31"),
    ({"first": "2026-11-01"}, "2026-11-01 2026-11-29 2026-10-03 2026-10-31"),
    ({"first": "2024-02-28", "last": "2024-03-01"}, "2024-02-28 2024-03-01 2024-02-25 2024-02-27"),
]


@pytest.mark.parametrize(("asked", "expected"), PERIODS)
def test_periods(asked: dict[str, Any], expected: str) -> None:
    """First and last day, and those of the period before."""
    assert " ".join(map(str, read_period(TODAY, **asked))) == expected


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"days": 0}, "days"),
    ({"days": 367}, "days"),
    ({"quarter": "2026-Q5"}, "quarter"),
    ({"quarter": "2027-Q1"}, "quarter"),
    ({"quarter": "0000-Q1"}, "quarter"),
    ({"quarter": "9999-Q4"}, "quarter"),
    ({"quarter": "last"}, "quarter"),
    ({"last": "2026-11-01"}, "from"),
    ({"first": "2026-11-30"}, "from"),
    ({"first": "2026-11-02", "last": "2026-11-01"}, "from"),
    ({"first": "2026-11-01", "last": "2026-11-30"}, "to"),
    ({"first": "2025-11-28"}, "from"),
    ({"first": "1999-12-31"}, "from"),
    ({"first": "0001-01-01", "last": "0001-01-01"}, "from"),
    ({"first": "2026-02-30"}, "from"),
    ({"first": "2026-11-01", "last": "today"}, "to"),
    ({"days": 7, "quarter": "current"}, "quarter"),
    ({"days": 7, "last": "2026-11-01"}, "from"),
]


@pytest.mark.parametrize(("asked", "field"), FAULTS)
def test_what_is_no_period(asked: dict[str, Any], field: str) -> None:
    """The parameter at fault is named."""
    with pytest.raises(BadPeriod) as fault:
        read_period(TODAY, **asked)
    assert fault.value.field == field


@given(today=st.dates(min_value=FIRST_DAY + timedelta(days=DAYS_MAX), max_value=date(2100, 1, 1)))
def test_a_quarter_on_any_day(today: date) -> None:
    """It is over or ends today, the one before ends right before it or earlier, and is never longer than a quarter."""
    period = read_period(today, quarter="current")
    assert period.first <= period.last == today
    assert period.before_first <= period.before_last < period.first
    assert abs((period.before_last - period.before_first) - (period.last - period.first)) <= timedelta(days=2)


def test_percentiles() -> None:
    """The smallest value that the share does not exceed; none of nothing."""
    assert percentile([], 0.5) is None
    assert percentile([(5, 0)], 0.5) is None
    assert percentile([(7, 1)], 0.9) == 7
    assert percentile([(1, 5), (9, 5)], 0.5) == 1
    assert percentile([(9, 5), (1, 4)], 0.5) == 9
    assert percentile([(number, 1) for number in range(1, 11)], 0.9) == 9
