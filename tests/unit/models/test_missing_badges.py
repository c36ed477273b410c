"""Why a badge is not a mentor's: what is between him and it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from models.badges import RECRUITMENT, BadgeDefinition
from models.missing_badges import Missing, Standing, why_not

BADGE = BadgeDefinition(badge_id="b", org_id=None, type=RECRUITMENT, threshold=5, name="Five")


def standing(**changed: Any) -> Standing:  # noqa: ANN401  any field
    """Return a mentor with three confirmed and two pending, of whom one milestone is decided."""
    fields: dict[str, Any] = {
        "confirmed": 3,
        "pending": 2,
        "announced": [1, 5, 10],
        "recorded": {1: (1, "decided")},
        "published": {1: 1},
        "is_forged": False,
    }
    return Standing(**fields | changed)


@pytest.mark.parametrize(
    ("known", "reason", "says"),
    [
        (standing(), Missing.NOT_REACHED, "2 more; 2 are pending"),
        (standing(announced=[1, 10]), Missing.NOT_REACHED, "comes at 10"),
        (standing(announced=[1]), Missing.NEVER_ANNOUNCED, "REFERRALS_THRESHOLDS=1,5"),
        (standing(confirmed=7), Missing.NEXT_CONFIRMATION, "next confirmation"),
        (standing(confirmed=5, published={1: 1, 5: 5}), Missing.NOT_READ, "does it run"),
        (standing(confirmed=5, published={1: 1, 3: 5}), Missing.NOT_READ, "does it run"),
        (standing(confirmed=5, recorded={5: (5, "due")}), Missing.DUE, "does it run"),
        (
            standing(confirmed=5, recorded={5: (5, "awaiting_mentor")}),
            Missing.AWAITING_MENTOR,
            "issued the mentor a code",
        ),
        (standing(recorded={5: (5, "awaiting_mentor")}, is_forged=True), Missing.FORGED_ORGANISATION, "only others"),
        (standing(recorded={5: (5, "decided")}), Missing.CONTRADICTION, "referrals verify"),
    ],
)
def test_the_reason_and_the_remedy(known: Standing, reason: Missing, says: str) -> None:
    """Each has its own."""
    found = why_not(BADGE, known)
    assert found.reason is reason
    assert says in found.text


def test_one_that_is_off_is_awarded_to_nobody() -> None:
    """Whatever he has reached, and whatever was decided while it was on."""
    for known in (standing(), standing(confirmed=7), standing(recorded={5: (5, "decided")})):
        assert why_not(replace(BADGE, is_off=True), known).reason is Missing.SWITCHED_OFF
