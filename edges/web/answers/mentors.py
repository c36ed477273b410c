"""A mentor: the code, the counts, what was reached, and how it stands."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from edges.web.answers.answer import Answer
from edges.web.answers.organisation import Channel


class ReferralCode(Answer, frozen=True, kw_only=True):
    """A mentor's referral code, as it is stored."""

    referral_code: str
    org_id: str
    mentor_id: str
    issued_at: datetime
    share_url: str
    """The link to share."""
    disabled_at: datetime | None
    """Since when the link leads nowhere: the mentor has left, or it was misused. Null: it works."""


class AttributionCounts(Answer, frozen=True, kw_only=True):
    """A mentor's counts."""

    org_id: str
    mentor_id: str
    channel: str | None
    """The channel that is counted; null: all together."""
    total_clicks: int
    pending_attributions: int
    confirmed_attributions: int
    conversion_rate: float
    """Confirmed by clicks: 0 without clicks, at most 1."""
    updated_at: datetime | None
    """When the stream counted this; null: nothing yet."""


Picture = Literal["medal", "star", "trophy", "rocket", "heart", "sprout", "mountain", "crown"]
"""How a badge looks: symbols of the pages (models/badges.py; a unit test compares the two)."""


class NextBadge(Answer, frozen=True, kw_only=True):
    """The badge that a mentor earns next: one that is on, and that a milestone brings."""

    name: str
    picture: Picture
    threshold: int
    remaining: int
    """Registrations that still have to be confirmed."""


class MentorProfile(Answer, frozen=True, kw_only=True):
    """What a mentor shares, and what he earns next."""

    org_id: str
    mentor_id: str
    referral_code: str | None
    """Null: no code has been issued to him."""
    share_url: str | None
    link_disabled_at: datetime | None
    """Since when the link leads nowhere: the mentor has left, or it was misused. Null: it works."""
    next_badge: NextBadge | None
    """Null: he holds every badge that can come."""
    display_name: str | None
    """What his organisation calls him; null: nothing but his pseudonym."""
    group: str | None
    """His group or region, where his organisation has given one."""


class MentorFound(Answer, frozen=True, kw_only=True):
    """A mentor who was looked for."""

    mentor_id: str
    referral_code: str | None
    """Null: no code has been issued to him."""
    display_name: str | None
    """Null: he is known by his pseudonym alone."""
    group: str | None


class MentorsFound(Answer, frozen=True, kw_only=True):
    """The mentors who were looked for: those with this code or id by id, then those with this name by name."""

    mentors: list[MentorFound]


class Milestone(Answer, frozen=True, kw_only=True):
    """A mentor's confirmed count reached a threshold."""

    mentor_id: str
    threshold: int
    confirmed_count: int
    """The count when it was reached."""
    reached_at: datetime
    """When the registration occurred that reached it."""
    recorded_at: datetime
    """When we heard of it."""


class Award(Answer, frozen=True, kw_only=True):
    """A badge that a mentor holds."""

    mentor_id: str
    badge_id: str
    badge_name: str
    picture: Picture
    confirmed_count: int
    """The count of the milestone that earned it; of a back-fill before that was announced, what was confirmed then."""
    awarded_at: datetime


class Milestones(Answer, frozen=True, kw_only=True):
    """A mentor's milestones, the lowest threshold first."""

    milestones: list[Milestone]


class Awards(Answer, frozen=True, kw_only=True):
    """A mentor's badges, the lowest threshold first."""

    awards: list[Award]
    can_be_taken_along: bool
    """Whether each can be had as an Open Badges credential here, at `/awards/{badge_id}/credential`."""


class Rank(Answer, frozen=True, kw_only=True):
    """A mentor's place among the others by confirmed registrations; those with as many have the same."""

    rank: int
    """1 for the first."""
    shared_with: int
    """Others with as many."""
    mentors: int
    """All who have counts."""


class BadgeDecision(Answer, frozen=True, kw_only=True):
    """Why a milestone did or did not bring a badge."""

    threshold: int
    """The milestone's."""
    badge_name: str | None
    """Null: it was decided about the milestone as a whole."""
    reason: Literal[
        "awarded", "already_held", "below_threshold", "no_definitions", "unknown_mentor", "forged_organisation"
    ]
    confirmed_count: int
    """The count when the milestone was reached."""
    reached_at: datetime | None
    """When the registration occurred that reached it; null: the milestone is not known here any more."""
    decided_at: datetime


class Happened(Answer, frozen=True, kw_only=True):
    """Something in a mentor's history."""

    kind: Literal["code", "registrations", "milestone", "badge", "thanked", "disabled"]
    """`code`: his code was issued; `registrations`: they changed on that day; `disabled`: his link was."""
    day: date
    """In UTC."""
    at: datetime | None
    """Null: it is of the whole day."""
    threshold: int | None
    """Of a milestone, and of the one that a badge is defined at."""
    badge_name: str | None
    pending: int | None
    """By how many the pending registrations changed."""
    confirmed: int | None
    """By how many the confirmed registrations changed."""


class Standing(Answer, frozen=True, kw_only=True):
    """Where a mentor stands, for the coordinators of his organisation; no member's id, and no single event of one."""

    org_id: str
    mentor_id: str
    rank: Rank | None
    """Null: nothing of his was counted yet."""
    last_active_on: date | None
    """The day, in UTC, on which something of his was counted last; null: nothing ever was."""
    total_clicks: int
    pending_attributions: int
    pending_since: date | None
    """Since when, at least, the oldest of them waits."""
    pending_for_long: int
    """How many of them, at least, have waited for more than 30 days."""
    confirmed_attributions: int
    channels: list[Channel]
    """The busiest first."""
    decisions: list[BadgeDecision]
    """By threshold."""
    history: list[Happened]
    """The latest first, 200 at most."""
