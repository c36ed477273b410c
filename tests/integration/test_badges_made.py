"""An organisation's own badges on a real Postgres: made, switched, and awarded to those who had reached them, once.

Of the organisation's mentors some have a milestone at the badge's count, some passed it by their counts alone (its
threshold was added later), some are below, and some reach it while the back-fill is under way. One of theirs has a
forged milestone here.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Final, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest

from edges.registry.back_filling import BackFilled, Due, back_fill, preview_badge
from edges.registry.badges import BADGES_MAX, Badge, BadgeListed, Badges, list_badges, save_badge
from edges.registry.database import OwnerDatabase, owner_database
from edges.registry.errors import BadBadge, BadgeStands, NoSuchBadge
from models.badges import FIRST_RECRUIT, PICTURES, decide_all
from models.events import MilestoneReached, encode_event
from process.fault_points import VARIABLE
from sinks.badge_awarder import BadgeAwarder
from sinks.postgres_badges import PostgresBadgeRepository
from sinks.records import Record
from tests.installation import wait_until
from tests.milestones import ORG, OTHER_ORG, milestone

pytestmark = pytest.mark.integration

ROOT: Final = Path(__file__).resolve().parents[2]
AT: Final = 5
MENTORS: Final = 60
"""Of each kind."""


def mentors(kind: int, org_id: str = ORG) -> list[str]:
    """Return the ids of the mentors of a kind."""
    return [f"{kind:02x}{org_id[34:]}0000-0000-4000-8000-{number:012x}" for number in range(MENTORS)]


RECORDED, COUNTED, BELOW, COMING = (mentors(kind) for kind in range(1, 5))
THEIRS: Final = [*mentors(1, OTHER_ORG), COUNTED[0]]
"""The other organisation's; one is a mentor of both."""


@pytest.fixture
def url(database_url: str) -> str:
    """Give a database of two organisations: who of them has reached what is recorded, decided and counted."""
    with psycopg.connect(database_url) as connection:
        for org_id in (ORG, OTHER_ORG):
            connection.execute("INSERT INTO organisations (org_id) VALUES (%s)", [org_id])
        for org_id, everybody in ((ORG, [*RECORDED, *COUNTED, *BELOW, *COMING]), (OTHER_ORG, THEIRS)):
            connection.cursor().executemany(
                "INSERT INTO mentors (org_id, mentor_id) VALUES (%s, %s)", [(org_id, mentor) for mentor in everybody]
            )
    with closing(PostgresBadgeRepository(database_url)) as repository:
        awarder = BadgeAwarder(repository)
        awarder.put(records([milestone(1, mentor_id=mentor) for mentor in [*RECORDED, *COUNTED, *BELOW]]))
        awarder.put(records([milestone(AT, count=AT + 1, mentor_id=mentor) for mentor in RECORDED]))
        awarder.put(records([milestone(AT, org_id=OTHER_ORG, mentor_id=mentor) for mentor in THEIRS]))
        awarder.put(records([milestone(AT, mentor_id=THEIRS[0])]))
    for confirmed, whose in ((AT + 1, RECORDED), (AT + 2, COUNTED), (AT - 1, [*BELOW, *COMING])):
        count(database_url, confirmed, whose)
    count(database_url, AT, THEIRS, OTHER_ORG)
    return database_url


def count(url: str, confirmed: int, whose: Sequence[str], org_id: str = ORG) -> None:
    """Project the counts of mentors."""
    with psycopg.connect(url) as connection:
        connection.cursor().executemany(
            "INSERT INTO mentor_counts VALUES (%s, %s, 'ABCDEFGH12', 0, 0, %s, 0, '{}', '{}', NULL, 0, 0)",
            [(org_id, mentor, confirmed) for mentor in whose],
        )


def records(reached: Sequence[MilestoneReached]) -> list[Record]:
    """Return the records of milestones."""
    return [
        Record(topic="milestones.v1", partition=0, offset=offset, key=None, value=encode_event(each))
        for offset, each in enumerate(reached)
    ]


def ask(url: str, question: Any) -> Any:  # noqa: ANN401  a function of the database, and what it returns
    """Run what asks as the tables' owner, as the commands do."""

    async def run() -> Any:  # noqa: ANN401  the same
        async with owner_database(url) as database:
            return await question(database)

    return asyncio.run(run())


def save(url: str, badge: Badge, org_id: str = ORG) -> bool:
    """Make or change a badge."""
    return bool(ask(url, lambda database: save_badge(database, UUID(org_id), badge, by="auth0|kari")))


def fill(url: str, badge: Badge, org_id: str = ORG) -> BackFilled:
    """Back-fill a badge."""

    def question(database: OwnerDatabase) -> Coroutine[Any, Any, BackFilled]:
        return back_fill(database, UUID(org_id), badge.badge_id, by="auth0|kari")

    found: BackFilled = ask(url, question)
    return found


def due(url: str, badge_id: UUID | None = None, threshold: int = AT, org_id: str = ORG) -> Due:
    """Return who would be awarded a badge."""

    def question(database: OwnerDatabase) -> Coroutine[Any, Any, Due]:
        return preview_badge(database, UUID(org_id), threshold=threshold, badge_id=badge_id, named=MENTORS * 9)

    found: Due = ask(url, question)
    return found


def listed(url: str, badge: Badge) -> BadgeListed:
    """Return a badge as it is listed."""
    found: Badges = ask(url, lambda database: list_badges(database, UUID(ORG)))
    return next(each for each in found.badges if each.badge_id == str(badge.badge_id))


def value(url: str, query: LiteralString, *values: object) -> Any:  # noqa: ANN401  whatever is asked for
    """Return the one value that a query gives."""
    with psycopg.connect(url) as connection:
        row = connection.execute(query, values).fetchone()
        return row and row[0]


def holders(url: str, badge: Badge) -> list[str]:
    """Return who holds a badge, each as often as he does."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT mentor_id::text FROM badge_awards WHERE badge_id = %s ORDER BY mentor_id", [badge.badge_id]
        )
        return [mentor for (mentor,) in found]


def work_off(url: str) -> None:
    """Let the badge consumer decide all that is due."""
    with closing(PostgresBadgeRepository(url)) as repository:
        awarder = BadgeAwarder(repository)
        while value(url, "SELECT count(*) FROM milestones WHERE state = 'due'"):
            awarder.tend()


def new(threshold: int = AT, **changed: Any) -> Badge:  # noqa: ANN401  a badge's fields
    """Return a badge that is not made yet."""
    given: dict[str, Any] = {"badge_id": uuid4(), "name": "Lagspiller", "threshold": threshold, "picture": "star"}
    return Badge(**given | changed)


def test_who_is_previewed_is_awarded(url: str) -> None:
    """By milestone or by count, of this organisation, once; what comes afterwards changes nothing."""
    before = due(url)
    assert (before.due, before.held) == (2 * MENTORS, 0)
    assert {each.mentor_id for each in before.mentors} == {*RECORDED, *COUNTED}
    badge = new()
    assert save(url, badge)

    done = fill(url, badge)
    assert done.awarded == before.due
    assert holders(url, badge) == sorted([*RECORDED, *COUNTED])
    again = fill(url, badge)
    assert (again.awarded, again.at) == (0, done.at)
    after = due(url, badge.badge_id)
    assert (after.due, after.held) == (0, 2 * MENTORS)

    with closing(PostgresBadgeRepository(url)) as repository:
        BadgeAwarder(repository).put(records([milestone(AT, count=AT + 3, mentor_id=mentor) for mentor in COUNTED]))
    work_off(url)
    assert holders(url, badge) == sorted([*RECORDED, *COUNTED])
    assert_audit(url, badge)
    kept = listed(url, badge)
    assert (kept.made_by, kept.back_filled, kept.back_filled_at) == ("auth0|kari", 2 * MENTORS, done.at)


def test_back_fills_and_badge_consumers_race(url: str) -> None:
    """Three back-fills beside two consumers, while milestones come: everybody holds it once, and nobody is left out."""
    badge = new()
    start = threading.Barrier(6)

    def filling() -> int:
        start.wait()
        return sum(fill(url, badge).awarded for _ in range(3))

    def consuming(part: int) -> None:
        with closing(PostgresBadgeRepository(url)) as repository:
            awarder = BadgeAwarder(repository)
            awarder.open()
            start.wait()
            for mentor in COMING[part::2]:
                awarder.put(records([milestone(AT, mentor_id=mentor)]))
                awarder._claim_now = True  # noqa: SLF001  not every 5 s
                awarder.tend()

    save(url, badge)
    with ThreadPoolExecutor(6) as pool:
        filled = [pool.submit(filling) for _ in range(3)]
        consumed = [pool.submit(consuming, part) for part in range(2)]
        start.wait()
        awarded = sum(each.result() for each in filled)
        for each in consumed:
            each.result()
    work_off(url)

    assert holders(url, badge) == sorted([*RECORDED, *COUNTED, *COMING])
    assert awarded == value(url, "SELECT count(*) FROM badge_awards WHERE back_filled")
    assert awarded >= MENTORS  # those by count at least: no milestone of theirs has come
    assert_audit(url, badge)


def test_what_a_consumer_has_awarded_and_not_committed_is_waited_for(url: str) -> None:
    """The back-fill is second at these awards: it makes the others, and the audit says `awarded` once."""
    badge = new()
    save(url, badge)
    with (
        ThreadPoolExecutor(1) as pool,
        closing(PostgresBadgeRepository(url)) as repository,
        repository.transaction() as work,
    ):
        claimed = [each for each in work.claim(9 * MENTORS) if each.mentor_id in RECORDED[:7]]
        work.save(decide_all(claimed, work.facts(claimed)))
        filling = pool.submit(fill, url, badge)
        wait_until(lambda: value(url, "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"))
    assert filling.result().awarded == 2 * MENTORS - 7
    work_off(url)
    assert holders(url, badge) == sorted([*RECORDED, *COUNTED])
    assert_audit(url, badge)


def test_what_was_decided_at_another_threshold_is_decided_anew(url: str) -> None:
    """Somebody lowers a threshold by hand: the audit says that the badge was awarded, and no more that it was not."""
    badge = new(10)
    save(url, badge)
    work_off(url)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE badge_definitions SET threshold = 5 WHERE badge_id = %s", [badge.badge_id])
    assert fill(url, badge).awarded == 2 * MENTORS
    assert_audit(url, badge)


def test_killed_it_has_awarded_nobody_and_done_again_everybody(url: str) -> None:
    """The command dies before its commit, and is run again, twice."""
    badge = new()
    save(url, badge)
    arguments = ["back-fill", str(badge.badge_id), "--org", ORG, "--json"]
    assert run(url, *arguments, fault="badges.back_filled").returncode < 0
    assert holders(url, badge) == []
    assert listed(url, badge).back_filled_at is None

    assert json.loads(run(url, *arguments).stdout)["awarded"] == 2 * MENTORS
    assert json.loads(run(url, *arguments).stdout)["awarded"] == 0
    assert holders(url, badge) == sorted([*RECORDED, *COUNTED])


def test_a_badge_is_made_once_and_its_threshold_stands(url: str) -> None:
    """The same again is no change; name and picture change, who did it stands there; the count does not."""
    badge = new()
    assert save(url, badge)
    assert not save(url, badge)
    assert not save(url, new(badge_id=badge.badge_id, name=" Medspiller ", picture="crown"))
    with pytest.raises(BadgeStands, match="needs 5"):
        save(url, new(10, badge_id=badge.badge_id))
    with pytest.raises(NoSuchBadge):
        save(url, badge, OTHER_ORG)
    with pytest.raises(BadgeStands, match="every organisation's"):
        save(url, new(1, badge_id=UUID(FIRST_RECRUIT)))
    with psycopg.connect(url) as connection:
        changes = connection.execute("SELECT change, changed_by, name FROM badge_changes ORDER BY change_id").fetchall()
    assert changes == [("made", "auth0|kari", "Lagspiller"), ("changed", "auth0|kari", "Medspiller")]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"threshold": 3}, "threshold"),
        ({"threshold": 0}, "threshold"),
        ({"name": "  "}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"picture": "skull"}, "picture"),
    ],
)
def test_what_cannot_be_a_badge_is_refused(url: str, wrong: dict[str, Any], field: str) -> None:
    """With the field; a count at which no milestone is announced with the counts at which one is."""
    with pytest.raises(BadBadge) as refused:
        save(url, new(**wrong))
    assert refused.value.field == field
    if wrong.get("threshold") == 3:
        assert "1, 5, 10, 25" in str(refused.value)
        assert "REFERRALS_THRESHOLDS=1,3,5,10,25" in str(refused.value)


def test_an_organisation_has_so_many_badges_and_no_more(url: str) -> None:
    """One too many leaves nothing behind, and the other organisation makes its own."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO badge_definitions (badge_id, org_id, type, threshold, name) "
            "SELECT gen_random_uuid(), %s, 'recruitment', 25, 'One of many' FROM generate_series(1, %s)",
            [ORG, BADGES_MAX],
        )
    with pytest.raises(BadgeStands, match=str(BADGES_MAX)):
        save(url, new())
    assert value(url, "SELECT count(*) FROM badge_definitions WHERE org_id = %s", ORG) == BADGES_MAX
    assert save(url, new(), OTHER_ORG)


def test_one_that_is_off_is_awarded_to_nobody_and_on_again_to_those_who_wait(url: str) -> None:
    """Neither by a milestone nor by a back-fill; who holds it keeps it; on again nobody is left out."""
    badge = new()
    save(url, badge)
    work_off(url)
    assert holders(url, badge) == RECORDED
    off = new(badge_id=badge.badge_id, is_off=True)
    save(url, off)
    with closing(PostgresBadgeRepository(url)) as repository:
        BadgeAwarder(repository).put(records([milestone(AT, mentor_id=mentor) for mentor in COMING]))
    with pytest.raises(BadgeStands, match="switched off"):
        fill(url, badge)
    assert holders(url, badge) == RECORDED
    assert listed(url, badge).off_since is not None

    save(url, badge)
    work_off(url)
    assert holders(url, badge) == sorted([*RECORDED, *COMING])
    assert fill(url, badge).awarded == MENTORS
    assert_audit(url, badge)


def test_a_badge_at_a_count_that_is_not_announced_any_more_is_not_filled(url: str) -> None:
    """It could be promised to nobody; the message has the remedy."""
    badge = new()
    save(url, badge)
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM milestone_thresholds WHERE threshold IN (5, 10, 25)")
    with pytest.raises(BadgeStands, match="REFERRALS_THRESHOLDS"):
        fill(url, badge)
    assert listed(url, badge).comes_at is None


def test_everybodys_badge_is_filled_in_one_organisation(url: str) -> None:
    """A threshold that was added later: the badge that everybody has, for the mentors of who asks."""
    five = new(badge_id=UUID("5a1e6b10-0005-5c4e-9f00-7265637275ad"))
    assert holders(url, five) == sorted([*RECORDED, *THEIRS])
    assert fill(url, five).awarded == MENTORS
    assert holders(url, five) == sorted([*RECORDED, *THEIRS, *COUNTED])
    assert fill(url, five, OTHER_ORG).awarded == 0


def test_the_command_does_the_same(url: str) -> None:
    """Preview, make and fill, list, switch; what is wrong ends with 1 and a line."""
    looked = json.loads(run(url, "preview", str(AT), "--org", ORG, "--json").stdout)
    assert (looked["due"], len(looked["mentors"])) == (2 * MENTORS, 2 * MENTORS)
    done = run(
        url, "define", "Lagspiller", "--org", ORG, "--at", str(AT), "--picture", "heart", "--back-fill", "--json"
    )
    made = json.loads(done.stdout)
    assert (made["is_new"], made["awarded"]) == (True, 2 * MENTORS)
    assert run(url, "switch", made["badge_id"], "--org", ORG, "--off").stdout.endswith("Lagspiller: off\n")
    told = json.loads(run(url, "list", "--org", ORG, "--json").stdout)
    own = next(each for each in told["badges"] if each["is_own"])
    assert (own["name"], own["picture"], own["made_by"], own["back_filled"]) == (
        "Lagspiller",
        "heart",
        "operator",
        2 * MENTORS,
    )
    assert own["off_since"] is not None
    refused = run(url, "define", "Tre", "--org", ORG, "--at", "3")
    assert refused.returncode == 1
    assert "REFERRALS_THRESHOLDS=1,3,5,10,25" in refused.stderr


def test_the_pictures_are_those_of_the_table(url: str) -> None:
    """The constants and the constraint are the same."""
    constraint = value(
        url, "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'badge_definitions_picture_check'"
    )
    assert {each for each in constraint.split("'") if each.isalpha()} - {"text"} == set(PICTURES)


def assert_audit(url: str, badge: Badge) -> None:
    """Assert that each award stands in the audit once, and that every milestone was compared with the badge."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT mentor_id::text, array_agg(reason ORDER BY reason) FROM badge_decisions WHERE badge_id = %s "
            "GROUP BY mentor_id",
            [badge.badge_id],
        ).fetchall()
        undecided = connection.execute(
            "SELECT count(*) FROM milestones WHERE org_id = %s AND NOT EXISTS (SELECT FROM badge_decisions AS decision "
            "WHERE decision.milestone_id = milestones.milestone_id AND decision.badge_id = %s) AND mentor_id <> %s",
            [ORG, badge.badge_id, THEIRS[0]],
        ).fetchone()
    assert sorted(mentor for mentor, reasons in rows if reasons.count("awarded") == 1) == holders(url, badge)
    assert all(reasons.count("awarded") <= 1 for _, reasons in rows)
    assert undecided == (0,)


def run(url: str, *arguments: str, fault: str = "") -> subprocess.CompletedProcess[str]:
    """Run `referrals badges ...`."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("REFERRALS_")}
    return subprocess.run(
        [sys.executable, "-P", "-m", "commands", "badges", *arguments],
        cwd=ROOT,
        env={**ours, "REFERRALS_DATABASE_URL": url, VARIABLE: fault},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
