"""`referrals counts` on real Kafka and Postgres: old records, replays, kills, contradictions and poison."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from local.parts import Parts
from models.events import encode_event
from models.topics import CODES, MENTOR_COUNTS
from process.settings import Settings
from sinks.counts_projection import CountsProjection
from sinks.postgres_counts import PostgresCountsRepository
from sinks.records import Record
from tests.installation import DEADLINE_S, Installation, killed, reasons_of, wait_until
from tests.milestones import MENTOR, ORG, OTHER_ORG, code_issued, counts, milestone, new_id
from tests.monitoring import Scrape, scrape, url_in

pytestmark = pytest.mark.integration


@pytest.fixture
def installation(settings: Settings) -> Installation:
    """Give an installation with topics."""
    return Installation(settings.model_copy(update={"partitions": 4}))


@pytest.fixture
def projection(database_url: str) -> Iterator[CountsProjection]:
    """Give the sink alone, to which a test hands its records."""
    with closing(
        CountsProjection(PostgresCountsRepository(database_url), codes_topic="codes", partitions=1)
    ) as projection:
        yield projection


def record(event: object, *, topic: str = "counts", partition: int = 0, offset: int = 0) -> Record:
    """Return an event as a record."""
    return Record(topic=topic, partition=partition, offset=offset, key=None, value=encode_event(event))


def confirmed(installation: Installation) -> list[int]:
    """Return the confirmed counts in the table."""
    return [count for (count,) in installation.query("SELECT confirmed_attributions FROM mentor_counts")]


def lagging(found: Scrape) -> dict[str, float]:
    """Return how many records wait for each sink of which that is shown."""
    name = "referrals_sink_lag_records"
    shown = {dict(labels)["sink"] for each, labels in found if each == name}
    return {sink: found.of(name, sink=sink) for sink in shown}


def test_row_holds_the_fields_of_the_event(installation: Installation) -> None:
    """Every field of MentorCounts is a column with its value."""
    published = counts(5)
    installation.publish(published)
    with installation.running("counts") as component:
        wait_until(lambda: installation.count("mentor_counts") == 1)
        url = url_in(component.log)
        sinks = {"counts", "history", "letters"}  # each of the process, not its first alone
        wait_until(lambda: lagging(scrape(url)) == dict.fromkeys(sinks, 0))
        found = scrape(url)
        assert all(found.of("referrals_sink_rebalances_total", sink=sink) >= 1 for sink in sinks)
        assert all(found.of("referrals_sink_store_away_seconds", sink=sink) == 0 for sink in sinks)
        kept = {sink: found.of("referrals_sink_records_total", sink=sink) for sink in sinks}
        assert kept == {"counts": 1, "history": 0, "letters": 0}
    assert installation.query(
        "SELECT org_id::text, mentor_id::text, referral_code, total_clicks, pending_attributions,"
        " confirmed_attributions, conversion_rate, by_channel, milestones, last_event_at FROM mentor_counts"
    ) == [
        (
            ORG,
            MENTOR,
            published.referral_code,
            4,
            0,
            5,
            1.0,
            {"sms": {"clicks": 4, "pending": 0, "confirmed": 5}},
            [1, 5],
            published.last_event_at,
        )
    ]


def test_counted_when_the_record_was_produced(installation: Installation) -> None:
    """A row says when the stream counted, by the record's timestamp in Kafka, and not when it was projected."""
    installation.publish(counts(5))
    with installation.running("counts"):
        wait_until(lambda: installation.count("mentor_counts") == 1)
    ((is_earlier, age),) = installation.query(
        "SELECT counted_at < projected_at, extract(epoch FROM now() - counted_at) FROM mentor_counts"
    )
    assert is_earlier
    assert age < 10 * DEADLINE_S


def test_older_record_never_overwrites(projection: CountsProjection, installation: Installation) -> None:
    """A lower or the same offset of the partition changes nothing, in a batch of its own or together; a higher does."""
    projection.put([record(counts(7), offset=7)])
    projection.put([record(counts(6), offset=6), record(counts(3), offset=7)])
    assert confirmed(installation) == [7]
    projection.put([record(counts(8), offset=8), record(counts(9), offset=9)])
    assert confirmed(installation) == [9]


def test_replay_from_the_beginning(installation: Installation) -> None:
    """Both topics read once more from offset 0 leave every row as it was."""
    mentors = [new_id() for _ in range(50)]
    installation.publish(*(code_issued(f"ABCDEF{n:02}00", mentor_id=m) for n, m in enumerate(mentors)))
    installation.publish(*(counts(n, mentor_id=m) for n in range(3) for m in mentors))
    tables = ("organisations", "mentors", "referral_codes", "mentor_counts")
    with installation.running("counts"):
        wait_until(lambda: installation.committed("counts") == 200)
    before = [installation.query(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]  # noqa: S608
    assert [len(rows) for rows in before] == [1, 50, 50, 50]
    installation.forget_positions("counts")
    with installation.running("counts"):
        wait_until(lambda: installation.position("counts") == 200)
    assert [installation.query(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables] == before  # noqa: S608


@pytest.mark.parametrize("point", ["counts.polled", "counts.committed"])
def test_killed_at(installation: Installation, point: str) -> None:
    """Killed at each named point and started again: the rows are those of the last records."""
    installation.publish(code_issued(), counts(1), counts(2))
    assert killed(installation.start("counts", fault=point))
    with installation.running("counts"):
        wait_until(lambda: installation.committed("counts") == 3)
    assert confirmed(installation) == [2]
    assert installation.count("referral_codes") == 1


def test_first_issue_stands(installation: Installation) -> None:
    """A code of another mentor is left to the stream app, a second code of a mentor is our dead letter."""
    installation.publish(code_issued("ABCDEFGH12"))
    with installation.running("counts"):
        wait_until(lambda: installation.committed("counts") == 1)
        installation.publish(code_issued("ABCDEFGH12", org_id=OTHER_ORG, mentor_id=new_id()))
        installation.publish(code_issued("ABCDEFGH34"), code_issued("ABCDEFGH12"))
        wait_until(lambda: installation.committed("counts") == 4)
    (letter,) = installation.dead_letters(1)
    assert reasons_of(letter)["exception.class.name"] == "SecondCode"
    assert installation.query("SELECT referral_code, mentor_id::text FROM referral_codes") == [("ABCDEFGH12", MENTOR)]
    assert (installation.count("mentors"), installation.count("organisations")) == (1, 1)


def test_contradictions_within_a_batch(projection: CountsProjection, installation: Installation) -> None:
    """The first of a batch stands, and a code typed by hand is the same code."""
    other = new_id()
    letters = projection.put(
        [
            record(code_issued("ABCD-EFGH-12"), topic="codes"),
            record(code_issued("abcdefgh12"), topic="codes", offset=1),
            record(code_issued("ABCDEFGH12", mentor_id=other), topic="codes", offset=2),
            record(code_issued("ABCDEFGH34"), topic="codes", offset=3),
            record(code_issued("ABCDEFGH34", mentor_id=other), topic="codes", offset=4),
        ]
    )
    assert [letter.record.offset for letter in letters] == [3]
    assert installation.query("SELECT referral_code, mentor_id::text FROM referral_codes ORDER BY 1") == [
        ("ABCDEFGH12", MENTOR),
        ("ABCDEFGH34", other),
    ]


def test_poison(installation: Installation) -> None:
    """Counts that are none, or that Postgres refuses, are dead letters; bad codes are the stream app's."""
    installation.produce(CODES, "key", b"{")
    installation.produce(CODES, "key", None)
    installation.produce(MENTOR_COUNTS, "key", b"[]")
    installation.produce(MENTOR_COUNTS, "key", encode_event(counts(2**65, mentor_id=new_id())))
    installation.produce(MENTOR_COUNTS, "key", encode_event(counts(3)).replace(b'"sms"', b'"\\u0000"'))
    installation.publish(code_issued(), counts(1, mentor_id=new_id()))
    with installation.running("counts"):
        wait_until(lambda: installation.committed("counts") == 7)
    letters = installation.dead_letters(3)
    assert {reasons_of(letter)["stage"] for letter in letters} == {"counts"}
    assert confirmed(installation) == [1]
    assert installation.count("referral_codes") == 1


def test_postgres_restart(installation: Installation, parts: Parts) -> None:
    """Postgres goes away and comes back: the projection goes on by itself."""
    installation.publish(counts(1))
    with installation.running("counts"):
        wait_until(lambda: confirmed(installation) == [1])
        parts.postgres.kill()
        installation.publish(counts(2))
        parts.postgres.start()
        wait_until(lambda: confirmed(installation) == [2])


def test_code_releases_a_waiting_milestone(installation: Installation) -> None:
    """Badge consumer and projection together: a milestone before its code is awarded when the code is projected."""
    installation.publish(milestone(5))
    with installation.running("badges"), installation.running("counts"):
        wait_until(lambda: installation.committed("badges") == 1)
        installation.publish(code_issued())
        wait_until(lambda: installation.awards(MENTOR) == [1, 5])
