"""`POST .../referral-code` on the real server: who may ask, what is answered, and how it gets to Kafka."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from uuid import uuid4

import httpx
import psycopg
import pytest

from edges.web import readiness
from local.parts import Parts
from operations.topics import create_topics
from process.fault_points import VARIABLE
from process.settings import Settings
from tests.registry import SECRET_KEYS, owned_registry
from tests.stopped_postgres import stopped
from tests.web import JWT_SECRET, Web, bearer, running_web

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60.0
MENTOR = "0b000000-0000-4000-8000-00000000000a"
NOWHERE = "127.0.0.1:1"


def path(org_id: object, mentor_id: object = MENTOR) -> str:
    """Return the address of a mentor's code."""
    return f"/v1/orgs/{org_id}/mentors/{mentor_id}/referral-code"


def count(settings: Settings, table: str) -> int:
    """Return the number of rows in a table."""
    with psycopg.connect(settings.database_url) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()  # noqa: S608 - a test's own word
    return int(row[0]) if row else 0


@pytest.fixture
async def org_id(settings: Settings) -> str:
    """Give an organisation."""
    async with owned_registry(settings) as registry:
        return str(await registry.new_organisation())


@pytest.fixture
async def web(settings: Settings) -> AsyncIterator[Web]:
    """Give a server without Kafka."""
    async with running_web(settings, bootstrap_servers=NOWHERE, public_url="https://r.example/") as web:
        yield web


async def test_made_then_stored_without_kafka(web: Web, settings: Settings, org_id: str) -> None:
    """201 with the code and its link, then 200 with the same; Kafka's absence is nobody's concern."""
    made = await web.post(path(org_id), headers=bearer(org_id=org_id))
    assert made.status_code == 201, made.text
    answer = made.json()
    assert set(answer) == {"referralCode", "orgId", "mentorId", "issuedAt", "shareUrl", "disabledAt"}
    assert (answer["orgId"], answer["mentorId"]) == (org_id, MENTOR)
    assert answer["shareUrl"] == f"https://r.example/r/{answer['referralCode']}"
    assert made.headers["cache-control"] == "no-store"

    again = await web.post(path(org_id.upper(), MENTOR.upper()), headers=bearer("org_admin", org_id=org_id))
    assert (again.status_code, again.json()) == (200, answer)
    assert [count(settings, table) for table in ("mentors", "referral_codes", "codes_outbox")] == [1, 1, 1]


async def test_a_mentor_asks_for_himself_alone(web: Web, settings: Settings, org_id: str) -> None:
    """His own code, nobody else's."""
    his = bearer("mentor", org_id=org_id, subject=MENTOR)
    assert (await web.post(path(org_id), headers=his)).status_code == 201
    assert (await web.post(path(org_id, uuid4()), headers=his)).status_code == 403
    assert count(settings, "mentors") == 1


async def test_who_may_not(web: Web, settings: Settings, org_id: str) -> None:
    """Nobody without a token, nobody of another organisation, and no mentor that is no UUID."""
    assert (await web.post(path(org_id))).status_code == 401
    assert (await web.post(path(org_id), headers=bearer(org_id=str(uuid4())))).status_code == 404
    bad = await web.post(path(org_id, "anna"), headers=bearer(org_id=org_id))
    assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "mentor_id")
    assert count(settings, "mentors") == 0


async def test_organisations_that_cannot_have_codes(web: Web, settings: Settings) -> None:
    """Unknown here: 404. Without a secret for codes: 409. With one that this server has no key for: 503, and retry."""
    unknown, without, unreadable = (str(uuid4()) for _ in range(3))
    with psycopg.connect(settings.database_url) as connection:
        for org_id in (without, unreadable):
            connection.execute("INSERT INTO organisations (org_id) VALUES (%s)", [org_id])
        connection.execute(
            "INSERT INTO organisation_secrets VALUES (%s, gen_random_uuid(), 'code', 9, 'sealed')", [unreadable]
        )
    answers = {}
    for org_id in (unknown, without, unreadable):
        answer = await web.post(path(org_id), headers=bearer(org_id=org_id))
        assert answer.headers["content-type"] == "application/problem+json"
        assert "key" not in answer.json()["detail"]
        answers[org_id] = answer.status_code, "retry-after" in answer.headers
    assert answers == {unknown: (404, False), without: (409, False), unreadable: (503, True)}
    assert count(settings, "mentors") == 0


async def test_the_link_does_not_trust_the_request(settings: Settings, org_id: str) -> None:
    """Without a public address the link leads to where the server listens, whatever Host says."""
    async with running_web(settings, bootstrap_servers=NOWHERE) as web:
        headers = bearer(org_id=org_id) | {"Host": "evil.example"}
        answer = (await web.post(path(org_id), headers=headers)).json()
        assert answer["shareUrl"] == f"{str(web.base_url).rstrip('/')}/r/{answer['referralCode']}"


@contextmanager
def web_process(settings: Settings, *, fault: str = "") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `referrals web`; give it with its address."""
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "commands", "web"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "REFERRALS_DATABASE_URL": settings.database_url,
            "REFERRALS_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
            "REFERRALS_TOPIC_PREFIX": settings.topic_prefix,
            "REFERRALS_DATA_DIR": str(settings.data_dir),
            "REFERRALS_SECRET_KEYS": SECRET_KEYS,
            "REFERRALS_JWT_SECRET": JWT_SECRET,
            "REFERRALS_WEB_PORT": "0",
            VARIABLE: fault,
        },
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process, first_line(process.stdout)
        finally:
            process.kill()


def first_line(file: IO[str] | None) -> str:
    """Return the address that the server prints."""
    assert file is not None
    return file.readline().strip()


@pytest.mark.parametrize("fault", ["registry.stored", "registry.published"])
def test_the_server_is_killed_before_the_code_is_published_and_forgotten(
    settings: Settings, org_id: str, tmp_path: Path, fault: str
) -> None:
    """The next server publishes what the first has stored, without being asked for anything."""
    create_topics(settings)
    settings = settings.model_copy(update={"data_dir": tmp_path})
    with web_process(settings, fault=fault) as (process, url):
        with suppress(httpx.TransportError):  # killed before it could answer
            httpx.post(url + path(org_id), headers=bearer(org_id=org_id), timeout=DEADLINE_S)
        assert process.wait(DEADLINE_S) == -signal.SIGKILL
    assert count(settings, "codes_outbox") == 1
    with web_process(settings) as (process, url):
        deadline = time.monotonic() + DEADLINE_S
        while count(settings, "codes_outbox"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        again = httpx.post(url + path(org_id), headers=bearer(org_id=org_id), timeout=DEADLINE_S)
        assert again.status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0


async def test_whoever_scrapes_is_answered_while_postgres_is_stopped(
    settings: Settings, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Postgres knows is left out; what publishes codes stands, and is said to, until it goes on by itself."""
    monkeypatch.setattr(readiness, "YOUNG_S", 6.0)
    create_topics(settings)
    async with running_web(settings) as web:

        async def missing() -> dict[str, str]:
            told: dict[str, str] = (await web.get("/health/ready")).json()["missing"]
            return told

        async def until(*parts: str) -> None:
            async with asyncio.timeout(DEADLINE_S):
                while set(await missing()) != set(parts):  # noqa: ASYNC110  another process's doing
                    await asyncio.sleep(0.2)

        await until()
        assert "referrals_outbox_codes 0.0" in (await web.get("/metrics")).text
        with stopped(parts):
            await until("postgres", "codes")
            shown = (await web.get("/metrics")).text
            assert "referrals_ready 0.0" in shown
            assert "referrals_outbox_codes" not in shown
        await until()
        assert "referrals_ready 1.0" in (await web.get("/metrics")).text
