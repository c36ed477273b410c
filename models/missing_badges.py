"""Why a mentor does not hold a badge: what the audit says, and what stands between him and it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from models.badges import BadgeDefinition

DECIDED = "decided"
AWAITING_MENTOR = "awaiting_mentor"


class Missing(StrEnum):
    """Why a badge was not awarded."""

    NOT_REACHED = "not_reached"
    SWITCHED_OFF = "switched_off"
    NEXT_CONFIRMATION = "next_confirmation"
    NEVER_ANNOUNCED = "never_announced"
    NOT_READ = "not_read"
    AWAITING_MENTOR = "awaiting_mentor"
    FORGED_ORGANISATION = "forged_organisation"
    DUE = "due"
    CONTRADICTION = "contradiction"


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What is known of a mentor in an organisation."""

    confirmed: int
    pending: int
    announced: Sequence[int]
    """The counts at which milestones are announced, ascending."""
    recorded: Mapping[int, tuple[int, str]]
    """The milestones that the badge consumer has recorded: threshold to confirmed count and state."""
    published: Mapping[int, int]
    """Those in the milestones topic: threshold to confirmed count."""
    is_forged: bool
    """Other organisations know the mentor, this one does not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WhyNot:
    """Why a badge is missing."""

    reason: Missing
    text: str
    """For a person, with the remedy where there is one."""


def why_not(badge: BadgeDefinition, standing: Standing) -> WhyNot:
    """Return why a badge of the mentor's organisation is not his."""
    if badge.is_off:
        text = "it is switched off: nobody is awarded it, and who holds it keeps it"
        return WhyNot(reason=Missing.SWITCHED_OFF, text=text)
    return _not_awarded(badge, standing)


def _not_awarded(badge: BadgeDefinition, standing: Standing) -> WhyNot:
    """Say where a badge is that could be awarded: decided, waiting, not read, or not announced."""
    earning = {at: state for at, (count, state) in standing.recorded.items() if count >= badge.threshold}
    if any(state == DECIDED for state in earning.values()):
        text = "a milestone that earns it was decided, and there is no award; run: referrals verify"
        return WhyNot(reason=Missing.CONTRADICTION, text=text)
    if AWAITING_MENTOR in earning.values():
        if standing.is_forged:
            text = "the milestone names this organisation, and only others have issued the mentor a code"
            return WhyNot(reason=Missing.FORGED_ORGANISATION, text=text)
        text = "no organisation has issued the mentor a code that `referrals counts` has read; it is awarded then"
        return WhyNot(reason=Missing.AWAITING_MENTOR, text=text)
    if earning:
        text = "its milestone is to be compared again, and `referrals badges` has not done it yet; does it run?"
        return WhyNot(reason=Missing.DUE, text=text)
    if any(count >= badge.threshold and at not in standing.recorded for at, count in standing.published.items()):
        text = "its milestone is in the topic, and `referrals badges` has not read it yet; does it run?"
        return WhyNot(reason=Missing.NOT_READ, text=text)
    return _not_announced(badge, standing)


def _not_announced(badge: BadgeDefinition, standing: Standing) -> WhyNot:
    """Say what is missing for the milestone that would bring the badge."""
    reached = {*standing.recorded, *standing.published}
    comes_at = min((at for at in standing.announced if at >= badge.threshold and at not in reached), default=None)
    if comes_at is None:
        thresholds = ",".join(map(str, sorted({*standing.announced, badge.threshold})))
        text = f"no milestone is announced at {badge.threshold:,} or above; set REFERRALS_THRESHOLDS={thresholds}"
        return WhyNot(reason=Missing.NEVER_ANNOUNCED, text=text)
    if standing.confirmed >= comes_at:
        text = (
            f"{standing.confirmed:,} are confirmed, and the milestone at {comes_at:,} was not announced: thresholds "
            "that were added later are announced with the mentor's next confirmation; `referrals badges back-fill` "
            "awards it now"
        )
        return WhyNot(reason=Missing.NEXT_CONFIRMATION, text=text)
    missing = comes_at - standing.confirmed
    registrations = "registration" if comes_at == 1 else "registrations"
    text = f"it comes at {comes_at:,} confirmed {registrations}, and {standing.confirmed:,} are: {missing:,} more"
    if standing.pending:
        text += f"; {standing.pending:,} are pending"
    if comes_at != badge.threshold:
        text += f" (no milestone is announced at {badge.threshold:,})"
    return WhyNot(reason=Missing.NOT_REACHED, text=text)
