"""The repository in memory, held to what every badge repository must do."""

from __future__ import annotations

import pytest

from models.badges import BadgeDefinition
from sinks.badge_repository import BadgeRepository, MemoryBadgeRepository
from tests.badge_repository_suite import BadgeRepositorySuite, Reasons
from tests.milestones import MENTOR, ORG


class TestMemoryBadgeRepository(BadgeRepositorySuite):
    """The suite, on memory."""

    @pytest.fixture
    def repository(self) -> MemoryBadgeRepository:
        """Give a repository with the seeded definitions."""
        return MemoryBadgeRepository()

    def add_mentor(self, repository: BadgeRepository, org_id: str = ORG, mentor_id: str = MENTOR) -> None:
        """Make a mentor known."""
        assert isinstance(repository, MemoryBadgeRepository)
        repository.add_mentor(org_id, mentor_id)

    def define(self, repository: BadgeRepository, badge: BadgeDefinition) -> None:
        """Add a definition."""
        assert isinstance(repository, MemoryBadgeRepository)
        repository.define(badge)

    def awards(self, repository: BadgeRepository) -> dict[tuple[str, str, str], str]:
        """Return the awards and the id of the milestone that earned each."""
        assert isinstance(repository, MemoryBadgeRepository)
        return {award: reached.milestone_id for award, reached in repository.awards().items()}

    def reasons(self, repository: BadgeRepository) -> Reasons:
        """Return the reason of each decision."""
        assert isinstance(repository, MemoryBadgeRepository)
        return repository.reasons()
