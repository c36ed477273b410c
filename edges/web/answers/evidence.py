"""What a badge was awarded by."""

from __future__ import annotations

from datetime import datetime

from edges.web.answers.answer import Answer


class RegistrationCounted(Answer, frozen=True, kw_only=True):
    """A member who was confirmed; nothing says who."""

    registered_at: datetime
    """When he was pending or confirmed first."""
    confirmed_at: datetime
    """When he was confirmed first."""
    withdrawn_at: datetime | None
    """When he withdrew since; null: he has not."""
    channel: str
    partition: int | None
    """Where the record that confirmed him stands in the registrations topic; null: it was read before this was kept."""
    offset: int | None
    crossed: bool
    """It is the registration by which the milestone was reached."""


class MilestoneEvidence(Answer, frozen=True, kw_only=True):
    """The milestone that brought an award."""

    milestone_id: str
    threshold: int
    reached_at: datetime
    """When the registration occurred that reached it."""
    recorded_at: datetime
    """When we heard of it."""


class ClicksOfChannel(Answer, frozen=True, kw_only=True):
    """How often a link was opened in a channel."""

    channel: str
    clicks: int


class AwardEvidence(Answer, frozen=True, kw_only=True):
    """What an award came of, as far as the tables keep it; `referrals explain` reads the topics too."""

    badge_id: str
    badge_name: str
    threshold: int
    """Confirmed registrations at which the badge is earned."""
    confirmed_count: int
    """The count of the milestone that earned it; of a back-fill before that was announced, what was confirmed then."""
    awarded_at: datetime
    is_back_filled: bool
    """Somebody had it awarded to those who had reached it before."""
    milestone: MilestoneEvidence | None
    """Null: none was announced, and it was back-filled by what was confirmed."""
    referral_code: str | None
    """Null: none is known."""
    topic: str
    """Full name of the topic in which the registrations stand."""
    registrations: list[RegistrationCounted]
    """Those confirmed until the milestone was reached, or where there is none until the award was made; by when it
    happened, the latest first, 100 at most."""
    has_more: bool
    """There are older ones."""
    total_clicks: int
    """Of his link, until now: which of them came before is not kept, and none of them belongs to one registration."""
    clicks_by_channel: list[ClicksOfChannel]
    """Of the same, the channels with most first; without those that nobody has come by."""
