"""The oracle on an installation that is years old: what retention has removed is beyond proof, and a bug is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psycopg
import pytest
from click.testing import CliRunner
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from commands.verify import command
from models.partitioning import partition_of
from models.topics import CLICKS, DEAD_LETTERS, MENTOR_COUNTS, MILESTONES, REGISTRATIONS, Topic
from process.settings import Settings
from proof.verify import report as checks_of
from proof.verify.oracle import Oracle
from proof.verify.report import AWARDS_TABLE, COUNTS, COUNTS_TABLE, DECISIONS_TABLE, MOVED, Report
from tests.crew import differences
from tests.programme_scene import (
    ANNA,
    ANNAS_CODE,
    BERT,
    HOME,
    ORG,
    PARTITIONS,
    Scene,
    Written,
    award,
    change,
    in_both,
    milestone,
    scene,
)

pytestmark = pytest.mark.integration

LETTERS: Final = checks_of.DEAD_LETTERS
REACHED: Final = checks_of.MILESTONES

ALL: Final = -1
Removal = dict[tuple[Topic, int], int]
"""Before which offset the records of a partition are gone."""

OLD_CLICKS: Final[Removal] = {(CLICKS, HOME): 2, (CLICKS, 1 - HOME): ALL}
"""Both of Anna's own clicks and the other partition, what was moved from there included; her moved copy stays."""
OLD_REGISTRATIONS: Final[Removal] = {(REGISTRATIONS, number): ALL for number in range(PARTITIONS)}
OLD_MILESTONES: Final[Removal] = {(MILESTONES, number): ALL for number in range(PARTITIONS)}
OLD_DEAD_LETTERS: Final[Removal] = {(DEAD_LETTERS, number): ALL for number in range(PARTITIONS)}
EVERYTHING_OLD: Final[Removal] = {
    **{(CLICKS, number): ALL for number in range(PARTITIONS)},
    **OLD_REGISTRATIONS,
    **OLD_MILESTONES,
    **OLD_DEAD_LETTERS,
}


def remove(settings: Settings, removal: Removal) -> None:
    """Let the broker delete records as retention does."""
    admin = AdminClient(dict(settings.kafka_client_config()))
    places = [
        TopicPartition(topic.full_name(settings.topic_prefix), number, before)
        for (topic, number), before in removal.items()
    ]
    for answer in admin.delete_records(places, request_timeout=30).values():
        answer.result()


def check(the: Scene, settings: Settings, removal: Removal) -> Report:
    """Write the scene, let it grow old, and check it."""
    written = the.write(settings)
    remove(written, removal)
    return Oracle(written).check(wait_s=0, with_database=True)


@pytest.mark.parametrize(
    ("removal", "beyond"),
    [
        ({}, {}),
        (OLD_CLICKS, {"clicks that are counted and gone": 3, "moved copies of records that are gone": 1}),
        ({(CLICKS, HOME): ALL}, {"clicks that are counted and gone": 3, "moved copies that are gone": 1}),
        (OLD_REGISTRATIONS, {"milestones whose confirmations are gone": 2}),
        (OLD_MILESTONES, {"milestones that are gone": 2}),
        (OLD_DEAD_LETTERS, {"dead letters that are gone": 3}),
        (EVERYTHING_OLD, {"clicks that are counted and gone": 4, "milestones that are gone": 2}),
    ],
    ids=["nothing", "clicks", "a copy", "registrations", "milestones", "dead letters", "everything"],
)
def test_an_old_installation_is_clean(settings: Settings, removal: Removal, beyond: dict[str, int]) -> None:
    """What is gone is no difference, and how much of it is beyond proof is said."""
    report = check(scene(), settings, removal)

    assert report.is_clean, differences(report)
    assert {what: report.beyond_proof.get(what) for what in beyond} == beyond
    assert bool(report.beyond_proof) is bool(removal)


def clicks_of(the: Scene, **by_channel: int) -> None:
    """Let Anna's clicks be others, everywhere, and the row agree with itself."""
    channels = {
        name: {"clicks": clicks, "pending": 0, "confirmed": 2 * (name == "sms")} for name, clicks in by_channel.items()
    }
    total = sum(by_channel.values())
    in_both(the, ANNA, total_clicks=total, by_channel=channels, conversion_rate=min(1.0, 2 / total))


def confirmed_of(the: Scene, confirmed: int) -> None:
    """Let Anna's confirmed members be others, everywhere, and the row agree with itself."""
    channels = {
        "sms": {"clicks": 2, "pending": 0, "confirmed": confirmed},
        "email": {"clicks": 1, "pending": 0, "confirmed": 0},
    }
    in_both(the, ANNA, confirmed_attributions=confirmed, by_channel=channels, conversion_rate=1.0)


def twice(records: list[Any], at: int) -> None:
    """Let a record come twice."""
    records.append(records[at])


PLANTED: Final[dict[str, tuple[Removal, Callable[[Scene], object], set[str]]]] = {
    "one click more than are gone": (OLD_CLICKS, lambda the: clicks_of(the, sms=3, email=1), {COUNTS}),
    "a click that is there lost": (OLD_CLICKS, lambda the: clicks_of(the, sms=3, email=0), {COUNTS}),
    "total and channels differ": (OLD_CLICKS, lambda the: in_both(the, ANNA, total_clicks=2), {COUNTS, COUNTS_TABLE}),
    "confirmation lost": (OLD_CLICKS, lambda the: confirmed_of(the, 1), {COUNTS}),
    "last event before what is there": (
        OLD_CLICKS,
        lambda the: in_both(the, ANNA, last_event_at="2026-11-20T10:09:00Z"),
        {COUNTS},
    ),
    "row of nobody": (
        OLD_CLICKS,
        lambda the: the.counts.update(x=the.counts[BERT] | {"mentor_id": str(uuid4())}),
        {COUNTS},
    ),
    "projection behind": (OLD_CLICKS, lambda the: change(the.counts_table[ANNA], total_clicks=2), {COUNTS_TABLE}),
    "milestone missing": (OLD_CLICKS, lambda the: the.milestones.pop(), {REACHED}),
    "milestone twice": (OLD_CLICKS, lambda the: twice(the.milestones, 0), {REACHED}),
    "moved record twice": (OLD_CLICKS, lambda the: twice(the.copies, 0), {MOVED}),
    "dead letter of a record that is there swallowed": (OLD_CLICKS, lambda the: the.dead_letters.pop(1), {LETTERS}),
    "dead letter twice": ({(CLICKS, HOME): ALL}, lambda the: twice(the.dead_letters, 1), {LETTERS}),
    "more confirmed than records are gone": (OLD_REGISTRATIONS, lambda the: confirmed_of(the, 8), {COUNTS}),
    "milestone id random": (
        OLD_REGISTRATIONS,
        lambda the: change(the.milestones[1], milestone_id=str(uuid4())),
        {REACHED},
    ),
    "milestone twice, its confirmation gone": (OLD_REGISTRATIONS, lambda the: twice(the.milestones, 1), {REACHED}),
    "reached and no milestone, its confirmation gone": (
        OLD_REGISTRATIONS,
        lambda the: the.milestones.pop(),
        {REACHED, DECISIONS_TABLE},
    ),
    "milestone forged for nobody": (
        OLD_REGISTRATIONS,
        lambda the: the.milestones.append(milestone(1, org_id=ORG, mentor_id=BERT, attribution=6, minute=6)),
        {REACHED},
    ),
    "award missing": (OLD_MILESTONES, lambda the: the.awards.clear(), {AWARDS_TABLE}),
    "award not due": (
        OLD_MILESTONES,
        lambda the: the.awards.append(award(5, milestone_threshold=2)),
        {AWARDS_TABLE},
    ),
    "award of another milestone": (
        OLD_MILESTONES,
        lambda the: change(the.awards[0], milestone_id=str(uuid4())),
        {AWARDS_TABLE},
    ),
    "threshold not listed": (OLD_MILESTONES, lambda the: in_both(the, ANNA, milestones=[1]), {COUNTS, COUNTS_TABLE}),
    "everything old, more clicks than ever came": (
        EVERYTHING_OLD,
        lambda the: clicks_of(the, sms=9, email=1),
        {COUNTS},
    ),
    "everything old, award missing": (EVERYTHING_OLD, lambda the: the.awards.clear(), {AWARDS_TABLE}),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_caught_all_the_same(settings: Settings, name: str) -> None:
    """Records being gone does not explain it."""
    removal, plant, checks = PLANTED[name]
    the = scene()
    plant(the)

    report = check(the, settings, removal)

    assert checks <= {difference.check for difference in report.differences}, differences(report)


LATER: Final[dict[str, tuple[Callable[[Scene], object], bool]]] = {
    "nothing": (lambda _: None, True),
    "a click lost that is gone": (lambda the: clicks_of(the, sms=1, email=1), False),
    "a click moved to another channel": (lambda the: clicks_of(the, sms=1, email=2), False),
    "a click too many": (lambda the: clicks_of(the, sms=3, email=1), False),
}


@pytest.mark.parametrize("what", LATER)
def test_what_an_earlier_check_found_right_is_proven_for_ever(settings: Settings, tmp_path: Path, what: str) -> None:
    """A check leaves what it found; when the records are gone, the next one is exact, and nothing is beyond proof."""
    plant, is_right = LATER[what]
    file = tmp_path / "checks" / "checkpoint.json"
    the = scene()
    settings = the.write(settings)
    assert Oracle(settings, checkpoint_file=file).check(wait_s=0, with_database=True).is_clean
    plant(the)
    rewrite(the, settings)
    remove(settings, OLD_CLICKS)

    report = Oracle(settings, checkpoint_file=file).check(wait_s=0, with_database=True)

    assert report.is_clean is is_right, differences(report)
    assert "clicks that are counted and gone" not in report.beyond_proof
    if not is_right:
        assert {difference.check for difference in report.differences} == {COUNTS, COUNTS_TABLE}


def test_a_first_check_of_an_old_installation_is_where_the_next_begins(settings: Settings, tmp_path: Path) -> None:
    """What was beyond proof then stays so, and is said; what changes since is proven."""
    file = tmp_path / "checkpoint.json"
    the = scene()
    settings = the.write(settings)
    remove(settings, OLD_CLICKS)
    for _ in range(2):
        report = Oracle(settings, checkpoint_file=file).check(wait_s=0, with_database=True)
        assert report.is_clean, differences(report)
    assert report.beyond_proof["clicks that were gone when they were first checked"] == 3

    clicks_of(the, sms=1, email=1)
    rewrite(the, settings)
    report = Oracle(settings, checkpoint_file=file).check(wait_s=0, with_database=True)

    assert {difference.check for difference in report.differences} == {COUNTS, COUNTS_TABLE}


def rewrite(the: Scene, settings: Settings) -> None:
    """Publish Anna's row once more, in the topic and in the table."""
    row = the.counts[ANNA]
    producer = Producer({**settings.kafka_client_config(), "partitioner": "murmur2"})
    name = MENTOR_COUNTS.full_name(settings.topic_prefix)
    producer.produce(name, json.dumps(row).encode(), f"{ORG}:{ANNA}")
    assert producer.flush(30) == 0
    with psycopg.connect(settings.database_url) as connection:
        connection.execute(
            "UPDATE mentor_counts SET total_clicks = %(total_clicks)s, by_channel = %(channels)s, "
            "conversion_rate = %(conversion_rate)s WHERE mentor_id = %(mentor_id)s",
            row | {"channels": json.dumps(row["by_channel"])},
        )


@pytest.mark.parametrize("bug", [None, "one click more than are gone"])
def test_the_command_says_what_is_beyond_proof(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bug: str | None
) -> None:
    """Exit code 0 where nothing contradicts, and 1 where something does; people and machines are told the same."""
    the = scene()
    if bug is not None:
        PLANTED[bug][1](the)
    settings = the.write(settings)
    remove(settings, OLD_CLICKS)
    for name in ("bootstrap_servers", "database_url", "topic_prefix", "app_id"):
        monkeypatch.setenv(f"REFERRALS_{name.upper()}", getattr(settings, name))
    monkeypatch.setenv("REFERRALS_THRESHOLDS", "1,2")
    monkeypatch.setenv("REFERRALS_DATA_DIR", str(tmp_path))

    told = CliRunner().invoke(command, ["--wait", "0", "--no-checkpoint"])
    for_machines = CliRunner().invoke(command, ["--wait", "0", "--json"])

    assert told.exit_code == for_machines.exit_code == (0 if bug is None else 1)
    counted = 3 if bug is None else 4
    assert f"{counted} clicks that are counted and gone" in told.stdout
    said = json.loads(for_machines.stdout)
    assert said["clean"] is (bug is None)
    assert said["beyond_proof"]["clicks that are counted and gone"] == counted
    assert said["removed"] == {"clicks.v1": 5}
    assert len(list(tmp_path.glob("verify/*"))) == (0 if bug else 1)


def replayed(the: Scene, *, refused_again: bool) -> None:
    """Let somebody send dead letters again with all their headers: Anna's moved click, and what is no JSON."""
    origin = next(text for _, text in the.copies[0].headers)
    connect = [
        ("__connect.errors.topic", "PREFIX.clicks.v1"),
        ("__connect.errors.partition", str(HOME)),
        ("__connect.errors.offset", "3"),
        ("__connect.errors.exception.class.name", "WaitedTooLong"),
        ("__connect.errors.exception.message", "why"),
        ("__connect.errors.stage", "attribution"),
    ]
    moved = the.copies[0]
    the.copies.append(moved._replace(headers=[("referrals.moved-from", origin), *connect]))
    clicks_of(the, sms=2, email=2)
    the.history[ORG, "email"] = (2, 0, 0, 0)
    if refused_again:
        spoilt = the.dead_letters[1]
        again = [
            ("__connect.errors.offset", "5") if name.endswith("offset") else (name, text)
            for name, text in spoilt.headers
        ]
        the.copies.append(Written(CLICKS, ANNAS_CODE, spoilt.value, HOME, [*spoilt.headers, ("referrals.again", "1")]))
        the.dead_letters.append(spoilt._replace(headers=[*spoilt.headers, ("referrals.again", "1"), *again]))


@pytest.mark.parametrize("refused_again", [False, True])
def test_a_dead_letter_sent_again_is_a_record_of_its_own(settings: Settings, *, refused_again: bool) -> None:
    """With the headers of its former life: no second copy, and what it led to then is not what it leads to now."""
    the = scene()
    replayed(the, refused_again=refused_again)

    report = check(the, settings, {})

    assert report.is_clean, differences(report)


def test_two_dead_letters_of_a_record_that_was_sent_again_are_caught(settings: Settings) -> None:
    """Being a replay excuses nothing: it has one dead letter like any other."""
    the = scene()
    replayed(the, refused_again=True)
    the.dead_letters.append(the.dead_letters[-1])

    assert {difference.check for difference in check(the, settings, {}).differences} == {LETTERS}


@pytest.mark.parametrize("is_one", [True, False])
def test_a_milestone_sent_again_to_the_badge_consumer(settings: Settings, *, is_one: bool) -> None:
    """A replayed dead letter of the badge consumer says what its origin says; else it is a second milestone."""
    the = scene()
    settings = the.write(settings)
    value = the.milestones[0] if is_one else the.milestones[0] | {"confirmed_count": 2}
    name = MILESTONES.full_name(settings.topic_prefix)
    producer = Producer({**settings.kafka_client_config(), "partitioner": "murmur2"})
    key = f"{ORG}:{ANNA}"
    headers: list[tuple[str, str | bytes | None]] = [
        ("__connect.errors.topic", name),
        ("__connect.errors.partition", str(partition_of(key.encode(), PARTITIONS))),
        ("__connect.errors.offset", "0"),
        ("__connect.errors.stage", "badges"),
    ]
    producer.produce(name, json.dumps(value), key, headers=headers)
    assert producer.flush(30) == 0

    report = Oracle(settings).check(wait_s=0, with_database=True)

    assert report.is_clean is is_one, differences(report)
