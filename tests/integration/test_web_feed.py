"""Server-sent events as a page gets them: real Postgres, rows written by the sinks, a real server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import psycopg
import pytest

from edges.web import feed, identity
from edges.web.identity import Role
from process.settings import Settings
from tests.organisation_scene import OrganisationScene, organisation_scene
from tests.web import Web, bearer, make_token, running_web

pytestmark = pytest.mark.integration

PATIENCE_S = 30.0
Event = tuple[str, dict[str, Any]]


@asynccontextmanager
async def events_of(web: Web, org_id: str) -> AsyncIterator[AsyncIterator[Event]]:
    """Open the stream of an organisation and give its events."""
    async with web.stream("GET", f"/v1/orgs/{org_id}/events", headers=bearer(org_id=org_id)) as answer:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        yield _parse(answer)


async def _parse(answer: httpx.Response) -> AsyncIterator[Event]:
    name = ""
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


async def next_of(events: AsyncIterator[Event], kind: str) -> dict[str, Any]:
    """Return the data of the next event of a kind."""
    async with asyncio.timeout(PATIENCE_S):
        async for name, data in events:
            if name == kind:
                return data
    raise AssertionError(f"the stream ended before {kind}")


async def in_thread(scene: OrganisationScene, *, clicks: int, mentor_id: str) -> None:
    """Count clicks as the projection does, beside the server's event loop."""
    await asyncio.to_thread(scene.count, mentor_id, clicks)


async def test_a_page_is_told_how_it_is_and_what_changes(settings: Settings) -> None:
    """First the sums as they are, then each change: counts, and milestones with their awards."""
    with organisation_scene(settings.database_url) as scene:
        mentor_id = scene.issue()
        scene.count(mentor_id, clicks=3)
        async with running_web(settings) as web, events_of(web, scene.org_id) as events:
            first = (await next_of(events, "changed"))["summary"]
            assert (first["orgId"], first["totalClicks"], first["milestones"]) == (scene.org_id, 3, 0)
            assert (
                first == (await web.get(f"/v1/orgs/{scene.org_id}/summary", headers=bearer(org_id=scene.org_id))).json()
            )
            await in_thread(scene, clicks=4, mentor_id=mentor_id)
            assert (await next_of(events, "changed"))["summary"]["totalClicks"] == 4
            await asyncio.to_thread(scene.reach, mentor_id, 1)
            told = (await next_of(events, "changed"))["summary"]
            assert (told["milestones"], told["awards"]) == (1, 1)


async def test_the_pipeline_is_told_too(settings: Settings) -> None:
    """Its state comes with the stream, without being asked for."""
    with organisation_scene(settings.database_url) as scene:
        async with running_web(settings) as web, events_of(web, scene.org_id) as events:
            state = await next_of(events, "pipeline")
            assert {one["name"] for one in state["components"]} == {"stream", "badges", "counts", "history"}


async def test_a_page_hears_of_its_own_organisation_alone(settings: Settings) -> None:
    """What another organisation counts is neither told nor a reason to tell."""
    with organisation_scene(settings.database_url) as own, organisation_scene(settings.database_url) as other:
        mentor_id, stranger = own.issue(), other.issue()
        async with running_web(settings) as web, events_of(web, own.org_id) as events:
            assert (await next_of(events, "changed"))["summary"]["totalClicks"] == 0
            await in_thread(other, clicks=1_000, mentor_id=stranger)
            await in_thread(own, clicks=7, mentor_id=mentor_id)
            told = (await next_of(events, "changed"))["summary"]
            assert (told["orgId"], told["totalClicks"]) == (own.org_id, 7)


async def test_listening_goes_on_after_its_connection_broke(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What changed meanwhile is found when it listens again, and what changes later is heard."""
    monkeypatch.setattr(feed, "POLL_S", PATIENCE_S * 10)  # so that it is not the poll that finds it
    monkeypatch.setattr(feed, "RECONNECT_S", 0.2)
    with organisation_scene(settings.database_url) as scene, psycopg.connect(settings.database_url) as connection:
        mentor_id = scene.issue()
        async with running_web(settings) as web, events_of(web, scene.org_id) as events:
            await next_of(events, "changed")
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'referrals web feed' AND datname = current_database()"
            ).fetchall()
            assert ended == [(True,)]
            await in_thread(scene, clicks=1, mentor_id=mentor_id)
            assert (await next_of(events, "changed"))["summary"]["totalClicks"] == 1
            await in_thread(scene, clicks=2, mentor_id=mentor_id)
            assert (await next_of(events, "changed"))["summary"]["totalClicks"] == 2


async def test_a_lost_notification_is_found_by_the_poll(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody listens (a pooler between, say) figures come later, and they come."""
    monkeypatch.setattr(feed, "CHANNEL", "another_channel")
    monkeypatch.setattr(feed, "POLL_S", 0.2)
    with organisation_scene(settings.database_url) as scene:
        mentor_id = scene.issue()
        async with running_web(settings) as web, events_of(web, scene.org_id) as events:
            await next_of(events, "changed")
            await in_thread(scene, clicks=1, mentor_id=mentor_id)
            assert (await next_of(events, "changed"))["summary"]["totalClicks"] == 1


async def test_streams_end_when_the_server_stops(settings: Settings) -> None:
    """The server waits for no page: each stream ends as an answer ends, and then the server."""
    with organisation_scene(settings.database_url) as scene:
        async with running_web(settings) as web, events_of(web, scene.org_id) as events:
            await next_of(events, "changed")
            web.services.stopping.set()
            async with asyncio.timeout(PATIENCE_S):
                assert [event async for event in events if event[0] == "changed"] == []


async def test_a_page_too_many_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told to come back, and when one has gone it may."""
    monkeypatch.setattr(feed, "PAGES_MAX", 1)
    with organisation_scene(settings.database_url) as scene:
        path, headers = f"/v1/orgs/{scene.org_id}/events", bearer(org_id=scene.org_id)
        async with running_web(settings) as web:
            async with events_of(web, scene.org_id) as events:
                await next_of(events, "changed")
                refused = await web.get(path, headers=headers)
                assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
                assert "retry-after" in refused.headers
            async with asyncio.timeout(PATIENCE_S):
                while not web.services.feed.has_room(str(scene.org_id)):  # noqa: ASYNC110  until the server has seen that it is gone
                    await asyncio.sleep(0.05)
            async with events_of(web, scene.org_id) as events:
                await next_of(events, "changed")


async def test_a_stream_ends_with_its_token(settings: Settings) -> None:
    """Who may see no more sees no more."""
    with organisation_scene(settings.database_url) as scene:
        token = make_token(org_id=str(scene.org_id), exp=int(time.time()) + 3 - identity.LEEWAY_S)
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            running_web(settings) as web,
            web.stream("GET", f"/v1/orgs/{scene.org_id}/events", headers=headers) as answer,
        ):
            assert answer.status_code == 200
            async with asyncio.timeout(PATIENCE_S):
                async for _ in answer.aiter_bytes():
                    pass
            assert (await web.get(f"/v1/orgs/{scene.org_id}/summary", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("role", "org_id", "status"), [("mentor", None, 403), ("coordinator", "0a000000-0000-4000-8000-00000000000f", 404)]
)
async def test_only_coordinators_of_the_organisation_follow_it(
    settings: Settings, role: Role, org_id: str | None, status: int
) -> None:
    """A mentor may not, and to others it is not there."""
    with organisation_scene(settings.database_url) as scene:
        async with running_web(settings) as web:
            token = make_token(role, org_id=org_id or scene.org_id)
            answer = await web.get(f"/v1/orgs/{scene.org_id}/events", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == status
