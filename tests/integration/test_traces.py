"""One trace from the webhook to the award: every component in a process of its own, and a real receiver of OTLP."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from confluent_kafka import Consumer, TopicPartition

from models.topics import MILESTONES, REGISTRATIONS
from models.traces import TRACEPARENT, step_to
from process.headers import headers_of
from process.settings import Settings
from sinks.records import Record
from tests.component import ROOT, environment
from tests.factories import make_registration
from tests.installation import Installation
from tests.otlp_receiver import Span, otlp_receiver
from tests.web import bearer, web_process
from tests.webhooks import Sender, new_sender, posted

pytestmark = pytest.mark.integration

GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NOT_SAMPLED = "00-5bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
OF_A_SCREEN = "00-7bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OF_A_FILE = "00-6bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
WEBHOOK = "POST /v1/orgs/{org_id}/registrations"


async def test_one_trace_from_the_webhook_to_the_award(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Begun here or by the caller, whose flag is obeyed; each step the child of the one before; nobody is named."""
    installation = Installation(settings)
    sender = await new_sender(settings)
    with otlp_receiver() as collector:
        for name, value in {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "NO_PROXY": "127.0.0.1",
        }.items():
            monkeypatch.setenv(name, value)
        with installation.running("stream"), installation.running("badges"), web_process(settings) as process:
            async with httpx.AsyncClient(base_url=process.url, timeout=30) as client:
                codes = [await new_code(client, sender) for _ in range(4)]
                members = [await confirm(client, sender, code) for code in codes[:1]]
                begun_here = collector.wait_for(4)
                members.append(await confirm(client, sender, codes[1], GIVEN))
                members.append(await confirm(client, sender, codes[2], NOT_SAMPLED))
                members.append(publish(settings, tmp_path / "lines", codes[3], OF_A_FILE))
                members.append(await sign_up(client, sender, codes[0], OF_A_SCREEN))
                collector.wait_for(12)
                refused = await client.post(sender.path, content=b"{}", headers={TRACEPARENT: GIVEN})
                assert refused.status_code == 401
        spans = collector.wait_for(12)
    assert len(spans) == 12  # of who did not sample and who was not let in there is none
    registrations, milestones = (topic.full_name(settings.topic_prefix) for topic in (REGISTRATIONS, MILESTONES))
    way = [WEBHOOK, f"send {registrations}", f"process {registrations}", f"process {milestones}"]
    assert chain(begun_here, "") == way
    of_a_screen = ["POST /v1/orgs/{org_id}/signups", way[1]]  # where nobody is confirmed no threshold is crossed
    for given, steps in ((GIVEN, way), (OF_A_FILE, way[2:]), (OF_A_SCREEN, of_a_screen)):
        assert chain([span for span in spans if span.trace_id == given[3:35]], given[36:52]) == steps
    assert [(span.service, span.kind) for span in begun_here] == [
        ("referrals-web", "server"),
        ("referrals-web", "producer"),
        ("referrals-stream", "consumer"),
        ("referrals-badges", "consumer"),
    ]
    for span in spans:
        assert span.started_ns <= span.ended_ns
        assert not span.is_error
    assert len(begun_here[3].attributes["referrals.badges.awarded"]) == 1
    said = b"".join(collector.bodies).decode("utf-8", "replace")
    hidden = {sender.org_id, sender.secret, *codes, *members}
    assert [each for each in hidden if each in said or each.replace("-", "") in said] == []

    # What a milestone's record has follows from the record that crossed, so whoever makes it again makes the same.
    registered = {record.headers[0][1] for record in read(settings, registrations)}
    assert {NOT_SAMPLED.encode(), OF_A_FILE.encode()} < registered
    parents = {value for value in registered if value is not None}
    for record in read(settings, milestones):
        own = dict(record.headers)[TRACEPARENT]
        made_again = {step_to(record.value or b"", record, parent, at_ms=0).traceparent for parent in parents}
        assert own in made_again | {NOT_SAMPLED.encode()}


def chain(spans: list[Span], parent_id: str) -> list[str]:
    """Return the names of spans of one trace, each the child of the one before."""
    names = []
    assert len({span.trace_id for span in spans}) == 1
    for span in spans:
        assert span.parent_id == parent_id, span
        parent_id = span.span_id
        names.append(span.name)
    return names


async def new_code(client: httpx.AsyncClient, sender: Sender) -> str:
    """Return the code of a new mentor."""
    path = f"/v1/orgs/{sender.org_id}/mentors/{uuid4()}/referral-code"
    answer = await client.post(path, headers=bearer("coordinator", org_id=sender.org_id))
    assert answer.status_code in {200, 201}, answer.text
    return str(answer.json()["referralCode"])


async def confirm(client: httpx.AsyncClient, sender: Sender, code: str, traceparent: str | None = None) -> str:
    """Post a webhook that confirms a new member, and return him."""
    member = str(uuid4())
    body = json.dumps(posted(referral_code=code, new_member_id=member, attribution_id=str(uuid4()))).encode()
    headers = sender.sign(body, webhook_id=str(uuid4())) | ({} if traceparent is None else {TRACEPARENT: traceparent})
    assert (await client.post(sender.path, content=body, headers=headers)).status_code == 202
    return member


async def sign_up(client: httpx.AsyncClient, sender: Sender, code: str, traceparent: str) -> str:
    """Post a new member who is coming, as the onboarding screen does, and return him."""
    member = str(uuid4())
    headers = bearer("onboarding", org_id=sender.org_id) | {TRACEPARENT: traceparent}
    body = {"referralCode": code, "newMemberId": member}
    answer = await client.post(f"/v1/orgs/{sender.org_id}/signups", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    return member


def publish(settings: Settings, file: Path, code: str, traceparent: str) -> str:
    """Publish a line that confirms a new member, and return him."""
    ids: dict[str, Any] = {"attribution_id": str(uuid4()), "new_member_id": str(uuid4())}
    event = make_registration(referral_code=code, **ids)
    file.write_text(json.dumps({"topic": "registrations", "traceparent": traceparent, "value": event}))
    command = [sys.executable, "-P", "-m", "commands", "publish", str(file)]
    subprocess.run(command, cwd=ROOT, env=environment(settings), check=True, capture_output=True)
    return str(event["new_member_id"])


def read(settings: Settings, topic: str) -> list[Record]:
    """Return the records of a topic."""
    consumer = Consumer({**settings.kafka_client_config(), "group.id": "reader", "isolation.level": "read_committed"})
    found = []
    try:
        for partition in range(settings.partitions):
            place = TopicPartition(topic, partition, 0)
            _, end = consumer.get_watermark_offsets(place, 30)
            consumer.assign([place])
            while end and consumer.position([place])[0].offset < end:
                message = consumer.poll(1.0)
                if message is None:  # the rest is markers
                    break
                found.append(
                    Record(
                        topic=topic,
                        partition=partition,
                        offset=message.offset() or 0,
                        key=None,
                        value=message.value(),
                        headers=tuple(headers_of(message)),
                    )
                )
    finally:
        consumer.close()
    return found
