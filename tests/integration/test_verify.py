"""The oracle on real Kafka and Postgres: a right installation passes, each planted bug is caught by its check."""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import uuid4

import pytest
from click.testing import CliRunner
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from commands.verify import command
from models.topics import CLICKS
from process.settings import Settings
from proof.verify.history import CLICKS_GONE
from proof.verify.oracle import Oracle
from proof.verify.report import (
    AWARDS_TABLE,
    CODES_TABLE,
    COUNTS,
    COUNTS_TABLE,
    DEAD_LETTERS,
    DECISIONS_TABLE,
    HISTORY_TABLE,
    MILESTONES,
    MOVED,
    SUMS_TABLE,
    Report,
)
from tests.programme_scene import (
    ANNA,
    ANNAS_CODE,
    BERT,
    HOME,
    ORG,
    OTHER_ORG,
    Scene,
    award,
    change,
    in_both,
    milestone,
    scene,
)

pytestmark = pytest.mark.integration


CLARA = str(uuid4())
CLARAS_CODE = "C1ARA000"
"""Issued, and not in the codes topic."""


def check(the: Scene, settings: Settings) -> Report:
    """Write the scene and check it."""
    return Oracle(the.write(settings)).check(wait_s=0, with_database=True)


def test_a_right_installation_is_clean(settings: Settings) -> None:
    """Nothing differs, every disposition occurred, and the sums are those of the topics."""
    report = check(scene(), settings)

    assert report.differences == []
    assert report.is_clean
    assert {topic: dict(table.dispositions) for topic, table in report.sources.items()} == {
        "codes.v1": {"applied": 2, "dead letter": 1},
        "clicks.v1": {"applied": 4, "waiting": 1, "dead letter": 1, "moved": 1},
        "registrations.v1": {"applied": 4, "duplicate": 1, "dead letter": 1},
    }
    assert all(table.gaps == 0 for table in report.sources.values())


PLANTED: dict[str, tuple[Callable[[Scene], object], set[str]]] = {
    "click counted twice": (lambda the: in_both(the, BERT, total_clicks=2), {COUNTS, COUNTS_TABLE}),
    "confirmation lost": (lambda the: in_both(the, ANNA, confirmed_attributions=1), {COUNTS, COUNTS_TABLE}),
    "channels do not sum": (lambda the: in_both(the, BERT, by_channel={}), {COUNTS, COUNTS_TABLE}),
    "rate wrong": (lambda the: in_both(the, ANNA, conversion_rate=0.5), {COUNTS, COUNTS_TABLE}),
    "last event wrong": (lambda the: change(the.counts[BERT], last_event_at="2026-11-20T10:03:00Z"), {COUNTS}),
    "row lost": (lambda the: the.counts.pop(BERT), {COUNTS}),
    "row of nobody": (lambda the: the.counts.update(x=the.counts[BERT] | {"mentor_id": str(uuid4())}), {COUNTS}),
    "row in another organisation": (lambda the: change(the.counts[BERT], org_id=ORG), {COUNTS}),
    "member id in a row": (lambda the: change(the.counts[ANNA], new_member_id=str(uuid4())), {COUNTS}),
    "milestone missing": (lambda the: the.milestones.pop(), {MILESTONES, DECISIONS_TABLE}),
    "milestone twice": (lambda the: the.milestones.append(the.milestones[0]), {MILESTONES}),
    "milestone not due": (
        lambda the: the.milestones.append(milestone(3, attribution=7, minute=7)),
        {MILESTONES},
    ),
    "milestone forged for another organisation": (
        lambda the: the.milestones.append(milestone(1, org_id=OTHER_ORG, attribution=6, minute=6)),
        {MILESTONES},
    ),
    "milestone id random": (
        lambda the: change(the.milestones[1], milestone_id=str(uuid4())),
        {MILESTONES},
    ),
    "threshold off by one": (lambda the: change(the.milestones[1], milestone_threshold=3), {MILESTONES}),
    "count below the threshold": (lambda the: change(the.milestones[1], confirmed_count=1), {MILESTONES}),
    "milestone of no confirmation": (
        lambda the: change(the.milestones[1], attribution_id=str(uuid4())),
        {MILESTONES},
    ),
    "dead letter swallowed": (lambda the: the.dead_letters.pop(0), {DEAD_LETTERS}),
    "other organisation's dead letter swallowed": (lambda the: the.dead_letters.pop(), {DEAD_LETTERS}),
    "dead letter twice": (lambda the: the.dead_letters.append(the.dead_letters[0]), {DEAD_LETTERS}),
    "dead letter of other bytes": (
        lambda the: the.dead_letters.append(the.dead_letters.pop()._replace(value=b"{}")),
        {DEAD_LETTERS},
    ),
    "moved record lost": (lambda the: the.copies.pop(), {MOVED, COUNTS, COUNTS_TABLE}),
    "moved record twice": (lambda the: the.copies.append(the.copies[0]), {MOVED}),
    "moved under another key": (
        lambda the: the.copies.append(the.copies.pop()._replace(key="anna0000")),
        {MOVED},
    ),
    "code projected to another mentor": (
        lambda the: the.codes_table.update({ANNAS_CODE: (OTHER_ORG, ANNA)}),
        {CODES_TABLE},
    ),
    "code stored and never published": (lambda the: the.codes_table.update({CLARAS_CODE: (ORG, CLARA)}), {CODES_TABLE}),
    "projection behind": (lambda the: change(the.counts_table[ANNA], total_clicks=2), {COUNTS_TABLE}),
    "award missing": (lambda the: the.awards.clear(), {AWARDS_TABLE}),
    "award not due": (lambda the: the.awards.append(award(5, milestone_threshold=2)), {AWARDS_TABLE}),
    "award across organisations": (
        lambda the: the.awards.append(award(1, milestone_threshold=1, org_id=OTHER_ORG)),
        {AWARDS_TABLE},
    ),
    "award of another milestone": (
        lambda the: change(the.awards[0], milestone_id=str(uuid4())),
        {AWARDS_TABLE},
    ),
    "sum of an organisation wrong": (
        lambda the: the.statements.append("UPDATE organisation_counts SET pending_attributions = 7"),
        {SUMS_TABLE},
    ),
    "channel without its sum": (
        lambda the: the.statements.append("DELETE FROM organisation_channels WHERE channel = 'email'"),
        {SUMS_TABLE},
    ),
    "day counted twice": (
        lambda the: the.statements.append("UPDATE organisation_days SET clicks = clicks * 2"),
        {SUMS_TABLE},
    ),
    "award not counted": (
        lambda the: the.statements.append("DELETE FROM organisation_totals WHERE counted = 'awards'"),
        {SUMS_TABLE},
    ),
    "click of the history twice": (
        lambda the: the.history.update({(ORG, "sms"): (3, 2, 2, 0)}),
        {HISTORY_TABLE},
    ),
    "click of the history lost": (lambda the: the.history.pop((OTHER_ORG, "email")), {HISTORY_TABLE}),
    "click in another channel": (lambda the: the.history.update({(ORG, "qr"): (1, 0, 0, 0)}), {HISTORY_TABLE}),
    "registration of the history lost": (
        lambda the: the.history.update({(OTHER_ORG, "sms"): (0, 0, 0, 0)}),
        {HISTORY_TABLE},
    ),
    "withdrawn and never said": (lambda the: the.history.update({(ORG, "sms"): (2, 2, 2, 1)}), {HISTORY_TABLE}),
    "in another quarter of an hour": (
        lambda the: the.statements.append(
            "UPDATE organisation_quarter_hours SET begins_at = begins_at + interval '15 minutes' WHERE registered = 1"
        ),
        {HISTORY_TABLE},
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_caught(settings: Settings, name: str) -> None:
    """It makes a difference in the checks that it concerns, in each of them."""
    plant, checks = PLANTED[name]
    the = scene()
    plant(the)

    report = check(the, settings)

    assert checks <= {difference.check for difference in report.differences}


def test_a_history_that_was_never_begun_is_noted(settings: Settings) -> None:
    """Nobody runs `referrals counts` yet: no difference of its, but said."""
    the = scene()
    the.history.clear()
    the.statements.append("DELETE FROM sink_positions")

    report = check(the, settings)

    assert report.is_clean, report.differences
    assert any("the history is not compared" in note for note in report.notes)


@pytest.mark.parametrize(("clicks", "differs"), [(2, False), (3, True)])
def test_old_clicks_of_the_history_are_beyond_proof(settings: Settings, clicks: int, *, differs: bool) -> None:
    """Retention has removed two of Anna's; one more than these is a difference all the same."""
    the = scene()
    the.history[ORG, "sms"] = (clicks, 2, 2, 0)
    written = the.write(settings)
    place = TopicPartition(CLICKS.full_name(written.topic_prefix), HOME, 2)
    admin = AdminClient(dict(written.kafka_client_config()))  # answers nothing once nobody holds it
    admin.delete_records([place], request_timeout=30)[place].result()

    report = Oracle(written).check(wait_s=0, with_database=True)

    found = [each for each in report.differences if each.check == HISTORY_TABLE]
    assert bool(found) is differs, found
    assert (report.beyond_proof.get(CLICKS_GONE) == 2) is not differs


def test_a_code_in_the_outbox_is_noted(settings: Settings) -> None:
    """It is stored and will be published: no difference, but said."""
    the = scene()
    the.codes_table[CLARAS_CODE] = (ORG, CLARA)
    the.statements.append(
        "INSERT INTO codes_outbox (org_id, referral_code, mentor_id, issued_at) "
        "SELECT org_id, referral_code, mentor_id, issued_at FROM referral_codes"
    )

    report = check(the, settings)

    assert report.is_clean, report.differences
    assert any("3 codes wait in the outbox" in note for note in report.notes)


def test_a_changed_threshold_is_said_as_such(settings: Settings) -> None:
    """A milestone of a threshold that is no longer set is a difference that asks whether the setting was changed."""
    the = scene()
    written = the.write(settings).model_copy(update={"thresholds": (2,)})

    report = Oracle(written).check(wait_s=0, with_database=False)

    assert ["were the thresholds changed?" in difference.wanted for difference in report.differences] == [True]


def test_an_added_threshold_is_noted(settings: Settings) -> None:
    """A threshold that nobody's milestone has is noted as perhaps added later."""
    the = scene()
    the.milestones.pop()

    report = check(the, settings)

    assert any("never emitted: 2" in note for note in report.notes)


def test_records_not_processed_are_counted(settings: Settings) -> None:
    """What the stream app has not committed is said, and the installation is not clean."""
    report = check(Scene(**{**vars(scene()), "unprocessed": 2}), settings)

    assert report.unprocessed == 2
    assert not report.is_clean


@pytest.mark.parametrize("bug", ["none", "award missing", "no topics"])
def test_the_command_tells_by_its_exit_code(settings: Settings, monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    """0 clean, 1 differences, 2 cannot read; --json is one object that says the same."""
    the = scene()
    if bug == "award missing":
        the.awards.clear()
    if bug != "no topics":
        settings = the.write(settings)
    for name in ("bootstrap_servers", "database_url", "topic_prefix", "app_id"):
        monkeypatch.setenv(f"REFERRALS_{name.upper()}", getattr(settings, name))
    monkeypatch.setenv("REFERRALS_THRESHOLDS", "1,2")

    result = CliRunner().invoke(command, ["--wait", "0", "--json"])

    assert result.exit_code == {"none": 0, "award missing": 1, "no topics": 2}[bug]
    if bug == "no topics":
        assert "no such topic" in result.stderr
    else:
        assert json.loads(result.stdout)["clean"] is (bug == "none")
