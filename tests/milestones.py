"""Milestones and their kin for tests: valid ones, of which a test states only what matters to it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from models.badges import RECRUITMENT, BadgeDefinition
from models.events import ChannelCounts, CodeIssued, MentorCounts, MilestoneReached
from models.identifiers import milestone_id

INSTANT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ORG = "0a000000-0000-4000-8000-000000000001"
OTHER_ORG = "0a000000-0000-4000-8000-000000000002"
MENTOR = "0b000000-0000-4000-8000-000000000001"


def new_id() -> str:
    """Return an id that nothing else has."""
    return str(uuid.uuid4())


def milestone(
    threshold: int = 1, *, count: int | None = None, org_id: str = ORG, mentor_id: str = MENTOR
) -> MilestoneReached:
    """Return a milestone; its confirmed count is the threshold unless given."""
    return MilestoneReached(
        milestone_id=milestone_id(org_id, mentor_id, threshold),
        org_id=org_id,
        mentor_id=mentor_id,
        milestone_threshold=threshold,
        confirmed_count=threshold if count is None else count,
        attribution_id=new_id(),
        reached_at=INSTANT,
    )


def definition(threshold: int, *, org_id: str | None = None, kind: str = RECRUITMENT) -> BadgeDefinition:
    """Return a badge definition."""
    return BadgeDefinition(
        badge_id=new_id(), org_id=org_id, type=kind, threshold=threshold, name=f"{threshold} recruits"
    )


def code_issued(code: str = "ABCDEFGH12", *, org_id: str = ORG, mentor_id: str = MENTOR) -> CodeIssued:
    """Return an issued code."""
    return CodeIssued(referral_code=code, org_id=org_id, mentor_id=mentor_id, issued_at=INSTANT)


def counts(confirmed: int = 0, *, org_id: str = ORG, mentor_id: str = MENTOR) -> MentorCounts:
    """Return a mentor's counts, all in one channel."""
    return MentorCounts(
        org_id=org_id,
        mentor_id=mentor_id,
        referral_code="ABCDEFGH12",
        total_clicks=4,
        confirmed_attributions=confirmed,
        conversion_rate=min(confirmed / 4, 1.0),
        by_channel={"sms": ChannelCounts(clicks=4, confirmed=confirmed)},
        milestones=[t for t in (1, 5, 10, 25) if t <= confirmed],
        last_event_at=INSTANT,
    )
