"""What other thresholds would bring, to whom, before they are set: rules 2 and 7 of the contract, looked at ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.badges import RECRUITMENT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from models.badges import BadgeDefinition


@dataclass(frozen=True, kw_only=True, slots=True)
class Mentor:
    """What a mentor has now."""

    mentor_id: str
    confirmed: int
    milestones: Collection[int]
    """Thresholds that were announced."""
    decided: int
    """The largest confirmed count of his milestones that can be compared with a new badge; 0: he has none."""
    held: Collection[str]
    """The badges that he holds, by id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Threshold:
    """What one of the other thresholds would bring."""

    threshold: int
    is_new: bool
    passed: list[str]
    """Mentors who are past it and of whom it was not announced: it is, with each one's next confirmation."""
    badges: list[BadgeDefinition]
    """The badges that are defined at it."""
    at_once: list[str]
    """Mentors who would have a badge at once that somebody defined at it; by milestones that are recorded."""
    later: list[str]
    """Those who would have it with their next confirmation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """A badge that would come at another count."""

    badge: BadgeDefinition
    comes_at_now: int | None
    """None: never."""
    comes_at_then: int | None
    next_time: list[str]
    """Mentors who would have it with their next confirmation, and would not as it is."""
    without: int
    """Mentors with a confirmed member who do not hold it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What other thresholds would bring in an organisation."""

    thresholds: list[Threshold]
    moved: list[Moved]


def preview(
    now: Sequence[int], then: Sequence[int], definitions: Iterable[BadgeDefinition], mentors: Iterable[Mentor]
) -> Preview:
    """Return what thresholds would bring in place of those that there are.

    Args:
        now: the thresholds that there are, ascending.
        then: those that there would be, ascending.
        definitions: the badges of the organisation and everybody's; other types and those that are off are passed over.
        mentors: the organisation's, each with at least one confirmed member.

    """
    badges = [each for each in definitions if each.type == RECRUITMENT and not each.is_off]
    known = list(mentors)
    thresholds = []
    for at in then:
        passed = [each for each in known if each.confirmed >= at and at not in each.milestones]
        thresholds.append(
            Threshold(
                threshold=at,
                is_new=at not in now,
                passed=[each.mentor_id for each in passed],
                badges=[badge for badge in badges if badge.threshold == at],
                at_once=[each.mentor_id for each in known if each.decided >= at],
                later=[each.mentor_id for each in passed if each.decided < at],
            )
        )
    moved = [_moved(badge, now, then, known) for badge in badges]
    return Preview(
        thresholds=thresholds,
        moved=[each for each in moved if each.comes_at_now != each.comes_at_then or each.next_time],
    )


def _moved(badge: BadgeDefinition, now: Sequence[int], then: Sequence[int], mentors: Sequence[Mentor]) -> Moved:
    without = [each for each in mentors if badge.badge_id not in each.held]
    return Moved(
        badge=badge,
        comes_at_now=comes_at(badge, now),
        comes_at_then=comes_at(badge, then),
        next_time=[
            each.mentor_id for each in without if _comes_next(badge, then, each) and not _comes_next(badge, now, each)
        ],
        without=len(without),
    )


def comes_at(badge: BadgeDefinition, thresholds: Sequence[int]) -> int | None:
    """Return the count at which a milestone brings a badge; None: none does."""
    return next((at for at in thresholds if at >= badge.threshold), None)


def _comes_next(badge: BadgeDefinition, thresholds: Sequence[int], mentor: Mentor) -> bool:
    """Tell whether a mentor's next confirmation announces a milestone that brings the badge."""
    count = mentor.confirmed + 1
    return count >= badge.threshold and any(at <= count and at not in mentor.milestones for at in thresholds)
