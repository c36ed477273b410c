"""What is shown of reconciliation: organisations by age, and which of them are overdue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from edges.web.installation_figures import age_class, is_overdue, usual_interval

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("ago", "name"),
    [
        (timedelta(0), "1h"),
        (timedelta(hours=1), "1h"),
        (timedelta(hours=1, seconds=1), "1d"),
        (DAY, "1d"),
        (2 * DAY, "2d"),
        (3 * DAY, "7d"),
        (8 * DAY, "older"),
    ],
)
def test_each_organisation_is_in_one_class(ago: timedelta, name: str) -> None:
    """The bound belongs to the younger one."""
    assert age_class(NOW - ago, NOW) == name


def test_one_that_never_was_is_said_so() -> None:
    """It is overdue only two intervals after its source was configured."""
    assert age_class(None, NOW) == "never"
    assert [is_overdue(NOW - days * DAY, DAY, NOW) for days in (1, 2, 3)] == [False, False, True]


@pytest.mark.parametrize(
    ("reconcile_at", "interval"),
    [("0 3 * * *", DAY), ("*/10 * * * *", timedelta(minutes=10)), ("0 3 * * 1-5", 3 * DAY), ("off", None)],
)
def test_the_usual_interval_is_the_longest_between_two(reconcile_at: str, interval: timedelta | None) -> None:
    """A crontab that leaves the weekend out is not late on Monday."""
    assert usual_interval(reconcile_at) == interval
    assert not is_overdue(NOW - 365 * DAY, usual_interval("off"), NOW)
