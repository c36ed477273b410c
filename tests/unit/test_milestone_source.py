"""The source in memory, held to what every milestone source must do."""

from __future__ import annotations

import threading

import pytest

from models.events import MilestoneReached
from sinks.milestone_source import MemoryMilestoneSource, MilestoneSource
from tests.milestone_source_suite import MilestoneSourceSuite, read
from tests.milestones import milestone


class TestMemoryMilestoneSource(MilestoneSourceSuite):
    """The suite, on memory."""

    @pytest.fixture
    def source(self) -> MemoryMilestoneSource:
        """Give an empty source."""
        return MemoryMilestoneSource()

    def publish(self, source: MilestoneSource, *milestones: MilestoneReached) -> None:
        """Publish them one by one."""
        assert isinstance(source, MemoryMilestoneSource)
        for reached in milestones:
            source.publish(reached)


def test_subscription_ends_with_close() -> None:
    """A source knows whether somebody reads it."""
    source = MemoryMilestoneSource()
    source.subscribe()
    assert source.is_subscribed
    source.close()
    assert not source.is_subscribed


def test_poll_wakes_for_the_first_record() -> None:
    """A poll that waits ends with the first record, published by another thread."""
    source = MemoryMilestoneSource()
    source.subscribe()
    publisher = threading.Timer(0.01, source.publish, [milestone()])
    publisher.start()
    assert len(source.poll(10)) == 1
    publisher.join()


def test_batches_are_bounded() -> None:
    """A poll returns no more than the batch size; the rest comes with the next."""
    source = MemoryMilestoneSource(batch_records_max=2)
    source.subscribe()
    for threshold in (1, 5, 10):
        source.publish(milestone(threshold))
    assert len(source.poll(0)) == 2
    assert len(read(source, 1)) == 1
