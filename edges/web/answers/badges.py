"""Badges as they are made, previewed and awarded."""

from __future__ import annotations

from datetime import datetime

from edges.web.answers.answer import Answer
from edges.web.answers.mentors import Picture


class BadgeListed(Answer, frozen=True, kw_only=True):
    """A badge that an organisation has, whether mentors can earn it or not."""

    badge_id: str
    badge_name: str
    picture: Picture
    is_own: bool
    """The organisation made it; else every organisation has it, and it cannot be changed for one."""
    threshold: int
    """Confirmed registrations at which it is earned."""
    comes_at: int | None
    """The count at which a milestone brings it while it is on; another than the threshold, or null (none does), where
    thresholds were changed since it was made."""
    off_since: datetime | None
    """Since when it is switched off: nobody is awarded it, and who holds it keeps it. Null: it is on."""
    made_by: str | None
    """Who made it; null: it was there from the beginning."""
    made_at: datetime | None
    back_filled_at: datetime | None
    """When somebody last had it awarded to those who had reached it before; null: nobody has."""
    back_filled: int
    """How many it was awarded to by that, all times together."""


class BadgesListed(Answer, frozen=True, kw_only=True):
    """An organisation's badges, its own and everybody's, the lowest threshold first."""

    badges: list[BadgeListed]
    thresholds: list[int]
    """The counts at which milestones are announced, and so badges can be made."""


class BadgeSaved(Answer, frozen=True, kw_only=True):
    """A badge is as it was posted."""

    badge_id: str
    is_new: bool
    """It was made now; else it was there, and has this name and picture now."""


class MentorDue(Answer, frozen=True, kw_only=True):
    """A mentor who has reached a badge and does not hold it."""

    mentor_id: str
    referral_code: str | None
    """Null: no code has been issued to him."""
    display_name: str | None
    """Null: he is known by his pseudonym alone."""
    confirmed_attributions: int
    """As they are counted now: fewer than the badge needs where members have withdrawn since."""


class BadgePreview(Answer, frozen=True, kw_only=True):
    """Who would be awarded a badge at once, by a back-fill."""

    threshold: int
    is_announced: bool
    """Milestones are announced at it; else no badge can be made at it, because nobody could be promised it."""
    due: int
    """How many have reached it, and do not hold the badge."""
    held: int
    """How many hold the badge, of one that is there."""
    mentors: list[MentorDue]
    """The first of those who have reached it, who has most confirmed first."""


class BadgeBackFilled(Answer, frozen=True, kw_only=True):
    """A badge was awarded to those who had reached it."""

    awarded: int
    """To how many, now; 0: everybody who has reached it held it already."""
    at: datetime
    """When it was last done for somebody."""
