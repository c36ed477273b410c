"""Badges over HTTP, as the role that the server works under: an administrator makes one, and has it awarded once."""

from __future__ import annotations

import asyncio
from typing import Any, Final
from uuid import uuid4

import psycopg
import pytest

from edges.registry.tokens import Role
from process.settings import Settings
from tests.organisation_scene import OrganisationScene, organisation_scene
from tests.web import Web, bearer, running_web

pytestmark = pytest.mark.integration

POSTED: Final = {"name": " Lagspiller ", "threshold": 5, "picture": "heart"}


def reach(scene: OrganisationScene, confirmed: int, *milestones: int) -> str:
    """Return a mentor with counts and milestones."""
    mentor_id = scene.issue()
    scene.count(mentor_id, confirmed=confirmed)
    for threshold in milestones:
        scene.reach(mentor_id, threshold)
    return mentor_id


async def put(web: Web, org_id: str, badge_id: str, body: Any, role: Role = "org_admin") -> Any:  # noqa: ANN401  JSON
    """Make or change a badge; return status and answer."""
    headers = bearer(role, org_id=org_id, subject=str(uuid4()))
    answer = await web.put(f"/v1/orgs/{org_id}/badges/{badge_id}", json=body, headers=headers)
    return answer.status_code, answer.json()


async def test_a_badge_is_made_previewed_and_awarded(settings: Settings) -> None:
    """What is sent again, at the same time too, changes nothing more; the mentor's page promises what can come."""
    badge_id = str(uuid4())
    with organisation_scene(settings.database_url) as scene, organisation_scene(settings.database_url) as theirs:
        org_id = scene.org_id
        recorded = reach(scene, 6, 1, 5)
        counted = reach(scene, 7, 1)
        below = reach(scene, 2, 1)
        reach(theirs, 9, 1, 5)
        admin = bearer("org_admin", org_id=org_id)
        of_org = f"/v1/orgs/{org_id}"
        async with running_web(settings) as web:

            async def ask(path: str) -> Any:  # noqa: ANN401  JSON
                answer = await web.get(of_org + path, headers=bearer("coordinator", org_id=org_id))
                assert answer.status_code == 200, answer.text
                return answer.json()

            async def fill() -> Any:  # noqa: ANN401  JSON
                return (await web.post(f"{of_org}/badges/{badge_id}/back-fill", headers=admin)).json()

            preview = await ask("/badge-previews/5")
            assert (preview["isAnnounced"], preview["due"], preview["held"]) == (True, 2, 0)
            assert [each["mentorId"] for each in preview["mentors"]] == [counted, recorded]
            assert (await ask("/badge-previews/3"))["isAnnounced"] is False
            made = await asyncio.gather(*(put(web, org_id, badge_id, POSTED) for _ in range(4)))
            assert [status for status, _ in made] == [200] * 4
            assert sum(answer["isNew"] for _, answer in made) == 1
            filled = await asyncio.gather(*(fill() for _ in range(4)))
            assert sum(each["awarded"] for each in filled) == 2
            assert (await fill())["awarded"] == 0

            (badge,) = [each for each in (await ask("/badges"))["badges"] if each["isOwn"]]
            assert (badge["badgeId"], badge["badgeName"], badge["picture"]) == (badge_id, "Lagspiller", "heart")
            assert (badge["comesAt"], badge["backFilled"], badge["offSince"]) == (5, 2, None)
            preview = await ask(f"/badge-previews/5?badge={badge_id}")
            assert (preview["due"], preview["held"]) == (0, 2)
            awards = {each["badgeName"]: each for each in (await ask(f"/mentors/{counted}/awards"))["awards"]}
            assert (awards["Lagspiller"]["picture"], awards["Lagspiller"]["confirmedCount"]) == ("heart", 7)
            assert [each["badgeName"] for each in (await ask("/activity"))["awards"]].count("Lagspiller") == 2

            # Everybody's badge at five is not in the way: it goes for this test, as an operator may have it.
            with psycopg.connect(settings.database_url) as connection:
                connection.execute(
                    "UPDATE badge_definitions SET off_since = now() WHERE org_id IS NULL AND threshold > 1"
                )
            assert (await ask(f"/mentors/{below}"))["nextBadge"] == {
                "name": "Lagspiller",
                "picture": "heart",
                "threshold": 5,
                "remaining": 3,
            }
            assert (await ask("/lists/close-to-badge?within=3"))["mentors"][0]["badgeName"] == "Lagspiller"
            assert (await put(web, org_id, badge_id, POSTED | {"isOff": True}))[0] == 200
            assert (await ask(f"/mentors/{below}"))["nextBadge"] is None
            assert (await ask("/lists/close-to-badge?within=3"))["mentors"] == []
            refused = await web.post(f"{of_org}/badges/{badge_id}/back-fill", headers=admin)
            assert (refused.status_code, "switched off" in refused.json()["detail"]) == (409, True)


async def test_what_is_refused_says_the_field_or_what_stands(settings: Settings) -> None:
    """422 with the field and the remedy, 409 for what stands, 404 for another's."""
    with organisation_scene(settings.database_url) as scene, organisation_scene(settings.database_url) as theirs:
        badge_id = str(uuid4())
        async with running_web(settings) as web:
            for wrong, field in (
                ({"name": " "}, "name"),
                ({"name": "x\u0000"}, "name"),
                ({"threshold": 3}, "threshold"),
                ({"threshold": 0}, "threshold"),
                ({"picture": "skull"}, "picture"),
                ({"orgId": theirs.org_id}, "body"),
            ):
                status, answer = await put(web, scene.org_id, badge_id, POSTED | wrong)
                assert (status, [each["field"] for each in answer["errors"]]) == (422, [field]), answer
                assert "skull" not in str(answer) or field == "picture"
            status, answer = await put(web, scene.org_id, badge_id, POSTED | {"threshold": 3})
            assert "REFERRALS_THRESHOLDS=1,3,5,10,25" in answer["errors"][0]["message"]
            assert (await put(web, scene.org_id, "5", POSTED))[0] == 422
            assert (await put(web, scene.org_id, badge_id, POSTED))[0] == 200
            assert (await put(web, scene.org_id, badge_id, POSTED | {"threshold": 10}))[0] == 409
            assert (await put(web, theirs.org_id, badge_id, POSTED))[0] == 404
            assert (await put(web, scene.org_id, "5a1e6b10-0001-5c4e-9f00-7265637275ad", POSTED))[0] == 409
            assert (await put(web, scene.org_id, badge_id, POSTED, "coordinator"))[0] == 403
            back_fill = f"/v1/orgs/{theirs.org_id}/badges/{badge_id}/back-fill"
            assert (await web.post(back_fill, headers=bearer("org_admin", org_id=theirs.org_id))).status_code == 404
