"""The pure decision: which badges a milestone earns, and why not the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.badges import (
    FIRST_RECRUIT,
    FIVE_RECRUITS,
    SEEDED_DEFINITIONS,
    BadgeDefinition,
    Facts,
    Reason,
    decide,
    decide_all,
    decode_milestone,
    missing_definitions,
    never_announced,
    read_badge_name,
)
from models.errors import BadEvent
from models.events import MilestoneReached, encode_event
from tests.milestones import MENTOR, ORG, OTHER_ORG, definition, milestone


def reasons(
    reached: MilestoneReached,
    *definitions: BadgeDefinition,
    held: tuple[str, ...] = (),
    organisations: tuple[str, ...] = (ORG,),
) -> list[Reason]:
    """Decide and return the reasons in the order of the definitions."""
    return [d.reason for d in decide(reached, organisations=organisations, definitions=definitions, held=held)]


@pytest.mark.parametrize(("count", "expected"), [(4, Reason.BELOW_THRESHOLD), (5, Reason.AWARDED), (6, Reason.AWARDED)])
def test_count_is_compared_with_threshold(count: int, expected: Reason) -> None:
    """One below is not enough, the threshold is, and so is more."""
    assert reasons(milestone(1, count=count), definition(5)) == [expected]


def test_several_thresholds_at_once() -> None:
    """A count that jumps past several thresholds earns every badge that it meets, and no other."""
    assert reasons(milestone(10, count=12), *SEEDED_DEFINITIONS) == [
        Reason.AWARDED,
        Reason.AWARDED,
        Reason.AWARDED,
        Reason.BELOW_THRESHOLD,
    ]


def test_held_badge_is_not_awarded_again() -> None:
    """What the mentor holds stays as it is; what is met besides is awarded."""
    assert reasons(milestone(5), *SEEDED_DEFINITIONS[:2], held=(FIRST_RECRUIT,)) == [
        Reason.ALREADY_HELD,
        Reason.AWARDED,
    ]


def test_below_threshold_goes_before_held() -> None:
    """A badge held from before counts fell, or thresholds rose, is not told as earned by this milestone."""
    assert reasons(milestone(1), SEEDED_DEFINITIONS[1], held=(FIVE_RECRUITS,)) == [Reason.BELOW_THRESHOLD]


def test_no_definitions() -> None:
    """Without any definition nothing is awarded and one decision about the whole milestone says so."""
    (decision,) = decide(milestone(), organisations=[ORG], definitions=[], held=[])
    assert (decision.reason, decision.badge_id) == (Reason.NO_DEFINITIONS, None)


def test_only_recruitment_badges_of_the_organisation_apply() -> None:
    """Definitions of other types and other organisations are passed over."""
    mine = definition(1, org_id=ORG)
    others = [definition(1, kind="attendance"), definition(1, org_id=OTHER_ORG)]
    decisions = decide(milestone(), organisations=[ORG], definitions=[*others, mine], held=[])
    assert [d.badge_id for d in decisions] == [mine.badge_id]


@pytest.mark.parametrize(
    ("organisations", "expected"),
    [((), Reason.UNKNOWN_MENTOR), ((OTHER_ORG,), Reason.FORGED_ORGANISATION), ((OTHER_ORG, ORG), Reason.AWARDED)],
)
def test_mentor_must_belong_to_the_organisation(organisations: tuple[str, ...], expected: Reason) -> None:
    """Unknown waits, known elsewhere only is forged, known here is compared."""
    assert reasons(milestone(), definition(1), organisations=organisations) == [expected]


def test_batch_awards_a_badge_once() -> None:
    """Two milestones of a mentor in one batch: the second finds held what the first was awarded."""
    facts = Facts(organisations={MENTOR: {ORG}}, definitions=SEEDED_DEFINITIONS[:1], held=set())
    decisions = decide_all([milestone(1), milestone(5)], facts)
    assert [d.reason for d in decisions] == [Reason.AWARDED, Reason.ALREADY_HELD]


def test_badge_held_in_another_organisation_is_another_badge() -> None:
    """Awards belong to the mentor in his organisation."""
    held = {(OTHER_ORG, MENTOR, FIRST_RECRUIT)}
    facts = Facts(organisations={MENTOR: {ORG}}, definitions=SEEDED_DEFINITIONS[:1], held=held)
    assert [d.reason for d in decide_all([milestone(1)], facts)] == [Reason.AWARDED]


def test_missing_definitions_are_named() -> None:
    """A seeded definition counts by its stable id; a badge of the same threshold does not stand in."""
    present = [definition(1), *SEEDED_DEFINITIONS[1:]]
    assert missing_definitions(present) == [SEEDED_DEFINITIONS[0]]


def test_identifiers_are_compared_in_one_form() -> None:
    """A milestone whose identifiers are in upper case is that of the same mentor."""
    value = encode_event(milestone()).replace(MENTOR.encode(), MENTOR.upper().encode())
    assert decode_milestone(value).mentor_id == MENTOR


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{",
        b"[]",
        b"\xff",
        encode_event(milestone()).replace(b'"milestone_threshold":1', b'"milestone_threshold":"1"'),
        encode_event(milestone()).replace(b'"milestone_threshold":1', b'"milestone_threshold":0'),
        encode_event(milestone()).replace(b"recruitment_milestone_reached", b"something_else"),
        encode_event(milestone()).replace(MENTOR.encode(), b"not-a-uuid"),
    ],
)
def test_unusable_values_are_refused(value: bytes | None) -> None:
    """What is not a milestone is a BadEvent that names the kind of event."""
    with pytest.raises(BadEvent, match="MilestoneReached"):
        decode_milestone(value)


def test_a_badge_that_is_off_is_passed_over() -> None:
    """Nothing is decided about it; where there is no other, the organisation has none to earn."""
    on, off = definition(1), replace(definition(1), is_off=True)
    found = decide(milestone(1), organisations=[ORG], definitions=[on, off], held=())
    assert [decision.badge_id for decision in found] == [on.badge_id]
    (alone,) = decide(milestone(1), organisations=[ORG], definitions=[off], held=())
    assert (alone.badge_id, alone.reason) == (None, Reason.NO_DEFINITIONS)
    assert never_announced([replace(definition(3), is_off=True)], [1, 5]) == []


@pytest.mark.parametrize(
    ("text", "kept", "fault"),
    [
        ("  Lag  spiller ", "Lag spiller", ""),
        ("x" * 60, "x" * 60, ""),
        ("x" * 61, "", "longer than 60"),
        ("   ", "", "empty"),
        ("a\u202eb", "", "direction"),
        ("a\nb", "", "control"),
    ],
)
def test_a_badges_name_is_a_line_of_text(text: str, kept: str, fault: str) -> None:
    """As a mentor's name, and shorter."""
    name = read_badge_name(text)
    assert name.text == kept
    assert fault in name.fault
    assert bool(fault) is bool(name.fault)
