"""The HTTP server as its clients and its operators meet it."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from edges.web import database, producer
from local.parts import Parts
from operations.topics import create_topics
from process.settings import Settings, load_settings
from tests.organisation_scene import organisation_scene
from tests.web import DEADLINE_S, ROOT, bearer, running_web, web_process
from tests.webhooks import new_sender, posted, registrations_in

pytestmark = pytest.mark.integration

LONGER_THAN_AN_IDLE_STOP_S = 2.0
NOWHERE = "127.0.0.1:9"
PROBLEM = "application/problem+json"


async def test_ready_when_kafka_topics_and_postgres_are_there(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ready only when the topics stand, and what is missing is said; live always."""
    monkeypatch.setattr(producer, "METADATA_KEPT_S", 0.0)
    async with running_web(settings) as web:
        waiting = await web.get("/health/ready")
        assert (waiting.status_code, waiting.json()["status"]) == (503, "waiting")
        assert list(waiting.json()["missing"]) == ["kafka"]
        assert "referrals topics create" in waiting.json()["missing"]["kafka"]
        assert (await web.get("/health/live")).json() == {"status": "alive"}
        await asyncio.to_thread(create_topics, settings)
        async with asyncio.timeout(DEADLINE_S):
            while (ready := await web.get("/health/ready")).status_code != 200:
                pass
        assert ready.json() == {"status": "ready", "missing": {}}


async def test_it_starts_without_kafka_and_postgres(tmp_path: Path) -> None:
    """With both away it starts, says what is missing, and stops in order."""
    settings = load_settings(
        bootstrap_servers=NOWHERE, database_url=f"postgresql://somebody:hidden@{NOWHERE}/none", data_dir=tmp_path
    )
    with web_process(settings) as process:
        async with httpx.AsyncClient(base_url=process.url, timeout=DEADLINE_S) as client:
            ready = await client.get("/health/ready")
            live = await client.get("/health/live")
        process.send(signal.SIGTERM)
        status, log = process.end()
    assert (ready.status_code, sorted(ready.json()["missing"])) == (503, ["kafka", "postgres"])
    assert live.status_code == 200
    assert status == 0, log
    assert "hidden" not in ready.text + log


async def test_a_database_without_tables_or_role_says_what_to_do(
    settings: Settings, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not migrated, or the role not there: 503 with the remedy."""
    empty = parts.create_database(f"{settings.topic_prefix}empty")
    async with running_web(settings, database_url=empty) as web:
        missing = (await web.get("/health/ready")).json()["missing"]
        assert "run `referrals db migrate`" in missing["postgres"]
    monkeypatch.setattr(database, "ROLE", "referrals_nobody")
    async with running_web(settings) as web:
        missing = (await web.get("/health/ready")).json()["missing"]
        assert "referrals_nobody" in missing["postgres"]
        assert "GRANT" in missing["postgres"]


async def test_sigterm_answers_what_is_under_way(settings: Settings) -> None:
    """A registration half sent when the server is asked to stop is taken; a new connection is not; it ends with 0."""
    create_topics(settings)
    sender = await new_sender(settings)
    body = json.dumps(posted()).encode()
    head = "".join(f"{name}: {value}\r\n" for name, value in sender.sign(body).items())
    with web_process(settings) as process:
        url = httpx.URL(process.url)
        reader, writer = await asyncio.open_connection(url.host, url.port)
        start = f"POST {sender.path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n{head}\r\n"
        writer.write(start.encode() + body[:10])
        await writer.drain()
        async with httpx.AsyncClient(base_url=process.url) as client:
            assert (await client.get("/health/live")).status_code == 200  # so the half is there
            process.send(signal.SIGTERM)
            async with asyncio.timeout(DEADLINE_S):
                while await is_listening(url):
                    pass
        await asyncio.sleep(LONGER_THAN_AN_IDLE_STOP_S)
        writer.write(body[10:])
        assert (await reader.readline()).split()[1] == b"202"
        await reader.read()
        writer.close()
        status, log = process.end()
        assert status == 0, log
    assert len(await asyncio.to_thread(registrations_in, settings)) == 1


async def is_listening(url: httpx.URL) -> bool:
    """Tell whether a connection is taken."""
    try:
        _, writer = await asyncio.open_connection(url.host, url.port)
    except OSError:
        return False
    writer.close()
    return True


def test_a_port_that_is_taken(settings: Settings) -> None:
    """It ends at once with exit code 1 and a line that names address and settings."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with web_process(settings, web_port=port) as process:
            status, log = process.end()
    assert status == 1
    assert log.splitlines()[-1].startswith(f"referrals: cannot listen at 127.0.0.1:{port}: ")
    assert "REFERRALS_WEB_PORT" in log


def test_settings_that_cannot_be_used(settings: Settings) -> None:
    """They end it at once with exit code 2 and a line that names the setting, not its value."""
    for variable, value in {"REFERRALS_JWT_SECRET": "guessed", "REFERRALS_SECRET_KEYS": "guessed"}.items():
        done = subprocess.run(
            [sys.executable, "-P", "-m", "commands", "web"],
            cwd=ROOT,
            env={"REFERRALS_DATA_DIR": str(settings.data_dir), "REFERRALS_WEB_PORT": "0", variable: value},
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == 2
        assert variable in done.stderr
        assert "guessed" not in done.stderr


async def test_every_answer_has_the_security_headers_and_no_version(settings: Settings) -> None:
    """Whatever the answer is, also where no route is."""
    async with running_web(settings) as web:
        answers = [
            await web.get("/health/live"),
            await web.get("/openapi.json"),
            await web.get("/metrics"),
            await web.get("/nothing"),
            await web.get("/v1/orgs//mentors"),
            await web.delete("/health/live"),
            await web.options("/health/live"),
            await web.get("/r/ABCDEFGH12"),
            await web.post("/v1/orgs/us/registrations", content=b"x" * 40_000),
            await web.get("/health/live", headers={"Host": "a b"}),
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 404, 404, 405, 204, 302, 413, 400]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert "server" not in answer.headers
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == PROBLEM
            assert set(answer.json()) == {"type", "title", "status", "detail"}


async def test_a_fault_of_ours_tells_nothing_of_the_inside(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody expected is 500 and a sentence; the server goes on."""

    async def fail(_: object) -> None:
        message = "the inside"
        raise RuntimeError(message)

    monkeypatch.setattr(database.Database, "fault", fail)
    async with running_web(settings) as web:
        answer = await web.get("/health/ready")
        assert (answer.status_code, answer.headers["content-type"]) == (500, PROBLEM)
        assert "inside" not in answer.text.replace("Internal", "")
        assert (await web.get("/health/live")).status_code == 200


async def test_without_tokens_configured_protected_routes_say_so(settings: Settings) -> None:
    """503 that names the settings, on a route that needs a token; others work."""
    org_id = "0a000000-0000-4000-8000-000000000001"
    async with running_web(settings, jwt_secret=None) as web:
        answer = await web.get(f"/v1/orgs/{org_id}/summary", headers=bearer(org_id=org_id))
        assert (answer.status_code, answer.headers["content-type"]) == (503, PROBLEM)
        assert "REFERRALS_JWT_SECRET" in answer.json()["detail"]
        assert (await web.get("/health/live")).status_code == 200


async def test_two_tokens_are_none(settings: Settings) -> None:
    """With two Authorization headers a proxy may have looked at the other one; a single one of them is good."""
    org_id = "0a000000-0000-4000-8000-000000000001"
    good = bearer(org_id=org_id)["Authorization"]
    statuses = []
    async with running_web(settings) as web:
        for values in ([good], [good, good], [good, ""], ["", good], [good, "Bearer x"]):
            headers = [("Authorization", value) for value in values]
            statuses.append((await web.get(f"/v1/orgs/{org_id}/summary", headers=headers)).status_code)
    assert statuses == [200, 401, 401, 401, 401]


async def test_metrics_count_by_route_and_never_by_person(settings: Settings) -> None:
    """Requests are counted by template, method and status, with their time; a path without route is none of them."""
    async with running_web(settings) as web:
        for path in ("/health/live", "/health/live", "/nothing/0a000000-0000-4000-8000-000000000001", "/r/ABCDEFGH12"):
            await web.get(path)
        text = (await web.get("/metrics")).text
    for line in (
        'referrals_http_requests_total{method="GET",route="/health/live",status="200"} 2.0',
        'referrals_http_requests_total{method="GET",route="none",status="404"} 1.0',
        'referrals_http_requests_total{method="GET",route="/r/{code}",status="302"} 1.0',
        'referrals_http_request_seconds_count{method="GET",route="/health/live"} 2.0',
    ):
        assert line in text
    assert "ABCDEFGH12" not in text
    assert "0a000000" not in text


@pytest.mark.parametrize("path", ["/health/live", "/openapi.json", "/dashboard", "/me", "/welcome", "/", "/metrics"])
async def test_head_is_get_without_its_body(settings: Settings, path: str) -> None:
    """The same status and headers, which whoever watches a site asks for."""
    async with running_web(settings) as web:
        got, asked = await web.get(path), await web.head(path)
        assert (asked.status_code, asked.content) == (got.status_code, b"")
        own = {"date", "content-encoding", "vary", "content-length", "transfer-encoding"}
        assert {n: v for n, v in asked.headers.items() if n not in own} == {
            n: v for n, v in got.headers.items() if n not in own
        }
        assert (await web.get(path)).content == got.content or path == "/metrics"  # the connection goes on
        assert (await web.head("/v1/orgs/x/summary")).status_code == 401
        assert (await web.head("/nothing")).status_code == 404


async def test_head_of_what_has_no_end(settings: Settings) -> None:
    """It ends, and leaves no page open."""
    with organisation_scene(settings.database_url) as scene:
        async with running_web(settings) as web, asyncio.timeout(20):
            path, headers = f"/v1/orgs/{scene.org_id}/events", bearer(org_id=str(scene.org_id))
            for _ in range(3):
                answer = await web.head(path, headers=headers)
                assert (answer.status_code, answer.content) == (200, b"")
                assert answer.headers["content-type"].startswith("text/event-stream")
            while web.services.feed._audiences:  # noqa: SLF001, ASYNC110  nobody else tells
                await asyncio.sleep(0.05)
