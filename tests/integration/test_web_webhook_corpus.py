"""The webhook's answer to whatever somebody may send: a table of cases, on the real server.

A case is what it changes of a webhook that is right in everything, and the status it must get. What is answered 202 is
in the topic, and nothing else is.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid5

import pytest

from models.identifiers import NAMESPACE, is_uuid
from models.partitioning import partition_of
from operations.topics import create_topics
from process.settings import Settings
from tests.factories import CODE
from tests.web import Web, running_web
from tests.webhooks import Sender, new_sender, posted, registrations_in

pytestmark = pytest.mark.integration

UUID_1 = "0e000000-0000-4000-8000-000000000001"
OTHER_SECRET = "whsec_" + base64.b64encode(b"not the organisation's secret...").decode()
TOO_LARGE = 32 * 1024 + 1

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Request:
    """A webhook on its way."""

    headers: Headers
    body: bytes
    sender: Sender

    def value(self, name: bytes) -> bytes:
        """Return a header."""
        return dict(self.headers)[name]

    def with_header(self, name: bytes, *values: bytes) -> Request:
        """Return it with a header replaced by these, none or several."""
        kept = [header for header in self.headers if header[0] != name]
        return Request([*kept, *((name, value) for value in values)], self.body, self.sender)


@dataclass(frozen=True)
class Case:
    """One case."""

    name: str
    status: int
    body: bytes | dict[str, Any] = field(default_factory=posted)
    """Signed as it stands here."""
    change: Callable[[Request], Request] = lambda request: request
    """Done after it was signed."""
    field: str | None = None
    """What a 422 must name."""
    webhook_id: str = "msg_1"
    late_s: float = 0.0
    method: str = "POST"
    org_id: str | None = None
    """Another than the sender's."""


def header(name: str, *values: str | bytes) -> Callable[[Request], Request]:
    """Return a change that sets a header: to nothing, a value, or several headers of this name."""
    given = [value if isinstance(value, bytes) else value.encode() for value in values]
    return lambda request: request.with_header(name.encode(), *given)


def signature(make: Callable[[bytes], bytes]) -> Callable[[Request], Request]:
    """Return a change that makes another signature of the right one."""
    name = b"webhook-signature"
    return lambda request: request.with_header(name, make(request.value(name)))


def signed_by_hand(webhook_id: bytes, at: bytes | None = None, *, more: bytes = b"") -> Callable[[Request], Request]:
    """Return a change that signs an id and a time that the library would not: rightly, as far as HMAC goes.

    The time is now unless it is given, and `more` is appended to it.
    """

    def change(request: Request) -> Request:
        timestamp = (at or str(int(time.time())).encode()) + more
        secret = base64.b64decode(request.sender.secret.removeprefix("whsec_"))
        signed = webhook_id + b"." + timestamp + b"." + request.body
        mac = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest())
        changed = request.with_header(b"webhook-id", webhook_id).with_header(b"webhook-timestamp", timestamp)
        return changed.with_header(b"webhook-signature", b"v1," + mac)

    return change


def as_svix(request: Request) -> Request:
    """Return the webhook with the headers that the standard's forerunner has."""
    headers = [(name.replace(b"webhook-", b"svix-"), value) for name, value in request.headers]
    return Request(headers, request.body, request.sender)


def ahead(**of: float) -> str:
    """Return a time ahead of the clock."""
    return (datetime.now(UTC) + timedelta(**of)).isoformat()


def other_body(request: Request) -> Request:
    """Return the webhook with another body under the old signature."""
    return Request(request.headers, request.body.replace(b"confirmed", b"withdrawn"), request.sender)


ACCEPTED = [
    Case("all it needs", 202),
    Case("pending", 202, posted(status="pending_signup")),
    Case("withdrawn", 202, posted(status="withdrawn")),
    Case("everything given", 202, posted(
        attribution_id=UUID_1, occurred_at="2026-11-20T10:00:00+01:00", device_metadata={"share_channel": " WhatsApp "},
    )),
    Case("a code as typed by hand", 202, posted(referral_code="anna-ooooo1")),
    Case("a code of 8 characters", 202, posted(referral_code="ABCDEFGH")),
    Case("a code of 12 characters", 202, posted(referral_code="ABCDEFGH2345")),
    Case("a member in upper case", 202, posted(new_member_id=UUID_1.upper())),
    Case("nulls for what may be left out", 202, posted(
        attribution_id=None, occurred_at=None, org_id=None, device_metadata=None,
    )),
    Case("an unknown field", 202, posted(name="Anna", email="anna@example.org")),
    Case("more of the device", 202, posted(device_metadata={"os": "android", "ip": "192.0.2.1"})),
    Case("a channel of any text", 202, posted(device_metadata={"share_channel": "\0" + "x" * 10_000})),
    Case("spaces around the JSON", 202, b"\n " + json.dumps(posted()).encode() + b"\t"),
    Case("text that is not ASCII", 202, json.dumps(posted(name="Åse"), ensure_ascii=False).encode()),
    Case("almost too large", 202, json.dumps(posted(name="x" * 32_500)).encode()),
    Case("a webhook id that is a UUID", 202, webhook_id=UUID_1),
    Case("a webhook id with a dot", 202, webhook_id="msg.1.2"),
    Case("a webhook id of 255 characters", 202, webhook_id="x" * 255),
    Case("sent 290 s ago", 202, late_s=290),
    Case("sent 290 s from now", 202, late_s=-290),
    Case("the organisation in upper case", 202, change=lambda request: request, org_id="upper"),
    Case("another signature before the right one", 202, change=signature(lambda right: b"v1,AAAA " + right)),
    Case("another version before the right one", 202, change=signature(lambda right: b"v1a,AAAA " + right)),
    Case("something that is none before the right one", 202, change=signature(lambda right: b"? " + right)),
    Case("no content type", 202, change=header("content-type")),
    Case("another content type", 202, change=header("content-type", "text/plain")),
    # Not as described, and certain.
    Case("headers of the name svix", 202, change=as_svix),
    Case("both families of headers", 202, change=lambda request: Request(
        [*request.headers, *as_svix(request).headers], request.body, request.sender,
    )),
    Case("two signatures in two headers", 202, change=lambda request: request.with_header(
        b"webhook-signature", b"v1,AAAA", request.value(b"webhook-signature"),
    )),
    Case("signatures with a comma and a space between", 202, change=signature(lambda right: b"v1,AAAA, " + right)),
    Case("signatures with a comma between", 202, change=signature(lambda right: right + b",v1,AAAA")),
    Case("signatures with tabs and spaces between", 202, change=signature(lambda right: b"v1,AAAA\t  " + right)),
    Case("signatures with a semicolon between", 202, change=signature(lambda right: right + b"; v1,AAAA")),
    Case("identity", 202, change=header("content-encoding", "identity")),
    Case("identity in upper case", 202, change=header("content-encoding", "IDENTITY")),
    Case("an empty Content-Encoding", 202, change=header("content-encoding", "")),
    Case("a byte order mark", 202, b"\xef\xbb\xbf" + json.dumps(posted()).encode()),
    Case("an empty object of PHP for the device", 202, posted(device_metadata=[])),
    Case("code and member alone", 202, posted(status=...)),
    Case("code, member and time alone", 202, posted(status=..., occurred_at="2026-11-20T10:00:00Z")),
    Case("a space behind the code", 202, posted(referral_code="ABCDEFGH23 ")),
    Case("a line end behind the code", 202, posted(referral_code="ABCDEFGH23\n")),
    Case("a no-break space before the code", 202, posted(referral_code="\u00a0abcd-efgh-23")),
    Case("a member in braces", 202, posted(new_member_id=f"{{{UUID_1.upper()}}}")),
    Case("a member without hyphens", 202, posted(new_member_id=UUID_1.replace("-", ""))),
    Case("a member as a URN", 202, posted(new_member_id=f"urn:uuid:{UUID_1}")),
    Case("a space behind the member", 202, posted(new_member_id=f"{UUID_1} ")),
    Case("a time half a day ahead", 202, posted(occurred_at=ahead(hours=12))),
]  # fmt: skip

REFUSED = [
    Case("GET", 405, method="GET"),
    Case("PUT", 405, method="PUT"),
    Case("gzip behind identity", 415, change=header("content-encoding", "identity, gzip")),
    # Compressed: before anything is read or verified.
    Case("gzip", 415, change=lambda request: Request(
        [*request.headers, (b"content-encoding", b"gzip")], gzip.compress(request.body), request.sender,
    )),
    Case("compressed, unsigned and too large", 415, b"x" * TOO_LARGE, change=lambda request: Request(
        [(b"content-encoding", b"br")], request.body, request.sender,
    )),
    # Too large: before anything is verified.
    Case("too large by a byte", 413, b" " * TOO_LARGE),
    Case("too large and unsigned", 413, b" " * TOO_LARGE, change=header("webhook-signature")),
    # Not signed, not rightly, or not now.
    Case("no signature", 401, change=header("webhook-signature")),
    Case("no id", 401, change=header("webhook-id")),
    Case("no timestamp", 401, change=header("webhook-timestamp")),
    Case("no header at all", 401, change=lambda request: Request([], request.body, request.sender)),
    Case("an empty signature", 401, change=header("webhook-signature", "")),
    Case("an empty id", 401, change=header("webhook-id", "")),
    Case("an empty timestamp", 401, change=header("webhook-timestamp", "")),
    Case("two ids", 401, change=header("webhook-id", "msg_1", "msg_1")),
    Case("two timestamps", 401, change=lambda request: request.with_header(
        b"webhook-timestamp", request.value(b"webhook-timestamp"), request.value(b"webhook-timestamp"),
    )),
    Case("half of each family of headers", 401, change=lambda request: Request(
        [(name.replace(b"webhook-id", b"svix-id"), value) for name, value in request.headers],
        request.body, request.sender,
    )),
    Case("two ids of the name svix", 401, change=lambda request: Request(
        [*as_svix(request).headers, (b"svix-id", b"msg_1")], request.body, request.sender,
    )),
    Case("an id with a space", 401, change=signed_by_hand(b"msg 1")),
    Case("an id that is not ASCII", 401, change=signed_by_hand("mål".encode("latin-1"))),
    Case("an id of 256 characters", 401, change=signed_by_hand(b"x" * 256)),
    Case("a timestamp with a fraction", 401, change=signed_by_hand(b"msg_1", more=b".5")),
    Case("a timestamp with an exponent", 401, change=signed_by_hand(b"msg_1", b"1.8e9")),
    Case("a timestamp with underscores", 401, change=signed_by_hand(b"msg_1", b"1_800_000_000")),
    Case("a negative timestamp", 401, change=signed_by_hand(b"msg_1", b"-1")),
    Case("a timestamp that is no number", 401, change=signed_by_hand(b"msg_1", b"NaN")),
    Case("a timestamp without end", 401, change=signed_by_hand(b"msg_1", b"9" * 400)),
    Case("a timestamp in words", 401, change=signed_by_hand(b"msg_1", b"2026-11-20T10:00:00Z")),
    Case("a timestamp in milliseconds", 401, change=signed_by_hand(b"msg_1", more=b"000")),
    Case("sent 310 s ago", 401, late_s=310),
    Case("sent 310 s from now", 401, late_s=-310),
    Case("sent in 1970", 401, change=signed_by_hand(b"msg_1", b"0")),
    Case("another timestamp than signed", 401, change=lambda request: request.with_header(
        b"webhook-timestamp", str(int(request.value(b"webhook-timestamp")) - 1).encode(),
    )),
    Case("another id than signed", 401, change=header("webhook-id", "msg_2")),
    Case("another body than signed", 401, change=other_body),
    Case("a body with a space more", 401, change=lambda request: Request(
        request.headers, request.body + b" ", request.sender,
    )),
    Case("signed by somebody else", 401, change=lambda request: Request(
        [(name.encode(), value.encode()) for name, value in
         request.sender.sign(request.body, secret=OTHER_SECRET).items()], request.body, request.sender,
    )),
    Case("a signature without its version", 401, change=signature(lambda right: right.removeprefix(b"v1,"))),
    Case("a signature of another version", 401, change=signature(lambda right: right.replace(b"v1,", b"v2,"))),
    Case("a signature in upper case", 401, change=signature(lambda right: right.replace(b"v1,", b"V1,"))),
    Case("a signature cut short", 401, change=signature(lambda right: right[:-4])),
    Case("a signature without padding", 401, change=signature(lambda right: right.rstrip(b"="))),
    Case("a signature that is no base64", 401, change=header("webhook-signature", "v1,!!!!")),
    Case("a signature that is not ASCII", 401, change=header("webhook-signature", b"v1,\xe9\xff")),
    Case("a signature in hexadecimal", 401, change=signature(
        lambda right: b"v1," + base64.b64decode(right[3:]).hex().encode(),
    )),
    Case("only a version", 401, change=header("webhook-signature", "v1")),
    Case("only commas", 401, change=header("webhook-signature", ",,,")),
    Case("a thousand wrong signatures", 401, change=header("webhook-signature", "v1,AAAA" + " v1,AAAA" * 1_000)),
    Case("another organisation's address", 401, org_id="other"),
    Case("an organisation that does not exist", 401, org_id=UUID_1),
    Case("an organisation that is no UUID", 401, org_id="us"),
    Case("no JSON, and unsigned", 401, b"{", change=header("webhook-signature")),
    # Signed, but not what is asked for; the field is named.
    Case("no body", 422, b"", field="body"),
    Case("no JSON", 422, b"{", field="body"),
    Case("two JSON objects", 422, json.dumps(posted()).encode() * 2, field="body"),
    Case("a list", 422, b"[]", field="body"),
    Case("null", 422, b"null", field="body"),
    Case("a text", 422, b'"confirmed"', field="body"),
    Case("nested without end", 422, b'{"a":' * 5_000, field="body"),
    Case("nested without end, in a field", 422,
         json.dumps(posted())[:-1].encode() + b', "x": ' + b"[" * 9_000 + b"]" * 9_000 + b"}", field="body"),
    Case("no code", 422, posted(referral_code=...), field="referral_code"),
    Case("a code that is null", 422, posted(referral_code=None), field="referral_code"),
    Case("a code that is a number", 422, posted(referral_code=1234567890), field="referral_code"),
    Case("an empty code", 422, posted(referral_code=""), field="referral_code"),
    Case("a code of 7 characters", 422, posted(referral_code="ABCDEFG"), field="referral_code"),
    Case("a code of 13 characters", 422, posted(referral_code="ABCDEFGH23456"), field="referral_code"),
    Case("a code with another letter", 422, posted(referral_code="ABCDEFGHU2"), field="referral_code"),
    Case("no member", 422, posted(new_member_id=...), field="new_member_id"),
    Case("a member that is no UUID", 422, posted(new_member_id="anna@example.org"), field="new_member_id"),
    Case("a member of zeros", 422, posted(new_member_id="00000000-0000-0000-0000-000000000000"), field="new_member_id"),
    Case("a member with an underscore", 422, posted(new_member_id="1_" + UUID_1.replace("-", "")[2:]),
         field="new_member_id"),
    Case("a member with a sign", 422, posted(new_member_id="+" + UUID_1.replace("-", "")[1:]), field="new_member_id"),
    Case("a code with something within", 422, posted(referral_code="ABCD/EFGH23"), field="referral_code"),
    Case("a list for the code", 422, posted(referral_code=["ABCDEFGH23"]), field="referral_code"),
    Case("a device that is a filled list", 422, posted(device_metadata=["sms"]), field="device_metadata"),
    Case("UTF-16 with its mark", 422, b"\xff\xfe" + "{}".encode("utf-16-le"), field="body",
         change=signed_by_hand(b"msg_1")),
    Case("an empty member", 422, posted(new_member_id=""), field="new_member_id"),
    Case("a status by another name", 422, {**posted(status=...), "Status": "withdrawn"}, field="status"),
    Case("no status beside what we do not know", 422, {**posted(status=...), "state": "cancelled"}, field="status"),
    Case("a status that is null", 422, posted(status=None), field="status"),
    Case("an empty status", 422, posted(status=""), field="status"),
    Case("an unknown status", 422, posted(status="deleted"), field="status"),
    Case("a status in upper case", 422, posted(status="CONFIRMED"), field="status"),
    Case("an attribution that is no UUID", 422, posted(attribution_id="1"), field="attribution_id"),
    Case("a time without offset", 422, posted(occurred_at="2026-11-20T10:00:00"), field="occurred_at"),
    Case("a time in words", 422, posted(occurred_at="yesterday"), field="occurred_at"),
    Case("a time as a number", 422, posted(occurred_at=1_800_000_000), field="occurred_at"),
    Case("a time two days ahead", 422, posted(occurred_at=ahead(days=2)), field="occurred_at"),
    Case("a time in 2062", 422, posted(occurred_at="2062-11-20T10:00:00Z"), field="occurred_at"),
    Case("the last time there is", 422, posted(occurred_at="9999-12-31T23:59:59Z"), field="occurred_at"),
    Case("a withdrawal in 2062", 422, posted(status="withdrawn", occurred_at="2062-11-20T10:00:00Z"),
         field="occurred_at"),
    Case("another organisation", 422, posted(org_id=UUID_1), field="org_id"),
    Case("an organisation that is no UUID in the body", 422, posted(org_id="us"), field="org_id"),
    Case("a device that is a text", 422, posted(device_metadata="phone"), field="device_metadata"),
    Case("a channel that is a number", 422, posted(device_metadata={"share_channel": 1}),
         field="device_metadata.share_channel"),
]  # fmt: skip


def request_of(case: Case, sender: Sender) -> Request:
    """Return the case's webhook."""
    body = case.body if isinstance(case.body, bytes) else json.dumps(case.body).encode()
    text = body if body[:2] != b"\xff\xfe" else b""  # the library signs text alone; such a case signs by hand
    headers = sender.sign(text, webhook_id=case.webhook_id, late_s=case.late_s)
    signed = [(name.encode(), value.encode()) for name, value in headers.items()]
    return case.change(Request([(b"content-type", b"application/json"), *signed], body, sender))


async def fault_of(case: Case, web: Web, sender: Sender, other: Sender) -> str | None:
    """Send a case and return what is wrong with the answer."""
    request = request_of(case, sender)
    org_id = {None: sender.org_id, "other": other.org_id, "upper": sender.org_id.upper()}.get(case.org_id, case.org_id)
    answer = await web.request(
        case.method, f"/v1/orgs/{org_id}/registrations", headers=request.headers, content=request.body
    )
    said = answer.json()
    if answer.status_code != case.status:
        return f"{case.name}: {answer.status_code} instead of {case.status}: {said}"
    if case.status == 202:
        return None if has_its_id(said, case, sender) else f"{case.name}: {said}"
    if answer.headers["content-type"] != "application/problem+json" or said["status"] != case.status:
        return f"{case.name}: no problem details: {said}"
    fields = [error["field"] for error in said.get("errors", [])]
    return None if fields == ([case.field] if case.field else []) else f"{case.name}: names {fields}"


def has_its_id(said: dict[str, str], case: Case, sender: Sender) -> bool:
    """Tell whether an answer has the attribution id that the case asks for."""
    given = case.body.get("attribution_id") if isinstance(case.body, dict) else None
    derived = (
        case.webhook_id if case.webhook_id == UUID_1 else str(uuid5(NAMESPACE, f"{sender.org_id}:{case.webhook_id}"))
    )
    return said == {"attributionId": given or derived}


@pytest.fixture
async def web(settings: Settings) -> AsyncIterator[Web]:
    """Give a client of a running server."""
    create_topics(settings)
    async with running_web(settings) as client:
        yield client


async def test_every_case_gets_its_answer_and_what_is_accepted_is_in_the_topic(web: Web, settings: Settings) -> None:
    """The whole table: no case is answered otherwise, and the topic holds what was answered 202 and nothing else."""
    sender, other = await new_sender(settings), await new_sender(settings)
    assert len(ACCEPTED) + len(REFUSED) >= 100
    faults = [await fault_of(case, web, sender, other) for case in [*REFUSED, *ACCEPTED]]
    assert [fault for fault in faults if fault] == []

    records = await asyncio.to_thread(registrations_in, settings)
    assert len(records) == len(ACCEPTED)
    for record in records:
        assert record["org_id"] == sender.org_id
        assert record["status"] in {"confirmed", "pending_signup", "withdrawn"}
        assert record["key"] == record["referral_code"]
        assert record["partition"] == partition_of(record["key"].encode(), settings.partitions)
        assert set(record) <= {
            "attribution_id", "referral_code", "new_member_id", "status", "occurred_at", "org_id", "device_metadata",
            "key", "partition",
        }  # fmt: skip
        assert is_uuid(record["attribution_id"])
    channels = [record["device_metadata"] for record in records if record["device_metadata"]]
    assert sorted(channels, key=str) == [{"share_channel": "other"}, {"share_channel": "whatsapp"}]
    assert {record["referral_code"] for record in records} == {
        *(CODE, "ANNA000001", "ABCDEFGH", "ABCDEFGH2345", "ABCDEFGH23"),
    }


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
    assert await raw(web, sender, "Content-Length: 9999999999\r\nExpect: 100-continue\r\n", b"") == 413

    no_text = b'{"referral_code": "\xff\xfe"}'
    request = signed_by_hand(b"msg_1")(Request([], no_text, sender))
    signed = "".join(f"{name.decode()}: {value.decode()}\r\n" for name, value in request.headers)
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
