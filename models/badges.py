"""Which badges a milestone earns: a pure decision with a reason for each badge.

A milestone's confirmed count is compared with every recruitment definition of its organisation and with those
that every organisation has. What is met and not held is awarded. Before that, the mentor must belong to the
organisation that the milestone names: otherwise anybody who can write to the topic could award badges across
organisations.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from models.events import MilestoneReached, decode_event
from models.identifiers import canonical_uuid
from models.names import Name, read_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

RECRUITMENT: Final = "recruitment"
"""The type of the badge definitions that milestones are compared with."""

FIRST_RECRUIT: Final = "5a1e6b10-0001-5c4e-9f00-7265637275ad"
FIVE_RECRUITS: Final = "5a1e6b10-0005-5c4e-9f00-7265637275ad"
TEN_RECRUITS: Final = "5a1e6b10-000a-5c4e-9f00-7265637275ad"
TWENTY_FIVE_RECRUITS: Final = "5a1e6b10-0019-5c4e-9f00-7265637275ad"


PICTURES: Final = ("medal", "star", "trophy", "rocket", "heart", "sprout", "mountain", "crown")
"""What a badge can look like: symbols that the pages have. Nothing is uploaded, so nothing has to be trusted."""

NAME_LENGTH_MAX: Final = 60
"""Characters of a badge's name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BadgeDefinition:
    """What must be reached for a badge."""

    badge_id: str
    org_id: str | None
    """The organisation that has this badge; None: every organisation."""
    type: str
    """`recruitment` is compared with confirmed registrations; other types are not ours."""
    threshold: int
    """Confirmed registrations at which it is earned."""
    name: str
    picture: str = PICTURES[0]
    is_off: bool = False
    """It is awarded to nobody any more; who holds it keeps it."""


def read_badge_name(text: str) -> Name:
    """Return a badge's name as it is kept, or what is wrong with it: a line that others read, as a mentor's name is."""
    name = read_name(text)
    if not name.fault and len(name.text) > NAME_LENGTH_MAX:
        return Name("", f"is longer than {NAME_LENGTH_MAX} characters")
    return name if name.text or name.fault else Name("", "is empty")


SEEDED_DEFINITIONS: Final = (
    BadgeDefinition(badge_id=FIRST_RECRUIT, org_id=None, type=RECRUITMENT, threshold=1, name="First recruit"),
    BadgeDefinition(badge_id=FIVE_RECRUITS, org_id=None, type=RECRUITMENT, threshold=5, name="Five recruits"),
    BadgeDefinition(badge_id=TEN_RECRUITS, org_id=None, type=RECRUITMENT, threshold=10, name="Ten recruits"),
    BadgeDefinition(
        badge_id=TWENTY_FIVE_RECRUITS, org_id=None, type=RECRUITMENT, threshold=25, name="Twenty-five recruits"
    ),
)
"""The definitions that a migration puts into the database; a test compares the two."""


class Reason(StrEnum):
    """Why a decision was taken as it was; the text stands in `badge_decisions.reason`."""

    AWARDED = "awarded"
    ALREADY_HELD = "already_held"
    BELOW_THRESHOLD = "below_threshold"
    NO_DEFINITIONS = "no_definitions"
    """The organisation has no recruitment badge that can be earned; decided again when one is defined."""
    UNKNOWN_MENTOR = "unknown_mentor"
    """No organisation knows the mentor yet; decided again when the code registry names him."""
    FORGED_ORGANISATION = "forged_organisation"
    """Other organisations know the mentor, this one does not; decided again should it ever issue him a code."""


AWAITING_MENTOR: Final = frozenset({Reason.UNKNOWN_MENTOR, Reason.FORGED_ORGANISATION})
"""Decisions that the arrival of the mentor's code in the milestone's organisation puts up again."""


class Decision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was decided for a milestone and a badge."""

    milestone: MilestoneReached
    badge_id: str | None
    """None: the decision is about the milestone as a whole, before any badge was looked at."""
    reason: Reason


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What the decisions about a batch of milestones rest on."""

    organisations: Mapping[str, Collection[str]]
    """Mentor id to the ids of the organisations that know him; a mentor nobody knows may be left out."""
    definitions: Sequence[BadgeDefinition]
    held: Collection[tuple[str, str, str]]
    """Awards there are: organisation, mentor, badge."""


def decode_milestone(value: bytes | None) -> MilestoneReached:
    """Return the milestone that a record's value is, its identifiers in the one form that we compare and store.

    Raises:
        BadEvent: the text names the field and the fault.

    """
    milestone = decode_event(MilestoneReached, value)
    return msgspec.structs.replace(
        milestone,
        milestone_id=canonical_uuid(milestone.milestone_id),
        org_id=canonical_uuid(milestone.org_id),
        mentor_id=canonical_uuid(milestone.mentor_id),
        attribution_id=canonical_uuid(milestone.attribution_id),
    )


def decide(
    milestone: MilestoneReached,
    *,
    organisations: Collection[str],
    definitions: Iterable[BadgeDefinition],
    held: Collection[str],
) -> list[Decision]:
    """Decide a milestone: one decision for each recruitment badge of its organisation, or one for the whole.

    Args:
        milestone: the milestone, its identifiers canonical.
        organisations: the organisations that know the mentor.
        definitions: badge definitions of any organisation and type; those that do not apply, or are switched off, are
            passed over.
        held: the ids of the badges that the mentor holds in the organisation.

    """
    if milestone.org_id not in organisations:
        reason = Reason.FORGED_ORGANISATION if organisations else Reason.UNKNOWN_MENTOR
        return [Decision(milestone=milestone, badge_id=None, reason=reason)]
    applicable = [
        definition
        for definition in definitions
        if definition.type == RECRUITMENT and not definition.is_off and definition.org_id in {None, milestone.org_id}
    ]
    if not applicable:
        return [Decision(milestone=milestone, badge_id=None, reason=Reason.NO_DEFINITIONS)]
    return [
        Decision(milestone=milestone, badge_id=definition.badge_id, reason=_compare(milestone, definition, held))
        for definition in applicable
    ]


def decide_all(milestones: Iterable[MilestoneReached], facts: Facts) -> list[Decision]:
    """Decide a batch in its order; what one milestone is awarded, the next of the mentor finds held."""
    held: dict[tuple[str, str], set[str]] = {}
    for org_id, mentor_id, badge_id in facts.held:
        held.setdefault((org_id, mentor_id), set()).add(badge_id)
    decisions: list[Decision] = []
    for milestone in milestones:
        badges = held.setdefault((milestone.org_id, milestone.mentor_id), set())
        taken = decide(
            milestone,
            organisations=facts.organisations.get(milestone.mentor_id, ()),
            definitions=facts.definitions,
            held=badges,
        )
        badges.update(d.badge_id for d in taken if d.reason is Reason.AWARDED and d.badge_id is not None)
        decisions += taken
    return decisions


def never_announced(definitions: Iterable[BadgeDefinition], thresholds: Sequence[int]) -> list[BadgeDefinition]:
    """Return the recruitment badges at counts at which no milestone is announced: they come late, or never."""
    return [
        each
        for each in definitions
        if each.type == RECRUITMENT and not each.is_off and each.threshold not in thresholds
    ]


def missing_definitions(definitions: Iterable[BadgeDefinition]) -> list[BadgeDefinition]:
    """Return the seeded definitions that are not among those given, by their stable ids."""
    present = {definition.badge_id for definition in definitions}
    return [definition for definition in SEEDED_DEFINITIONS if definition.badge_id not in present]


def _compare(milestone: MilestoneReached, definition: BadgeDefinition, held: Collection[str]) -> Reason:
    if milestone.confirmed_count < definition.threshold:
        return Reason.BELOW_THRESHOLD
    return Reason.ALREADY_HELD if definition.badge_id in held else Reason.AWARDED
