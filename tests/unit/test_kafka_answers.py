"""For how long a broker has not answered, by librdkafka's statistics as it gives them."""

from __future__ import annotations

import json
from typing import Any, Final

from sinks.kafka_answers import COORDINATOR, Answers

READS: Final = [("milestones", 0), ("milestones", 1)]


def broker(nodeid: int, rx: int, *, state: str = "UP", waits: int = 1) -> dict[str, Any]:
    """Return what is counted of a broker, and something that nobody looks at."""
    return {"nodeid": nodeid, "state": state, "rx": rx, "waitresp_cnt": waits, "tx": 7}


def statistics(first: dict[str, Any], second: dict[str, Any], coordinator: dict[str, Any], *, leader: int = 2) -> str:
    """Return statistics of two brokers, each of which is asked for a partition; and of a partition of none."""
    partitions = {"0": {"broker": 1}, "1": {"broker": leader}, "-1": {"broker": -1}}
    named = {"one:9092/1": first, "two:9092/2": second, COORDINATOR: coordinator}
    return json.dumps({"brokers": named, "topics": {"milestones": {"partitions": partitions}}})


def test_a_broker_is_silent_while_nothing_comes_of_it() -> None:
    """The most silent counts; one answer, and it is silent no more."""
    answers = Answers()
    answers.look(statistics(broker(1, 5), broker(2, 5), broker(-1, 5)), READS, 10.0)
    answers.look(statistics(broker(1, 9), broker(2, 5), broker(-1, 9)), READS, 15.0)
    answers.look(statistics(broker(1, 14), broker(2, 5), broker(-1, 14)), READS, 20.0)
    assert answers.silent_s == 10.0
    answers.look(statistics(broker(1, 20), broker(2, 6), broker(-1, 20)), READS, 25.0)
    assert answers.silent_s == 0.0


def test_the_coordinator_counts_too() -> None:
    """Also while it is looked for: nobody is up by that name then."""
    answers = Answers()
    answers.look(statistics(broker(1, 5), broker(2, 5), broker(-1, 5)), READS, 10.0)
    away = broker(-1, 5, state="TRY_CONNECT", waits=0)
    answers.look(statistics(broker(1, 9), broker(2, 9), away), READS, 16.0)
    assert answers.silent_s == 6.0


def test_a_broker_that_is_asked_nothing_is_not_silent() -> None:
    """While partitions are paused nothing is fetched, and nothing comes."""
    answers = Answers()
    for now_s in (10.0, 60.0):
        answers.look(statistics(broker(1, 5, waits=0), broker(2, 5, waits=0), broker(-1, 5, waits=0)), READS, now_s)
    assert answers.silent_s == 0.0


def test_a_broker_that_leads_nothing_of_ours_may_be_silent() -> None:
    """Its partitions have another leader, or other members read them."""
    answers = Answers()
    answers.look(statistics(broker(1, 5), broker(2, 5), broker(-1, 5)), READS, 10.0)
    answers.look(statistics(broker(1, 9), broker(2, 5), broker(-1, 9), leader=1), READS, 50.0)
    assert answers.silent_s == 0.0
    answers.look(statistics(broker(1, 14), broker(2, 5), broker(-1, 14)), READS[:1], 90.0)
    assert answers.silent_s == 0.0


def test_a_partition_without_a_leader_is_silent() -> None:
    """Nobody is asked for its records."""
    answers = Answers()
    for rx, now_s in ((5, 10.0), (9, 15.0), (14, 20.0)):
        answers.look(statistics(broker(1, rx), broker(2, rx), broker(-1, rx), leader=-1), READS, now_s)
    assert answers.silent_s == 10.0


def test_statistics_before_the_first_broker_say_nothing() -> None:
    """There are some before anything is connected."""
    answers = Answers()
    answers.look(b"{}", [], 10.0)
    assert answers.silent_s == 0.0
