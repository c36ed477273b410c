"""What the badge logic needs of a store, and a store in memory.

Two stores are kept to one suite of tests: `sinks.postgres_badges.PostgresBadgeRepository`, and
`MemoryBadgeRepository` here.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from models.badges import AWAITING_MENTOR, SEEDED_DEFINITIONS, BadgeDefinition, Decision, Facts, Reason
from models.events import MilestoneReached
from sinks.positions import Position
from sinks.store import Store, Transaction

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from sinks.positions import Place, Positions, Start

MilestoneKey = tuple[str, str, int]
"""A milestone is its organisation, mentor and threshold; the milestone id derives from them."""

Award = tuple[str, str, str]
"""Organisation, mentor, badge."""

_FINAL = frozenset({Reason.AWARDED, Reason.ALREADY_HELD})


class BadgeTransaction(Transaction, Protocol):
    """What the badge logic reads and writes together."""

    def record(self, milestones: Sequence[MilestoneReached]) -> list[MilestoneReached]:
        """Keep the milestones and return those that had not been kept before, in the order given."""

    def claim(self, limit: int) -> list[MilestoneReached]:
        """Return recorded milestones to be decided again: their mentor has come, or a definition has."""

    def facts(self, milestones: Sequence[MilestoneReached]) -> Facts:
        """Return what the decisions about these milestones rest on."""

    def save(self, decisions: Sequence[Decision]) -> Collection[Award]:
        """Keep the decisions, insert the awards among them that there are not yet, and return these."""

    def add_mentor(self, org_id: str, mentor_id: str) -> None:
        """Make a mentor known; only in a trial, it is not the badge consumer that knows mentors."""


class BadgeRepository(Store[BadgeTransaction], Protocol):
    """A store of milestones, definitions, decisions and awards."""

    def announce(self, thresholds: Sequence[int]) -> None:
        """Note at which counts milestones are announced, and so badges can be defined."""

    def definitions(self) -> Sequence[BadgeDefinition]:
        """Return all badge definitions."""

    def has_news(self) -> bool:
        """Tell whether mentors or definitions may have come since this was asked last."""


@dataclass
class MemoryState:
    """What a repository in memory holds; nothing in it is ever changed, but what it holds."""

    definitions: list[BadgeDefinition]
    mentors: set[tuple[str, str]] = field(default_factory=set)
    milestones: dict[MilestoneKey, MilestoneReached] = field(default_factory=dict)
    awaiting: set[MilestoneKey] = field(default_factory=set)
    due: set[MilestoneKey] = field(default_factory=set)
    decisions: dict[tuple[MilestoneKey, str | None], Reason] = field(default_factory=dict)
    awards: dict[Award, MilestoneReached] = field(default_factory=dict)
    positions: dict[Place, int] = field(default_factory=dict)

    def copy(self) -> MemoryState:
        """Return a copy to be changed."""
        return MemoryState(
            list(self.definitions),
            set(self.mentors),
            dict(self.milestones),
            set(self.awaiting),
            set(self.due),
            dict(self.decisions),
            dict(self.awards),
            dict(self.positions),
        )


class MemoryBadgeRepository:
    """Keeps everything in memory, for one thread; a transaction that fails leaves nothing behind."""

    def __init__(self, definitions: Sequence[BadgeDefinition] = SEEDED_DEFINITIONS) -> None:
        self._state = MemoryState(definitions=list(definitions))
        self._has_news = True

    def define(self, definition: BadgeDefinition) -> None:
        """Add a badge definition."""
        self._state.definitions.append(definition)
        self._state.due |= self._state.milestones.keys() - self._state.awaiting
        self._has_news = True

    def add_mentor(self, org_id: str, mentor_id: str) -> None:
        """Make a mentor known in an organisation."""
        self._state.mentors.add((org_id, mentor_id))
        self._has_news = True

    def awards(self) -> dict[Award, MilestoneReached]:
        """Return the awards, each with the milestone that earned it."""
        return dict(self._state.awards)

    def reasons(self) -> dict[tuple[MilestoneKey, str | None], Reason]:
        """Return the reason of each decision by milestone and badge."""
        return dict(self._state.decisions)

    @property
    def positions(self) -> Positions:
        """It is its own only consumer, and nobody fences it."""
        return self

    def claim(self, places: Iterable[Place]) -> Mapping[Place, Position]:
        """Return the positions that there are."""
        return {place: Position(self._state.positions[place]) for place in places if place in self._state.positions}

    def is_used(self) -> bool:
        """Tell whether there is a milestone."""
        return bool(self._state.milestones)

    def begin(self, starts: Mapping[Place, Start]) -> None:
        """Note where partitions begin."""
        self.move({place: start.next for place, start in starts.items()})

    def move(self, reached: Mapping[Place, int | None]) -> None:
        """Note how far partitions have been read."""
        self._state.positions.update({place: offset for place, offset in reached.items() if offset is not None})

    @contextmanager
    def transaction(self) -> Iterator[BadgeTransaction]:
        """Run the body on a copy that becomes the state at its end."""
        work = MemoryBadgeTransaction(self._state.copy())
        yield work
        self._state = work.state

    @contextmanager
    def trial(self) -> Iterator[BadgeTransaction]:
        """Run the body on a copy that is thrown away."""
        before = self._state
        with self.transaction() as work:
            yield work
        self._state = before

    def check_schema(self) -> str | None:
        """Find nothing: it is never of another version."""
        return None

    def announce(self, thresholds: Sequence[int]) -> None:
        """Do nothing: any badge can be defined here."""

    def definitions(self) -> Sequence[BadgeDefinition]:
        """Return all badge definitions."""
        return self._state.definitions

    def has_news(self) -> bool:
        """Tell whether a mentor or a definition was added since this was asked last."""
        had_news, self._has_news = self._has_news, False
        return had_news

    def close(self) -> None:
        """Do nothing."""


class MemoryBadgeTransaction:
    """Reads and changes a state; a `BadgeTransaction`."""

    def __init__(self, state: MemoryState) -> None:
        self.state = state

    def record(self, milestones: Sequence[MilestoneReached]) -> list[MilestoneReached]:
        """Keep those that are new, and return them."""
        new = []
        for milestone in milestones:
            key = key_of(milestone)
            if key not in self.state.milestones:
                self.state.milestones[key] = milestone
                new.append(milestone)
        return new

    def claim(self, limit: int) -> list[MilestoneReached]:
        """Return what is to be decided again."""
        come = {key for key in self.state.awaiting if key[:2] in self.state.mentors}
        return [self.state.milestones[key] for key in sorted(come | self.state.due)[:limit]]

    def facts(self, milestones: Sequence[MilestoneReached]) -> Facts:
        """Return what the decisions rest on."""
        mentors = {milestone.mentor_id for milestone in milestones}
        organisations: dict[str, set[str]] = {}
        for org_id, mentor_id in self.state.mentors:
            if mentor_id in mentors:
                organisations.setdefault(mentor_id, set()).add(org_id)
        return Facts(
            organisations=organisations,
            definitions=tuple(self.state.definitions),
            held={award for award in self.state.awards if award[1] in mentors},
        )

    def save(self, decisions: Sequence[Decision]) -> Collection[Award]:
        """Keep decisions and awards; return those awards that are new."""
        awarded = set()
        for decision in decisions:
            milestone, badge_id, reason = decision.milestone, decision.badge_id, decision.reason
            key = key_of(milestone)
            self.state.due.discard(key)
            if reason in AWAITING_MENTOR:
                self.state.awaiting.add(key)
            else:
                self.state.awaiting.discard(key)
            if reason is Reason.AWARDED and badge_id is not None:
                award = (milestone.org_id, milestone.mentor_id, badge_id)
                if award in self.state.awards:
                    reason = Reason.ALREADY_HELD
                else:
                    self.state.awards[award] = milestone
                    awarded.add(award)
            if self.state.decisions.get((key, badge_id)) not in _FINAL:
                self.state.decisions[key, badge_id] = reason
        return awarded

    def add_mentor(self, org_id: str, mentor_id: str) -> None:
        """Make a mentor known."""
        self.state.mentors.add((org_id, mentor_id))

    def move(self, reached: Mapping[Place, int | None]) -> None:
        """Note how far partitions have been read."""
        self.state.positions.update({place: offset for place, offset in reached.items() if offset is not None})


def key_of(milestone: MilestoneReached) -> MilestoneKey:
    """Return what makes the milestone this one and no other."""
    return milestone.org_id, milestone.mentor_id, milestone.milestone_threshold
