"""What is told of one mentor: his counts, his code and next badge, his milestones and awards.

Whether the organisation knows him is told along; the routes decide what that means to whom. Never a member's id, and
never a single event.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from edges.web.answers.mentors import (
    AttributionCounts,
    Award,
    BadgeDecision,
    Happened,
    Milestone,
    NextBadge,
    Rank,
    Standing,
)
from edges.web.answers.organisation import Channel
from edges.web.queries import statement
from models.events import in_utc

if TYPE_CHECKING:
    from edges.web.database import Database

HISTORY_MAX: Final = 200
"""Entries of a mentor's history that are told."""
LONG_DAYS: Final = 30
"""A registration that is pending for longer is one to ask about."""


class Told(NamedTuple):
    """A mentor's counts, and whether the organisation knows him."""

    is_known: bool
    counts: AttributionCounts
    """Zeros where there is nothing."""


class Profile(NamedTuple):
    """A mentor's code, the badge that he earns next, and what he is called."""

    is_known: bool
    referral_code: str | None
    link_disabled_at: datetime | None
    next_badge: NextBadge | None
    display_name: str | None
    group: str | None


def conversion_rate(clicks: int, confirmed: int) -> float:
    """Return confirmed by clicks: 0.0 without clicks, at most 1.0."""
    return min(confirmed / clicks, 1.0) if clicks > 0 else 0.0


async def attribution_counts(database: Database, org_id: str, mentor_id: str, channel: str | None = None) -> Told:
    """Return a mentor's counts, in one channel (named as it is stored) if one is given."""
    name = "attribution_counts" if channel is None else "attribution_counts_of_channel"
    values = {"org_id": org_id, "mentor_id": mentor_id, "channel": channel}
    ((is_known, clicks, pending, confirmed, counted_at),) = await database.rows(org_id, statement(name), values)
    clicks, pending, confirmed = clicks or 0, pending or 0, confirmed or 0
    counts = AttributionCounts(
        org_id=org_id,
        mentor_id=mentor_id,
        channel=channel,
        total_clicks=clicks,
        pending_attributions=pending,
        confirmed_attributions=confirmed,
        conversion_rate=conversion_rate(clicks, confirmed),
        updated_at=counted_at and in_utc(counted_at),
    )
    return Told(is_known, counts)


async def profile(database: Database, org_id: str, mentor_id: str) -> Profile:
    """Return a mentor's code, next badge and name."""
    values = {"org_id": org_id, "mentor_id": mentor_id}
    rows = await database.rows(org_id, statement("mentor"), values)
    ((is_known, code, disabled_at, confirmed, badge_name, picture, threshold, name, group),) = rows
    badge = None
    if badge_name is not None:
        badge = NextBadge(name=badge_name, picture=picture, threshold=threshold, remaining=threshold - confirmed)
    return Profile(is_known, code, disabled_at and in_utc(disabled_at), badge, name, group)


async def standing(database: Database, org_id: str, mentor_id: str) -> Standing | None:
    """Return where a mentor stands, why he has his badges, and what happened; None where he is not known."""
    values = {"org_id": org_id, "mentor_id": mentor_id, "limit": HISTORY_MAX}
    (row,) = await database.rows(org_id, statement("standing"), values)
    is_known, clicks, pending, confirmed, by_channel, active_on, pending_days, above, beside, everybody = row
    if not is_known:
        return None
    decisions = await database.rows(org_id, statement("decisions"), values)
    history = await database.rows(org_id, statement("history"), values)
    until = datetime.now(UTC).date() - timedelta(days=LONG_DAYS)
    channels = [
        Channel(channel=name, clicks=each["clicks"], pending=each["pending"], confirmed=each["confirmed"])
        for name, each in (by_channel or {}).items()
    ]
    return Standing(
        org_id=org_id,
        mentor_id=mentor_id,
        rank=None
        if by_channel is None
        else Rank(rank=1 + (above or 0), shared_with=max((beside or 1) - 1, 0), mentors=everybody or 1),
        last_active_on=active_on,
        total_clicks=clicks,
        pending_attributions=pending,
        pending_since=pending_days[0] if pending_days else None,
        pending_for_long=sum(day <= until for day in pending_days or ()),
        confirmed_attributions=confirmed,
        channels=sorted(channels, key=lambda each: (-each.clicks, each.channel)),
        decisions=[
            BadgeDecision(
                threshold=threshold,
                badge_name=name,
                reason=reason,
                confirmed_count=count,
                reached_at=reached_at and in_utc(reached_at),
                decided_at=in_utc(decided_at),
            )
            for threshold, _, name, reason, count, decided_at, reached_at in decisions
        ],
        history=[
            Happened(
                kind=kind,
                day=day,
                at=at and in_utc(at),
                threshold=threshold,
                badge_name=name,
                pending=pending_more,
                confirmed=confirmed_more,
            )
            for kind, day, at, threshold, name, pending_more, confirmed_more in history
        ],
    )


async def milestones_of(database: Database, org_id: str, mentor_id: str) -> list[Milestone] | None:
    """Return a mentor's milestones by threshold; None where he is not known."""
    rows = await database.rows(org_id, statement("milestones_of_mentor"), {"org_id": org_id, "mentor_id": mentor_id})
    milestones = [
        Milestone(
            mentor_id=mentor_id,
            threshold=threshold,
            confirmed_count=confirmed,
            reached_at=in_utc(reached_at),
            recorded_at=in_utc(recorded_at),
        )
        for threshold, confirmed, reached_at, recorded_at in rows
        if threshold is not None
    ]
    return milestones if rows else None


async def awards_of(database: Database, org_id: str, mentor_id: str) -> list[Award] | None:
    """Return a mentor's badges by threshold; None where he is not known."""
    rows = await database.rows(org_id, statement("awards_of_mentor"), {"org_id": org_id, "mentor_id": mentor_id})
    awards = [
        Award(
            mentor_id=mentor_id,
            badge_id=badge_id,
            badge_name=name,
            picture=picture,
            confirmed_count=confirmed,
            awarded_at=in_utc(awarded_at),
        )
        for badge_id, name, picture, confirmed, awarded_at in rows
        if badge_id is not None
    ]
    return awards if rows else None
