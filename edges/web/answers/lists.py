"""Mentors by what they do: who is active, close to a badge, to be thanked, and who leads."""

from __future__ import annotations

from datetime import date, datetime

from edges.web.answers.answer import Answer
from edges.web.answers.mentors import Award, Milestone


class Activity(Answer, frozen=True, kw_only=True):
    """An organisation's latest milestones and awards, the latest first."""

    milestones: list[Milestone]
    awards: list[Award]
    names: dict[str, str]
    """What mentors among them are called, by id; who is not here is known by his pseudonym alone."""


class MentorListed(Answer, frozen=True, kw_only=True):
    """A mentor who may need help."""

    mentor_id: str
    referral_code: str | None
    """Null: no code has been issued to him."""
    display_name: str | None
    """Null: he is known by his pseudonym alone."""
    group: str | None
    total_clicks: int
    pending_attributions: int
    confirmed_attributions: int
    last_active_on: date | None
    """The day, in UTC, on which something of his was counted last; null: nothing ever was."""
    pending_since: date | None
    """Since when, at least, his oldest pending registration waits; null: none does."""
    pending_for_long: int
    """How many of them, at least, have waited as long as was asked for; in the other lists, how many are pending."""


class MentorsListed(Answer, frozen=True, kw_only=True):
    """A page of mentors who may need help."""

    mentors: list[MentorListed]
    next: str | None
    """`after` of the next page; null: this is the last."""


class Groups(Answer, frozen=True, kw_only=True):
    """What an organisation's groups and regions are called."""

    groups: list[str]
    """By name, 200 at most; none where mentors were imported without."""


class MentorClose(Answer, frozen=True, kw_only=True):
    """A mentor who is close to his next badge."""

    mentor_id: str
    referral_code: str
    display_name: str | None
    """Null: he is known by his pseudonym alone."""
    group: str | None
    total_clicks: int
    pending_attributions: int
    confirmed_attributions: int
    remaining: int
    """Registrations that still have to be confirmed."""
    badge_name: str


class MentorsClose(Answer, frozen=True, kw_only=True):
    """A page of mentors who are close to their next badge."""

    mentors: list[MentorClose]
    next: str | None
    """`after` of the next page; null: this is the last."""


class Reached(Answer, frozen=True, kw_only=True):
    """A milestone that a mentor reached, and what it brought him."""

    mentor_id: str
    referral_code: str | None
    """Null: no code has been issued to him."""
    display_name: str | None
    """Null: he is known by his pseudonym alone."""
    group: str | None
    threshold: int
    confirmed_count: int
    """The count when it was reached."""
    reached_at: datetime
    """When the registration occurred that reached it."""
    recorded_at: datetime
    """When we heard of it."""
    badges: list[str]
    """The names of the badges that it brought."""
    thanked_at: datetime | None
    """When a coordinator marked him as thanked for it; null: nobody has."""


class JustReached(Answer, frozen=True, kw_only=True):
    """A page of milestones with their badges, by when we heard of them."""

    reached: list[Reached]
    next: str | None
    """`after` of the next page; null: this is the last."""


class Thanked(Answer, frozen=True, kw_only=True):
    """Whether a mentor was thanked for a milestone."""

    thanked_at: datetime | None
    """Since when he is marked as thanked; null: he is not."""


class LeaderboardEntry(Answer, frozen=True, kw_only=True):
    """A mentor's counts and his place among the others."""

    rank: int
    """1 for the first; mentors with as many confirmed registrations follow each other by id."""
    mentor_id: str
    referral_code: str
    total_clicks: int
    pending_attributions: int
    confirmed_attributions: int
    conversion_rate: float
    display_name: str | None
    """Null: he is known by his pseudonym alone."""
    group: str | None


class Leaderboard(Answer, frozen=True, kw_only=True):
    """A page of the mentors by confirmed registrations."""

    entries: list[LeaderboardEntry]
    next: str | None
    """`after` of the next page; null: this is the last."""
