"""By when a record is gone, by the settings of its topic."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from models.keeping import SLACK, Keeping
from models.topics import CLICKS, MENTOR_COUNTS, MILESTONES, Topic

AT = datetime(2026, 11, 29, 9, tzinfo=UTC)
DAY, WEEK = timedelta(days=1), timedelta(days=7)
BROKERS = {
    "segment.ms": str(7 * 86_400_000),
    "max.compaction.lag.ms": str(2**63 - 1),
    "delete.retention.ms": "86400000",
}


def of(topic: Topic) -> Keeping:
    """Return what a topic keeps as `topics create` makes it, on a broker with Kafka's defaults."""
    return Keeping.of(BROKERS | topic.config() | {name: str(figure) for name, figure in topic.bounds().items()})


def test_what_is_deleted_stays_as_long_as_its_segment() -> None:
    """The segment may take records for a week after this one, and is kept for as long as the last of them."""
    kept = of(CLICKS)
    assert kept.record_gone_by(AT) == AT + WEEK + 400 * DAY + SLACK
    assert kept.superseded_gone_by(AT) is None
    assert kept.tombstone_gone_by(AT) is None
    assert of(MILESTONES).record_gone_by(AT) is None


def test_what_is_compacted_goes_in_turns() -> None:
    """What is superseded goes with the first compaction after its segment is closed, a tombstone with a later one."""
    kept = of(MENTOR_COUNTS)
    assert kept.superseded_gone_by(AT) == AT + timedelta(hours=1) + SLACK
    assert kept.tombstone_gone_by(AT) == AT + timedelta(hours=2) + DAY + SLACK
    assert kept.record_gone_by(AT) is None


@pytest.mark.parametrize("missing", ["max.compaction.lag.ms", "segment.ms"])
def test_what_the_broker_does_not_say_is_for_ever(missing: str) -> None:
    """Nobody is promised a time that no setting bounds."""
    config = BROKERS | {"cleanup.policy": "compact", "max.compaction.lag.ms": "1000"}
    del config[missing]
    assert Keeping.of(config).superseded_gone_by(AT) is None


def test_a_time_past_all_calendars_is_the_last() -> None:
    """Retention may be any number of milliseconds."""
    config = BROKERS | {"cleanup.policy": "delete", "retention.ms": str(2**61)}
    assert Keeping.of(config).record_gone_by(AT) == datetime.max.replace(tzinfo=UTC)
