"""The webhook's answer to whatever senders send: `tests/corpus/webhooks.json`, on one running server.

A case is what it changes of a webhook that is right in everything, with where it comes from; the status it must get,
the field and the words of a refusal, and what is in the topic of one that was taken. Nothing else is in the topic.

In a case `$code`, `$member`, `$org`, `$id`, `$at` (seconds of Unix time), `$mac` and so on stand for what is known when
it is sent. `sent` and `id` are signed as they stand there, which the standard's library would refuse to do.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template
from typing import Any, Final
from uuid import uuid4, uuid5

import httpx
import pytest

from local import parts as real
from models.identifiers import NAMESPACE, is_uuid
from models.partitioning import partition_of
from operations.topics import create_topics
from process.settings import Settings, load_settings
from tests.factories import CODE
from tests.web import Web, running_web
from tests.webhooks import Sender, new_sender, posted, registrations_in

pytestmark = pytest.mark.integration

CORPUS: Final[list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "corpus" / "webhooks.json").read_text(encoding="utf-8")
)
MEMBER: Final = "0d000000-0000-4000-8000-00000000abcd"
BODY: Final = '{"referral_code": "$code", "new_member_id": "$member", "status": "confirmed"}'


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What became of a case."""

    attribution_id: str
    """What its event must have."""
    values: dict[str, str]
    """What stood for the case's names."""
    status: int
    content_type: str
    said: dict[str, Any]


def filled(text: str, values: dict[str, str]) -> str:
    """Return a text of a case with the values in the place of their names."""
    return Template(text).substitute(values)


def values_of(case: dict[str, Any], sender: Sender) -> dict[str, str]:
    """Return what is known before the body is: whose it is and when it is sent."""
    now = datetime.now(UTC)
    values = {
        "code": CODE,
        "member": MEMBER,
        "MEMBER": MEMBER.upper(),
        "member_digits": MEMBER.replace("-", ""),
        "org": sender.org_id,
        "ORG": sender.org_id.upper(),
        "id": case.get("id_sent", f"msg_{case['id']}"),
        "now": str(int(now.timestamp())),
        "ahead_12h": (now + timedelta(hours=12)).isoformat(),
        "ahead_48h": (now + timedelta(hours=48)).isoformat(),
    }
    at = str(int(now.timestamp() - case.get("late_s", 0)))
    return values | {"at": filled(case.get("sent", at), values)}


def signatures_of(sender: Sender, values: dict[str, str], body: bytes) -> dict[str, str]:
    """Return the right signature of a body, in every form."""
    secret = base64.b64decode(sender.secret.removeprefix("whsec_"))
    signed = b".".join([values["id"].encode("latin-1"), values["at"].encode(), body])
    digest = hmac.digest(secret, signed, hashlib.sha256)
    mac = base64.b64encode(digest).decode()
    wrong = base64.b64encode(bytes(32)).decode()
    return {"mac": mac, "hex": digest.hex(), "unpadded": mac.rstrip("="), "cut": mac[:-4], "wrong": wrong}


def headers_of(case: dict[str, Any], values: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """Return the headers of a case."""
    usual = {"webhook-id": "$id", "webhook-timestamp": "$at", "webhook-signature": "v1,$mac"}
    given = case.get("headers", usual | case.get("headers_changed", {}))
    named = {"content-type": "application/json"} | given | case.get("more_headers", {})
    headers: list[tuple[bytes, bytes]] = []
    for name, value in named.items():
        texts = value if isinstance(value, list) else [value]
        headers += [(name.encode(), filled(text, values).encode("latin-1")) for text in texts if text is not None]
    return headers


async def send(case: dict[str, Any], web: Web, sender: Sender, other: Sender) -> Answered:
    """Send a case and return what it was answered."""
    values = values_of(case, sender)
    body = filled(case.get("body", BODY), values).encode(case.get("encoding", "utf-8"))
    values |= signatures_of(other if case.get("signer") == "other" else sender, values, body)
    headers = headers_of(case, values)
    sent = filled(case["body_sent"], values).encode() if "body_sent" in case else body
    if case.get("sent_as") == "gzip":
        headers, sent = [*headers, (b"content-encoding", b"gzip")], gzip.compress(sent)
    org = case.get("org", sender.org_id)
    org_id = {"other": other.org_id, "upper": sender.org_id.upper()}.get(org, org)
    answer: httpx.Response = await web.request(
        case.get("method", "POST"),
        f"/v1/orgs/{org_id}/registrations",
        headers=headers,
        content=pieces(sent) if case.get("sent_as") == "chunked" else sent,
    )
    derived = values["id"] if is_uuid(values["id"]) else str(uuid5(NAMESPACE, f"{sender.org_id}:{values['id']}"))
    return Answered(
        attribution_id=derived,
        values=values,
        status=answer.status_code,
        content_type=answer.headers["content-type"],
        said=answer.json(),
    )


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    """Give a body in pieces, so that it is sent chunked."""
    for start in range(0, len(body), 7):
        yield body[start : start + 7]


@dataclass(frozen=True)
class Scene:
    """All answers, and what is in the topic."""

    answers: dict[int, Answered]
    records: dict[str, dict[str, Any]]
    """By attribution id."""
    partitions: int
    org_id: str


async def send_all(settings: Settings) -> Scene:
    """Send every case to one server, one after the other."""
    create_topics(settings)
    sender, other = await new_sender(settings), await new_sender(settings)
    async with running_web(settings) as web:
        answers = {case["id"]: await send(case, web, sender, other) for case in CORPUS}
    found = await asyncio.to_thread(registrations_in, settings)
    records = {record["attribution_id"]: record for record in found}
    assert len(records) == len(found)
    return Scene(answers, records, settings.partitions, sender.org_id)


@pytest.fixture(scope="module")
def scene(parts: real.Parts, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Give what became of the corpus, sent once for all tests of the module."""
    settings = load_settings(
        bootstrap_servers=parts.bootstrap_servers,
        database_url=parts.create_database(f"test_{uuid4().hex}", template=migrated_template),
        topic_prefix=f"test-{uuid4().hex[:12]}.",
        data_dir=tmp_path_factory.mktemp("webhooks"),
    )
    return asyncio.run(send_all(settings))


@pytest.mark.parametrize("case", CORPUS, ids=[case["what"] for case in CORPUS])
def test_a_case_gets_its_answer_and_its_record(scene: Scene, case: dict[str, Any]) -> None:
    """What is certain is in the topic as it was meant; what is not is refused with its field, and nothing is there."""
    answered = scene.answers[case["id"]]
    record = scene.records.get(answered.attribution_id)
    assert answered.status == case["status"], answered.said
    if answered.status == 202:
        assert answered.said == {"attributionId": answered.attribution_id}
        assert record is not None
        check_record(record, case.get("record", {}), answered, scene)
        return
    assert record is None
    assert answered.content_type == "application/problem+json"
    assert answered.said["status"] == case["status"]
    errors = answered.said.get("errors", [])
    assert [error["field"] for error in errors] == ([case["field"]] if "field" in case else [])
    said = errors[0]["message"] if errors else answered.said["detail"]
    assert case.get("says", "") in said


def check_record(record: dict[str, Any], changed: dict[str, Any], answered: Answered, scene: Scene) -> None:
    """Check a record against what is usual, and what the case says is another."""
    expected = {
        "attribution_id": answered.attribution_id,
        "referral_code": CODE,
        "new_member_id": MEMBER,
        "status": "confirmed",
        "org_id": scene.org_id,
        "device_metadata": None,
    } | changed
    occurred_at = filled(expected.pop("occurred_at", "$sent"), answered.values | {"sent": sent_at(answered)})
    assert datetime.fromisoformat(record["occurred_at"]) == datetime.fromisoformat(occurred_at)
    assert {name: record[name] for name in expected} == expected
    assert set(record) == expected.keys() | {"occurred_at", "key", "partition"}
    assert record["key"] == record["referral_code"]
    assert record["partition"] == partition_of(record["key"].encode(), scene.partitions)


def sent_at(answered: Answered) -> str:
    """Return when a case was sent, by its own clock."""
    return datetime.fromtimestamp(int(answered.values["at"]), UTC).isoformat()


def test_nothing_else_is_in_the_topic(scene: Scene) -> None:
    """A record for each case that was taken; and the corpus is as large as it should be, with where each is from."""
    taken = {scene.answers[case["id"]].attribution_id for case in CORPUS if case["status"] == 202}
    assert scene.records.keys() == taken
    assert len(CORPUS) >= 100
    assert [case["id"] for case in CORPUS if not case["source"]] == []


# -- what a client library would not send ------------------------------------------------------------------------------


@pytest.fixture
async def web(settings: Settings) -> AsyncIterator[Web]:
    """Give a client of a running server."""
    create_topics(settings)
    async with running_web(settings) as client:
        yield client


async def test_bodies_that_httpx_would_not_send(web: Web, settings: Settings) -> None:
    """What is announced or sent in pieces is bounded as well, and bytes that are no text are verified as they are."""
    sender = await new_sender(settings)
    right = json.dumps(posted()).encode()
    head = "".join(f"{name}: {value}\r\n" for name, value in sender.sign(right).items())
    chunk = f"{len(right):x}\r\n".encode() + right + b"\r\n"
    huge = b"8000\r\n" + b" " * 0x8000 + b"\r\n1\r\n \r\n"
    assert await raw(web, sender, head + "Transfer-Encoding: chunked\r\n", chunk + b"0\r\n\r\n") == 202
    assert await raw(web, sender, head + "Transfer-Encoding: chunked\r\n", huge) == 413
    assert await raw(web, sender, head + "Content-Length: 9999999999\r\n", b"") == 413
    # Java's HttpClient with its defaults: it would rather speak HTTP/2.
    h2c = "Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\n"
    java = f"{head}{h2c}Upgrade: h2c\r\nContent-Length: {len(right)}\r\n"
    assert await raw(web, sender, java, right) == 202
    assert await raw(web, sender, "Content-Length: 9999999999\r\nExpect: 100-continue\r\n", b"") == 413

    no_text = b'{"referral_code": "\xff\xfe"}'
    values = values_of({"id": 1}, sender)
    headers = headers_of({"id": 1}, values | signatures_of(sender, values, no_text))
    signed = "".join(f"{name.decode()}: {value.decode()}\r\n" for name, value in headers)
    assert await raw(web, sender, f"{signed}Content-Length: {len(no_text)}\r\n", no_text) == 422


async def raw(web: Web, sender: Sender, head: str, body: bytes) -> int:
    """Send bytes as they are, and return the answer's status."""
    reader, writer = await asyncio.open_connection(web.base_url.host, web.base_url.port)
    try:
        writer.write(f"POST {sender.path} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode("latin-1") + body)
        line = await reader.readline()
        while line.split()[1] == b"100":  # go on
            while await reader.readline() != b"\r\n":
                pass
            line = await reader.readline()
        return int(line.split()[1])
    finally:
        writer.close()
        await writer.wait_closed()
