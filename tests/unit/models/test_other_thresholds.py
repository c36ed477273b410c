"""What other thresholds would bring, and to whom."""

from __future__ import annotations

from models.badges import FIVE_RECRUITS, RECRUITMENT, SEEDED_DEFINITIONS, BadgeDefinition
from models.other_thresholds import Mentor, comes_at, preview

NOW = (1, 5, 10, 25)


def mentor(name: str, confirmed: int, *milestones: int, held: tuple[str, ...] = ()) -> Mentor:
    """Return a mentor whose milestones came with the count that they have."""
    return Mentor(
        mentor_id=name, confirmed=confirmed, milestones=milestones, decided=max(milestones, default=0), held=held
    )


def test_a_new_threshold_comes_with_the_next_confirmation_of_who_is_past_it() -> None:
    """A badge that is defined there goes at once to who has a milestone with as many."""
    mentors = [mentor("two", 2, 1), mentor("four", 4, 1), mentor("six", 6, 1, 5)]
    found = preview(NOW, (1, 3, 5, 10, 25), SEEDED_DEFINITIONS, mentors)
    three = found.thresholds[1]
    assert (three.threshold, three.is_new, three.badges) == (3, True, [])
    assert three.passed == ["four", "six"]
    assert (three.at_once, three.later) == (["six"], ["four"])
    assert not any(each.passed for each in found.thresholds if not each.is_new)


def test_a_badge_whose_threshold_goes_comes_later_or_never() -> None:
    """The five with the next that there is; who is past neither still waits."""
    found = preview(NOW, (1, 3, 10), SEEDED_DEFINITIONS, [mentor("four", 4, 1), mentor("nine", 9, 1, 5)])
    moved = {each.badge.threshold: (each.comes_at_now, each.comes_at_then, each.without) for each in found.moved}
    assert moved == {5: (5, 10, 2), 25: (25, None, 2)}


def test_a_badge_comes_with_the_milestone_of_another_threshold() -> None:
    """Who has four would have the five at his next confirmation either way; who has nine, because of the three."""
    badge = BadgeDefinition(badge_id="b", org_id=None, type=RECRUITMENT, threshold=8, name="Eight")
    found = preview(NOW, (1, 3, 5, 10, 25), [badge], [mentor("eight", 8, 1, 5), mentor("nine", 9, 1, 5)])
    (moved,) = found.moved
    assert (moved.comes_at_now, moved.comes_at_then, moved.next_time) == (10, 10, ["eight"])
    assert comes_at(badge, (1, 5)) is None


def test_what_is_held_and_other_types_are_passed_over() -> None:
    """Nobody gets a badge twice."""
    other = BadgeDefinition(badge_id="o", org_id=None, type="loyalty", threshold=3, name="Years")
    held = mentor("six", 6, 1, held=(FIVE_RECRUITS,))
    found = preview(NOW, (1, 3, 5, 10, 25), [*SEEDED_DEFINITIONS, other], [held])
    assert found.thresholds[1].badges == []
    assert found.moved == []
