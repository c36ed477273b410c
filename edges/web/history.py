"""What happened in a period: by day and by channel, in the organisation's days, beside the period before."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from edges.web.answers.organisation import (
    ChannelHistory,
    ConfirmationTime,
    History,
    HistoryDay,
    PeriodCounts,
    PeriodSums,
)
from edges.web.organisation import HAPPENED
from edges.web.queries import statement
from models.periods import Period, percentile
from models.spreadsheets import as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date

    from edges.web.database import Database

Order = Literal["asc", "desc"]
ChannelSort = Literal["registered", "confirmed", "withdrawn", "clicks", "channel"]

HEADER: Final = ("day", "channel", *HAPPENED)
DAYS_APART: Final = 31
"""A period of so many days is told by the day for each channel, a longer one by the week."""
WEEK: Final = 7
NOTHING: Final = (0, 0, 0, 0)

Numbers = tuple[int, int, int, int]
"""Clicks, registered, confirmed, withdrawn."""


class Today(NamedTuple):
    """Where an organisation stands in time."""

    time_zone: str
    date: date


async def read_today(database: Database, org_id: str) -> Today:
    """Return the organisation's time zone and day; UTC's where it has set none."""
    ((zone, day),) = await database.rows(org_id, statement("period_today"), {"org_id": org_id})
    return Today(zone, day)


async def read_history(
    database: Database,
    org_id: str,
    today: Today,
    period: Period,
    *,
    order: Order = "asc",
    sort: ChannelSort = "registered",
) -> History:
    """Return what happened in a period; days in this order, channels with the most of what is named first."""
    part_days = 1 if period.days <= DAYS_APART else WEEK
    values = {**_values(org_id, period), "part_days": part_days}
    days, channels, times = await asyncio.gather(
        database.rows(org_id, statement("period_days"), {**values, "first": period.before_first}),
        database.rows(org_id, statement("period_channels"), values),
        database.rows(org_id, statement("confirmation_times"), values),
    )
    known: dict[date, Numbers] = {day: _numbers(numbers) for day, *numbers in days}
    shown = [period.first + timedelta(days=number) for number in range(period.days)]
    found = [HistoryDay(day=day, **_named(known.get(day, NOTHING))) for day in shown]
    by_channel: dict[str, dict[int, Numbers]] = {}
    for channel, part, *numbers in channels:
        by_channel.setdefault(channel, {})[part] = _numbers(numbers)
    parts = -(-period.days // part_days)
    return History(
        org_id=org_id,
        time_zone=today.time_zone,
        today=today.date,
        period=_sums(known, times, period.first, period.last, is_now=True),
        before=_sums(known, times, period.before_first, period.before_last, is_now=False),
        days=found if order == "asc" else found[::-1],
        part_days=part_days,
        channels=sorted((_channel(name, numbers, parts) for name, numbers in by_channel.items()), key=_by(sort)),
    )


async def write_csv(database: Database, org_id: str, period: Period) -> bytes:
    """Return a period as CSV: a row for each day and channel on which anything happened."""
    rows = await database.rows(org_id, statement("period_rows"), _values(org_id, period))
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(HEADER)
    writer.writerows((day.isoformat(), as_text(channel), *numbers) for day, channel, *numbers in rows)
    return file.getvalue().encode()


def _values(org_id: str, period: Period) -> dict[str, Any]:
    return {"org_id": org_id, **period._asdict()}


def _sums(
    days: Mapping[date, Numbers], times: Iterable[tuple[Any, ...]], first: date, last: date, *, is_now: bool
) -> PeriodSums:
    waited = [(hours, number) for of_period, hours, number in times if of_period == is_now]
    return PeriodSums(
        from_=first,
        to=last,
        confirmation_time=ConfirmationTime(
            measured=sum(number for _, number in waited),
            median_hours=percentile(waited, 0.5),
            p90_hours=percentile(waited, 0.9),
        ),
        **_named(_added(numbers for day, numbers in days.items() if first <= day <= last)),
    )


def _channel(name: str, by_part: Mapping[int, Numbers], parts: int) -> ChannelHistory:
    return ChannelHistory(
        channel=name,
        before=PeriodCounts(**_named(by_part.get(-1, NOTHING))),
        parts=[PeriodCounts(**_named(by_part.get(part, NOTHING))) for part in range(parts)],
        **_named(_added(numbers for part, numbers in by_part.items() if part >= 0)),
    )


def _by(sort: ChannelSort) -> Callable[[ChannelHistory], tuple[int, int, str]]:
    """Return what channels are sorted by: the most first, then the busiest, then by name."""
    if sort == "channel":
        return lambda channel: (0, 0, channel.channel)
    return lambda channel: (-getattr(channel, sort), -channel.clicks, channel.channel)


def _added(each: Iterable[Numbers]) -> Numbers:
    clicks = registered = confirmed = withdrawn = 0
    for numbers in each:
        clicks += numbers[0]
        registered += numbers[1]
        confirmed += numbers[2]
        withdrawn += numbers[3]
    return clicks, registered, confirmed, withdrawn


def _numbers(row: Sequence[int | None]) -> Numbers:
    clicks, registered, confirmed, withdrawn = (number or 0 for number in row)
    return clicks, registered, confirmed, withdrawn


def _named(numbers: Numbers) -> dict[str, int]:
    return dict(zip(HAPPENED, numbers, strict=True))
