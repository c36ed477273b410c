"""The counts API of one mentor on a real server and Postgres: counts, code and next badge, milestones, awards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
import pytest_asyncio

from models.badges import SEEDED_DEFINITIONS
from process.settings import Settings
from tests.mentor_rows import execute, put_award, put_counts, put_mentor, put_milestone
from tests.milestones import MENTOR, ORG, OTHER_ORG, new_id
from tests.web import Web, bearer, running_web

pytestmark = pytest.mark.integration

BY_CHANNEL = {"whatsapp": (6, 2, 0), "sms": (4, 1, 2), "x" * 32: (0, 0, 0)}
MENTORS = f"/v1/orgs/{ORG}/mentors"
COUNTS = f"{MENTORS}/{MENTOR}/attribution-counts"


def next_badge(name: str, threshold: int, *, remaining: int) -> dict[str, object]:
    """Return a next badge as it is answered."""
    return {"name": name, "threshold": threshold, "remaining": remaining, "picture": "medal"}


@pytest_asyncio.fixture
async def web(settings: Settings) -> AsyncIterator[Web]:
    """Give a client of a server, whose requests are a coordinator's unless they say otherwise."""
    async with running_web(settings) as web:
        web.headers.update(bearer(org_id=ORG))
        yield web


async def test_ten_clicks_and_two_confirmed_are_a_rate_of_a_fifth(web: Web, settings: Settings) -> None:
    """The answer has these fields and no others: no member, no event."""
    put_mentor(settings)
    put_counts(settings, 10, 3, 2, BY_CHANNEL)
    answer = await web.get(COUNTS)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {
        "orgId": ORG,
        "mentorId": MENTOR,
        "channel": None,
        "totalClicks": 10,
        "pendingAttributions": 3,
        "confirmedAttributions": 2,
        "conversionRate": 0.2,
        "updatedAt": "2026-11-20T12:30:00Z",
    }


async def test_a_channel_is_named_as_in_events(web: Web, settings: Settings) -> None:
    """Lower case, trimmed, 32 characters (rule 6); zeros where nothing came that way."""
    put_mentor(settings)
    put_counts(settings, 10, 3, 2, BY_CHANNEL)
    expected = {
        "whatsapp": ("whatsapp", 6, 2, 0, 0.0),
        "SMS": ("sms", 4, 1, 2, 0.5),
        " WhatsApp\t": ("whatsapp", 6, 2, 0, 0.0),
        "X" * 40: ("x" * 32, 0, 0, 0, 0.0),
        "fax": ("fax", 0, 0, 0, 0.0),
        "": ("unknown", 0, 0, 0, 0.0),
        "s\0ms": ("sms", 4, 1, 2, 0.5),
        "' OR 1=1 --%s": ("' or 1=1 --%s", 0, 0, 0, 0.0),
    }
    fields = ("channel", "totalClicks", "pendingAttributions", "confirmedAttributions", "conversionRate")
    for named, numbers in expected.items():
        answer = (await web.get(COUNTS, params={"channel": named})).json()
        assert tuple(answer[field] for field in fields) == numbers


async def test_a_channel_of_any_bytes(web: Web, settings: Settings) -> None:
    """What is not text at all is a channel that nothing came by."""
    put_mentor(settings)
    for named in ("%FF", "%ED%A0%80", "%00", "%F0%9F%A6%8A", "%"):
        answer = await web.get(f"{COUNTS}?channel={named}")
        assert (answer.status_code, answer.json()["totalClicks"]) == (200, 0), named


async def test_zeros_where_there_is_nothing(web: Web, settings: Settings) -> None:
    """A mentor without activity, clicks without registrations, registrations without clicks: a rate from 0 to 1."""
    put_mentor(settings)
    empty = (await web.get(COUNTS)).json()
    assert [empty[f] for f in ("totalClicks", "pendingAttributions", "confirmedAttributions")] == [0, 0, 0]
    assert (empty["conversionRate"], empty["updatedAt"]) == (0.0, None)
    for clicks, confirmed, rate in ((5, 0, 0.0), (0, 2, 0.0), (1, 2, 1.0)):
        put_counts(settings, clicks, 0, confirmed)
        assert (await web.get(COUNTS)).json()["conversionRate"] == rate


async def test_a_mentor_nobody_knows(web: Web, settings: Settings) -> None:
    """404 for coordinators, also where another organisation knows him; for himself zeros and empty lists."""
    put_mentor(settings, org_id=OTHER_ORG)
    put_counts(settings, 10, 3, 2, org_id=OTHER_ORG)
    himself = bearer("mentor", org_id=ORG, subject=MENTOR)
    for path in ("attribution-counts", "attribution-counts?channel=sms", "", "milestones", "awards"):
        answer = await web.get(f"{MENTORS}/{MENTOR}/{path}".rstrip("/"))
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json"), path
    assert (await web.get(COUNTS, headers=himself)).json()["totalClicks"] == 0
    profile = (await web.get(f"{MENTORS}/{MENTOR}", headers=himself)).json()
    assert (profile["referralCode"], profile["shareUrl"]) == (None, None)
    assert profile["nextBadge"] == {
        "name": SEEDED_DEFINITIONS[0].name,
        "threshold": 1,
        "remaining": 1,
        "picture": "medal",
    }
    assert (await web.get(f"{MENTORS}/{MENTOR}/milestones", headers=himself)).json() == {"milestones": []}
    assert (await web.get(f"{MENTORS}/{MENTOR}/awards", headers=himself)).json()["awards"] == []


async def test_what_is_no_mentors_id_is_said(web: Web) -> None:
    """422 that names the field, from each route."""
    nil = "00000000-0000-0000-0000-000000000000"
    for mentor_id in ("42", "nobody", MENTOR[:-1], f"{MENTOR}0", MENTOR.replace("-", ""), nil, "%00", "%20"):
        for path in ("/attribution-counts", "", "/milestones", "/awards"):
            answer = await web.get(f"{MENTORS}/{mentor_id}{path}")
            assert answer.status_code == 422, (mentor_id, path)
            assert [error["field"] for error in answer.json()["errors"]] == ["mentor_id"]


async def test_who_may_ask(web: Web, settings: Settings) -> None:
    """Mentors only themselves, coordinators and administrators anyone in their organisation, nobody without a token."""
    put_mentor(settings)
    expected = {
        401: {},
        403: bearer("mentor", org_id=ORG),
        404: bearer("coordinator", org_id=OTHER_ORG),
        200: bearer("mentor", org_id=ORG, subject=MENTOR),
    }
    for status, headers in expected.items():
        web.headers.pop("authorization", None)
        assert (await web.get(COUNTS, headers=headers)).status_code == status
    for role in ("coordinator", "org_admin"):
        in_capitals = f"/v1/orgs/{ORG.upper()}/mentors/{MENTOR.upper()}/attribution-counts"
        answer = await web.get(in_capitals, headers=bearer(role, org_id=ORG))
        assert (answer.status_code, answer.json()["mentorId"]) == (200, MENTOR)


async def test_what_has_not_changed_is_not_sent_again(web: Web, settings: Settings) -> None:
    """A strong ETag, a minute in the asker's own cache, 304 for the same, 200 as soon as a count changes."""
    put_mentor(settings)
    put_counts(settings, 10, 3, 2, BY_CHANNEL)
    first = await web.get(COUNTS)
    etag = first.headers["etag"]
    assert etag.startswith('"')
    assert (first.headers["cache-control"], first.headers["vary"]) == ("private, max-age=60", "Authorization")
    for named in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        same = await web.get(COUNTS, headers={"If-None-Match": named})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag), named
        assert same.headers["cache-control"] == "private, max-age=60"
    assert (await web.get(f"{COUNTS}?channel=sms", headers={"If-None-Match": etag})).status_code == 200
    put_counts(settings, 11, 3, 2)
    changed = await web.get(COUNTS, headers={"If-None-Match": etag})
    assert (changed.status_code, changed.json()["totalClicks"]) == (200, 11)
    assert changed.headers["etag"] != etag


async def test_a_mentors_link_and_next_badge(web: Web, settings: Settings) -> None:
    """The lowest badge above his count that he does not hold; his organisation's own count, another's do not."""
    put_mentor(settings)

    async def profile() -> dict[str, Any]:
        answer: dict[str, Any] = (await web.get(f"{MENTORS}/{MENTOR}")).json()
        return answer

    first = await profile()
    assert first["referralCode"] == "ABCDEFGH12"
    assert first["shareUrl"] == str(web.base_url.join("/r/ABCDEFGH12"))
    assert first["nextBadge"]["threshold"] == 1
    put_counts(settings, 10, 3, 2)
    put_award(settings, 1)
    assert (await profile())["nextBadge"] == {
        "name": SEEDED_DEFINITIONS[1].name,
        "threshold": 5,
        "remaining": 3,
        "picture": "medal",
    }
    execute(settings, "INSERT INTO milestone_thresholds (threshold) VALUES (3), (4)", [])
    define = "INSERT INTO badge_definitions (badge_id, org_id, type, threshold, name) VALUES (%s, %s, %s, %s, %s)"
    execute(settings, define, [new_id(), OTHER_ORG, "recruitment", 3, "Theirs"])
    execute(settings, define, [new_id(), ORG, "baking", 3, "Of another kind"])
    execute(settings, define, [new_id(), ORG, "recruitment", 4, "Ours"])
    assert (await profile())["nextBadge"] == next_badge("Ours", 4, remaining=2)
    put_counts(settings, 10, 3, 0)  # two withdrawn: a badge that is held is not earned again
    assert (await profile())["nextBadge"] == next_badge("Ours", 4, remaining=4)
    put_counts(settings, 10, 3, 25)
    assert (await profile())["nextBadge"] is None


async def test_no_badge_is_promised_that_no_milestone_brings(web: Web, settings: Settings) -> None:
    """One at a count that is not announced any more comes with the milestone after it, or is not promised."""
    put_mentor(settings)
    execute(settings, "INSERT INTO milestone_thresholds (threshold) VALUES (3), (30)", [])
    define = "INSERT INTO badge_definitions (badge_id, org_id, type, threshold, name) VALUES (%s, %s, %s, %s, %s)"
    execute(settings, define, [new_id(), ORG, "recruitment", 3, "Late"])
    execute(settings, define, [new_id(), ORG, "recruitment", 30, "Never"])
    execute(settings, "DELETE FROM milestone_thresholds WHERE threshold IN (3, 30)", [])
    execute(settings, "DELETE FROM badge_definitions WHERE org_id IS NULL", [])
    put_counts(settings, 10, 3, 2)
    badge = next_badge("Late", 5, remaining=3)
    assert (await web.get(f"{MENTORS}/{MENTOR}")).json()["nextBadge"] == badge
    put_counts(settings, 10, 3, 5)
    assert (await web.get(f"{MENTORS}/{MENTOR}")).json()["nextBadge"] is None


async def test_milestones_and_awards_of_a_mentor(web: Web, settings: Settings) -> None:
    """His own, the lowest first; no more than the contract tells of them."""
    put_mentor(settings)
    other = new_id()
    put_mentor(settings, mentor_id=other, code="ABCDEFGH34")
    assert (await web.get(f"{MENTORS}/{MENTOR}/milestones")).json() == {"milestones": []}
    assert (await web.get(f"{MENTORS}/{MENTOR}/awards")).json()["awards"] == []
    for threshold in (5, 1):
        put_milestone(settings, threshold)
        put_award(settings, threshold)
    put_milestone(settings, 1, mentor_id=other)
    instant = "2026-11-20T12:30:00Z"
    assert (await web.get(f"{MENTORS}/{MENTOR}/milestones")).json() == {
        "milestones": [
            {
                "mentorId": MENTOR,
                "threshold": threshold,
                "confirmedCount": threshold + 1,
                "reachedAt": instant,
                "recordedAt": instant,
            }
            for threshold in (1, 5)
        ]
    }
    assert (await web.get(f"{MENTORS}/{MENTOR}/awards")).json() == {
        "awards": [
            {
                "mentorId": MENTOR,
                "badgeId": definition.badge_id,
                "badgeName": definition.name,
                "picture": "medal",
                "confirmedCount": definition.threshold,
                "awardedAt": instant,
            }
            for definition in SEEDED_DEFINITIONS[:2]
        ],
        "canBeTakenAlong": False,  # this server's address is no https
    }


async def test_an_event_from_the_end_of_time(web: Web, settings: Settings) -> None:
    """An `occurred_at` that has no form in UTC is bounded, and no fault."""
    put_mentor(settings)
    put_milestone(settings, 1)
    for instant in ("9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"):
        execute(settings, "UPDATE milestones SET reached_at = %s", [instant])
        execute(settings, "UPDATE referral_codes SET issued_at = %s", [instant])
        execute(settings, "UPDATE mentor_counts SET last_event_at = %s", [instant])
        for about in ("milestones", "standing", "attribution-counts"):
            assert (await web.get(f"{MENTORS}/{MENTOR}/{about}")).status_code == 200
        assert (await web.get(f"/v1/orgs/{ORG}/activity")).status_code == 200
        code = await web.post(f"{MENTORS}/{MENTOR}/referral-code", headers=bearer(org_id=ORG))
        assert (code.status_code, datetime.fromisoformat(code.json()["issuedAt"])) == (
            200,
            datetime.fromisoformat(instant),
        )


async def test_postgres_is_away(settings: Settings) -> None:
    """503 that says when to ask again, also where the answer would be a stream."""
    away = settings.model_copy(update={"database_url": "postgresql://nobody@127.0.0.1:9/nothing"})
    async with running_web(away) as web:
        answer = await web.get(f"/v1/orgs/{ORG}/export.csv", headers=bearer(org_id=ORG))
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert int(answer.headers["retry-after"]) > 0
