"""What the program wrote, from bytes to values: dead letters, milestones, rows of the counts topic."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
import orjson

from proof.verify.partitioning import home_of
from proof.verify.records import DeadLetter, Milestone, Place, digest

STREAM_STAGE = "attribution"
"""What the stream app calls itself in `__connect.errors.stage`; the dead letters of the sinks have another."""

ORIGIN_TOPIC = "__connect.errors.topic"
"""First of the headers that a dead letter gets; a record that has them is one that was sent again."""

AGAIN = "referrals.again"
"""Header of what is sent once more because a state was rebuilt."""

ERASED = "referrals.erased"
"""Header of what waited when its member was erased."""

TRUNCATED = "referrals.truncated"
"""Header of what was too large to be sent whole, instead of all its own: its size in bytes."""

Headers = list[tuple[str, bytes | None]]


class Misshapen(Exception):  # noqa: N818  a verdict on what the program wrote
    """A record of an output topic is not as the contract says; the message is what was found."""


class Letter(msgspec.Struct, frozen=True):
    """A dead letter, and which record it is made of."""

    origin: Place
    """With the topic's full name."""
    stage: str
    content: DeadLetter


class _MilestoneReached(msgspec.Struct, forbid_unknown_fields=True):
    milestone_id: str
    event_type: str
    org_id: str
    mentor_id: str
    milestone_threshold: int
    confirmed_count: int
    attribution_id: str
    reached_at: Annotated[datetime, msgspec.Meta(tz=True)]


_read_milestone = msgspec.json.Decoder(_MilestoneReached)


def _truncated_from(headers: Headers) -> int:
    """Return what the header says that stands in place of all those of a record that was too large; 0: none does."""
    name, content = headers[0] if headers else ("", None)
    return int(content) if name == TRUNCATED and content and content.isdigit() else 0


def dead_letter(key: bytes | None, value: bytes | None, headers: Headers) -> Letter:
    """Read a dead letter, or raise Misshapen.

    One that was sent again and refused again has its former headers first.
    """
    texts: dict[str, str] = {}
    for name, content in headers:
        if name == ORIGIN_TOPIC:  # what follows is its own; what was before, if it was one already, its former life's
            texts = {}
        texts[name] = (content or b"").decode("utf-8", "replace")
    try:
        return Letter(
            origin=(
                texts[ORIGIN_TOPIC],
                int(texts["__connect.errors.partition"]),
                int(texts["__connect.errors.offset"]),
            ),
            stage=texts["__connect.errors.stage"],
            content=DeadLetter(
                error=texts["__connect.errors.exception.class.name"],
                records=int(texts.get("referrals.records", "1")),
                digest=digest(key, value),
                again=AGAIN in texts,
                erased=any(name == ERASED for name, _ in headers),
                truncated_from=_truncated_from(headers),
            ),
        )
    except (KeyError, ValueError) as fault:
        msg = f"headers without a usable {fault}"
        raise Misshapen(msg) from None


def origin_of(headers: Headers, prefix: str) -> Place | None:
    """Return the place of the record that a replayed dead letter was made of; None: it is no replay."""
    texts = {name: (content or b"").decode("utf-8", "replace") for name, content in headers}
    if ORIGIN_TOPIC not in texts:
        return None
    partition, offset = (texts.get(f"__connect.errors.{of}", "") for of in ("partition", "offset"))
    topic = texts[ORIGIN_TOPIC].removeprefix(prefix)
    return topic, int(partition) if partition.isdecimal() else -1, int(offset) if offset.isdecimal() else -1


def milestone(place: Place, key: bytes | None, value: bytes | None, *, partitions: int) -> Milestone:
    """Read a milestone, or raise Misshapen."""
    try:
        event = _read_milestone.decode(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise Misshapen(str(fault)) from None
    if event.event_type != "recruitment_milestone_reached":
        msg = f"event_type {event.event_type!r}"
        raise Misshapen(msg)
    _check_key(key, f"{event.org_id}:{event.mentor_id}", place, partitions)
    return Milestone(
        place=place,
        milestone_id=event.milestone_id,
        org_id=event.org_id,
        mentor_id=event.mentor_id,
        threshold=event.milestone_threshold,
        confirmed_count=event.confirmed_count,
        attribution_id=event.attribution_id.lower(),
        reached_at=event.reached_at,
    )


def counts_row(place: Place, key: bytes | None, value: bytes | None, *, partitions: int) -> dict[str, Any]:
    """Read a row of the counts topic, or raise Misshapen."""
    try:
        row = orjson.loads(value or b"")
    except orjson.JSONDecodeError as fault:
        raise Misshapen(str(fault)) from None
    if not isinstance(row, dict):
        msg = f"{type(row).__name__}, not an object"
        raise Misshapen(msg)
    _check_key(key, f"{row.get('org_id')}:{row.get('mentor_id')}", place, partitions)
    return row


def _check_key(key: bytes | None, wanted: str, place: Place, partitions: int) -> None:
    if key != wanted.encode():
        msg = f"key {key!r}, where the value is about {wanted}"
        raise Misshapen(msg)
    home = home_of(wanted, partitions)
    if place[1] != home:
        msg = f"{wanted} in partition {place[1]}, where murmur2 says {home}"
        raise Misshapen(msg)
