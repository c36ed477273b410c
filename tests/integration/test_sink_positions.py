"""The sinks where database and Kafka do not agree: restored, made anew, cut short, upgraded, taken over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing

import psycopg
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from local.parts import Parts
from models.events import encode_event
from models.topics import CODES, DEAD_LETTERS, MENTOR_COUNTS, MILESTONES, Topic
from operations.topics import create_topics
from process.settings import Settings
from sinks.errors import Fenced
from sinks.postgres_badges import PostgresBadgeRepository
from tests.component import Component
from tests.installation import DEADLINE_S, Installation, wait_until
from tests.milestones import MENTOR, ORG, code_issued, counts, milestone, new_id

pytestmark = pytest.mark.integration

PARTITIONS = 4


@pytest.fixture
def installation(settings: Settings) -> Installation:
    """Give an installation whose database knows the mentor."""
    installation = Installation(settings.model_copy(update={"partitions": PARTITIONS}))
    add_mentor(installation)
    return installation


def add_mentor(installation: Installation) -> None:
    """Insert what the projection inserts for an issued code."""
    installation.query("INSERT INTO organisations VALUES (%s) ON CONFLICT DO NOTHING", [ORG])
    installation.query("INSERT INTO mentors VALUES (%s, %s)", [ORG, MENTOR])


def go_back(installation: Installation, backup: str) -> None:
    """Let the installation work on a backup of its database, as after a restore."""
    address = installation.settings.database_url.rsplit("/", 1)[0]
    installation.settings = installation.settings.model_copy(update={"database_url": f"{address}/{backup}"})


def back_up(installation: Installation, parts: Parts) -> str:
    """Copy the database, which nobody uses just now, and return the copy's name."""
    name = f"test_{new_id()}"
    parts.create_database(name, template=installation.settings.database_url.rsplit("/", 1)[1])
    return name


def events(component: Component) -> list[dict[str, object]]:
    """Return the lines of its log."""
    return [json.loads(line) for line in component.log.splitlines()]


def said(component: Component, event: str) -> list[dict[str, object]]:
    """Return its lines of one kind."""
    return [line for line in events(component) if line["event"] == event]


def positions(installation: Installation) -> int:
    """Return the sum of the positions that the database has."""
    ((total,),) = installation.query("SELECT coalesce(sum(next_offset), 0) FROM sink_positions")
    return int(total)


def delete_before_end(installation: Installation, topic: Topic) -> None:
    """Delete all records of a topic, as retention does in time."""
    admin = AdminClient({**installation.settings.kafka_client_config()})
    name = installation.topic(topic)
    ends = [TopicPartition(name, number, installation.end((name, number))) for number in range(PARTITIONS)]
    for answer in admin.delete_records(ends).values():
        answer.result(DEADLINE_S)


def make_anew(installation: Installation, topic: Topic) -> None:
    """Delete a topic and create it again, empty."""
    admin = AdminClient({**installation.settings.kafka_client_config()})
    for answer in admin.delete_topics([installation.topic(topic)]).values():
        answer.result(DEADLINE_S)
    wait_until(lambda: installation.topic(topic) not in admin.list_topics(timeout=DEADLINE_S).topics)
    create_topics(installation.settings)


# -- the database goes back in time -----------------------------------------------------------------------------


def test_restored_database_gets_its_awards(installation: Installation, parts: Parts) -> None:
    """What was awarded after the backup is awarded again in the restored database; Kafka's offset follows."""
    installation.publish(milestone(1))
    with installation.running("badges"):
        wait_until(lambda: installation.awards(MENTOR) == [1])
    backup = back_up(installation, parts)
    installation.publish(milestone(5))
    with installation.running("badges"):
        wait_until(lambda: installation.awards(MENTOR) == [1, 5])
        wait_until(lambda: installation.committed("badges") == 2)
    go_back(installation, backup)
    with installation.running("badges") as badges:
        wait_until(lambda: installation.awards(MENTOR) == [1, 5])
        wait_until(lambda: installation.committed("badges") == 2)
    (line,) = said(badges, "sink.store_went_back")
    assert (line["position"], line["goes_on_at"], line["read_before"]) == (1, 1, 2)


def test_restored_database_gets_its_counts(installation: Installation, parts: Parts) -> None:
    """Counts and codes that came after the backup are projected again."""
    other = new_id()
    installation.publish(counts(1))
    with installation.running("counts"):
        wait_until(lambda: installation.count("mentor_counts") == 1)
    backup = back_up(installation, parts)
    installation.publish(counts(2), code_issued("ABCDEFGH34", mentor_id=other))
    with installation.running("counts"):
        wait_until(lambda: installation.count("referral_codes") == 1)
        wait_until(lambda: installation.committed("counts") == 3)
    go_back(installation, backup)
    with installation.running("counts"):
        wait_until(lambda: installation.count("referral_codes") == 1)
        wait_until(
            lambda: (
                installation.query("SELECT confirmed_attributions FROM mentor_counts WHERE org_id = %s", [ORG])
                == [(2,)]
            )
        )


def test_database_goes_back_beneath_a_running_consumer(installation: Installation) -> None:
    """As after a failover to a replica that was behind: what it has not is awarded again, with no record to come."""
    installation.publish(milestone(1), milestone(5))
    with installation.running("badges") as badges:
        wait_until(lambda: installation.awards(MENTOR) == [1, 5])
        installation.query(
            "WITH a AS (DELETE FROM badge_awards), d AS (DELETE FROM badge_decisions), m AS (DELETE FROM milestones) "
            "UPDATE sink_positions SET next_offset = 0"
        )
        wait_until(lambda: installation.awards(MENTOR) == [1, 5])
    assert said(badges, "sink.fenced")
    assert said(badges, "sink.store_went_back")


def test_database_that_is_lost_is_filled_again(installation: Installation, parts: Parts) -> None:
    """A database made anew gets everything that the topics still have, whatever Kafka's offsets say."""
    backup = back_up(installation, parts)  # of a database that knows the mentor and has read nothing
    installation.publish(milestone(1), milestone(5))
    with installation.running("badges"):
        wait_until(lambda: installation.committed("badges") == 2)
    go_back(installation, backup)
    with installation.running("badges") as badges:
        wait_until(lambda: installation.awards(MENTOR) == [1, 5])
    assert said(badges, "sink.store_is_new")


def test_dead_letters_are_not_new_when_the_database_is_restored(installation: Installation, parts: Parts) -> None:
    """A dead letter that is sent once more says so; one of a record that comes then does not."""
    backup = back_up(installation, parts)
    installation.produce(MILESTONES, "key", b"{")
    with installation.running("badges"):
        wait_until(lambda: installation.committed("badges") == 1)
    go_back(installation, backup)
    installation.produce(MILESTONES, "key", b"[")
    with installation.running("badges"):
        wait_until(lambda: installation.committed("badges") == 2)
    letters = installation.dead_letters(3)
    again = sorted((letter.value() or b"", dict(letter.headers() or []).get("referrals.again")) for letter in letters)
    assert again == sorted([(b"{", None), (b"{", b"1"), (b"[", None)], key=lambda pair: (pair[0], pair[1] or b""))


# -- the log is another -----------------------------------------------------------------------------------------


def test_counts_topic_made_anew(installation: Installation) -> None:
    """Whatever a topic that was made anew has is newer than what was, and is read from its first record."""
    installation.publish(*(counts(n) for n in range(5)))
    with installation.running("counts"):
        wait_until(lambda: installation.committed("counts") == 5)
    make_anew(installation, MENTOR_COUNTS)
    installation.publish(counts(7))
    with installation.running("counts") as projection:
        wait_until(lambda: confirmed(installation) == [7])
    assert len(said(projection, "sink.topic_made_anew")) == PARTITIONS


def test_counts_topic_made_anew_beneath_a_running_projection(installation: Installation) -> None:
    """The same while the projection runs."""
    installation.publish(*(counts(n) for n in range(5)))
    with installation.running("counts"):
        wait_until(lambda: installation.committed("counts") == 5)
        make_anew(installation, MENTOR_COUNTS)
        installation.publish(counts(7))
        wait_until(lambda: confirmed(installation) == [7])


def test_log_that_ends_before_the_position(installation: Installation) -> None:
    """A log that has lost its end is read from there on, and what comes is newer than what was lost."""
    installation.publish(counts(5))
    with installation.running("counts"):
        wait_until(lambda: confirmed(installation) == [5])
    # A broker that was restored from a copy can not be had here; seen from the database it is the same.
    installation.query("UPDATE sink_positions SET next_offset = 900 WHERE next_offset = 1")
    installation.query("UPDATE mentor_counts SET topic_offset = 899")
    with installation.running("counts") as projection:
        wait_until(lambda: bool(said(projection, "sink.log_cut_short")))
        installation.publish(counts(6))
        wait_until(lambda: confirmed(installation) == [6])


def test_records_that_were_deleted_before_they_were_read(installation: Installation) -> None:
    """It is an error that says how many, and what is left is awarded."""
    installation.publish(milestone(1))
    with installation.running("badges"):
        wait_until(lambda: installation.awards(MENTOR) == [1])
    installation.publish(milestone(5))
    delete_before_end(installation, MILESTONES)
    installation.publish(milestone(10))
    with installation.running("badges") as badges:
        wait_until(lambda: installation.awards(MENTOR) == [1, 5, 10])  # the later count earns both
    (line,) = said(badges, "sink.records_lost")
    assert (line["level"], line["at_most"]) == ("error", 1)
    assert installation.query("SELECT milestone_threshold FROM milestones ORDER BY 1") == [(1,), (10,)]


def test_markers_of_transactions_are_no_records(installation: Installation) -> None:
    """Where a log ends in a transaction's marker and all of it is deleted, nothing was lost."""
    producer = Producer({**installation.settings.kafka_client_config(), "transactional.id": new_id()})
    producer.init_transactions(DEADLINE_S)
    producer.begin_transaction()
    for number in range(PARTITIONS):
        event = encode_event(milestone(1, mentor_id=new_id()))
        producer.produce(installation.topic(MILESTONES), event, partition=number)
    producer.commit_transaction(DEADLINE_S)
    with installation.running("badges"):
        wait_until(lambda: positions(installation) == 2 * PARTITIONS)
    delete_before_end(installation, MILESTONES)
    with installation.running("badges") as badges:
        installation.publish(milestone(5))
        wait_until(lambda: installation.awards(MENTOR) == [1, 5])
    assert said(badges, "sink.records_lost") == []


# -- an installation of before ----------------------------------------------------------------------------------


def commit_as_before(installation: Installation, component: str, topics: Sequence[Topic]) -> None:
    """Leave the offsets that a version without positions left: at the ends, without a mark; and no positions."""
    installation.query("DELETE FROM sink_positions")
    consumer = Consumer(
        {
            **installation.settings.kafka_client_config(),
            "group.id": f"{installation.settings.topic_prefix}{component}",
            "enable.auto.commit": False,
        }
    )
    places = [(installation.topic(topic), number) for topic in topics for number in range(PARTITIONS)]
    ends = [TopicPartition(*place, installation.end(place)) for place in places]
    consumer.commit(offsets=ends, asynchronous=False)
    consumer.close()


@pytest.mark.parametrize(("component", "topics"), [("badges", [MILESTONES]), ("counts", [CODES, MENTOR_COUNTS])])
def test_upgrade(installation: Installation, component: str, topics: list[Topic]) -> None:
    """An installation without positions goes on at Kafka's offsets by itself, once, and reads nothing again."""
    installation.produce(topics[-1], f"{ORG}:{MENTOR}", b"{")
    installation.publish(milestone(1), counts(1))
    with installation.running(component):
        wait_until(lambda: installation.committed(component) == 2)
    commit_as_before(installation, component, topics)
    installation.publish(milestone(5), counts(2))
    with installation.running(component) as upgraded:
        wait_until(lambda: installation.committed(component) == 3)
    assert {line["position"] for line in said(upgraded, "sink.upgraded")} == {None}
    assert said(upgraded, "sink.upgraded")
    assert (installation.awards(MENTOR) or confirmed(installation)) in ([1, 5], [2])
    assert len(installation.dead_letters(1)) == 1
    assert installation.end((installation.topic(DEAD_LETTERS), 0)) <= 1


# -- two who take themselves for the owner ----------------------------------------------------------------------


def test_who_was_taken_over_can_write_nothing(database_url: str) -> None:
    """The effect and the position of a consumer whose partition another has claimed are rolled back together."""
    place = ("milestones", 0)
    with (
        closing(PostgresBadgeRepository(database_url)) as zombie,
        closing(PostgresBadgeRepository(database_url)) as owner,
    ):
        assert zombie.positions.claim([place]) == {}
        with zombie.transaction() as work:
            work.record([milestone(1)])
            work.move({place: 1})
        assert owner.positions.claim([place])[place].next == 1
        with pytest.raises(Fenced) as fenced, zombie.transaction() as work:  # noqa: PT012 - the transaction is what ends
            work.record([milestone(5)])
            work.move({place: 2})
        assert fenced.value.places == {place}
        with pytest.raises(Fenced), zombie.transaction() as work:  # noqa: PT012 - the same
            work.record([milestone(5)])
            work.move({place: None})
        with owner.transaction() as work:
            assert [new.milestone_threshold for new in work.record([milestone(1), milestone(5)])] == [5]
            work.move({place: 2})
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT next_offset FROM sink_positions").fetchall() == [(2,)]


def confirmed(installation: Installation) -> list[int]:
    """Return the confirmed counts in the table."""
    return [count for (count,) in installation.query("SELECT confirmed_attributions FROM mentor_counts")]
