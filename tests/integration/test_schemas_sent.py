"""A member's way through the whole program: what is sent is as the schemas say, and nothing names the member.

The real server, stream app, sinks and reconciliation; then every record of every topic is compared with its schema and
with the AsyncAPI description, and every table, answer and log is searched for the member.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import psycopg
import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from jsonschema import Draft202012Validator
from psycopg import sql

from models.badges import FIRST_RECRUIT
from models.topics import CLICKS, DEAD_LETTERS, MENTOR_COUNTS, MILESTONES, REGISTRATIONS, TOPICS, Topic
from operations.topics import create_topics
from process.settings import Settings
from schemas.asyncapi import asyncapi_document
from tests.component import ROOT, Component, environment
from tests.two_organisations import LETTER_OF, TwoOrganisations, plant
from tests.web import Web, bearer, running_web, with_tokens

pytestmark = pytest.mark.integration

DEADLINE_S: Final = 60.0
BROWSER: Final = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"}

CLICKED: Final = 2
MEMBERS: Final = {"webhook": str(uuid.uuid4()), "reconciliation": str(uuid.uuid4())}
DEVICE: Final = "a secret of the telephone"
NOT_A_CODE: Final = b'{"referral_code": "nonsense!"}'


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What went through, and what there is to be seen of it."""

    records: dict[str, list[Message]]
    """By topic, without prefix."""
    answers: dict[str, str]
    """What people were answered, by address."""
    logs: str
    rows: dict[str, str]
    """By table."""


async def send_all(settings: Settings, folder: Path) -> Sent:
    """Send two members through: one clicks, registers and is confirmed by webhook, the other by reconciliation."""
    create_topics(settings)
    scene = await plant(with_tokens(settings))
    org_id, sender = scene.ours.org_id, scene.ours.sender
    mentor_id = str(uuid.uuid4())
    coordinator = bearer("coordinator", org_id=org_id)
    of_mentor = f"/v1/orgs/{org_id}/mentors/{mentor_id}"
    async with (
        components(settings, folder / "log") as log,
        running_web(settings, public_url="https://refer.example") as web,
    ):
        code = (await web.post(f"{of_mentor}/referral-code", headers=coordinator)).json()["referralCode"]
        for _ in range(CLICKED):
            await web.get(f"/r/{code.lower()}?c=WhatsApp", headers=BROWSER)
        posted = {"referral_code": code, "new_member_id": MEMBERS["webhook"], "device_metadata": {"os": DEVICE}}
        for status in ("pending_signup", "confirmed"):
            assert (await sender.post(web, posted | {"status": status})).status_code == 202
        reconcile(settings, org_id, [MEMBERS["reconciliation"], code, f"{datetime.now(UTC):%Y-%m-%d}"])
        produce(settings, CLICKS, NOT_A_CODE)
        counts = {"totalClicks": CLICKED, "pendingAttributions": 0, "confirmedAttributions": 2}
        await until(web, f"{of_mentor}/attribution-counts", coordinator, counts)
        await until(web, f"{of_mentor}/awards", coordinator, {"awards": [{"badgeName": "First recruit"}]})
        answers = await everything(web, scene, mentor_id)
        return Sent(
            records={topic.name: read(settings, topic) for topic in TOPICS},
            answers=answers,
            logs=log.read_text(),
            rows=tables(settings.database_url),
        )


@asynccontextmanager
async def components(settings: Settings, log: Path) -> AsyncIterator[Path]:
    """Run the stream app and the sinks for the body; give their log."""
    running = [Component(name, settings, log) for name in ("stream", "badges", "counts")]
    try:
        yield log
    finally:
        for component in running:
            component.signal(signal.SIGTERM)
        ended = [await asyncio.to_thread(component.wait) for component in running]
        assert ended == [0, 0, 0], "\n".join(component.tail() for component in running)


def reconcile(settings: Settings, org_id: str, member: list[str]) -> None:
    """Run `referrals reconcile` on a list of one member."""
    subprocess.run(
        [sys.executable, "-P", "-m", "commands", "reconcile", "--org", org_id, "--csv", "-"],
        input=f"member_id,referral_code,confirmed_at\n{','.join(member)}\n",
        cwd=ROOT,
        env=environment(settings),
        text=True,
        check=True,
        capture_output=True,
    )


def produce(settings: Settings, topic: Topic, value: bytes) -> None:
    """Produce a record."""
    producer = Producer({**settings.kafka_client_config(), "log_level": 2})
    producer.produce(topic.full_name(settings.topic_prefix), value)
    assert producer.flush(DEADLINE_S) == 0


async def until(web: Web, address: str, headers: dict[str, str], wanted: dict[str, Any]) -> None:
    """Ask until an answer holds what is wanted."""
    answer: object = None
    for _ in range(int(DEADLINE_S / 0.2)):
        answer = (await web.get(address, headers=headers)).json()
        if holds(answer, wanted):
            return
        await asyncio.sleep(0.2)
    raise TimeoutError(f"{address} is {answer}, not {wanted}")


def holds(answer: object, wanted: object) -> bool:
    """Tell whether an answer has these fields and items, whatever else it has."""
    if isinstance(wanted, dict):
        return isinstance(answer, dict) and all(holds(answer.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(answer, list) and len(answer) == len(wanted) and all(map(holds, answer, wanted))
    return answer == wanted


async def everything(web: Web, scene: TwoOrganisations, mentor_id: str) -> dict[str, str]:
    """Ask for all there is, as coordinator and as mentor."""
    org_id = scene.ours.org_id
    place = {
        "org_id": org_id,
        "mentor_id": mentor_id,
        "code": next(iter(scene.ours.codes.values())),
        "threshold": 1,
        "partition": 0,
        "offset": LETTER_OF["Ours"],
        "badge_id": FIRST_RECRUIT,
    }
    document = (await web.get("/openapi.json")).json()
    people = [bearer("coordinator", org_id=org_id), bearer("mentor", org_id=org_id, subject=mentor_id)]
    answers = {}
    for path in document["paths"]:
        for number, headers in enumerate(people):
            async with web.stream("GET", path.format(**place), headers=headers) as answer:
                content = b""
                async for piece in answer.aiter_bytes():
                    content += piece
                    if b"event: changed" in content:
                        break
                answers[f"{path} {number}"] = content.decode() + str(answer.headers)
    return answers


def read(settings: Settings, topic: Topic) -> list[Message]:
    """Read a topic from its beginning to its end."""
    name = topic.full_name(settings.topic_prefix)
    consumer = Consumer({**settings.kafka_client_config(), "group.id": "reader", "enable.partition.eof": True})
    try:
        consumer.assign([TopicPartition(name, partition, 0) for partition in range(settings.partitions)])
        found: list[Message] = []
        ended = 0
        while ended < settings.partitions:
            message = consumer.poll(DEADLINE_S)
            assert message is not None
            if message.error() is None:
                found.append(message)
            else:
                ended += 1
        return found
    finally:
        consumer.close()


def tables(url: str) -> dict[str, str]:
    """Return every row of every table."""
    with psycopg.connect(url) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        select = sql.SQL("SELECT to_jsonb(a_row)::text FROM {} AS a_row")
        return {name: str(connection.execute(select.format(sql.Identifier(name))).fetchall()) for (name,) in names}


async def test_all_that_is_sent_is_as_described(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every record has the value, the key and the headers that AsyncAPI says; and no member is where none may be."""
    sent = await send_all(settings, tmp_path)
    output = capsys.readouterr()  # the server logs in this process
    logs = sent.logs + output.out + output.err
    assert {name: len(records) for name, records in sent.records.items() if name != MENTOR_COUNTS.name} == {
        "codes.v1": 1 + 24,
        "clicks.v1": CLICKED + 1,
        "registrations.v1": 3,
        "milestones.v1": 1,
        "dead-letters.v1": 1,
    }
    for name, records in sent.records.items():
        assert records, name
        for record in records:
            compare(name, record)
    registered = {str(record.value()) for record in sent.records[REGISTRATIONS.name]}
    assert all(any(member in value for value in registered) for member in MEMBERS.values())

    members = {*MEMBERS.values(), DEVICE}
    shown = {"the logs": logs, **sent.answers, **sent.rows}
    shown |= {
        name: str([(record.key(), record.value(), record.headers()) for record in records])
        for name, records in sent.records.items()
        if name != REGISTRATIONS.name
    }
    assert [place for place, text in shown.items() if any(member in text for member in members)] == []
    assert "partitions_ready" in logs


def compare(name: str, record: Message) -> None:
    """Compare a record with the description of its topic."""
    document = asyncapi_document()
    channel = next(channel for channel in document["channels"].values() if channel["title"] == name)
    reference, *_ = channel["messages"].values()  # the first: nobody is erased here
    message = document["components"]["messages"][reference["$ref"].rpartition("/")[2]]
    headers = {key: value.decode() for key, value in cast("list[tuple[str, bytes]]", record.headers() or [])}
    described = message.get("headers", {"type": "object", "properties": {}})
    Draft202012Validator(described | {"additionalProperties": False}).validate(headers)
    if name == DEAD_LETTERS.name:
        assert record.value() == NOT_A_CODE
        return
    assert message["contentType"] == "application/json"
    value = cast("bytes", record.value())
    if value == NOT_A_CODE:
        return
    event = json.loads(value)
    schema = {"components": document["components"], **message["payload"]}
    Draft202012Validator(schema).validate(event)
    of_mentor = name in {MENTOR_COUNTS.name, MILESTONES.name}
    key = f"{event['org_id']}:{event['mentor_id']}" if of_mentor else event["referral_code"]
    assert record.key() == key.encode()
