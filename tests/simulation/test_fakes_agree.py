"""The Kafka and the database in memory, held to what the real ones are held to."""

from __future__ import annotations

import pytest
from confluent_kafka import TopicPartition

from models.badges import BadgeDefinition
from sinks.badge_repository import BadgeRepository
from sinks.counts_repository import Owner
from streams.engine.clients import Clients
from tests.badge_repository_suite import BadgeRepositorySuite, Reasons
from tests.counts_repository_suite import TOPIC, CountsRepositorySuite
from tests.kafka_suite import KafkaSuite
from tests.milestones import MENTOR, ORG
from tests.simulation.clients import FakeClients
from tests.simulation.database import Database, Session, SimulatedBadges, SimulatedCounts
from tests.simulation.kafka import Kafka


class TestKafkaInMemory(KafkaSuite):
    """The suite, on the simulation's Kafka."""

    @pytest.fixture(autouse=True)
    def _kafka(self) -> None:
        self.kafka = Kafka()

    @pytest.fixture
    def clients(self) -> Clients:
        """Give clients of it."""
        return FakeClients(self.kafka)

    def delete_before(self, topic: str, number: int, offset: int) -> None:
        """Shorten the log."""
        self.kafka.log(topic, number).delete_before(offset)

    def delete_group(self, name: str) -> None:
        """Forget the offsets."""
        while self.kafka.unwritten:
            self.kafka.write_marker()
        self.kafka.group(name).offsets.clear()

    def follow(self, group: str, place: TopicPartition) -> None:
        """Commit it."""
        self.kafka.group(group).offsets[place.topic, place.partition] = (place.offset, str(place.metadata))

    def delete_topic(self, name: str) -> None:
        """Delete it."""
        self.kafka.delete_topic(name)


class TestBadgesInMemory(BadgeRepositorySuite):
    """The badge repositories' suite, on the simulation's database."""

    @pytest.fixture
    def repository(self) -> SimulatedBadges:
        """Give a repository on a database of its own."""
        self.database = Database()
        return SimulatedBadges(Session(self.database))

    def add_mentor(self, repository: BadgeRepository, org_id: str = ORG, mentor_id: str = MENTOR) -> None:
        """Make a mentor known."""
        self.database.tables.badges.mentors.add((org_id, mentor_id))

    def define(self, repository: BadgeRepository, badge: BadgeDefinition) -> None:
        """Add a definition."""
        badges = self.database.tables.badges
        badges.definitions.append(badge)
        badges.due |= badges.milestones.keys() - badges.awaiting

    def awards(self, repository: BadgeRepository) -> dict[tuple[str, str, str], str]:
        """Return the awards."""
        return {award: reached.milestone_id for award, reached in self.database.tables.badges.awards.items()}

    def reasons(self, repository: BadgeRepository) -> Reasons:
        """Return the reasons."""
        return dict(self.database.tables.badges.decisions)


class TestCountsInMemory(CountsRepositorySuite):
    """The suite of the repositories of codes and counts, on the same."""

    @pytest.fixture(autouse=True)
    def _database(self) -> None:
        self.database = Database()

    @pytest.fixture
    def repository(self) -> SimulatedCounts:
        """Give a repository."""
        return SimulatedCounts(Session(self.database), counts_topic=TOPIC)

    @pytest.fixture
    def another(self) -> SimulatedCounts:
        """Give another process's, on the same database."""
        return SimulatedCounts(Session(self.database), counts_topic=TOPIC)

    def codes(self) -> dict[str, Owner]:
        """Return the codes."""
        return self.database.tables.codes

    def confirmed(self) -> dict[Owner, int]:
        """Return the confirmed counts."""
        counts = self.database.tables.counts
        return {owner: each.event.confirmed_attributions for owner, each in counts.items()}
