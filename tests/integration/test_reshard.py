"""Another number of partitions on a real broker: what was counted goes along, old and new keys count on."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psycopg
import pytest

from local.sample.programme import SampleRecord
from models.partitioning import partition_of
from models.topics import CLICKS, CODES, MILESTONES, REGISTRATIONS, Topic
from process.settings import Settings
from proof.verify.oracle import Oracle
from tests.component import run
from tests.crew import READY, Crew, Traffic, differences, events, wait_until
from tests.integration.test_stream_app import counts_of, published, send

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900), pytest.mark.long]

PARTITIONS: Final = 12
SEED: Final = 41
SINKS: Final = ("counts", "badges")
AT: Final = "2026-11-20T10:00:00Z"
LATER: Final = "2026-11-21T10:00:00Z"


def reshard(settings: Settings, *arguments: str, fault: str = "") -> subprocess.CompletedProcess[str]:
    """Run `referrals state reshard`; `fault` names a point at which it is killed."""
    return run(settings, "state", "reshard", f"--partitions={PARTITIONS}", *arguments, fault=fault, timeout_s=120)


def registration(code: str, member: str, status: str, at: str) -> dict[str, Any]:
    """Return an event of a member under a code."""
    return {
        "attribution_id": str(uuid4()), "referral_code": code, "new_member_id": member, "status": status,
        "occurred_at": at, "device_metadata": {"share_channel": "sms"},
    }  # fmt: skip


def click(code: str) -> dict[str, Any]:
    """Return a click on a code."""
    return {"click_id": str(uuid4()), "referral_code": code, "occurred_at": AT}


def code_that_moves(former: int) -> str:
    """Return a code that belongs elsewhere after the change."""
    codes = (f"MVNG{number:04d}" for number in range(1_000))
    return next(c for c in codes if partition_of(c.encode(), former) != partition_of(c.encode(), PARTITIONS))


@pytest.fixture
def crew(settings: Settings, tmp_path: Path) -> Iterator[Crew]:
    """Give an installation of four partitions, whose worker has begun."""
    made = Crew(settings, tmp_path)
    made.start("before")
    for component in SINKS:
        made.start(component, component)
    made.wait_log("before", READY)
    try:
        yield made
    finally:
        made.stop()


def traffic(settings: Settings, first: int, last: int) -> list[SampleRecord]:
    """Return records of the sample, some of them spoilt."""
    return list(islice(events(last, settings, seed=SEED, mentors=300), first, last))


def let_come(records: list[SampleRecord], settings: Settings) -> None:
    """Send records."""
    sending = Traffic(records, settings, events_per_s=None)
    sending.start()
    sending.finish()


def assert_exact(settings: Settings) -> None:
    """Let the oracle find nothing wrong, and the history have each click once."""
    report = Oracle(settings).check(wait_s=60, with_database=True)
    assert report.is_clean, differences(report)
    with psycopg.connect(settings.database_url, autocommit=True) as connection:

        def is_same() -> bool:
            counted = connection.execute("SELECT sum(total_clicks) FROM mentor_counts").fetchone()
            happened = connection.execute("SELECT sum(clicks) FROM organisation_quarter_hours").fetchone()
            return counted == happened

        wait_until(is_same, "history and counts have other numbers of clicks")


def places_of(settings: Settings, topic: Topic) -> set[tuple[bytes, int]]:
    """Return the keys of a topic's records, with the partitions where they are."""
    found: list[Any] = published(settings, topic)
    return {(message.key(), message.partition()) for message in found}


def assert_no_worker_starts(settings: Settings, *numbers: int) -> None:
    """Let one try that counts on each number of partitions; it says what to do."""
    for partitions in numbers:
        told = settings.model_copy(update={"partitions": partitions})
        refused = run(told, "stream")
        assert refused.returncode == 1, refused.stderr
        assert "referrals state reshard" in refused.stderr


def assert_no_worker_begins_anew(settings: Settings) -> None:
    """Let a worker find no rows at all: it does not count from the beginning, and says what does."""
    refused = run(settings.model_copy(update={"app_id": f"{settings.app_id}-renamed"}), "stream")
    assert (refused.returncode, "state rebuild --all" in refused.stderr) == (1, True), refused.stderr


def assert_counted_anew(settings: Settings, before: dict[str, Any], counted: Callable[[], dict[str, Any]]) -> None:
    """Let rows be forgotten, of a class and of all, while a worker is at work: the same comes of the records."""
    one = run(settings, "state", "rebuild", f"--partition={PARTITIONS - 1}", "--json")
    assert one.returncode == 0, one.stderr
    assert [json.loads(line)["partition"] for line in one.stdout.splitlines()] == [3, 7, 11]
    assert "because their records count together: partitions 3, 7" in one.stderr
    assert_exact(settings)
    everything = run(settings, "state", "rebuild", "--all")
    assert everything.returncode == 0, everything.stderr
    assert_exact(settings)
    assert counted() == before


def told(settings: Settings, *arguments: str, code: int = 0) -> dict[str, Any]:
    """Run a command that does what it is asked for, and return what it says with --json."""
    done = run(settings, *arguments, "--json")
    assert done.returncode == code, done.stderr + done.stdout
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def assert_commands_look_everywhere(settings: Settings, former: int, code: str, mentor: str, member: str) -> None:
    """Let commands look for what came before the change, where it is, and do what they do afterwards."""
    then, now = (partition_of(code.encode(), number) for number in (former, settings.partitions))
    (explained,) = told(settings, "explain", mentor)["organisations"]
    (milestone,) = explained["milestones"]
    assert milestone["crossed_by"]["partition"] == then != now
    assert (len(milestone["confirmed"]), milestone["clicks"]["total"]) == (1, 3)

    findings = told(settings, "producers", "check", "--last", "100000", code=1)["findings"]
    crossed = milestone["crossed_by"]
    assert findings
    assert [each for each in findings if (each["partition"], each["offset"]) == (then, crossed["offset"])] == []

    (letter,) = told(settings, "dead-letters", "list", "--code", code, "--reason", "OtherOrganisation")["letters"]
    assert letter["source"].startswith(f"{REGISTRATIONS.full_name(settings.topic_prefix)}/{then}/")
    replay = ("dead-letters", "replay", letter["letter"], "--unchecked")
    assert told(settings, *replay)["sent"] == 1
    assert told(settings, *replay)["sent"] == 0

    erased = told(settings, "erase-member", member, "--yes", "--wait-s", "60")
    assert [(pair["state"], pair["registrations"], pair["came_after"]) for pair in erased["pairs"]] == [
        ("erased now", 2, 0)
    ]
    send(settings, [(REGISTRATIONS, code, registration(code, member, "confirmed", LATER))])
    assert_exact(settings)
    again = told(settings, "erase-member", member, "--yes", "--wait-s", "60")
    assert [(pair["state"], pair["came_after"]) for pair in again["pairs"]] == [("erased before", 1)]


def forget_history(settings: Settings) -> None:
    """Let the history be read anew, from the first records of the source topics (DESIGN.md, "Sums")."""
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM registration_pairs")
        connection.execute("DELETE FROM organisation_quarter_hours")
        consumer = f"{settings.topic_prefix}history"
        connection.execute("DELETE FROM sink_positions WHERE consumer = %s", [consumer])


def change(crew: Crew, settings: Settings, *, late: tuple[Topic, str, dict[str, Any]]) -> None:
    """Refuse it while somebody is at work, or records are unread; then do it in three goes, the first two killed."""
    at_work = reshard(settings, "--yes")
    assert at_work.returncode == 1
    assert f"group {settings.app_id} has members: stop workers" in at_work.stdout
    assert f"group {settings.topic_prefix}history has members: stop referrals counts" in at_work.stdout
    for name in ("before", *SINKS):
        crew.end(name)
    send(settings, [late])
    left = reshard(settings, "--yes", "--json")
    assert left.returncode == 1
    assert json.loads(left.stdout)["unread"] == {late[0].full_name(settings.topic_prefix): 1}

    killed = reshard(settings, "--yes", "--unread=1", fault="reshard.moved:2")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert_no_worker_starts(settings, settings.partitions, PARTITIONS)
    killed = reshard(settings, "--yes", "--unread=1", fault="reshard.grown")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    done = reshard(settings, "--yes", "--unread=1")
    assert done.returncode == 0, done.stderr + done.stdout
    assert "1 records have come meanwhile" in done.stdout


def test_everything_goes_along(crew: Crew, settings: Settings, tmp_path: Path) -> None:
    """4 partitions become 12, in the midst of a programme: old keys and new ones count on, and nothing counts twice."""
    former = settings.partitions
    code, member = code_that_moves(former), str(uuid4())
    waiting = next(f"WATS{n:04d}" for n in range(99) if partition_of(f"WATS{n:04d}".encode(), PARTITIONS) >= former)
    org, mentor = str(uuid4()), str(uuid4())
    issued = {"referral_code": code, "org_id": org, "mentor_id": mentor, "issued_at": AT}
    let_come(traffic(settings, 0, 3_000), settings)
    send(settings, [(CODES, code, issued), (CLICKS, code, click(code)), (CLICKS, waiting, click(waiting))])
    send(settings, [(REGISTRATIONS, code, registration(code, member, "confirmed", AT))])
    stray = registration(code, str(uuid4()), "confirmed", AT) | {"org_id": str(uuid4())}
    send(settings, [(REGISTRATIONS, code, stray)])
    assert_exact(settings)
    change(crew, settings, late=(CLICKS, code, click(code)))
    forget_history(settings)

    new = settings.model_copy(update={"partitions": PARTITIONS})
    after = Crew(new, tmp_path)
    try:
        after.start("after")
        for component in SINKS:
            after.start(f"{component}-after", component)
        after.wait_log("after", READY)
        let_come(traffic(new, 3_000, 5_000), new)
        send(new, [(REGISTRATIONS, code, registration(code, member, "withdrawn", LATER))])
        other = issued | {"mentor_id": str(uuid4())}
        send(new, [(CODES, code, other), (CODES, waiting, other | {"referral_code": waiting})])
        send(new, [(CLICKS, code, click(code))])
        assert_exact(new)
        counts = counts_of(settings)  # their topic has as many partitions as before
        assert {(each.encode(), partition_of(each.encode(), PARTITIONS)) for each in counts} <= places_of(new, CODES)
        row = counts[code]
        assert (row["mentor_id"], row["total_clicks"], row["confirmed_attributions"]) == (mentor, 3, 0)
        assert counts[waiting]["total_clicks"] == 1
        announced = [json.loads(message.value() or b"") for message in published(settings, MILESTONES)]
        assert [each["milestone_threshold"] for each in announced if each["mentor_id"] == mentor] == [1]
        again = reshard(new)
        assert (again.returncode, "clean" in again.stdout) == (0, True), again.stderr
        assert_commands_look_everywhere(new, former, code, mentor, member)
        assert_counted_anew(new, counts_of(settings), lambda: counts_of(settings))
        assert_no_worker_begins_anew(new)
    finally:
        after.stop()
