"""`referrals badges` on real Kafka and Postgres: killed, cut off, replayed, misled and poisoned."""

from __future__ import annotations

import json
import os
import signal
import time
from http import HTTPStatus

import pytest

from local.parts import Parts
from local.parts.kafka import LocalKafka
from models.badges import FIRST_RECRUIT, FIVE_RECRUITS, SEEDED_DEFINITIONS, TEN_RECRUITS
from models.topics import MILESTONES
from process.monitoring import READY
from process.settings import Settings
from tests.installation import Installation, killed, reasons_of, wait_until
from tests.milestones import MENTOR, ORG, OTHER_ORG, milestone, new_id
from tests.monitoring import ask, scrape, url_in
from tests.stopped_postgres import stopped

pytestmark = pytest.mark.integration


@pytest.fixture
def installation(settings: Settings) -> Installation:
    """Give an installation whose database knows the mentor."""
    installation = Installation(settings.model_copy(update={"partitions": 4}))
    add_mentor(installation, MENTOR)
    return installation


def add_mentor(installation: Installation, mentor_id: str, org_id: str = ORG) -> None:
    """Insert what the projection inserts for an issued code."""
    installation.query("INSERT INTO organisations VALUES (%s) ON CONFLICT DO NOTHING", [org_id])
    installation.query("INSERT INTO mentors VALUES (%s, %s)", [org_id, mentor_id])


@pytest.mark.parametrize("point", ["badges.polled", "badges.inserted", "badges.committed"])
def test_killed_at(installation: Installation, point: str) -> None:
    """Killed at each named point and started again: each badge that is due exactly once, and no lag."""
    installation.publish(milestone(5))
    assert killed(installation.start("badges", fault=point))
    assert installation.committed("badges") == 0
    assert installation.count("badge_awards") == (2 if point == "badges.committed" else 0)
    installation.publish(milestone(10))
    with installation.running("badges"):
        wait_until(lambda: installation.awards(MENTOR) == [1, 5, 10])
    assert installation.count("badge_awards") == 3
    assert installation.count("badge_decisions") == 2 * len(SEEDED_DEFINITIONS)
    assert installation.committed("badges") == 2


def test_replay_from_the_beginning(installation: Installation) -> None:
    """All milestones read once more from offset 0: no new award, no new decision, no dead letter."""
    mentors = [new_id() for _ in range(50)]
    for mentor_id in mentors:
        add_mentor(installation, mentor_id)
    installation.publish(*(milestone(t, mentor_id=m) for m in mentors for t in (1, 5, 10)))
    with installation.running("badges"):
        wait_until(lambda: installation.count("badge_awards") == 150)
    before = installation.query("SELECT * FROM badge_awards ORDER BY 1, 2, 3")
    decisions = installation.query("SELECT * FROM badge_decisions ORDER BY 1, 2, 3, 5")
    installation.forget_positions("badges")
    with installation.running("badges"):
        wait_until(lambda: installation.position("badges") == 150)
    assert installation.query("SELECT * FROM badge_awards ORDER BY 1, 2, 3") == before
    assert installation.query("SELECT * FROM badge_decisions ORDER BY 1, 2, 3, 5") == decisions


def test_postgres_restart(installation: Installation, parts: Parts) -> None:
    """Postgres goes away and comes back: nothing is lost, the process stays, and it says so once each way."""
    installation.publish(milestone(1))
    with installation.running("badges") as badges:
        wait_until(lambda: installation.awards(MENTOR) == [1])
        parts.postgres.stop()
        installation.publish(milestone(5))
        time.sleep(2)  # several attempts
        url = url_in(badges.log)
        away = [ask(url, f"/health/{path}") for path in ("live", "ready")]
        assert [(each.status, *each.missing) for each in away] == [(200,), (503, "postgres")]
        parts.postgres.start()
        wait_until(lambda: installation.awards(MENTOR) == [1, 5])
        wait_until(lambda: scrape(url).of("referrals_sink_lag_records") == 0)
        assert ask(url, "/health/ready").status == 200
        found = scrape(url)
    assert found.of("referrals_badge_decisions_total", decision="awarded") == found.of("referrals_sink_put_records_sum")
    assert found.of("referrals_sink_store_away_seconds") == found.of("referrals_sink_lag_seconds") == 0
    lines = [json.loads(line) for line in badges.log.splitlines()]
    handled = [line for line in lines if line["event"] == "badges.milestone_handled"]
    assert [(line["event_type"], line["milestone_threshold"]) for line in handled] == [
        ("recruitment_milestone_reached", threshold) for threshold in (1, 5)
    ]
    assert {"topic", "partition", "offset", "milestone_id"} <= handled[0].keys()
    awarded = [line["badge_id"] for line in lines if (line["event"], line["level"]) == ("badges.awarded", "info")]
    assert awarded == [FIRST_RECRUIT, FIVE_RECRUITS]
    assert MENTOR not in badges.log
    events = [line["event"] for line in lines]
    assert [e for e in events if e.startswith("sink.store")] == ["sink.store_unavailable", "sink.store_back"]
    assert events.count("kafka.partitions_assigned") == 1


def test_stopped_while_postgres_is_away(installation: Installation, parts: Parts) -> None:
    """SIGTERM while Postgres is away ends the process well; what it had in hand is awarded by the next."""
    parts.postgres.stop()
    try:
        installation.publish(milestone(1))
        with installation.running("badges") as badges:
            wait_until(lambda: "sink.store_unavailable" in badges.log)
    finally:
        parts.postgres.start()
    with installation.running("badges"):
        wait_until(lambda: installation.awards(MENTOR) == [1])


@pytest.mark.long
def test_asked_to_end_while_postgres_is_stopped(installation: Installation, parts: Parts) -> None:
    """It waits for an answer that does not come, and ends all the same; what it had in hand is awarded by the next."""
    installation.publish(milestone(1))
    badges = installation.start("badges")
    try:
        wait_until(lambda: installation.awards(MENTOR) == [1])
        with stopped(parts):
            installation.publish(milestone(5))
            time.sleep(2)  # it waits
            badges.signal(signal.SIGTERM)
            assert badges.wait() == os.EX_TEMPFAIL
        assert "stop_cut_short" in badges.log
    finally:
        badges.kill()
    with installation.running("badges"):
        wait_until(lambda: installation.awards(MENTOR) == [1, 5])


@pytest.mark.long
def test_broker_restart(installation: Installation, own_broker: LocalKafka) -> None:
    """Kafka is stopped, goes on, is killed and comes back: the process stays and awards what is published then.

    A broker that is stopped keeps its connections; the process says that it is not ready all the same, and not only
    when librdkafka has waited for an answer to its end.
    """
    installation.publish(milestone(1))
    with installation.running("badges") as badges:
        wait_until(lambda: installation.awards(MENTOR) == [1])
        url = url_in(badges.log)
        wait_until(lambda: ask(url, READY).status == HTTPStatus.OK)
        os.kill(own_broker.pid, signal.SIGSTOP)
        try:
            wait_until(lambda: "the group does not answer" in ask(url, READY).missing.get("kafka", ""))
        finally:
            os.kill(own_broker.pid, signal.SIGCONT)
        wait_until(lambda: ask(url, READY).status == HTTPStatus.OK)
        own_broker.kill()
        own_broker.start()
        installation.publish(milestone(5))
        wait_until(lambda: installation.awards(MENTOR) == [1, 5])


def test_forged_organisation(installation: Installation) -> None:
    """A milestone naming an organisation that does not know the mentor: an audit row, no award."""
    installation.publish(milestone(5, org_id=OTHER_ORG), milestone(1))
    with installation.running("badges"):
        wait_until(lambda: installation.committed("badges") == 2)
    assert installation.query("SELECT org_id::text, badge_id, reason FROM badge_decisions WHERE badge_id IS NULL") == [
        (OTHER_ORG, None, "forged_organisation")
    ]
    assert installation.query("SELECT DISTINCT org_id::text FROM badge_awards") == [(ORG,)]


def test_late_code(installation: Installation) -> None:
    """A milestone of a mentor who is not known yet waits, also over a restart, and is awarded when his code comes."""
    mentor_id = new_id()
    installation.publish(milestone(5, mentor_id=mentor_id))
    with installation.running("badges"):
        wait_until(lambda: installation.committed("badges") == 1)
    assert installation.query("SELECT reason FROM badge_decisions") == [("unknown_mentor",)]
    with installation.running("badges"):
        add_mentor(installation, mentor_id)
        wait_until(lambda: installation.awards(mentor_id) == [1, 5])
    assert installation.query("SELECT DISTINCT state FROM milestones") == [("decided",)]


def test_late_definitions(installation: Installation) -> None:
    """Milestones before any badge definition are recorded, and awarded when the definitions come."""
    rows = installation.query("DELETE FROM badge_definitions RETURNING *")
    installation.publish(milestone(1), milestone(10))
    with installation.running("badges"):
        wait_until(lambda: installation.committed("badges") == 2)
        assert installation.count("badge_awards") == 0
        for row in rows:
            places = ", ".join(["%s"] * len(row))
            installation.query(f"INSERT INTO badge_definitions VALUES ({places})", row)  # noqa: S608  places alone
        wait_until(lambda: installation.awards(MENTOR) == [1, 5, 10])


def test_missing_definition(installation: Installation) -> None:
    """A seeded definition that is missing is named in a warning at start; the others are awarded."""
    installation.query("DELETE FROM badge_definitions WHERE badge_id = %s", [TEN_RECRUITS])
    installation.publish(milestone(10))
    with installation.running("badges") as badges:
        wait_until(lambda: installation.awards(MENTOR) == [1, 5])
    logged = map(json.loads, badges.log.splitlines())
    warnings = [line for line in logged if line["event"] == "badges.definitions_missing"]
    assert [warning["badge_ids"] for warning in warnings] == [[TEN_RECRUITS]]


def test_poison(installation: Installation) -> None:
    """What is no milestone goes to the dead letters with its bytes untouched and the reason; the rest is awarded."""
    poison = [b"\xff\x00{", b'{"milestone_id": 7}', None, b'{"confirmed_count": 1' + b" " * 100_000]
    for value in poison:
        installation.produce(MILESTONES, "any key", value)
    installation.publish(milestone(1))
    with installation.running("badges"):
        wait_until(lambda: installation.committed("badges") == len(poison) + 1)
    letters = installation.dead_letters(len(poison))
    assert {(letter.key(), letter.value()) for letter in letters} == {(b"any key", value) for value in poison}
    reasons = [reasons_of(letter) for letter in letters]
    for reason in reasons:
        assert reason["topic"] == installation.topic(MILESTONES)
        assert reason["exception.class.name"] == "BadEvent"
        assert reason["exception.message"].startswith("MilestoneReached: ")
        assert reason["stage"] == "badges"
    assert len({reason["offset"] for reason in reasons}) == len(poison)
    assert installation.awards(MENTOR) == [1]


def test_count_too_large_for_the_table(installation: Installation) -> None:
    """A milestone that Postgres refuses becomes a dead letter; those of its batch are awarded."""
    installation.publish(milestone(1), milestone(5, count=2**65), milestone(10))
    with installation.running("badges"):
        wait_until(lambda: installation.committed("badges") == 3)
    (letter,) = installation.dead_letters(1)
    assert reasons_of(letter)["exception.class.name"] == "RecordRefused"
    assert installation.awards(MENTOR) == [1, 5, 10]


def test_two_consumers_and_a_kill(installation: Installation) -> None:
    """Two consumers share the work; one is killed under load and the other finishes: every award once."""
    victim = installation.start("badges", fault="badges.inserted:10")
    mentors = 0
    with installation.running("badges"):
        while victim.is_running:
            batch = [new_id() for _ in range(20)]
            for mentor_id in batch:
                add_mentor(installation, mentor_id)
            installation.publish(*(milestone(threshold, mentor_id=m) for m in batch for threshold in (1, 5)))
            mentors += len(batch)
        assert killed(victim)
        wait_until(lambda: installation.committed("badges") == 2 * mentors)
    assert installation.count("badge_awards") == 2 * mentors
    assert installation.count("badge_decisions") == 2 * mentors * len(SEEDED_DEFINITIONS)
