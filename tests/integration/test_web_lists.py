"""Who needs help and whom to thank, on a real server and Postgres: who is in which list, page by page, and for whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import pytest_asyncio

from models.badges import FIRST_RECRUIT, FIVE_RECRUITS
from process.settings import Settings
from tests.mentor_rows import execute, put_award, put_counts, put_mentor, put_milestone, put_name
from tests.milestones import ORG, OTHER_ORG
from tests.organisation_scene import organisation_scene
from tests.web import Web, bearer, running_web

pytestmark = pytest.mark.integration

LISTS = f"/v1/orgs/{ORG}/lists"
NEW, SILENT, SLOW, CLICKED, LEFT, WAITING, MOVING, NEAR, NEARER, FALLEN = (
    f"0b000000-0000-4000-8000-{n:012}" for n in range(10)
)


@pytest_asyncio.fixture
async def web(settings: Settings) -> AsyncIterator[Web]:
    """Give a client of a server, whose requests are a coordinator's unless they say otherwise."""
    async with running_web(settings) as web:
        web.headers.update(bearer(org_id=ORG))
        yield web


async def everybody(web: Web, name: str, key: str = "mentors", **parameters: str | int) -> list[dict[str, Any]]:
    """Return a whole list, read in pages of one, two and a hundred, which must be the same."""
    found: list[list[dict[str, Any]]] = []
    for limit in (1, 2, 100):
        entries: list[dict[str, Any]] = []
        after: dict[str, str | int] = {}
        while True:
            answer = await web.get(f"{LISTS}/{name}", params={"limit": limit, **after, **parameters})
            assert answer.status_code == 200, answer.text
            page = answer.json()
            entries += page[key]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        found.append(entries)
    assert found[0] == found[1] == found[2]
    return found[0]


async def ids(web: Web, name: str, **parameters: str | int) -> list[str]:
    """Return the mentors of a list in its order."""
    return [entry["mentorId"] for entry in await everybody(web, name, "mentors", **parameters)]


def plant(settings: Settings) -> datetime:
    """Make mentors of each kind; return the moment that is taken for now."""
    now = datetime.now(UTC)

    def ago(days: int) -> datetime:
        return now - timedelta(days=days)

    everyone = (NEW, SILENT, SLOW, CLICKED, LEFT, WAITING, MOVING, NEAR, NEARER, FALLEN)
    for number, mentor_id in enumerate(everyone):
        put_mentor(settings, mentor_id=mentor_id, code=f"ABCDEFGH{number}0")
    execute(settings, "UPDATE mentor_standings SET quiet_since = quiet_since - 60 WHERE mentor_id = %s", [SILENT])
    put_counts(settings, 5, 0, 0, mentor_id=SLOW, counted_at=ago(40))
    execute(settings, "UPDATE mentor_standings SET quiet_since = %s WHERE mentor_id = %s", [ago(40).date(), SLOW])
    put_counts(settings, 9, 0, 0, mentor_id=CLICKED, counted_at=now)
    put_counts(settings, 50, 0, 0, mentor_id=LEFT, counted_at=ago(90))
    execute(settings, "UPDATE referral_codes SET disabled_at = now() WHERE mentor_id = %s", [LEFT])
    for days, pending, confirmed in ((40, 2, 0), (35, 3, 0), (1, 2, 1), (0, 3, 1)):
        put_counts(settings, 9, pending, confirmed, mentor_id=WAITING, counted_at=ago(days))
    for days, pending, confirmed in ((40, 1, 0), (10, 1, 1)):
        put_counts(settings, 9, pending, confirmed, mentor_id=MOVING, counted_at=ago(days))
    for mentor_id, confirmed in ((NEAR, 3), (NEARER, 4), (FALLEN, 4)):
        put_counts(settings, 9, 0, confirmed, mentor_id=mentor_id, counted_at=now)
    put_milestone(settings, 5, mentor_id=FALLEN)
    put_mentor(settings, org_id=OTHER_ORG)
    put_counts(settings, 7, 7, 4, org_id=OTHER_ORG, counted_at=ago(99))
    put_name(settings, "Silje", group="Nord", mentor_id=SILENT)
    return now


async def test_who_needs_help(web: Web, settings: Settings) -> None:
    """Each is in the lists that he belongs to and in no other, in either order, whatever the pages' size."""
    now = plant(settings)
    assert await ids(web, "no-activity") == [SILENT, SLOW]
    assert await ids(web, "no-activity", order="least") == [SLOW, SILENT]
    assert await ids(web, "no-activity", days=45) == [SILENT]
    assert LEFT not in await ids(web, "no-activity", days=0)
    silent = (await everybody(web, "no-activity"))[0]
    assert silent == {
        "mentorId": SILENT,
        "referralCode": "ABCDEFGH10",
        "displayName": "Silje",
        "group": "Nord",
        "totalClicks": 0,
        "pendingAttributions": 0,
        "confirmedAttributions": 0,
        "lastActiveOn": None,
        "pendingSince": None,
        "pendingForLong": 0,
    }
    (waiting,) = await everybody(web, "pending")
    assert (waiting["mentorId"], waiting["pendingAttributions"], waiting["pendingForLong"]) == (WAITING, 3, 2)
    assert waiting["pendingSince"] == (now - timedelta(days=40)).date().isoformat()
    assert await ids(web, "pending", days=5) == [WAITING, MOVING]
    assert await ids(web, "pending", days=5, order="least") == [MOVING, WAITING]
    assert await ids(web, "clicks-only") == [CLICKED, SLOW]
    assert await ids(web, "clicks-only", clicks=6) == [CLICKED]
    assert await ids(web, "clicks-only", order="least") == [SLOW, CLICKED]
    near = await everybody(web, "close-to-badge")
    assert [(each["mentorId"], each["remaining"], each["badgeName"]) for each in near] == [
        (NEARER, 1, "Five recruits"),
        (NEAR, 2, "Five recruits"),
    ]
    assert await ids(web, "close-to-badge", within=1) == [NEARER]
    put_counts(settings, 9, 1, 0, mentor_id=CLICKED, counted_at=now)
    assert await ids(web, "clicks-only") == [SLOW]
    execute(settings, "DELETE FROM mentor_counts WHERE mentor_id = %s", [SLOW])
    assert await ids(web, "clicks-only") == []


async def test_lists_of_a_group(web: Web, settings: Settings) -> None:
    """Each list and the leaderboard, in every order, is that of everybody without those of other groups."""
    plant(settings)
    nord, sor = "Nord-Norge <&>", "Sør"
    others = ("FALLEN", FALLEN), ("SLOW", SLOW), ("WAITING", WAITING)
    execute(settings, "UPDATE mentor_names SET group_name = %s WHERE mentor_id = %s", [nord, SILENT])
    for mentor_id in (CLICKED, MOVING, NEAR, NEARER, LEFT):
        put_name(settings, "Kari", group=nord, mentor_id=mentor_id)
    for name, mentor_id in others:
        put_name(settings, name, group=sor, mentor_id=mentor_id)
    put_milestone(settings, 1, mentor_id=NEAR)
    put_milestone(settings, 5, mentor_id=NEAR, at=datetime(2026, 11, 21, tzinfo=UTC))
    put_milestone(settings, 1, mentor_id=NEARER, at=datetime(2026, 11, 21, tzinfo=UTC))
    put_milestone(settings, 1, mentor_id=WAITING, at=datetime(2026, 11, 21, tzinfo=UTC))
    assert (await web.get(f"/v1/orgs/{ORG}/groups")).json() == {"groups": [nord, sor]}

    async def compare() -> int:
        seen = 0
        for name, key, orders, more in (
            ("no-activity", "mentors", ("most", "least"), {"days": 0}),
            ("pending", "mentors", ("most", "least"), {"days": 0}),
            ("clicks-only", "mentors", ("most", "least"), {}),
            ("close-to-badge", "mentors", ("nearest", "highest"), {"within": 5}),
            ("just-reached", "reached", ("latest", "earliest"), {}),
        ):
            for order in orders:
                everyone = await everybody(web, name, key, order=order, **more)
                for group in (nord, sor):
                    of_group = await everybody(web, name, key, order=order, group=group, **more)
                    assert of_group == [each for each in everyone if each["group"] == group], (name, order)
                    seen += len(of_group)
        return seen

    assert await compare() > 20
    put_counts(settings, 9, 0, 8, mentor_id=FALLEN)
    for order, missing in (("nearest", [1, 2, 4, 4]), ("highest", [2, 1, 4, 4])):
        close = await everybody(web, "close-to-badge", order=order, within=9)
        assert [each["remaining"] for each in close] == missing
    reached = await everybody(web, "just-reached", "reached", order="earliest")
    assert reached == (await everybody(web, "just-reached", "reached"))[::-1]
    board = (await web.get(f"/v1/orgs/{ORG}/leaderboard", params={"group": nord, "limit": 3})).json()
    rest = (await web.get(f"/v1/orgs/{ORG}/leaderboard", params={"group": nord, "after": board["next"]})).json()
    assert [(each["rank"], each["mentorId"]) for each in board["entries"] + rest["entries"]] == [
        (1, NEARER), (2, NEAR), (3, MOVING), (4, CLICKED), (5, LEFT)
    ]  # fmt: skip
    everyone = (await web.get(f"/v1/orgs/{ORG}/leaderboard")).json()["entries"]
    told = {each["mentorId"]: each | {"rank": 0} for each in everyone}
    assert all(told[each["mentorId"]] == each | {"rank": 0} for each in board["entries"])
    execute(settings, "UPDATE mentor_names SET group_name = %s WHERE mentor_id = %s", [sor, NEAR])
    execute(settings, "DELETE FROM mentor_names WHERE mentor_id = %s", [NEARER])
    assert await compare() > 15
    keys = "SELECT count(*) FROM {} WHERE mentor_id = %s AND group_key IS NOT NULL"
    with psycopg.connect(settings.database_url) as connection:
        for table in ("mentor_standings", "milestones"):
            assert connection.execute(keys.format(table).encode(), [NEARER]).fetchall() == [(0,)]
    assert (await web.get(f"/v1/orgs/{OTHER_ORG}/groups", headers=bearer(org_id=OTHER_ORG))).json() == {"groups": []}


async def test_whom_to_thank(web: Web, settings: Settings) -> None:
    """A milestone and its badges are one entry; a mark for thanked stands, can be taken back, is one's own alone."""
    start = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
    for number, mentor_id in enumerate((NEW, SILENT, SLOW)):
        put_mentor(settings, mentor_id=mentor_id, code=f"ABCDEFGH{number}0")
        put_milestone(settings, 5, mentor_id=mentor_id, at=start)
    put_milestone(settings, 1, mentor_id=SILENT, at=start + timedelta(hours=1))
    put_milestone(settings, 1, mentor_id=LEFT, state="awaiting_mentor")
    put_award(settings, 1, mentor_id=SILENT)
    execute(
        settings,
        "UPDATE badge_awards SET milestone_id = milestones.milestone_id FROM milestones WHERE milestone_threshold = 1 "
        "AND milestones.mentor_id = badge_awards.mentor_id",
    )
    reached = await everybody(web, "just-reached", "reached")
    assert [(each["mentorId"], each["threshold"], each["badges"]) for each in reached] == [
        (SILENT, 1, ["First recruit"]),
        (NEW, 5, []),
        (SILENT, 5, []),
        (SLOW, 5, []),
    ]

    def thanks(mentor_id: str, threshold: int = 5) -> str:
        return f"/v1/orgs/{ORG}/mentors/{mentor_id}/milestones/{threshold}/thanks"

    first = await web.post(thanks(SILENT))
    assert (first.status_code, (await web.post(thanks(SILENT))).json()) == (200, first.json())
    assert (await everybody(web, "just-reached", "reached"))[2]["thankedAt"] == first.json()["thankedAt"]
    still = await everybody(web, "just-reached", "reached", show="open")
    assert [(each["mentorId"], each["threshold"]) for each in still] == [(SILENT, 1), (NEW, 5), (SLOW, 5)]
    assert (await web.delete(thanks(SILENT))).json() == {"thankedAt": None}
    assert len(await everybody(web, "just-reached", "reached", show="open")) == 4
    assert (await web.post(thanks(NEW, 1))).status_code == 404
    assert (await web.post(thanks(LEFT, 1))).status_code == 404
    assert (await web.post(thanks(NEW), headers=bearer("mentor", org_id=ORG, subject=NEW))).status_code == 403
    theirs = thanks(NEW).replace(ORG, OTHER_ORG)
    assert (await web.post(theirs, headers=bearer(org_id=OTHER_ORG))).status_code == 404
    assert len(await everybody(web, "just-reached", "reached", show="open")) == 4


async def test_where_a_mentor_stands(web: Web, settings: Settings) -> None:
    """Rank, members by state, channels, why each badge, and history; nothing for the mentor himself, or for others."""
    now = plant(settings)
    put_milestone(settings, 1, mentor_id=WAITING, at=now)
    put_award(settings, 1, mentor_id=WAITING, at=now)
    execute(
        settings,
        "INSERT INTO badge_decisions SELECT org_id, mentor_id, 1, milestone_id, badge_id, 'awarded', 2 "
        "FROM badge_awards",
    )
    address = f"/v1/orgs/{ORG}/mentors/{WAITING}/standing"
    standing = (await web.get(address)).json()
    assert standing["rank"] == {"rank": 4, "sharedWith": 1, "mentors": 8}
    assert (standing["pendingAttributions"], standing["confirmedAttributions"], standing["pendingForLong"]) == (3, 1, 2)
    assert standing["channels"] == [{"channel": "sms", "clicks": 9, "pending": 3, "confirmed": 1}]
    (decision,) = standing["decisions"]
    assert (decision["badgeName"], decision["reason"], decision["threshold"]) == ("First recruit", "awarded", 1)
    assert decision["reachedAt"] == "2026-11-20T12:30:00Z"
    days = [
        ((now.date() - datetime.fromisoformat(each["day"]).date()).days, each["pending"], each["confirmed"])
        for each in standing["history"]
        if each["kind"] == "registrations"
    ]
    assert days == [(0, 1, 0), (1, -1, 1), (35, 1, 0), (40, 2, 0)]
    assert {each["kind"] for each in standing["history"]} == {"code", "registrations", "milestone", "badge"}
    nothing = (await web.get(address.replace(WAITING, SILENT))).json()
    assert (nothing["rank"], nothing["lastActiveOn"], nothing["decisions"]) == (None, None, [])
    assert (await web.get(address.replace(WAITING, str(now.year).zfill(8) + WAITING[8:]))).status_code == 404
    assert (await web.get(address, headers=bearer("mentor", org_id=ORG, subject=WAITING))).status_code == 403


async def test_what_an_award_came_of(web: Web, settings: Settings) -> None:
    """The milestone, the registration that crossed and where it stands, and those before it; not who they are."""
    with organisation_scene(settings.database_url, ORG) as scene:
        mentor_id, other = scene.issue(), scene.issue()
        scene.count(mentor_id, clicks=12, confirmed=5, email=3, poster=0)
        crossing = scene.confirm(mentor_id, 5)
        scene.confirm(other, 2)
        scene.reach(mentor_id, 1)
        scene.reach(mentor_id, 5, crossing)
    execute(settings, "UPDATE registration_pairs SET withdrawn_at = confirmed_at + interval '1 day', "
            "confirmed_offset = NULL, confirmed_partition = NULL WHERE confirmed_offset = 41")  # fmt: skip
    execute(settings, "UPDATE registration_pairs SET confirmed_at = confirmed_at + interval '9 days' "
            "WHERE confirmed_offset = 40")  # fmt: skip
    address = f"/v1/orgs/{ORG}/mentors/{mentor_id}/awards"
    found = (await web.get(f"{address}/{FIVE_RECRUITS}/evidence")).json()
    milestone = found["milestone"]
    assert (milestone["threshold"], milestone["reachedAt"]) == (5, "2026-11-20T12:00:00Z")
    assert (found["badgeName"], found["confirmedCount"], found["totalClicks"]) == ("Five recruits", 5, 12)
    assert found["clicksByChannel"] == [{"channel": "whatsapp", "clicks": 9}, {"channel": "email", "clicks": 3}]
    assert (found["topic"], found["hasMore"]) == (f"{settings.topic_prefix}registrations.v1", False)
    registrations = found["registrations"]
    assert [(each["partition"], each["offset"], each["crossed"]) for each in registrations] == [
        (3, 44, True),
        (3, 43, False),
        (3, 42, False),
        (None, None, False),
    ]
    assert registrations[0] == {
        "registeredAt": "2026-11-18T12:00:00Z",
        "confirmedAt": "2026-11-20T12:00:00Z",
        "withdrawnAt": None,
        "channel": "whatsapp",
        "partition": 3,
        "offset": 44,
        "crossed": True,
    }
    assert registrations[3]["withdrawnAt"] == "2026-11-21T09:00:00Z"
    first = (await web.get(f"{address}/{FIRST_RECRUIT}/evidence")).json()
    assert not any(each["crossed"] for each in first["registrations"])
    execute(settings, "DELETE FROM milestones WHERE milestone_threshold = 1")
    execute(settings, "UPDATE badge_awards SET back_filled = true WHERE badge_id = %s", [FIRST_RECRUIT])
    filled = (await web.get(f"{address}/{FIRST_RECRUIT}/evidence")).json()
    assert (filled["milestone"], filled["isBackFilled"], len(filled["registrations"])) == (None, True, 5)
    theirs = f"{address}/{FIVE_RECRUITS}/evidence"
    assert (await web.get(theirs.replace(mentor_id, other))).status_code == 404
    assert (await web.get(f"{address}/five/evidence")).status_code == 422
    assert (await web.get(theirs, headers=bearer("mentor", org_id=ORG, subject=mentor_id))).status_code == 403


async def test_what_cannot_be_asked(web: Web, settings: Settings) -> None:
    """422 with the parameter's name; a cursor of another list is none of this one's."""
    put_mentor(settings)
    put_mentor(settings, mentor_id=NEW, code="ABCDEFGH99")
    cursor = (await web.get(f"{LISTS}/no-activity", params={"days": 0, "limit": 1})).json()["next"]
    for path, name, value in (
        ("no-activity", "days", -1),
        ("no-activity", "order", "worst"),
        ("no-activity", "after", cursor[:-2]),
        ("pending", "after", cursor),
        ("just-reached", "after", cursor),
        ("close-to-badge", "within", 0),
        ("clicks-only", "clicks", "many"),
        ("just-reached", "show", "some"),
    ):
        answer = await web.get(f"{LISTS}/{path}", params={name: str(value)})
        assert answer.status_code == 422, (path, name)
        assert [error["field"] for error in answer.json()["errors"]] == [name]
