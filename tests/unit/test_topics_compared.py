"""A topic as it is against a topic as it must be: what stops everything, what somebody should know, what is bounded."""

from __future__ import annotations

from typing import Any

import pytest

from process.topics import StandingTopic, WantedTopic, cautions, faults

WANTED = WantedTopic(name="t", partitions=4, replicas=1, bounds={"segment.ms": 100, "min.cleanable.dirty.ratio": 0.1})


def standing(
    *, replicas: int = 1, brokers: int = 1, chosen: frozenset[str] = frozenset(), **config: str
) -> StandingTopic:
    """Return a topic as it is; `min_insync_replicas` and the like are its configuration."""
    named = {"min.insync.replicas": "1"} | {key.replace("_", "."): value for key, value in config.items()}
    return StandingTopic(name="t", partitions=4, replicas=replicas, brokers=brokers, config=named, chosen=chosen)


@pytest.mark.parametrize(
    ("replicas", "in_sync", "remedy"), [(1, 2, "replicas=1"), (2, 3, "replicas=1"), (3, 4, "replicas=2")]
)
def test_a_topic_that_takes_no_record_is_a_fault(replicas: int, in_sync: int, remedy: str) -> None:
    """More replicas must be in sync than there are; the remedy lets one be away where there are enough."""
    (fault,) = faults(standing(replicas=replicas, min_insync_replicas=str(in_sync)))
    assert f"found min.insync.replicas={in_sync}" in fault
    assert f"--add-config min.insync.{remedy}" in fault


@pytest.mark.parametrize(("replicas", "in_sync"), [(1, 1), (2, 2), (3, 2), (3, 3)])
def test_as_many_in_sync_as_there_are_is_none(replicas: int, in_sync: int) -> None:
    """It may stop when one broker is away, which somebody may have wanted."""
    assert faults(standing(replicas=replicas, min_insync_replicas=str(in_sync))) == []


def test_a_topic_that_refuses_a_full_batch_is_a_fault() -> None:
    """It works for months, until one batch is as large as a client makes it; and then never again."""
    (fault,) = faults(standing(max_message_bytes="100000"))
    assert "found max.message.bytes=100000" in fault
    assert "--add-config max.message.bytes=1048576" in fault
    assert faults(standing(max_message_bytes="1048588")) == []
    (fault,) = faults(standing(max_message_bytes="1048588"), batch_bytes=1_114_124)
    assert "--add-config max.message.bytes=1114124" in fault


CAUTIONS: dict[str, tuple[dict[str, Any], int, str]] = {
    "one replica among several brokers": ({"brokers": 3}, 1, "1 replica on a cluster of 3 brokers"),
    "fewer than asked for": ({"brokers": 3, "replicas": 2}, 3, "found 2 replicas, wanted 3"),
    "one of three acknowledges": ({"brokers": 3, "replicas": 3}, 3, "--add-config min.insync.replicas=2"),
    "a figure too large": ({"segment_ms": "101"}, 1, "found segment.ms=101, wanted 100 at most; run `referrals topics"),
    "a figure that somebody chose": (
        {"segment_ms": "101", "chosen": frozenset({"segment.ms"})},
        1,
        "found segment.ms=101, wanted 100 at most; set it with kafka-configs",
    ),
}


@pytest.mark.parametrize("what", CAUTIONS)
def test_what_somebody_should_know_is_said_with_the_remedy(what: str) -> None:
    """One line, and no fault: the work goes on."""
    found, replicas, said = CAUTIONS[what]
    topic = standing(**found)
    (caution,) = cautions(topic, WantedTopic(name="t", partitions=4, replicas=replicas, bounds=WANTED.bounds))
    assert said in caution
    assert faults(topic) == []


def test_nothing_is_said_where_nothing_is_wrong() -> None:
    """One broker with one replica, three with three and two in sync, figures smaller than the bounds, mended ones."""
    assert cautions(standing(segment_ms="99"), WANTED) == []
    assert cautions(standing(brokers=3, replicas=3, min_insync_replicas="2"), WANTED) == []
    assert cautions(standing(segment_ms="101"), WANTED, is_mended=True) == []


def test_a_topic_whose_configuration_is_hidden_is_no_fault() -> None:
    """A user without DescribeConfigs works on, and is told what is not checked."""
    hidden = StandingTopic(name="t", partitions=4, replicas=3, brokers=3, config={})
    assert faults(hidden) == []
    (caution,) = cautions(hidden, WANTED)
    assert "allow this user DescribeConfigs" in caution
