"""Reconciliation on real Kafka and Postgres with a real membership system: what it finds, publishes and keeps."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from confluent_kafka import Producer
from psycopg.errors import InsufficientPrivilege

from commands.daily import reconcile_due
from edges.reconciliation.configuring import list_sources
from edges.reconciliation.errors import BadSource, StoreFailed
from edges.reconciliation.reconciler import Reconciler
from edges.reconciliation.store import ROLE, RunStore
from edges.reconciliation.walk import Job
from models.erasures import erasure_of
from models.events import encode_event
from models.partitioning import partition_of
from models.topics import REGISTRATIONS
from process.settings import Settings
from tests.crew import Crew, differences, wait_until
from tests.membership_system import Answer, MembershipSystem, running_membership_system
from tests.reconciliation_scene import CODE, DAY, OTHER_CODE, Scene, at, member_id, row

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

EXIT_BUSY = 75


@pytest.fixture
def system() -> Iterator[MembershipSystem]:
    """Give a membership system that lists nobody."""
    with running_membership_system() as running:
        yield running


@pytest.fixture
def scene(settings: Settings, system: MembershipSystem) -> Scene:
    """Give two organisations, the first of which has a source."""
    scene = Scene(settings.model_copy(update={"partitions": 2}), system)  # so that topics are made quickly
    scene.configure()
    return scene


# -- what is found ----------------------------------------------------------------------------------------------


def test_everything_is_counted_and_what_is_missing_is_published_once(scene: Scene) -> None:
    """Each row is in one count; what was published is there the next time."""
    scene.registration(1, "pending_signup")
    scene.registration(2, minute=3)
    scene.registration(3, minute=3)
    scene.registration(3, "withdrawn", minute=9)
    scene.registration(4, minute=3)
    scene.system.rows = [
        row(1, minute=5),  # never confirmed: back-filled
        row(2, minute=5),  # confirmed at another time: matched
        row(3, minute=5),  # withdrawn since: superseded
        row(4, minute=3, status="Withdrawn", withdrawn_at=at(7)),  # never withdrawn
        row(5, referral_code="anna-oooooi"),  # never heard of, code as typed: back-filled
        row(5, minute=1, referral_code="ANNA000001"),  # the same member again
        row(6, referral_code=OTHER_CODE),  # another organisation's code
        row(7, referral_code="NEVER00001"),
        row(8, referral_code=None),
        row(9, status="applied"),
        row(10, member_id="17"),
    ]
    for each in scene.system.rows:  # one that says nothing of its status is unclear where others do
        each.setdefault("status", "confirmed")
    scene.system.rows = [*scene.system.rows, row(11, status="active"), row(12, status="confirmed", merged=True)]
    expected = {
        "members_read": 13, "matched": 1, "back_filled": 2, "withdrawn": 1, "superseded": 1, "unknown_code": 2,
        "without_code": 1, "not_confirmed": 1, "repeated": 1, "unclear": 2, "bad_rows": 1,
    }  # fmt: skip
    assert scene.counts(dry_run=True) == expected
    before = scene.registrations()
    assert scene.counts() == expected

    published = scene.registrations()[len(before) :]
    assert [(each["new_member_id"], each["status"], each["occurred_at"]) for each in published] == [
        (member_id(5), "confirmed", at(1)),
        (member_id(1), "confirmed", at(5)),
        (member_id(4), "withdrawn", at(7)),
    ]
    assert {(each["referral_code"], each["org_id"]) for each in published} == {(CODE, scene.org_id)}

    again = scene.counts()
    assert (again.get("back_filled"), again.get("withdrawn"), again["matched"]) == (None, None, 4)
    assert len(scene.registrations()) == len(before) + len(published)


def test_only_events_that_count_are_there(scene: Scene) -> None:
    """What will be a dead letter, or was aborted, confirmed nobody; what lies in a wrong place did."""
    scene.registration(1, org_id=scene.other_org_id)
    scene.registration(2, attribution_id="17")
    scene.registration(3, occurred_at="yesterday")
    scene.produce(b'{"new_member_id": "' + member_id(4).encode() + b'", "status": "confirmed"', CODE, 0)
    scene.produce(b"", CODE, 0)
    scene.registration(5, org_id=scene.org_id.upper(), new_member_id=member_id(5).upper())
    for partition in range(2):  # at least one of them is not the code's
        scene.registration(6, key=None, partition=partition, referral_code="anna-oooool")
    _abort(scene, 7)
    scene.system.rows = [row(number, minute=5) for number in range(1, 8)]

    counts = scene.counts()
    assert counts == {"members_read": 7, "matched": 2, "back_filled": 5}
    assert scene.counts()["matched"] == 7


def test_an_erased_member_is_not_brought_back(scene: Scene) -> None:
    """Neither by a row with his code nor by one that the topic knows the code of; others are as ever."""
    scene.registration(1, "pending_signup")
    for number in (1, 2):
        erasure = erasure_of(CODE, member_id(number), at=datetime.now(UTC))
        scene.produce(encode_event(erasure), CODE, partition_of(CODE.encode(), 2))
    before = len(scene.registrations())
    scene.system.rows = [row(1, minute=5, referral_code=None), row(2, minute=5), row(3, minute=5)]
    assert scene.counts() == {"members_read": 3, "superseded": 2, "back_filled": 1}
    assert [each["new_member_id"] for each in scene.registrations()[before:]] == [member_id(3)]


def _abort(scene: Scene, number: int) -> None:
    """Confirm a member in a transaction that is aborted."""
    config = {**scene.settings.kafka_client_config(), "transactional.id": str(uuid4())}
    producer = Producer(config)
    producer.init_transactions(30)
    producer.begin_transaction()
    event = {
        "attribution_id": str(uuid4()), "referral_code": CODE, "new_member_id": member_id(number),
        "status": "confirmed", "occurred_at": at(0),
    }  # fmt: skip
    producer.produce(REGISTRATIONS.full_name(scene.settings.topic_prefix), json.dumps(event), CODE)
    producer.flush(30)
    producer.abort_transaction(30)


def test_dry_run_changes_nothing(scene: Scene) -> None:
    """Neither a record nor a row comes of it, and nobody is kept from running."""
    scene.system.rows = [row(1)]
    with RunStore(scene.settings.database_url) as other:
        assert other.lock(scene.org_id)
        assert scene.counts(dry_run=True) == {"members_read": 1, "back_filled": 1}
    assert scene.registrations() == []
    assert scene.runs() == []


# -- the command ------------------------------------------------------------------------------------------------


def test_a_confirmation_that_never_came_counts(scene: Scene, tmp_path: Path) -> None:
    """A member who stayed pending is confirmed by `referrals reconcile`: counts, milestone and oracle agree."""
    crew = Crew(scene.settings, tmp_path)
    scene.registration(1, "pending_signup")
    scene.system.rows = [row(1, minute=5), row(2, minute=6)]
    scene.system.token = "let-me-in"  # noqa: S105 - it guards nothing
    url = f"{scene.system.url}?since={{since}}"
    status, output, _ = scene.run(
        "configure", "--org", scene.org_id, "--url", url, "--token-from-env", "CRM_TOKEN", CRM_TOKEN=scene.system.token
    )
    assert status == 0
    assert output.endswith(f"{scene.org_id}: members come from {scene.system.url} (json)\n")
    assert "read: member_id from member_id, referral_code from referral_code, confirmed_at from confirmed_at" in output
    assert "2 confirmed" in output
    for component in ("stream", "counts", "badges"):
        crew.start(component, component)
    try:
        status, output, errors = scene.run("--json")
        assert status == 0, errors
        (run,) = json.loads(output)["runs"]
        assert (run["members_read"], run["back_filled"], run["error"]) == (2, 2, None)
        report = crew.check()
        assert report.is_clean, differences(report)
        counts = "SELECT pending_attributions, confirmed_attributions, milestones FROM mentor_counts WHERE org_id = %s"
        assert scene.query(counts, scene.org_id) == [(0, 2, [1])]
    finally:
        crew.stop()
    for secret in ("let-me-in", member_id(1), member_id(2)):
        assert secret not in output + errors + str(scene.runs())
        assert secret not in str(scene.query("SELECT * FROM membership_sources"))


def test_csv_from_standard_input(scene: Scene) -> None:
    """A file is reconciled without a source; its bad rows are named by line, and do not end it."""
    text = f"Member;Code;Joined\n{member_id(1)};{CODE};{DAY}\nAnna Secret;{CODE};{DAY}\n{member_id(2)};;\n"
    columns = ["--field", "member_id=Member", "--field", "referral_code=Code", "--field", "confirmed_at=Joined"]
    status, output, errors = scene.run("--org", scene.org_id, "--csv", "-", *columns, text=text)
    assert status == 1, errors
    assert "1 records" in output or "0 records" in output
    assert "standard input:3" in errors
    assert "member_id (Member) is not a UUID" in errors
    assert "Secret" not in output + errors
    assert scene.statuses() == [(1, "confirmed")]
    (run,) = scene.runs()
    found = (run["source"], run["back_filled"], run["bad_rows"], run["without_code"], run["until"])
    assert found == ("file", 1, 1, 1, None)


REFUSED = [
    (["--csv", "-"], 2, "--csv needs --org"),
    (["--org", str(uuid4())], 1, "has no membership source"),
    (["--dry-run", "sources"], 2, "give the options after sources"),
    (["configure", "--org", str(uuid4()), "--url", "http://crm.example/"], 2, "give https"),
    (["configure", "--org", str(uuid4()), "--url", "https://crm.example/"], 1, "referrals orgs create"),
    (
        ["configure", "--org", str(uuid4()), "--url", "https://crm.example/", "--status", "1=active"],
        2,
        "a status means",
    ),
    (["configure", "--org", str(uuid4()), "--url", "https://crm.example/", "--tenant", "x"], 2, "go with --client-id"),
    (["configure", "--org", str(uuid4()), "--url", "https://crm.example/?x={since}", "--delta"], 2, "--delta is OData"),
]


def test_what_cannot_be_done_is_one_line(scene: Scene) -> None:
    """A usage error ends with 2, what is not there with 1; neither with a traceback."""
    for arguments, status, said in REFUSED:
        found, output, errors = scene.run(*arguments)
        assert (found, output) == (status, ""), arguments
        assert said in " ".join(errors.split()), arguments
        assert "Traceback" not in errors


def test_table_for_people(scene: Scene) -> None:
    """Counts that nobody has are left out; the sources tell how it ended."""
    scene.system.rows = [row(1), row(2, referral_code=None)]
    assert "never run" in scene.run("sources")[1]
    status, output, errors = scene.run()
    assert status == 0, errors
    assert "back filled" in output
    assert "superseded" not in output
    assert scene.org_id in output
    assert "1 back-filled" in scene.run("sources")[1]


# -- killed, and two at once ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("point", "visit"),
    [
        ("reconcile.published", 1),
        ("reconcile.published", 2),
        ("reconcile.page_done", 1),
        ("reconcile.page_done", 3),
    ],
)
def test_killed_at_any_point_nothing_doubles(scene: Scene, point: str, visit: int) -> None:
    """After SIGKILL between publishing and saving, or after a page, the next run goes on, and all are there once."""
    scene.registration(3, minute=2)
    scene.system.rows = [row(number, minute=5) for number in range(1, 7)]
    scene.system.page_rows = 2
    status, _, errors = scene.run("--batch", "2", fault=f"{point}:{visit}")
    assert status == -signal.SIGKILL, errors
    (killed,) = scene.runs()
    settled = visit if point == "reconcile.page_done" else visit - 1
    assert killed["members_read"] == 2 * settled
    asked_before = len(scene.system.asked)

    runs = scene.reconcile(batch_rows=2)
    assert sorted(scene.statuses()) == [(number, "confirmed") for number in range(1, 7)]
    if 0 < settled < 3:
        first, *following = runs
        assert (str(first.run_id), first.is_resumed, first.counts.members_read) == (killed["run_id"], True, 6)
        assert first.counts.back_filled + first.counts.matched == 6
        assert scene.system.asked[asked_before] == f"/members?from={2 * settled}"
        assert [each.is_resumed for each in following] == [False]  # what came since the first began
        assert (following[0].counts.matched, following[0].counts.back_filled) == (6, 0)
    else:  # nothing was settled, or all of it
        (run,) = runs
        assert not run.is_resumed
        assert run.counts.members_read == 6
    assert all(each["finished_at"] for each in scene.runs())
    assert scene.counts() == {"members_read": 6, "matched": 6}


def test_a_page_that_is_gone_begins_again(scene: Scene) -> None:
    """A saved page that the system no longer knows costs nothing but time."""
    scene.system.rows = [row(number) for number in range(1, 7)]
    scene.system.page_rows = 2
    assert scene.run("--batch", "2", fault="reconcile.page_done")[0] == -signal.SIGKILL
    scene.system.script = [Answer(410)]
    gone, anew = scene.reconcile()
    assert "answered 410" in str(gone.error)
    assert (anew.error, anew.is_resumed, anew.counts.matched, anew.counts.back_filled) == (None, False, 2, 4)
    assert len(scene.registrations()) == 6
    assert len(scene.reconcile()) == 1


def test_two_at_once_exclude_each_other(scene: Scene) -> None:
    """The second says so, does nothing, and ends with an exit code of its own."""
    scene.system.rows = [row(1)]
    scene.system.is_slow.set()
    with scene.command("--json") as first:
        wait_until(lambda: bool(scene.system.asked), "the first did not ask")
        status, _, errors = scene.run()
        assert status == EXIT_BUSY
        assert "another process is reconciling it" in errors
        scene.system.is_slow.clear()
        output, errors = first.communicate(timeout=60)
        assert first.returncode == 0, errors
    assert json.loads(output)["runs"][0]["back_filled"] == 1
    assert len(scene.runs()) == 1


def test_stopped_it_is_gone_on_with(scene: Scene) -> None:
    """SIGTERM ends it at once, whatever it waits for, and so does the end of standard input if asked for."""
    scene.system.is_slow.set()
    for stop in ("signal", "stdin"):
        scene.system.asked.clear()
        with scene.command("--until-stdin-ends") as process:
            wait_until(lambda: bool(scene.system.asked), "it did not ask")
            if stop == "signal":
                process.send_signal(signal.SIGTERM)
            elif process.stdin is not None:
                process.stdin.close()
            assert process.wait(60) == 128 + signal.SIGTERM
    scene.system.is_slow.clear()
    scene.system.rows = [row(1)]
    assert scene.counts() == {"members_read": 1, "back_filled": 1}


# -- what fails -------------------------------------------------------------------------------------------------


def test_one_source_that_fails_does_not_stop_the_others(scene: Scene) -> None:
    """The exit code is 1, the error names the page, the others are done, and the next run asks for the same time."""
    with running_membership_system() as broken:
        scene.configure(f"{broken.url}?since={{since}}&member=secret", org_id=scene.other_org_id)
        scene.system.rows = [row(1)]
        broken.always = Answer(body=b"<html>")
        status, output, errors = scene.run()
        assert status == 1
        assert f"{scene.other_org_id}: page 1 is not JSON" in errors
        assert "secret" not in output + errors
        assert scene.statuses() == [(1, "confirmed")]

        broken.always = None
        broken.asked.clear()
        broken.rows = [row(2, referral_code=OTHER_CODE)]
        assert scene.run()[0] == 0
        assert "since=1970" in broken.asked[0]
        assert sorted(scene.statuses()) == [(1, "confirmed"), (2, "confirmed")]


def test_what_was_read_before_it_failed_is_settled(scene: Scene) -> None:
    """The pages before the one that fails are done; the next run begins with that one."""
    scene.system.rows = [row(number) for number in range(1, 7)]
    scene.system.page_rows = 2
    scene.system.script_from = 3
    scene.system.script = [Answer(body=b"broken")]
    (run,) = scene.reconcile()
    assert str(run.error) == "page 3 is not JSON: Expecting value at byte 0"
    assert run.counts.back_filled == 4
    assert len(scene.registrations()) == 4

    scene.system.script = []
    resumed, following = scene.reconcile()
    assert resumed.run_id == run.run_id
    assert (resumed.error, resumed.counts.back_filled) == (None, 6)
    assert following.counts.back_filled == 0


def test_a_mapping_that_fits_nothing_is_an_error_and_moves_no_window(scene: Scene) -> None:
    """If no row of a source that was never read can be read, what it is told of the fields is wrong."""
    scene.system.rows = [row(number) | {"member_id": "x"} for number in range(3)]
    (run,) = scene.reconcile()
    assert "none of 3 rows can be read" in str(run.error)
    (again,) = scene.reconcile()
    assert again.since is None

    scene.configure(fields={"member_id": "who"})
    scene.system.rows = [row(1) | {"who": member_id(1)}]
    assert scene.counts() == {"members_read": 1, "back_filled": 1}
    scene.system.rows = [row(2)]  # one bad row later on is its own fault
    assert scene.counts() == {"members_read": 1, "bad_rows": 1}


def test_kafka_away(scene: Scene) -> None:
    """Without Kafka nothing is published or settled, and the error says so."""
    scene.system.rows = [row(1)]
    nowhere = scene.settings.model_copy(update={"topic_prefix": "no-such-topics."})
    with RunStore(scene.settings.database_url) as store:
        source = store.source(scene.org_id)
        assert source is not None
        (run,) = Reconciler(nowhere, store).reconcile([Job(scene.org_id, source)])
    assert "topics create" in str(run.error)
    assert run.counts.members_read == 0
    assert scene.counts() == {"members_read": 1, "back_filled": 1}


# -- the time covered -------------------------------------------------------------------------------------------


def test_each_run_begins_where_the_last_one_did(scene: Scene) -> None:
    """The first asks for all, the next for what came since the first began, less the overlap."""
    scene.configure(overlap=timedelta(hours=2))
    (first,) = scene.reconcile()
    (second,) = scene.reconcile()
    assert first.since is None
    assert first.until is not None
    assert second.since == first.until - timedelta(hours=2)
    asked = f"{second.since.astimezone(UTC):%Y-%m-%dT%H%%3A%M%%3A%SZ}"
    assert scene.system.asked == ["/members?since=1970-01-01T00%3A00%3A00Z", f"/members?since={asked}"]

    scene.configure(overlap=timedelta(hours=5))  # asks the same source
    (third,) = scene.reconcile()
    assert second.until is not None
    assert third.since == second.until - timedelta(hours=5)
    scene.configure(fields={"member_id": "id"}, overlap=timedelta(hours=5))
    (anew,) = scene.reconcile()
    assert anew.since is None


def test_a_later_beginning_leaves_no_gap(scene: Scene) -> None:
    """A run that was told to begin later than the last one ended covers no time; one told to begin earlier does."""
    (first,) = scene.reconcile()
    assert first.until is not None
    later = datetime.now(UTC) + timedelta(hours=1)
    (told,) = scene.reconcile(since=later)
    assert (told.since, told.until) == (later, None)
    (next_one,) = scene.reconcile()
    assert next_one.since == first.until - timedelta(days=1)
    (early,) = scene.reconcile(since=datetime(2026, 1, 1, tzinfo=UTC))
    (last,) = scene.reconcile()
    assert early.until is not None
    assert last.since == early.until - timedelta(days=1)


def test_a_source_that_is_a_file(scene: Scene, tmp_path: Path) -> None:
    """An export that lies on the disk is read whole by each run; one that is not there is an error."""
    export = tmp_path / "members.csv"
    scene.configure(str(export), kind="csv")
    (run,) = scene.reconcile()
    assert str(run.error) == f"{export} cannot be read: No such file or directory"
    export.write_text(f"\ufeffmember_id,referral_code,confirmed_at\n{member_id(1)},{CODE},{DAY}\n")
    assert scene.counts() == {"members_read": 1, "back_filled": 1}
    assert scene.counts() == {"members_read": 1, "matched": 1}
    scene.configure(scene.system.url, kind="csv")
    scene.system.always = Answer(body=export.read_bytes())
    assert scene.counts() == {"members_read": 1, "matched": 1}


# -- who may what -----------------------------------------------------------------------------------------------


def test_the_role_sees_one_organisation_and_changes_no_source(scene: Scene) -> None:
    """Runs are made with a role that reads and writes within one organisation, and cannot say where tokens go."""
    scene.configure(scene.system.url, org_id=scene.other_org_id)
    scene.reconcile()
    with psycopg.connect(scene.settings.database_url) as connection:
        connection.execute(f"SET LOCAL ROLE {ROLE}".encode())
        connection.execute("SELECT set_config('referrals.org_id', %s, true)", [scene.org_id])
        for table in ("membership_sources", "reconciliation_runs", "referral_codes"):
            seen = connection.execute(f"SELECT DISTINCT org_id::text FROM {table}".encode()).fetchall()  # noqa: S608
            assert seen == [(scene.org_id,)], table
        with pytest.raises(InsufficientPrivilege):
            connection.execute("UPDATE membership_sources SET url = 'https://thief.example/'")
    rights = "SELECT has_table_privilege(%s, 'reconciliation_runs', 'DELETE')"
    assert scene.query(rights, ROLE) == [(False,)]


def test_a_token_goes_to_its_own_origin_only(scene: Scene) -> None:
    """Another origin needs its token with it; a source removed takes the token with it."""
    configure = ["configure", "--org", scene.org_id, "--url"]
    assert scene.run(*configure, scene.system.url, "--token-from-env", "T", T="mine")[0] == 0
    with pytest.raises(BadSource, match="another origin"):
        scene.configure("https://crm.example/members")
    scene.configure(f"{scene.system.url}/other")
    assert scene.run("remove", "--org", scene.org_id)[0] == 0
    assert list_sources(scene.settings.database_url) == []
    scene.configure("https://crm.example/members")
    with RunStore(scene.settings.database_url) as store:
        assert not store.has_token(scene.org_id)


def test_database_that_is_not_migrated(scene: Scene) -> None:
    """What is missing is said with its remedy."""
    scene.query("DROP FUNCTION organisations_to_reconcile()")
    with RunStore(scene.settings.database_url) as store, pytest.raises(StoreFailed, match="db migrate"):
        store.organisations()
    with pytest.raises(StoreFailed):
        RunStore("postgresql://nobody@127.0.0.1:1/nothing")


# -- what is left -----------------------------------------------------------------------------------------------


def test_a_member_without_a_code_is_confirmed_under_the_one_that_he_is_known_by(scene: Scene) -> None:
    """Who is pending in the topic is found by his id, in his organisation alone; under two codes it is not clear."""
    scene.registration(1, "pending_signup")
    scene.registration(2, "pending_signup", referral_code=OTHER_CODE, key=OTHER_CODE)
    scene.registration(3, "pending_signup", org_id=scene.other_org_id)
    scene.registration(4, minute=3)
    scene.system.rows = [row(number, minute=5, referral_code=None) for number in range(1, 6)]
    assert scene.counts() == {"members_read": 5, "back_filled": 1, "matched": 1, "without_code": 3}
    of_first = [each for each in scene.registrations() if each["new_member_id"] == member_id(1)]
    assert [(each["referral_code"], each["status"]) for each in of_first] == [
        (CODE, "pending_signup"),
        (CODE, "confirmed"),
    ]
    assert scene.counts() == {"members_read": 5, "matched": 2, "without_code": 3}


def test_who_is_said_to_be_two_things_is_neither(scene: Scene) -> None:
    """Rows of one member that contradict each other, of which one is not clear, or with two codes, confirm nobody."""
    scene.system.rows = [
        row(1, status="confirmed"),
        row(1, status="cancelled"),
        row(2, status="confirmed"),
        row(2, status="confirmed", deleted=True),
        row(3, status="confirmed"),
        row(3, status="confirmed"),
        row(4, status="confirmed"),
        row(4, minute=5, status="cancelled", withdrawn_at=at(5)),
        row(5, status="confirmed"),
        row(5, status="confirmed", referral_code="CARA000003"),
    ]
    scene.query("INSERT INTO mentors VALUES (%s, '0d000000-0000-4000-8000-000000000003')", scene.org_id)
    scene.query(
        "INSERT INTO referral_codes VALUES ('CARA000003', %s, '0d000000-0000-4000-8000-000000000003', %s)",
        scene.org_id, at(0),
    )  # fmt: skip
    found = scene.counts()
    assert found == {"members_read": 10, "back_filled": 1, "withdrawn": 1, "repeated": 3, "unclear": 5}
    assert sorted(scene.statuses()) == [(3, "confirmed"), (4, "withdrawn")]


def test_a_cancellation_without_its_own_time_counts(scene: Scene) -> None:
    """It is above every confirmation before it was read, also one of the same day, and is published once."""
    scene.registration(1, minute=9)
    scene.registration(2, minute=9)
    scene.system.rows = [
        row(1, minute=9, status="cancelled"),
        row(2, minute=9, status="cancelled", withdrawn_at=DAY),
    ]
    assert scene.counts() == {"members_read": 2, "withdrawn": 2}
    assert scene.counts() == {"members_read": 2, "matched": 2}


def test_what_was_deleted_is_unclear_until_somebody_says_what_it_means(scene: Scene) -> None:
    """A deleted record has nothing but its id: whom it was is found in the topic; of others nothing is said."""
    scene.registration(1, minute=3)
    gone = [{"@odata.context": "x/$deletedEntity", "id": member_id(number), "reason": "deleted"} for number in (1, 2)]
    scene.system.rows = gone
    assert scene.counts() == {"members_read": 2, "unclear": 1, "without_code": 1}
    scene.configure(marks={"deleted": "withdrawn"})
    assert scene.counts() == {"members_read": 2, "withdrawn": 1, "without_code": 1}
    assert scene.counts() == {"members_read": 2, "matched": 1, "without_code": 1}


def test_a_list_with_more_than_it_gives_is_not_complete(scene: Scene) -> None:
    """The exit code says so, what was there is done, and the next run asks for the same time again."""
    page = json.dumps({"data": [row(1)], "has_more": True}).encode()
    scene.system.always = Answer(body=page)
    status, _, errors = scene.run()
    assert status == 1
    assert "not complete: the page says that there is more" in errors
    assert scene.statuses() == [(1, "confirmed")]
    (run,) = scene.reconcile()
    assert (run.since, run.incomplete is None, run.counts.matched) == (None, False, 1)
    scene.system.always = None
    scene.system.rows = [row(1), row(2)]
    assert scene.counts() == {"members_read": 2, "matched": 1, "back_filled": 1}
    assert scene.run()[0] == 0


def test_the_rest_is_read_past_a_broken_row(scene: Scene) -> None:
    """Half an emoji, NaN and a row that is no JSON cost themselves; the exit code and `status` name what is left."""
    broken = json.dumps({"value": [row(1, name="@"), row(2, score="#"), {"x": "%"}, row(3)]}).encode()
    for sign, instead in ((b'"@"', b'"Anna \\ud83d"'), (b'"#"', b"NaN"), (b'"%"', b"undefined")):
        broken = broken.replace(sign, instead)
    scene.system.always = Answer(body=broken)
    status, output, errors = scene.run("--json")
    assert status == 1, errors
    (run,) = json.loads(output)["runs"]
    assert (run["back_filled"], run["bad_rows"], run["left"], run["complete"]) == (3, 1, 1, True)
    assert run["rows_left"] == [{"place": "page 1, row 3", "reason": "is no JSON"}]
    assert "Anna" not in output + errors + str(scene.runs())

    status, output, errors = scene.run("status")
    assert status == 1
    assert "complete, and rows are left: 4 members read, 3 back filled, 1 bad rows" in output
    assert "page 1, row 3: is no JSON" in errors
    scene.system.always = None
    scene.system.rows = [row(1)]
    assert scene.run()[0] == 0
    status, output, _ = scene.run("status", "--json")
    assert status == 0
    assert [each["left"] for each in json.loads(output)["runs"]] == [0, 1]


def test_a_column_that_no_row_has_is_an_error(scene: Scene) -> None:
    """A publisher's prefix makes every member one without a code; that is no complete run."""
    scene.system.rows = [{"contactid": member_id(1), "cr4f1_referralcode": CODE, "confirmedon": at(1)}]
    (run,) = scene.reconcile()
    why = str(run.error)
    assert "none of 1 rows has a column for referral_code; say which it is with: referrals reconcile" in why
    assert why.endswith("--field referral_code=COLUMN (cr4f1_referralcode?)")
    status, output, errors = scene.run(
        "configure", "--org", scene.org_id, "--kind", "odata", "--url", scene.system.url,
        "--field", "referral_code=cr4f1_referralcode",
    )  # fmt: skip
    assert status == 0, errors
    assert "referral_code from cr4f1_referralcode" in output
    assert "1 confirmed" in output
    assert scene.counts() == {"members_read": 1, "back_filled": 1}


def test_a_preview_saves_nothing_and_names_nobody(scene: Scene) -> None:
    """It says what each row would be and why, and which columns there are."""
    scene.system.rows = [row(1, status="active", name="Anna Secret"), row(2, status="confirmed"), row(3, merged=True)]
    before = scene.query("SELECT * FROM membership_sources")
    status, output, errors = scene.run(
        "configure", "--org", scene.org_id, "--url", scene.system.url, "--preview", "--mark", "merged=withdrawn"
    )
    assert status == 0, errors
    assert "columns: member_id, referral_code, confirmed_at, status, name, merged" in output
    assert "page 1, row 1" in output
    assert "status is no word known" in output
    assert "1 confirmed, 1 unclear, 1 withdrawn" in output
    assert "Secret" not in output + errors
    assert scene.query("SELECT * FROM membership_sources") == before


def test_who_asks_for_long_peace_is_come_back_to(scene: Scene) -> None:
    """Ten minutes are waited for, by the same run, from the page that was refused; what was read before is settled."""
    scene.system.rows = [row(number) for number in range(1, 5)]
    scene.system.page_rows = 2
    scene.system.script_from = 2
    scene.system.script = [Answer(429, headers={"Retry-After": "600"})]
    pauses: list[float] = []
    settled: list[int] = []

    def sleep(pause_s: float) -> None:
        pauses.append(pause_s)
        settled.append(len(scene.registrations()))

    (run,) = scene.reconcile(sleep=sleep)
    assert (run.error, run.counts.back_filled, settled) == (None, 4, [2])
    assert 590 < pauses[0] <= 600
    assert scene.system.asked[1:] == ["/members?from=2", "/members?from=2"]


def test_who_asks_for_more_than_an_hour_is_left_to_a_later_run(scene: Scene) -> None:
    """No run asks before the time is over; then it is gone on with."""
    scene.system.rows = [row(1)]
    scene.system.script = [Answer(503, headers={"Retry-After": "7200"})]
    assert "asks for 7200 s" in str(scene.reconcile()[0].error)
    assert "asked not to be asked before" in str(scene.reconcile()[0].error)
    assert len(scene.system.asked) == 1
    scene.query("UPDATE reconciliation_runs SET ask_again_at = now()")
    resumed, following = scene.reconcile()
    assert (resumed.is_resumed, resumed.counts.back_filled, following.counts.matched) == (True, 1, 1)


def test_an_organisation_has_an_interval_of_its_own(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each minute the leader asks whose is over: only theirs are run, failed or not, and `status` says when."""
    settings = scene.settings
    monkeypatch.setenv("REFERRALS_BOOTSTRAP_SERVERS", settings.bootstrap_servers)
    monkeypatch.setenv("REFERRALS_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("REFERRALS_TOPIC_PREFIX", settings.topic_prefix)
    monkeypatch.setenv("REFERRALS_PARTITIONS", str(settings.partitions))
    scene.system.rows = [row(1)]
    scene.configure(f"{scene.system.url}?of=other", org_id=scene.other_org_id)
    scene.configure(run_every=timedelta(minutes=15))

    def due() -> list[list[str]]:
        with RunStore(settings.database_url) as store:
            return [store.due(by_own_interval=True), store.due(by_own_interval=False)]

    def minute() -> int:
        """Do what the leader does, and return how often a membership system was asked."""
        before = len(scene.system.asked)
        asyncio.run(reconcile_due(settings.database_url))
        return len(scene.system.asked) - before

    assert due() == [[scene.org_id], [scene.other_org_id]]
    assert minute() == 1
    assert scene.statuses() == [(1, "confirmed")]
    assert due() == [[], [scene.other_org_id]]
    assert minute() == 0

    scene.query("UPDATE reconciliation_runs SET begun_at = begun_at - interval '15 minutes'")
    scene.system.always = Answer(410)
    assert minute() == 1
    assert due() == [[], [scene.other_org_id]]  # it failed, and its time comes again as if it had not

    status, output, _ = scene.run("status")
    assert status == 1
    assert f"{scene.org_id}: every 15m, next at 20" in output
    assert f"{scene.other_org_id}: at 0 3 * * * (REFERRALS_RECONCILE_AT)\n  never run" in output
    schedules = {each["org_id"]: each for each in json.loads(scene.run("status", "--json")[1])["schedules"]}
    assert schedules[scene.org_id]["every_s"] == 900
    assert schedules[scene.other_org_id] == {"org_id": scene.other_org_id, "every_s": None, "due_at": None}

    scene.system.always = None
    scene.system.script_from = len(scene.system.asked)
    scene.system.script = [Answer(503, headers={"Retry-After": "7200"})]
    assert "7200" in str(scene.run("--org", scene.other_org_id))
    assert due()[0] == []
    scene.query("UPDATE reconciliation_runs SET ask_again_at = now() WHERE ask_again_at IS NOT NULL")
    assert due()[0] == [scene.other_org_id]  # who asked for peace is come back to when it is over
