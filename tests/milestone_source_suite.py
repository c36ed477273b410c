"""What every milestone source must do; each source's test module subclasses it."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

import pytest

from models.badges import decode_milestone
from models.events import MilestoneReached
from sinks.milestone_source import MilestoneSource
from sinks.records import Record
from tests.milestones import milestone


class MilestoneSourceSuite:
    """The tests; a subclass gives the fixture `source` and the method `publish`."""

    def publish(self, source: MilestoneSource, *milestones: MilestoneReached) -> None:
        """Bring milestones into the source's log, of one mentor into one partition."""
        raise NotImplementedError

    def test_reads_in_order(self, source: MilestoneSource) -> None:
        """A mentor's milestones come in the order in which they were published."""
        source.subscribe()
        self.publish(source, milestone(1), milestone(5), milestone(10))
        assert thresholds(read(source, 3)) == [1, 5, 10]

    def test_late_subscription_misses_nothing(self, source: MilestoneSource) -> None:
        """What was published before the first subscription is delivered to it."""
        self.publish(source, milestone(1), milestone(5))
        source.subscribe()
        assert thresholds(read(source, 2)) == [1, 5]

    def test_uncommitted_comes_again(self, source: MilestoneSource) -> None:
        """What was polled and not committed is delivered to the next subscription, with what came in between."""
        self.publish(source, milestone(1))
        source.subscribe()
        read(source, 1)
        source.close()
        self.publish(source, milestone(5))
        source.subscribe()
        assert thresholds(read(source, 2)) == [1, 5]

    def test_committed_does_not_come_again(self, source: MilestoneSource) -> None:
        """The next subscription goes on after the last commit."""
        self.publish(source, milestone(1), milestone(5))
        source.subscribe()
        records = read(source, 2)
        source.commit(records[:1])
        source.close()
        source.subscribe()
        assert thresholds(read(source, 1)) == [5]

    def test_idle_poll_is_empty(self, source: MilestoneSource) -> None:
        """A poll ends without records when nothing comes."""
        source.subscribe()
        assert list(source.poll(0.01)) == []

    def test_staying_reads_nothing_and_loses_nothing(self, source: MilestoneSource) -> None:
        """Records that come while the subscriber waits are delivered when he polls again."""
        self.publish(source, milestone(1))
        source.subscribe()
        read(source, 1)
        self.publish(source, milestone(5), milestone(10))
        for _ in range(5):
            source.stay()
        assert thresholds(read(source, 2)) == [5, 10]

    def test_unsubscribed_cannot_be_polled(self, source: MilestoneSource) -> None:
        """Before `subscribe` and after `close` there is nothing to poll; closing twice is closing."""
        with pytest.raises(RuntimeError, match="subscribe"):
            source.poll(0)
        source.subscribe()
        source.close()
        source.close()
        with pytest.raises(RuntimeError, match="subscribe"):
            source.poll(0)


def read(source: MilestoneSource, count: int, *, timeout_s: float = 30.0) -> list[Record]:
    """Poll until `count` records have come, and no more come at once."""
    records: list[Record] = []
    deadline = monotonic() + timeout_s
    while len(records) < count and monotonic() < deadline:
        records += source.poll(0.1)
    records += source.poll(0)
    assert len(records) == count
    return records


def thresholds(records: Sequence[Record]) -> list[int]:
    """Return the thresholds of the milestones in the records."""
    return [decode_milestone(record.value).milestone_threshold for record in records]
