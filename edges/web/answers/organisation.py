"""An organisation: its sums, its days, its channels, and what changed."""

from __future__ import annotations

from datetime import date, datetime

from msgspec import field

from edges.web.answers.answer import Answer


class PeriodCounts(Answer, frozen=True, kw_only=True):
    """What happened, by when it occurred; never less than nothing."""

    clicks: int
    registered: int
    """Members who registered, whatever became of them."""
    confirmed: int
    """Members who were confirmed, also where they withdrew later."""
    withdrawn: int
    """Members who withdrew, where that stands."""


class Summary(Answer, frozen=True, kw_only=True):
    """An organisation's sums."""

    org_id: str
    name: str | None
    """Null: nobody has named it."""
    mentors: int
    """Those who have a code."""
    active_mentors: int
    """Those with a click, a pending or a confirmed registration."""
    total_clicks: int
    pending_attributions: int
    confirmed_attributions: int
    conversion_rate: float
    """Confirmed by clicks: 0 without clicks, at most 1."""
    milestones: int
    awards: int
    filtered_clicks: int
    """Clicks that were not people's, of link previews and robots; in no other count."""
    happened: PeriodCounts
    """Since the beginning, as `history` adds it up; what is pending or confirmed now is above."""
    updated_at: datetime | None
    """When the stream counted last; null: nothing yet."""


class Day(Answer, frozen=True, kw_only=True):
    """By how much the counts changed on a day; less than nothing where more registrations left a count than came."""

    day: date
    clicks: int
    pending: int
    confirmed: int


class Daily(Answer, frozen=True, kw_only=True):
    """Days in UTC, each by when the stream counted, the oldest first, none left out."""

    from_: date = field(name="from")
    to: date
    days: list[Day]


class Channel(Answer, frozen=True, kw_only=True):
    """The counts of one channel."""

    channel: str
    clicks: int
    pending: int
    confirmed: int


class Channels(Answer, frozen=True, kw_only=True):
    """The counts by channel, the busiest first; past 100 channels the rest is `other`."""

    channels: list[Channel]


class HistoryDay(PeriodCounts, frozen=True, kw_only=True):
    """What happened on a day."""

    day: date


class ConfirmationTime(Answer, frozen=True, kw_only=True):
    """How long those confirmed in a period had been pending."""

    measured: int
    """How many: those of whom both times are known."""
    median_hours: int | None
    """Whole hours, from three days on whole days; null: nobody was measured."""
    p90_hours: int | None
    """Nine of ten were confirmed within this time; the same."""


class PeriodSums(PeriodCounts, frozen=True, kw_only=True):
    """What happened from a day to a day, both included."""

    from_: date = field(name="from")
    to: date
    confirmation_time: ConfirmationTime


class ChannelHistory(PeriodCounts, frozen=True, kw_only=True):
    """What happened in a channel, and in the period before."""

    channel: str
    before: PeriodCounts
    parts: list[PeriodCounts]
    """The period in parts of `partDays` days, the first first; the last may be shorter."""


class History(Answer, frozen=True, kw_only=True):
    """What happened in a period, by day and by channel, beside the period before."""

    org_id: str
    time_zone: str
    """In whose days it is told, such as Europe/Oslo; a day may have 23 or 25 hours."""
    today: date
    """Which day it is there; it is not over yet."""
    period: PeriodSums
    before: PeriodSums
    """A quarter has the quarter before; any other period as many days right before it."""
    days: list[HistoryDay]
    """Every day of the period, none left out."""
    part_days: int
    channels: list[ChannelHistory]
    """Those by which anything came in the period or before it; past 32 of an organisation the rest is `other`."""


class Changed(Answer, frozen=True, kw_only=True):
    """An organisation's figures changed; the data of the event `changed`."""

    at: datetime
    summary: Summary
