"""What an operator does to a running programme, on real Kafka and Postgres: one installation, looked at and mended.

Anna has five confirmed members and two badges, Bert of another organisation none. Three clicks came before their code
was issued, and only one of them found room to wait. What the tests change is counted again by the oracle at the end.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, LiteralString, NamedTuple

import duckdb
import psycopg
import pytest
from confluent_kafka import Producer

from local import parts as local_parts
from models.partitioning import partition_of
from models.topics import CLICKS, CODES, REGISTRATIONS, Topic
from process.fault_points import VARIABLE
from process.settings import Settings, load_settings
from tests.crew import READY, ROOT, Crew, wait_until
from tests.factories import ORG, OTHER_ORG, at, make_click, make_code_issued, make_registration

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

ANNA, BERT, LATE = (f"0b000000-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))
ANNAS, BERTS, LATES = "ANNA000001", "BERT000002", "1ATE000003"
PARTITIONS: Final = 2
AWARDS: Final = "SELECT count(*) FROM badge_awards"
AWARDS_OF: Final = "SELECT count(*) FROM badge_awards WHERE mentor_id = %s"
CONFIRMED_OF: Final = "SELECT confirmed_attributions FROM mentor_counts WHERE mentor_id = %s"
CLICKS_OF: Final = "SELECT total_clicks FROM mentor_counts WHERE mentor_id = %s"
FACES: Final = [(1, "sms"), (2, "sms"), (3, "email"), (30, "sms")]
"""Minutes and channels of Anna's clicks."""


class Programme(NamedTuple):
    """The running installation."""

    settings: Settings
    crew: Crew

    def run(self, *arguments: str, fault: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command as an operator does."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "commands", *arguments],
            cwd=ROOT,
            env=self.crew.environment() | {VARIABLE: fault},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def told(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Return what a command says with --json."""
        done = self.run(*arguments, "--json")
        assert done.returncode == code, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def value(self, query: LiteralString, *values: str) -> Any:  # noqa: ANN401  whatever is asked for
        """Return the one value that a query gives."""
        with psycopg.connect(self.settings.database_url) as connection:
            row = connection.execute(query, values).fetchone()
            return row and row[0]

    def send(self, *records: tuple[Topic, str, Any]) -> None:
        """Send events, or bytes that are none."""
        producer = Producer({**self.settings.kafka_client_config(), "partitioner": "murmur2_random"})
        for topic, key, event in records:
            value = event if isinstance(event, bytes) else json.dumps(event).encode()
            producer.produce(topic.full_name(self.settings.topic_prefix), value, key)
        assert producer.flush(30) == 0


@pytest.fixture(scope="module")
def programme(
    parts: local_parts.Parts, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Programme]:
    """Give the installation with everything counted and awarded."""
    place = tmp_path_factory.mktemp("acting")
    prefix = f"test-{uuid.uuid4().hex[:12]}."
    settings = load_settings(
        bootstrap_servers=parts.kafka.bootstrap_servers,
        database_url=parts.create_database(f"test_{uuid.uuid4().hex}", template=migrated_template),
        topic_prefix=prefix,
        app_id=f"{prefix}streams",
        partitions=PARTITIONS,
        waiting_records_max=1,
        data_dir=place / "data",
    )
    crew = Crew(settings, place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFERRALS_WAITING_RECORDS_MAX", str(settings.waiting_records_max))
        crew.start("worker")
    crew.start("badges", "badges")
    crew.start("counts", "counts")
    try:
        crew.wait_log("worker", READY)
        made = Programme(settings, crew)
        _fill(made)
        yield made
    finally:
        crew.stop()


def _fill(made: Programme) -> None:
    """Let everything come, and wait until it is where it belongs."""
    made.send(
        (CODES, ANNAS, make_code_issued(ANNAS, mentor_id=ANNA)),
        (CODES, BERTS, make_code_issued(BERTS, org_id=OTHER_ORG, mentor_id=BERT)),
        *((CLICKS, LATES, make_click(LATES)) for _ in range(3)),
    )
    wait_until(lambda: _dead(made) == {"WaitingFull": 2}, "nothing is set aside")
    made.send(
        (CODES, LATES, make_code_issued(LATES, org_id=OTHER_ORG, mentor_id=LATE)),
        *((CLICKS, ANNAS, make_click(ANNAS, occurred_at=at(minute), device_metadata={"share_channel": channel}))
          for minute, channel in FACES),
        *((REGISTRATIONS, ANNAS, annas(member, minute=10 + member)) for member in range(1, 6)),
        (REGISTRATIONS, ANNAS, annas(6, "pending_signup")),
        (REGISTRATIONS, ANNAS, annas(7, org_id=OTHER_ORG)),
        (CLICKS, BERTS, b"{"),
        (CLICKS, BERTS, {("referralCode" if name == "referral_code" else name): value
                         for name, value in make_click(BERTS).items()}),
        (CLICKS, BERTS, make_click(BERTS)),
    )  # fmt: skip
    wait_until(lambda: sum(_dead(made).values()) == 5, "not all is set aside")
    wait_until(lambda: made.value(AWARDS) == 2, "not all is awarded")
    made.crew.assert_exact()


def annas(member: int, status: str = "confirmed", minute: int = 0, **changed: object) -> dict[str, Any]:
    """Return a registration with Anna's code."""
    return make_registration(member, status, minute, referral_code=ANNAS, **changed)


def _dead(made: Programme) -> dict[str, int]:
    told = made.told("dead-letters", "list")
    return {count["reason"]: count["open"] + count["replayed"] for count in told["counts"]}


def test_an_award_is_explained_back_to_the_registration_that_crossed(programme: Programme) -> None:
    """The fifth confirmation, with its coordinates, those before it, and the clicks until then; no member."""
    told = programme.told("explain", ANNA)
    (anna,) = told["organisations"]
    awarded = {badge["threshold"]: badge for badge in anna["badges"] if badge["is_awarded"]}
    assert sorted(awarded) == [1, 5]
    five = next(each for each in anna["milestones"] if each["milestone_id"] == awarded[5]["milestone_id"])
    crossed = five["crossed_by"]
    topic = REGISTRATIONS.full_name(programme.settings.topic_prefix)
    assert (crossed["topic"], crossed["partition"]) == (topic, partition_of(ANNAS.encode(), PARTITIONS))
    assert crossed["event_id"] == make_registration(5, minute=15)["attribution_id"]
    assert crossed["occurred_at"] == at(15)
    assert [each["offset"] for each in five["confirmed"]] == [crossed["offset"] - back for back in (4, 3, 2, 1, 0)]
    assert (five["clicks"]["total"], five["clicks"]["by_channel"]) == (3, {"sms": 2, "email": 1})
    assert five["record"]["topic"].endswith("milestones.v1")
    assert anna["doubts"] == ["events of his code that name another organisation, and count nowhere: 1"]
    assert "member_id" not in crossed


def test_a_badge_that_was_not_awarded_says_why(programme: Programme) -> None:
    """What was decided, and what is missing; by code as by id, in the tree as in JSON."""
    (anna,) = programme.told("explain", ANNAS.lower(), "--badge", "10", "--tables-only")["organisations"]
    (ten,) = anna["badges"]
    assert ten["why_not"]["reason"] == "not_reached"
    assert [(each["milestone_threshold"], each["reason"]) for each in ten["decisions"]] == [
        (1, "below_threshold"),
        (5, "below_threshold"),
    ]
    shown = programme.run("explain", ANNA).stdout
    assert "badge Ten recruits (at 10): not awarded" in shown
    assert "it comes at 10 confirmed registrations, and 5 are: 5 more; 1 are pending" in shown
    assert f"/{partition_of(ANNAS.encode(), PARTITIONS)}/4, occurred {at(15)}" in shown
    assert "member 0c" not in shown
    assert "member 0c" in programme.run("explain", ANNA, "--members").stdout


def test_an_organisation_sees_no_other(programme: Programme) -> None:
    """Anna is nobody in Bert's organisation, and its dead letters are not hers."""
    done = programme.run("explain", ANNA, "--org", OTHER_ORG)
    assert done.returncode == 1
    assert f"no code, counts or milestones in organisation {OTHER_ORG}" in done.stderr
    assert programme.run("explain", str(uuid.uuid4())).returncode == 1
    assert programme.run("explain", "Anna").returncode == 2
    (mine,) = programme.told("dead-letters", "list", "--org", ORG)["letters"]
    assert (mine["reason"], mine["referral_code"]) == ("OtherOrganisation", ANNAS)
    theirs = programme.told("dead-letters", "list", "--org", OTHER_ORG)["letters"]
    assert {each["referral_code"] for each in theirs} == {BERTS, LATES}


def test_dead_letters_are_counted_found_and_shown(programme: Programme) -> None:
    """By reason, topic, code and time; of what stood in one only its code and organisation, unless asked."""
    counts = programme.told("dead-letters", "list")["counts"]
    assert {(each["reason"], each["topic"]) for each in counts} == {
        ("WaitingFull", "clicks.v1"),
        ("BadEvent", "clicks.v1"),
        ("OtherOrganisation", "registrations.v1"),
    }
    assert len(programme.told("dead-letters", "list", "--code", "1ate-ooooo3")["letters"]) == 2
    assert programme.told("dead-letters", "list", "--until", "2020-01-01T00:00:00Z")["counts"] == []
    assert programme.told("dead-letters", "list", "--since", "2100-01-01T00:00:00Z")["counts"] == []
    (other,) = programme.told("dead-letters", "list", "--topic", "registrations")["letters"]
    member = make_registration(7)["new_member_id"]
    shown = programme.run("dead-letters", "show", other["letter"]).stdout
    assert "reason: OtherOrganisation" in shown
    assert member not in shown
    assert member in programme.run("dead-letters", "show", other["letter"], "--value").stdout
    assert programme.run("dead-letters", "show", "0/999999").returncode == 1


@pytest.mark.long
def test_a_replay_sends_each_once_whoever_is_killed(programme: Programme) -> None:
    """Killed before its transaction is committed it has sent nothing, after it all; then nothing is left."""
    wait_until(lambda: programme.value(CLICKS_OF, LATE) == 1, "the waiting click did not count")
    meant = ("dead-letters", "replay", "--reason", "WaitingFull")

    assert programme.told(*meant, "--dry-run")["ready"] == 2
    assert programme.run(*meant, fault="replay.produced").returncode == -9
    assert programme.told(*meant, "--dry-run")["ready"] == 2
    assert programme.run(*meant, fault="replay.committed").returncode == -9
    again = programme.told(*meant)
    assert (again["sent"], again["before"]) == (0, 2)
    wait_until(lambda: programme.value(CLICKS_OF, LATE) == 3, "the clicks did not count")
    counts = programme.told("dead-letters", "list", "--reason", "WaitingFull")["counts"]
    assert [(each["open"], each["replayed"]) for each in counts] == [(0, 2)]
    assert programme.told("dead-letters", "list", "--reason", "WaitingFull", "--open")["letters"] == []


def test_a_replay_repairs_what_is_certain_and_refuses_the_rest(programme: Programme) -> None:
    """As `publish` does; and everything is counted as the oracle counts it, once."""
    meant = ("dead-letters", "replay", "--reason", "BadEvent", "--reason", "OtherOrganisation")
    done = programme.run(*meant)
    assert done.returncode == 1
    assert done.stdout == "1 replayed (clicks.v1 1); 0 were before, 2 refused\n"
    assert "it would be one again: Click: body is not JSON in UTF-8" in done.stderr
    assert "it would be one again, the first issue of a code stands" in done.stderr
    wait_until(lambda: programme.value(CLICKS_OF, BERT) == 2, "the click did not count")
    assert programme.run(*meant).stdout == "0 replayed (none); 1 were before, 2 refused\n"
    assert programme.run("dead-letters", "replay").returncode == 2
    programme.crew.assert_exact()


def test_other_thresholds_are_previewed(programme: Programme) -> None:
    """Anna is past a three that there is not, with a milestone of five; nothing is changed by looking."""
    told = programme.told("thresholds", "preview", "1,3,10")
    organisations = {each["org_id"]: each for each in told["organisations"]}
    three = organisations[ORG]["thresholds"][1]
    assert three["announced_with_next_confirmation"] == [ANNA]
    assert three["a_badge_here"] == {"at_once": [ANNA], "with_next_confirmation": []}
    moved = {each["threshold"]: (each["comes_at_now"], each["comes_at_then"]) for each in organisations[ORG]["badges"]}
    assert moved == {5: (5, 10), 25: (25, None)}
    assert organisations[OTHER_ORG]["thresholds"][1]["announced_with_next_confirmation"] == []
    (only,) = programme.told("thresholds", "preview", "1,3,10", "--org", OTHER_ORG)["organisations"]
    assert only["org_id"] == OTHER_ORG
    shown = programme.run("thresholds", "preview", "1,3,10").stdout
    assert "1 are past it: announced with each one's next confirmation" in shown
    assert ANNA in shown
    assert programme.run("thresholds", "preview", "3,1").returncode == 2
    assert programme.value("SELECT string_agg(threshold::text, ',' ORDER BY threshold) FROM milestone_thresholds") == (
        "1,5,10,25"
    )


def test_counts_are_exported(programme: Programme, tmp_path: Path) -> None:
    """The same in each form; a file appears whole; an organisation's has no other's."""
    lines = programme.run("export", "counts", "--format", "jsonl").stdout.splitlines()
    rows = {row["mentor_id"]: row for row in map(json.loads, lines)}
    assert set(rows) == {ANNA, BERT, LATE}
    assert rows[ANNA]["by_channel"]["sms"]["clicks"] == 3
    assert rows[ANNA]["milestones"] == [1, 5]
    assert (rows[ANNA]["last_event_at"], rows[ANNA]["confirmed_attributions"]) == ("2026-11-20T10:30:00Z", 5)
    file = tmp_path / "counts.csv"
    done = programme.run("export", "counts", "--org", ORG, "--output", str(file))
    assert done.stdout == f"{file}: 1 rows\n"
    with file.open(newline="", encoding="utf-8") as text:
        (cells,) = csv.DictReader(text)
    assert {name: cells[name] for name in ("org_id", "mentor_id", "referral_code", "milestones")} == {
        "org_id": ORG,
        "mentor_id": ANNA,
        "referral_code": ANNAS,
        "milestones": "[1,5]",
    }
    assert json.loads(cells["by_channel"]) == rows[ANNA]["by_channel"]
    assert list(tmp_path.iterdir()) == [file]

    typed = tmp_path / "counts.parquet"
    assert programme.run("export", "counts", "--format", "parquet").returncode == 2  # not on standard output
    done = programme.run("export", "counts", "--format", "parquet", "--output", str(typed))
    assert done.stdout == f"{typed}: 3 rows\n"
    with duckdb.connect() as connection:
        asked = "SELECT mentor_id::text, by_channel, milestones FROM read_parquet(?)"
        found = connection.execute(asked, [str(typed)]).fetchall()
    assert {mentor: (channels, reached) for mentor, channels, reached in found} == {
        mentor: (row["by_channel"], row["milestones"]) for mentor, row in rows.items()
    }
    assert set(tmp_path.iterdir()) == {file, typed}


def test_a_back_fill_is_right_by_the_oracle(programme: Programme) -> None:
    """Bert passed three before it was a threshold: awarded by his counts, explained, recomputed before and after."""
    programme.send(*((REGISTRATIONS, BERTS, berts(member)) for member in range(1, 4)))
    wait_until(lambda: programme.value(CONFIRMED_OF, BERT) == 3, "Bert's members are not counted")
    with psycopg.connect(programme.settings.database_url) as connection:
        connection.execute("INSERT INTO milestone_thresholds (threshold) VALUES (3)")
    made = programme.told("badges", "define", "Tre", "--org", OTHER_ORG, "--at", "3", "--back-fill")
    assert made["awarded"] == 1
    programme.crew.assert_exact()

    told = programme.told("explain", BERT, "--badge", "tre")
    (badge,) = told["organisations"][0]["badges"]
    assert (badge["is_awarded"], badge["is_back_filled"]) == (True, True)
    assert "by a back-fill, with 3 confirmed" in programme.run("explain", BERT).stdout

    programme.send(*((REGISTRATIONS, BERTS, berts(member)) for member in range(4, 6)))
    wait_until(lambda: programme.value(AWARDS_OF, BERT) == 3, "the badge at five is not awarded")
    assert programme.told("badges", "back-fill", made["badge_id"], "--org", OTHER_ORG)["awarded"] == 0
    programme.crew.assert_exact()


def berts(member: int) -> dict[str, Any]:
    """Return a confirmation with Bert's code."""
    return make_registration(20 + member, "confirmed", member, referral_code=BERTS, org_id=OTHER_ORG)


@pytest.mark.long
def test_a_member_is_erased_once_somebody_says_so(programme: Programme) -> None:
    """In his own organisation; what is not done yet is said; he is named no more, and the oracle agrees."""
    member, other = (make_registration(number)["new_member_id"] for number in (2, 7))
    asked = programme.run("erase-member", member)
    assert asked.returncode != 0
    assert "Erase this member under 1 code? It cannot be undone." in asked.stderr
    assert f"code {ANNAS} (organisation {ORG}): not erased yet, 1 registration" in asked.stderr
    assert programme.told("erase-member", member, "--org", OTHER_ORG, "--yes")["pairs"] == []
    assert programme.run("erase-member", "Bert").returncode == 2

    assert not programme.told("erase-member", member, "--yes", "--wait-s", "0", code=1)["done"]
    (pair,) = programme.told("erase-member", member)["pairs"]
    assert (pair["state"], pair["registrations"], pair["stream"], pair["postgres"]) == ("erased before", 1, True, True)
    (anna,) = programme.told("explain", ANNA, "--members")["organisations"]
    five = next(each for each in anna["milestones"] if each["threshold"] == 5)
    assert [each["member_id"] for each in five["confirmed"]].count(None) == 1
    assert member not in programme.run("explain", ANNA, "--members").stdout

    (pair,) = programme.told("erase-member", other, "--yes")["pairs"]
    assert (pair["state"], pair["dead_letters"]) == ("erased now", 1)
    refused = programme.run("dead-letters", "replay", "--reason", "OtherOrganisation", "--unchecked")
    assert "its member was erased" in refused.stderr
    assert programme.value("SELECT confirmed_attributions FROM mentor_counts WHERE mentor_id = %s", ANNA) == 5
    programme.crew.assert_exact()
