"""The webhook's promise: what was answered 202 is in the topic, whatever dies or is away meanwhile."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest

from edges.web import webhooks
from edges.web.database import PATIENCE_S
from local.parts.kafka import LocalKafka
from models.erasures import pair_name, pseudonym
from operations.topics import create_topics
from process.settings import Settings
from tests.factories import CODE
from tests.web import Web, bearer, running_web, web_process
from tests.webhooks import Sender, new_sender, posted, registrations_in, rotate

pytestmark = pytest.mark.integration

MEMBER = posted()["new_member_id"]
STATUSES = ("confirmed", "withdrawn")


@pytest.fixture
async def sender(settings: Settings) -> Sender:
    """Give an organisation that posts, and topics to post to."""
    create_topics(settings)
    return await new_sender(settings)


@pytest.fixture
async def web(settings: Settings, sender: Sender) -> AsyncIterator[Web]:  # noqa: ARG001  the topics come first
    """Give a client of a running server."""
    async with running_web(settings) as client:
        yield client


async def test_many_at_once_are_all_there(web: Web, sender: Sender, settings: Settings) -> None:
    """Two hundred registrations posted at the same time are in the topic, once each."""
    answers = await asyncio.gather(*(sender.post(web, posted(new_member_id=str(uuid4()))) for _ in range(200)))
    assert {answer.status_code for answer in answers} == {202}
    acknowledged = sorted(answer.json()["attributionId"] for answer in answers)
    found = await asyncio.to_thread(registrations_in, settings)
    assert sorted(record["attribution_id"] for record in found) == acknowledged


async def test_of_an_erased_member_nothing_is_published(web: Web, sender: Sender, settings: Settings) -> None:
    """The answer is the same, so that nobody sends it again; others go on, and so does he under another code."""
    erase = """INSERT INTO registration_pairs (org_id, pair, referral_code, channel, erased_at)
        VALUES (%s, %s, %s, %s, now())"""
    with psycopg.connect(settings.database_url) as connection:
        connection.execute(erase, [sender.org_id, pair_name(pseudonym(CODE, MEMBER)), CODE, "sms"])
    others = [posted(new_member_id=str(uuid4())), posted(referral_code="BERT000002")]
    for event in (posted(), *others):
        assert (await sender.post(web, event)).status_code == 202
    found = await asyncio.to_thread(registrations_in, settings)
    assert {(record["referral_code"], record["new_member_id"]) for record in found} == {
        (event["referral_code"], event["new_member_id"]) for event in others
    }


async def test_a_burst_leaves_connections_for_others(web: Web, sender: Sender, settings: Settings) -> None:
    """Two hundred without a time, while Postgres takes longer than anybody waits for a connection: all are taken.

    And who asks for something else meanwhile is answered.
    """
    await sender.post(web, posted())  # the secret is known
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("LOCK TABLE first_attempts")
        burst = [asyncio.create_task(sender.post(web, posted(new_member_id=str(uuid4())))) for _ in range(200)]
        await asyncio.sleep(PATIENCE_S + 1)
        async with httpx.AsyncClient(base_url=web.base_url) as other:  # the burst has all connections of the first
            summary = await other.get(f"/v1/orgs/{sender.org_id}/summary", headers=bearer(org_id=sender.org_id))
    answers = await asyncio.gather(*burst)
    assert summary.status_code == 200
    assert {(answer.status_code, answer.json().get("detail")) for answer in answers} == {(202, None)}


@pytest.mark.parametrize(("fault", "in_topic"), [("ingest.verified", 0), ("ingest.acknowledged", 1)])
async def test_the_server_is_killed_and_the_sender_tries_again(
    sender: Sender, settings: Settings, fault: str, in_topic: int
) -> None:
    """Whether it died before Kafka had the record or after, the retry is accepted and is the same event."""
    registration = posted()
    with web_process(settings, fault=fault) as process:
        async with httpx.AsyncClient(base_url=process.url) as client:
            with pytest.raises(httpx.TransportError):
                await sender.post(client, registration, webhook_id="msg_once")
        assert process.end()[0] == -signal.SIGKILL
    assert len(await asyncio.to_thread(registrations_in, settings)) == in_topic
    with web_process(settings) as process:
        async with httpx.AsyncClient(base_url=process.url) as client:
            answer = await sender.post(client, registration, webhook_id="msg_once")
        assert answer.status_code == 202
        process.send(signal.SIGTERM)
        assert process.end()[0] == 0
    found = await asyncio.to_thread(registrations_in, settings)
    assert len(found) == in_topic + 1
    assert {record["attribution_id"] for record in found} == {answer.json()["attributionId"]}


async def test_kafka_is_away_and_comes_back(
    web: Web, sender: Sender, settings: Settings, own_broker: LocalKafka
) -> None:
    """While no broker acknowledges it is 503 with Retry-After; afterwards 202, without a restart."""
    accepted = [await sender.post(web, posted(), webhook_id="msg_before")]
    own_broker.kill()
    try:
        refused = await asyncio.gather(*(sender.post(web, posted()) for _ in range(3)))
        ready = await web.get("/health/ready")
        live = await web.get("/health/live")
    finally:
        await asyncio.to_thread(own_broker.start)
    for answer in refused:
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["status"] == 503
    assert (ready.status_code, list(ready.json()["missing"])) == (503, ["kafka"])
    assert live.status_code == 200
    async with asyncio.timeout(60):
        while (again := await sender.post(web, posted(), webhook_id="msg_after")).status_code != 202:
            assert again.status_code == 503
    accepted.append(again)
    found = {record["attribution_id"] for record in await asyncio.to_thread(registrations_in, settings)}
    assert {answer.json()["attributionId"] for answer in accepted} <= found


async def test_a_secret_is_replaced(
    web: Web, sender: Sender, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both secrets are good while the old one is; when it has expired, the new one alone."""
    monkeypatch.setattr(webhooks, "FRESH_S", 0.0)
    assert (await sender.post(web, posted())).status_code == 202
    second = await rotate(settings, sender, old_good_for=timedelta(days=1))
    assert [(await each.post(web, posted())).status_code for each in (sender, second)] == [202, 202]
    third = await rotate(settings, sender, old_good_for=timedelta(0))
    statuses = [(await each.post(web, posted())).status_code for each in (second, third)]
    assert statuses == [401, 202]


async def test_postgres_is_away(sender: Sender, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets that are known go on being used; those that are not make it 503, not 401. So does a time not known."""
    other = await new_sender(settings)
    async with running_web(settings) as web:
        assert (await sender.post(web, posted())).status_code == 202
        monkeypatch.setattr(webhooks, "FRESH_S", 0.0)
        timed = posted(occurred_at="2026-11-20T10:30:00Z")
        cut_off(settings, "false")
        try:
            statuses = [(await each.post(web, timed)).status_code for each in (sender, other)]
            untimed = await sender.post(web, posted())
            ready = await web.get("/health/ready")
        finally:
            cut_off(settings, "true")
        assert statuses == [202, 503]
        assert (untimed.status_code, "occurred_at" in untimed.json()["detail"]) == (503, True)
        assert list(ready.json()["missing"]) == ["postgres"]
        async with asyncio.timeout(60):
            while (await other.post(web, posted())).status_code != 202:
                pass


async def test_sent_again_it_has_the_time_of_the_first_attempt(
    web: Web, sender: Sender, settings: Settings, tmp_path: Path
) -> None:
    """Confirmed, withdrawn, and the first sent again, without occurred_at: the pair ends withdrawn.

    The same from another server and for attempts at the same time; apart for each organisation.
    """
    member = str(uuid4())
    confirmed, withdrawn = (posted(new_member_id=member, status=status) for status in ("confirmed", "withdrawn"))
    for registration, webhook_id, late_s in (
        (confirmed, "msg_1", 200),
        (withdrawn, "msg_2", 100),
        (confirmed, "msg_1", 0),
    ):
        assert (await sender.post(web, registration, webhook_id=webhook_id, late_s=late_s)).status_code == 202
    async with running_web(settings, spool_dir=tmp_path / "spool") as other_web:
        again = [sender.post(each, confirmed, webhook_id="msg_1") for each in (web, other_web) for _ in range(5)]
        assert {answer.status_code for answer in await asyncio.gather(*again)} == {202}
    other = await new_sender(settings)
    assert (await other.post(web, confirmed, webhook_id="msg_1")).status_code == 202

    found = await asyncio.to_thread(registrations_in, settings)
    times = {(record["org_id"] == sender.org_id, record["status"]): record["occurred_at"] for record in found}
    ours = {
        record["occurred_at"]
        for record in found
        if (record["org_id"], record["status"]) == (sender.org_id, "confirmed")
    }
    assert len(found) == 14
    assert len(ours) == 1
    assert times[True, "confirmed"] < times[True, "withdrawn"] < times[False, "confirmed"]


async def test_many_first_attempts_at_once_agree(web: Web, sender: Sender, settings: Settings) -> None:
    """Twenty attempts at once, each with its own time: one event, one time. Another event of that id has another."""
    attempts = [sender.post(web, posted(), webhook_id="msg_1", late_s=late_s) for late_s in range(20)]
    assert {answer.status_code for answer in await asyncio.gather(*attempts)} == {202}
    assert (await sender.post(web, posted(status="withdrawn"), webhook_id="msg_1", late_s=-60)).status_code == 202
    found = await asyncio.to_thread(registrations_in, settings)
    times = {status: {each["occurred_at"] for each in found if each["status"] == status} for status in STATUSES}
    assert len(found) == 21
    assert [len(times[status]) for status in STATUSES] == [1, 1]
    assert max(times["confirmed"]) < max(times["withdrawn"])


async def test_the_onboarding_screen_says_who_is_coming(web: Web, sender: Sender, settings: Settings) -> None:
    """Pending and nothing else, the same event however often it is posted, in its own organisation alone."""
    path = f"/v1/orgs/{sender.org_id}/signups"
    screen = bearer("onboarding", org_id=sender.org_id)
    coming = posted(status=...)
    bodies = [coming, {**coming, "status": "pending_signup"}, {"referralCode": CODE, "newMemberId": MEMBER}] * 2
    answers = [await web.post(path, json=body, headers=screen) for body in bodies]
    assert {answer.status_code for answer in answers} == {202}
    refused = {
        "status": [
            {**coming, "status": "confirmed"},
            {**coming, "status": "withdrawn"},
            {**coming, "Status": "cancelled"},
        ],
        "org_id": [{**coming, "org_id": str(uuid4())}],
        "occurred_at": [{**coming, "occurred_at": "2062-11-20T10:00:00Z"}],
    }
    for field, cases in refused.items():
        for body in cases:
            answer = await web.post(path, json=body, headers=screen)
            assert answer.status_code == 422
            assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert (await web.post(path, content=b"x", headers={**screen, "Content-Encoding": "gzip"})).status_code == 415

    found = await asyncio.to_thread(registrations_in, settings)
    assert len(found) == len(bodies)
    (event,) = {json.dumps(record, sort_keys=True) for record in found}
    record = json.loads(event)
    assert (record["status"], record["org_id"], record["new_member_id"]) == ("pending_signup", sender.org_id, MEMBER)
    assert {answer.json()["attributionId"] for answer in answers} == {record["attribution_id"]}


async def test_times_of_first_attempts_are_forgotten(web: Web, sender: Sender, settings: Settings) -> None:
    """The table is bounded: each webhook takes two along that are older than 400 days, of its organisation alone."""
    other = await new_sender(settings)
    kept = "SELECT count(*) FROM first_attempts WHERE org_id = %s"
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        for org_id in (sender.org_id, other.org_id):
            connection.cursor().executemany(
                "INSERT INTO first_attempts VALUES (%s, %s, now() - interval '401 days')",
                [(org_id, uuid4()) for _ in range(5)],
            )
        left = []
        for number in range(4):
            assert (await sender.post(web, posted(), webhook_id=f"msg_{number}")).status_code == 202
            left.append(connection.execute(kept, [sender.org_id]).fetchone())
        assert left == [(4,), (3,), (3,), (4,)]
        assert connection.execute(kept, [other.org_id]).fetchone() == (5,)


async def test_no_key_to_read_the_secrets_with(sender: Sender, settings: Settings) -> None:
    """Without REFERRALS_SECRET_KEYS the answer is 503 and names it; a stranger's webhook is 401 all the same."""
    async with running_web(settings, secret_keys=None) as web:
        answer = await sender.post(web, posted())
        assert answer.status_code == 503
        assert "REFERRALS_SECRET_KEYS" in answer.json()["detail"]
        stranger = Sender("0e000000-0000-4000-8000-000000000001", sender.secret)
        assert (await stranger.post(web, posted())).status_code == 401


async def test_logs_name_nobody(sender: Sender, settings: Settings) -> None:
    """No line of the server's log has the member, the code, the organisation, the signature or the query."""
    member = str(uuid4())
    body = json.dumps(posted(new_member_id=member)).encode()
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    headers = sender.sign(body) | {"traceparent": trace}
    with web_process(settings) as process:
        async with httpx.AsyncClient(base_url=process.url) as client:
            answer = await client.post(f"{sender.path}?token=hidden", content=body, headers=headers)
            assert answer.status_code == 202
            assert (await client.post(sender.path, content=b"{", headers=sender.sign(b"{"))).status_code == 422
            assert (await client.get(f"/nothing/{member}")).status_code == 404
            metrics = (await client.get("/metrics")).text
        process.send(signal.SIGTERM)
        status, log = process.end()
    assert status == 0, log
    (record,) = await asyncio.to_thread(registrations_in, settings)
    assert record["traceparent"] == trace  # the only header
    secrets = (member, posted()["referral_code"], sender.org_id, headers["webhook-signature"], "hidden")
    assert [secret for secret in secrets if secret in log or secret in metrics] == []
    for outcome, count in (("accepted", 1), ("bad_fields", 1), ("bad_signature", 0)):
        assert f'referrals_webhooks_total{{outcome="{outcome}"}} {count}.0' in metrics
    lines = [json.loads(line) for line in log.splitlines()]
    assert [(line["route"], line["status"]) for line in lines if line["event"] == "request"] == [
        ("/v1/orgs/{org_id}/registrations", 202),
        ("/v1/orgs/{org_id}/registrations", 422),
        ("none", 404),
    ]


def cut_off(settings: Settings, allowed: str) -> None:
    """Let nobody into the database, and throw out who is there; or let them in again."""
    name = psycopg.conninfo.conninfo_to_dict(settings.database_url)["dbname"]
    maintenance = psycopg.conninfo.make_conninfo(settings.database_url, dbname="postgres")
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {allowed}'.encode())
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
