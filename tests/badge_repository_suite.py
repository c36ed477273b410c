"""What every badge repository must do; each repository's test module subclasses it."""

from __future__ import annotations

import pytest

from models.badges import FIRST_RECRUIT, SEEDED_DEFINITIONS, BadgeDefinition, Reason, decide_all, missing_definitions
from models.events import MilestoneReached
from sinks.badge_repository import BadgeRepository, BadgeTransaction, key_of
from tests.installation import wait_until
from tests.milestones import MENTOR, ORG, OTHER_ORG, definition, milestone

Reasons = dict[tuple[tuple[str, str, int], str | None], Reason]


class BadgeRepositorySuite:
    """The tests; a subclass gives the fixture `repository` and the four methods."""

    def add_mentor(self, repository: BadgeRepository, org_id: str = ORG, mentor_id: str = MENTOR) -> None:
        """Make a mentor known."""
        raise NotImplementedError

    def define(self, repository: BadgeRepository, badge: BadgeDefinition) -> None:
        """Add a definition."""
        raise NotImplementedError

    def awards(self, repository: BadgeRepository) -> dict[tuple[str, str, str], str]:
        """Return the awards and the id of the milestone that earned each."""
        raise NotImplementedError

    def reasons(self, repository: BadgeRepository) -> Reasons:
        """Return the reason of each decision by milestone and badge."""
        raise NotImplementedError

    def test_seeded_definitions_are_there(self, repository: BadgeRepository) -> None:
        """A new repository holds the four definitions with their stable ids, thresholds and names."""
        assert missing_definitions(repository.definitions()) == []
        assert list(repository.definitions()) == list(SEEDED_DEFINITIONS)

    def test_milestone_is_new_once(self, repository: BadgeRepository) -> None:
        """A milestone is returned as new the first time only, within a batch too, in the order given."""
        one, five, ten = milestone(1), milestone(5), milestone(10)
        with repository.transaction() as work:
            assert work.record([five, one, five]) == [five, one]
        with repository.transaction() as work:
            assert work.record([one, ten]) == [ten]

    def test_award_once(self, repository: BadgeRepository) -> None:
        """An award is inserted once; who decides on stale facts finds his decision turned into `already_held`."""
        self.add_mentor(repository)
        first, second = milestone(1), milestone(5)
        with repository.transaction() as work:
            work.record([first, second])
            stale = work.facts([first, second])
            assert len(work.save(decide_all([first], stale))) == 1
            assert len(work.save(decide_all([second], stale))) == 1
        assert self.awards(repository)[ORG, MENTOR, FIRST_RECRUIT] == first.milestone_id
        assert self.reasons(repository)[key_of(second), FIRST_RECRUIT] is Reason.ALREADY_HELD

    def test_failed_transaction_leaves_nothing(self, repository: BadgeRepository) -> None:
        """Milestones, decisions and awards take effect together or not at all."""
        self.add_mentor(repository)
        with pytest.raises(ZeroDivisionError):  # noqa: PT012, SIM117 - the transaction is what the error must end
            with repository.transaction() as work:
                decide_and_save_new(work, milestone(1))
                raise ZeroDivisionError
        assert self.awards(repository) == {}
        assert self.reasons(repository) == {}
        with repository.transaction() as work:
            assert len(work.record([milestone(1)])) == 1

    def test_waiting_milestone_is_claimed_when_its_mentor_comes(self, repository: BadgeRepository) -> None:
        """A milestone of an unknown mentor is not claimable until he is known in its organisation, then once."""
        with repository.transaction() as work:
            decide_and_save_new(work, milestone(1))
        self.add_mentor(repository, org_id=OTHER_ORG)
        assert claim_and_decide(repository) == 0
        self.add_mentor(repository)
        assert claim_and_decide(repository) == 1
        assert claim_and_decide(repository) == 0
        assert (ORG, MENTOR, FIRST_RECRUIT) in self.awards(repository)

    def test_decided_milestones_are_claimed_when_a_definition_comes(self, repository: BadgeRepository) -> None:
        """A new definition is compared with the milestones recorded before; what was decided stays."""
        self.add_mentor(repository)
        reached = milestone(5)
        with repository.transaction() as work:
            decide_and_save_new(work, reached)
        late = definition(5, org_id=ORG)
        self.define(repository, late)
        assert claim_and_decide(repository) == 1
        assert claim_and_decide(repository) == 0
        assert self.awards(repository)[ORG, MENTOR, late.badge_id] == reached.milestone_id
        assert self.reasons(repository)[key_of(reached), FIRST_RECRUIT] is Reason.AWARDED

    def test_definition_of_another_organisation_changes_nothing(self, repository: BadgeRepository) -> None:
        """What another organisation defines is not awarded here."""
        self.add_mentor(repository)
        with repository.transaction() as work:
            decide_and_save_new(work, milestone(5))
        before = self.awards(repository)
        self.define(repository, definition(1, org_id=OTHER_ORG))
        claim_and_decide(repository)
        assert self.awards(repository) == before

    def test_news(self, repository: BadgeRepository) -> None:
        """Mentors and definitions that come are news once; at the beginning there may be some."""
        assert repository.has_news()
        assert not repository.has_news()
        self.add_mentor(repository)
        wait_until(repository.has_news)
        assert not repository.has_news()
        self.define(repository, definition(10))
        wait_until(repository.has_news)


def decide_and_save_new(work: BadgeTransaction, reached: MilestoneReached) -> None:
    """Do what the badge consumer does with a new milestone."""
    new = work.record([reached])
    work.save(decide_all(new, work.facts(new)))


def claim_and_decide(repository: BadgeRepository) -> int:
    """Decide what waits and is due; return how many milestones that were."""
    with repository.transaction() as work:
        claimed = work.claim(100)
        if claimed:
            work.save(decide_all(claimed, work.facts(claimed)))
    return len(claimed)
