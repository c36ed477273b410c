"""The oracle's comparisons: expected and found in, differences out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from proof.verify.compare import compare_counts, compare_milestones, compare_moved, compare_unexpected, milestone_id
from proof.verify.fold import Copy, Moved
from proof.verify.postgres import Award, Decision, Definition, awarded_by_count, compare_awards, compare_decisions
from proof.verify.records import ChannelTally, DeadLetter, Milestone, Owner, Tally
from proof.verify.removed import Removed

OWNER = Owner("00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-000000000001")
CODE = "ANNA0000"
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def tally_of(channels: dict[str, int], *, peak: int = 0) -> Tally:
    """Return a tally of clicks by channel."""
    return Tally(
        CODE,
        OWNER,
        clicks=sum(channels.values()),
        peak=peak,
        channels={name: ChannelTally(clicks=clicks) for name, clicks in channels.items()},
        confirmations={("a1", NOON)},
        last_event_at=NOON,
    )


def row_of(channels: dict[str, int]) -> dict[str, Any]:
    """Return a right row with these clicks by channel."""
    return {
        "org_id": OWNER.org_id,
        "mentor_id": OWNER.mentor_id,
        "referral_code": CODE,
        "total_clicks": sum(channels.values()),
        "pending_attributions": 0,
        "confirmed_attributions": 0,
        "conversion_rate": 0.0,
        "by_channel": {name: {"clicks": clicks, "pending": 0, "confirmed": 0} for name, clicks in channels.items()},
        "milestones": [],
        "last_event_at": "2026-11-20T13:00:00+01:00",
    }


def milestone(threshold: int, count: int | None = None) -> Milestone:
    """Return a right milestone."""
    identity = milestone_id(OWNER, threshold)
    place = ("milestones.v1", 0, threshold)
    return Milestone(place, identity, *OWNER, threshold, threshold if count is None else count, "a1", NOON)


TWENTY = {f"channel{number:02}": number + 1 for number in range(20)}
FIRST_16 = dict(list(TWENTY.items())[:16])
REST = sum(TWENTY.values()) - sum(FIRST_16.values())


@pytest.mark.parametrize(
    ("counted", "found", "is_right"),
    [
        ({"sms": 2}, {"sms": 2}, True),
        ({"sms": 2}, {"sms": 1, "email": 1}, False),
        ({"sms": 2}, {"other": 2}, False),
        (TWENTY, FIRST_16 | {"other": REST}, True),
        (TWENTY, FIRST_16 | {"other": REST - 1}, False),
        (TWENTY, FIRST_16 | {"channel00": 2, "other": REST - 1}, False),
        (TWENTY, TWENTY, False),
    ],
    ids=["same", "other channel", "folded too early", "16 and other", "one lost", "one in the wrong one", "too many"],
)
def test_channels_must_sum_and_keep_what_is_theirs(
    counted: dict[str, int], found: dict[str, int], *, is_right: bool
) -> None:
    """Up to 16 channels are exact; past them any 16 keep all of their own, and `other` has the rest."""
    differences = compare_counts(
        "counts", tally_of(counted), row_of(found) | {"total_clicks": sum(counted.values())}, []
    )

    assert (differences == []) is is_right


def test_a_mentor_without_events_needs_no_row() -> None:
    """A missing row is a difference only where there was an event."""
    assert compare_counts("counts", Tally(CODE, OWNER), None, []) == []
    assert len(compare_counts("counts", tally_of({"sms": 1}), None, [])) == 1


def test_a_conversion_rate_is_at_most_one() -> None:
    """More confirmations than clicks are a rate of 1.0."""
    tally = tally_of({"sms": 1})
    tally.confirmed = 3
    tally.channels["sms"].confirmed = 3
    row = row_of({"sms": 1}) | {
        "confirmed_attributions": 3,
        "by_channel": {"sms": {"clicks": 1, "pending": 0, "confirmed": 3}},
    }

    assert compare_counts("counts", tally, row | {"conversion_rate": 1.0}, []) == []
    assert len(compare_counts("counts", tally, row | {"conversion_rate": 3.0}, [])) == 1


def test_several_thresholds_may_be_crossed_at_once() -> None:
    """A confirmed count above the threshold is right up to the peak, and not beyond."""
    tally = tally_of({}, peak=5)

    home = ("milestones.v1", 0)
    assert compare_milestones(tally, [milestone(1, 5), milestone(5)], (1, 5, 10), Removed({}), home) == []
    assert len(compare_milestones(tally, [milestone(1, 6), milestone(5)], (1, 5, 10), Removed({}), home)) == 1


@pytest.mark.parametrize(
    ("copies", "differences"),
    [
        ([Copy(("clicks.v1", 1, 7), b"ANNA0000", b"d")], 0),
        ([], 1),
        ([Copy(("clicks.v1", 1, 7), b"ANNA0000", b"d")] * 2, 1),
        ([Copy(("clicks.v1", 1, 7), b"ANNA0000", b"d"), Copy(("clicks.v1", 1, 8), b"ANNA0000", b"d", again=True)], 0),
        ([Copy(("clicks.v1", 0, 7), b"ANNA0000", b"d")], 1),
        ([Copy(("clicks.v1", 1, 7), b"ANNA0000", b"x")], 1),
    ],
    ids=["right", "none", "two", "moved again", "wrong partition", "other bytes"],
)
def test_a_moved_record_has_one_right_copy(copies: list[Copy], differences: int) -> None:
    """In the code's partition, under its key, with the same value; one that says that it comes again is none."""
    moved = {("clicks.v1", 0, 3): Moved(1, CODE, b"d")}

    assert len(compare_moved(moved, {"clicks.v1/0/3": copies} if copies else {}, Removed({}))) == differences


def test_what_nothing_asks_for_is_a_difference() -> None:
    """A copy of a record that was not to be moved, a dead letter of a good record."""
    assert len(compare_moved({}, {"clicks.v1/0/3": [Copy(("clicks.v1", 1, 7), b"", b"")]}, Removed({}))) == 1
    assert len(compare_unexpected({("clicks.v1", 0, 3): [DeadLetter("BadEvent", 1, b"")]}, Removed({}))) == 1


EVERYBODYS = Definition("badge-1", None, 1)
OWN = Definition("badge-2", OWNER.org_id, 3)
OTHERS = Definition("badge-3", "00000000-0000-4000-8000-00000000000b", 1)


def test_an_award_is_due_by_the_milestones_count() -> None:
    """A definition of the organisation, or of all, is earned by a milestone whose count reaches it."""
    milestones = {OWNER: [milestone(1), milestone(2, 4)]}
    first = Award(*OWNER, "badge-1", milestone_id(OWNER, 1), 1)
    own = Award(*OWNER, "badge-2", milestone_id(OWNER, 2), 4)
    others = Award(*OWNER, "badge-3", milestone_id(OWNER, 1), 1)
    definitions = [EVERYBODYS, OWN, OTHERS]
    peaks = {OWNER: 4}

    assert compare_awards(milestones, definitions, [first, own], peaks) == []
    assert len(compare_awards(milestones, definitions, [first], peaks)) == 1
    assert len(compare_awards(milestones, definitions, [first, own, others], peaks)) == 1
    assert len(compare_awards(milestones, definitions, [first, own, own], peaks)) == 1


def test_a_back_filled_award_goes_by_what_was_confirmed() -> None:
    """It names the milestone that will come, and a count that the mentor had; nobody else's badge, and once."""
    definitions, peaks = [OWN, OTHERS], {OWNER: 4}
    given = Award(*OWNER, "badge-2", milestone_id(OWNER, 3), 4, is_back_filled=True)
    decided = Decision(milestone_id(OWNER, 3), "badge-2", 1, is_held=True)

    assert compare_awards({OWNER: []}, definitions, [given], peaks) == []
    assert compare_awards({OWNER: [milestone(3, 5)]}, definitions, [given], peaks) == []  # it was announced since
    assert len(compare_awards({OWNER: []}, definitions, [given, given], peaks)) == 1
    for wrong in (
        given._replace(is_back_filled=False),
        given._replace(confirmed_count=5),
        given._replace(confirmed_count=2),
        given._replace(milestone_id=milestone_id(OWNER, 1)),
        given._replace(badge_id="badge-3"),
    ):
        assert len(compare_awards({OWNER: []}, definitions, [wrong], peaks)) == 1
    counted = awarded_by_count(definitions, [given], peaks)
    assert compare_decisions({OWNER: []}, definitions, [decided], counted) == []
    assert len(compare_decisions({OWNER: []}, definitions, [decided])) == 1


def test_a_badge_that_is_off_is_awarded_to_nobody_more() -> None:
    """Neither an award nor a decision is missing; those that were made are right if they were earned."""
    milestones, definitions = {OWNER: [milestone(5)]}, [OWN._replace(is_off=True)]
    held = Award(*OWNER, "badge-2", milestone_id(OWNER, 5), 5)

    assert compare_awards(milestones, definitions, [], {OWNER: 5}) == []
    assert compare_awards(milestones, definitions, [held], {OWNER: 5}) == []
    assert len(compare_awards(milestones, definitions, [held._replace(confirmed_count=6)], {OWNER: 5})) == 1
    assert compare_decisions(milestones, definitions, []) == []
    assert len(compare_decisions(milestones, [OWN], [])) == 1


def test_each_milestone_and_badge_has_one_right_decision() -> None:
    """Missing, doubled and wrong decisions are differences, and one to award what is not due."""
    milestones = {OWNER: [milestone(1)]}
    identity = milestone_id(OWNER, 1)
    right = [Decision(identity, "badge-1", 1, is_held=True), Decision(identity, "badge-2", 1, is_held=False)]
    definitions = [EVERYBODYS, OWN, OTHERS]

    assert compare_decisions(milestones, definitions, right) == []
    assert len(compare_decisions(milestones, definitions, right[1:])) == 1
    assert len(compare_decisions(milestones, definitions, [right[0], right[1]._replace(is_held=True)])) == 1
    assert len(compare_decisions(milestones, definitions, [right[0], right[1]._replace(rows=2)])) == 1
    assert len(compare_decisions(milestones, definitions, [*right, Decision("m", "badge-1", 1, is_held=True)])) == 1


@pytest.mark.parametrize("instant", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_without_a_form_in_utc_is_compared_and_said(instant: str) -> None:
    """A producer's clock may say it; it is no difference, and where it is one the oracle says it and goes on."""
    tally, row = tally_of({}), row_of({})
    tally.last_event_at = datetime.fromisoformat(instant)
    (difference,) = compare_counts("counts topic", tally, row, [])
    assert (difference.wanted, "last_event_at" in difference.subject) == (instant, True)
    assert compare_counts("counts topic", tally, row | {"last_event_at": instant}, []) == []
