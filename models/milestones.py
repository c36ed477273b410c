"""Milestones: the event of a threshold reached, and the record that carries it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from models.events import MilestoneReached, encode_event, in_utc
from models.identifiers import canonical_uuid, milestone_id
from models.outgoing import Headers, Outgoing

if TYPE_CHECKING:
    from models.events import MentorCounts, Registration

CLOUDEVENT_SOURCE: Final = b"referral-streams"


def milestone_reached(mentor: MentorCounts, threshold: int, crossing: Registration) -> MilestoneReached:
    """Return the event: the mentor's confirmed count reached the threshold by this registration."""
    return MilestoneReached(
        milestone_id=milestone_id(mentor.org_id, mentor.mentor_id, threshold),
        org_id=mentor.org_id,
        mentor_id=mentor.mentor_id,
        milestone_threshold=threshold,
        confirmed_count=mentor.confirmed_attributions,
        attribution_id=canonical_uuid(crossing.attribution_id),
        reached_at=in_utc(crossing.occurred_at),
    )


def milestone_record(topic: str, key: bytes, reached: MilestoneReached) -> Outgoing:
    """Return the milestone as a record with CloudEvents headers (binary mode)."""
    headers: Headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", reached.milestone_id.encode()),
        ("ce_type", reached.event_type.encode()),
        ("ce_source", CLOUDEVENT_SOURCE),
        ("ce_time", reached.reached_at.isoformat().encode()),
        ("content-type", b"application/json"),
    ]
    return Outgoing(topic, key, encode_event(reached), headers)
