"""Events, records and batches for tests: valid ones by default, so that a test states only what matters to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models.partitioning import partition_of
from models.topics import CLICKS, CODES, REGISTRATIONS
from streams.engine.batch import RecordBatch, SourceRecord

Event = dict[str, Any]
"""An event as the JSON object that a producer sends."""

ORG = "0a000000-0000-4000-8000-000000000001"
OTHER_ORG = "0a000000-0000-4000-8000-000000000002"
MENTOR = "0b000000-0000-4000-8000-000000000001"
OTHER_MENTOR = "0b000000-0000-4000-8000-000000000002"
CODE = "ANNA000001"
UNKNOWN_CODE = "NEVER00001"

PREFIX = "referrals."
CODES_TOPIC = CODES.full_name(PREFIX)
CLICKS_TOPIC = CLICKS.full_name(PREFIX)
REGISTRATIONS_TOPIC = REGISTRATIONS.full_name(PREFIX)


def uuid(number: int) -> str:
    """Return a UUID that can be told from others."""
    return f"0c000000-0000-4000-8000-{number:012}"


def at(minute: int) -> str:
    """Return a minute of the scene as RFC 3339."""
    return f"2026-11-20T{10 + minute // 60:02}:{minute % 60:02}:00Z"


def make_code_issued(code: str = CODE, **changed: object) -> Event:
    """Return a CodeIssued."""
    return {"referral_code": code, "org_id": ORG, "mentor_id": MENTOR, "issued_at": at(0)} | changed


def make_click(code: str = CODE, **changed: object) -> Event:
    """Return a Click."""
    return {"click_id": uuid(0), "referral_code": code, "occurred_at": at(0)} | changed


def make_registration(member: int = 1, status: str = "confirmed", minute: int = 0, **changed: object) -> Event:
    """Return a Registration of the member with this number."""
    return {
        "attribution_id": uuid(1_000 * member + minute),
        "referral_code": CODE,
        "new_member_id": uuid(member),
        "status": status,
        "occurred_at": at(minute),
    } | changed


def make_erasure(member: int = 1, code: str = CODE, minute: int = 0, **changed: object) -> Event:
    """Return the Erasure of the member with this number under a code, as it is normalised."""
    pair = hashlib.blake2b(code.encode() + UUID(uuid(member)).bytes, digest_size=16).hexdigest()
    return {
        "erasure_id": uuid(9_000 + member),
        "referral_code": code,
        "status": "erased",
        "erased_pair": str(UUID(pair)),
        "erased_at": at(minute),
    } | changed


def by_channel(name: object) -> Event:
    """Return the field that names an event's channel."""
    return {"device_metadata": {"share_channel": name}}


def encode(event: Event) -> bytes:
    """Return an event as a producer sends it."""
    return json.dumps(event).encode()


def topic_of(event: Event) -> str:
    """Return the source topic that an event belongs to."""
    if "mentor_id" in event:
        return CODES_TOPIC
    return CLICKS_TOPIC if "click_id" in event else REGISTRATIONS_TOPIC


def make_record(
    event: Event | bytes | None = None,
    *,
    topic: str | None = None,
    partition: int | None = None,
    partitions: int = 1,
    offset: int = 0,
    timestamp: int = 1_700_000_000_000,
    key: bytes | None = CODE.encode(),
    headers: Sequence[tuple[str, bytes | None]] = (),
) -> SourceRecord:
    """Return a record of an event, of a click by default; of raw bytes if given, for the clicks topic by default."""
    if isinstance(event, dict) or event is None:
        event = make_click() if event is None else event
        topic, value = topic or topic_of(event), encode(event)
    else:
        value = event
    if partition is None:
        partition = partition_of(key or b"", partitions)
    return SourceRecord(topic or CLICKS_TOPIC, partition, offset, timestamp, key, value, headers)


@dataclass(slots=True)
class Fetched:
    """A record as the consumer's parser gives it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def make_batch(*records: SourceRecord, covers_from: int | None = None, generation: int = 0) -> RecordBatch:
    """Return records of one topic and partition as a batch that covers just them; of one click if none is given."""
    records = records or (make_record(),)
    places = {(record.topic, record.partition) for record in records}
    if len(places) != 1:
        raise ValueError(f"a batch is of one topic and partition, these are of {places}")
    fetched = [Fetched(each.offset, each.timestamp, each.key, each.value, each.headers) for each in records]
    return RecordBatch(
        topic=records[0].topic,
        partition=records[0].partition,
        fetched=fetched,
        covers_from=records[0].offset if covers_from is None else covers_from,
        covers_to=records[-1].offset + 1,
        generation=generation,
    )
