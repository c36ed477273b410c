"""An award explained: the milestone that brought it, the registration that crossed, and those that counted before it.

As `referrals explain` tells it, but from what the tables keep, because topics are not read for a page. So it says where
the registration stands in its topic, and not what else stands there. Clicks are told by channel as they are now: a
click names a code and nobody, so none belongs to one registration, and how many had come by then would be another
number wherever clicks and registrations were read in another order. Of a member nothing is told but when he was
confirmed, and by which channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from edges.web.answers.evidence import AwardEvidence, ClicksOfChannel, MilestoneEvidence, RegistrationCounted
from edges.web.queries import statement
from models.erasures import pseudonym
from models.events import in_utc
from models.topics import REGISTRATIONS

if TYPE_CHECKING:
    from edges.web.database import Database

REGISTRATIONS_MAX: Final = 100
"""Registrations that are told; the latest."""


async def award_evidence(
    database: Database, topic_prefix: str, org_id: str, mentor_id: str, badge_id: str
) -> AwardEvidence | None:
    """Return what an award came of; None where the mentor does not hold the badge."""
    values = {"org_id": org_id, "mentor_id": mentor_id, "badge_id": badge_id}
    rows = await database.rows(org_id, statement("award_explained"), values)
    if not rows:
        return None
    ((name, threshold, confirmed, awarded_at, back_filled, reached, *milestone, code, clicks, by_channel),) = rows
    milestone_id, attribution_id, reached_at, recorded_at = milestone
    found: list[tuple[Any, ...]] = []
    if code is not None:
        until = {"code": code, "until": reached_at or awarded_at, "limit": REGISTRATIONS_MAX + 1}
        found = await database.rows(org_id, statement("confirmed_until"), values | until)
    crossed_by = None if code is None or reached is None else str(UUID(bytes=pseudonym(code, attribution_id)))
    return AwardEvidence(
        badge_id=badge_id,
        badge_name=name,
        threshold=threshold,
        confirmed_count=confirmed,
        awarded_at=in_utc(awarded_at),
        is_back_filled=back_filled,
        milestone=None
        if reached is None
        else MilestoneEvidence(
            milestone_id=milestone_id,
            threshold=reached,
            reached_at=in_utc(reached_at),
            recorded_at=in_utc(recorded_at),
        ),
        referral_code=code,
        topic=REGISTRATIONS.full_name(topic_prefix),
        registrations=[_counted(row, crossed_by) for row in found[:REGISTRATIONS_MAX]],
        has_more=len(found) > REGISTRATIONS_MAX,
        total_clicks=clicks,
        clicks_by_channel=sorted(
            (
                ClicksOfChannel(channel=channel, clicks=counts["clicks"])
                for channel, counts in (by_channel or {}).items()
                if counts.get("clicks")
            ),
            key=lambda each: (-each.clicks, each.channel),
        ),
    )


def _counted(row: tuple[Any, ...], crossed_by: str | None) -> RegistrationCounted:
    registered_at, confirmed_at, withdrawn_at, channel, partition, offset, by = row
    return RegistrationCounted(
        registered_at=in_utc(registered_at),
        confirmed_at=in_utc(confirmed_at),
        withdrawn_at=withdrawn_at and in_utc(withdrawn_at),
        channel=channel,
        partition=partition,
        offset=offset,
        crossed=crossed_by is not None and by == crossed_by,
    )
