"""The oracle's comparison of an organisation's sums: rows and sums in, differences out."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from proof.verify.records import Owner
from proof.verify.sums import KeptSums, Sums, compare_sums

ORG = "00000000-0000-4000-8000-00000000000a"
OTHER_ORG = "00000000-0000-4000-8000-00000000000b"

ROWS: list[dict[str, Any]] = [
    {
        "org_id": org_id,
        "total_clicks": clicks,
        "pending_attributions": pending,
        "confirmed_attributions": 1,
        "by_channel": {
            "sms": {"clicks": clicks, "pending": 0, "confirmed": 1},
            "email": {"clicks": 0, "pending": pending, "confirmed": 0},
        },
    }
    for org_id, clicks, pending in ((ORG, 3, 1), (ORG, 4, 0), (OTHER_ORG, 5, 0))
] + [{"org_id": ORG, "total_clicks": 0, "pending_attributions": 0, "confirmed_attributions": 0, "by_channel": {}}]
CODES = [Owner(ORG, "m1"), Owner(ORG, "m2"), Owner(OTHER_ORG, "m3")]
AWARDS = [ORG, ORG, OTHER_ORG]


def right() -> Sums:
    """Return the sums of these rows."""
    return {
        (ORG, "all"): (7, 1, 2, 2),
        (ORG, "days"): (7, 1, 2),
        (ORG, "channel sms"): (7, 0, 2),
        (ORG, "channel email"): (0, 1, 0),
        (ORG, "mentors"): (2,),
        (ORG, "milestones"): (4,),
        (ORG, "awards"): (2,),
        (OTHER_ORG, "all"): (5, 0, 1, 1),
        (OTHER_ORG, "days"): (5, 0, 1),
        (OTHER_ORG, "channel sms"): (5, 0, 1),
        (OTHER_ORG, "mentors"): (1,),
        (OTHER_ORG, "awards"): (1,),
    }


def differing(sums: Sums) -> list[str]:
    """Return what differs, without the organisation."""
    differences, _ = compare_sums(KeptSums(sums, Counter({ORG: 4})), ROWS, CODES, AWARDS)
    return [difference.subject.split(" ", 2)[2] for difference in differences]


def test_right_sums_do_not_differ() -> None:
    """Every sum is compared; one of nothing needs no row, and may have one."""
    assert differing(right()) == []
    assert differing(right() | {(OTHER_ORG, "channel email"): (0, 0, 0)}) == []
    assert compare_sums(KeptSums(right(), Counter({ORG: 4})), ROWS, CODES, AWARDS)[1] == 13


@pytest.mark.parametrize("key", right())
def test_each_sum_is_looked_at(key: tuple[str, str]) -> None:
    """One that is lost differs, and one in which any number is off by one."""
    lost = right()
    del lost[key]
    assert differing(lost) == [key[1]]
    for at in range(len(right()[key])):
        wrong = right()
        wrong[key] = tuple(number + (place == at) for place, number in enumerate(wrong[key]))
        assert differing(wrong) == [key[1]]


def test_sums_of_nothing_that_is_there_differ() -> None:
    """A channel that no row has, an organisation without rows."""
    assert differing(right() | {(ORG, "channel fax"): (1, 0, 0)}) == ["channel fax"]
    assert differing(right() | {("nobody", "all"): (1, 0, 0, 1)}) == ["all"]
