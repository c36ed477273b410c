"""The events of the contract as types, and their decoding with validation.

Identifiers are kept as text: making a `uuid.UUID` of each costs more than all the rest of decoding
(0.36 us for an event with text, 1.1 us with UUIDs). They are checked by `models.identifiers`, a whole
batch at once on the stream's hot path, one by one in `decode_event`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal, TypeVar, cast

import msgspec
from msgspec import Meta, Struct, json

from models.codes import normalise_code
from models.errors import BadEvent
from models.identifiers import is_uuid

EVENT_BYTES_MAX: Final = 65_536
"""A larger value is 'too large' (contract, rule 5); an event of ours has about 250 bytes."""

BRACKETS_MAX: Final = 400
"""A value with more opening brackets is refused. It bounds how deep a value is nested, well within what the decoder
can follow however deep the call stack is: without it the same value could be read in one place and not in another."""

Instant = Annotated[datetime, Meta(tz=True)]
"""RFC 3339 with an offset; a time without one is refused."""

Status = Literal["pending_signup", "confirmed", "withdrawn"]

AHEAD_MAX: Final = timedelta(days=1)
"""How far ahead of the clock that receives it an event may be, at every edge (contract, rule 8)."""

UNKNOWN_CHANNEL: Final = "unknown"
CHANNEL_LENGTH_MAX: Final = 32


class DeviceMetadata(Struct, frozen=True, gc=False):
    """What the device told; of it only the share channel is ours, the rest stays out of our outputs."""

    share_channel: str | None = None


class CodeIssued(Struct, frozen=True, gc=False, kw_only=True):
    """A referral code was issued to a mentor of an organisation."""

    referral_code: str
    org_id: str
    mentor_id: str
    issued_at: Instant


class Click(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Somebody opened a link with a referral code."""

    click_id: str
    referral_code: str
    occurred_at: Instant
    org_id: str | None = None
    device_metadata: DeviceMetadata | None = None


class Registration(Struct, frozen=True, gc=False, kw_only=True):
    """A member's registration with a referral code came, was confirmed, or was withdrawn."""

    attribution_id: str
    referral_code: str
    new_member_id: str
    status: Status
    occurred_at: Instant
    org_id: str | None = None
    device_metadata: DeviceMetadata | None = None


class Erasure(Struct, frozen=True, gc=False, kw_only=True):
    """The member of a registration was erased: what it counts as stands still, and later events of it say nothing."""

    erasure_id: str
    referral_code: str
    status: Literal["erased"]
    erased_pair: str
    """A digest of code and member in the form of a UUID; the member himself is not named."""
    erased_at: Instant


class ChannelCounts(Struct, gc=False):
    """A mentor's counts in one channel."""

    clicks: int = 0
    pending: int = 0
    confirmed: int = 0


class MentorCounts(Struct, gc=False, kw_only=True):
    """A mentor's counts, as analysts read them and as the stream app keeps them: no member, no raw event."""

    org_id: str
    mentor_id: str
    referral_code: str
    total_clicks: int = 0
    pending_attributions: int = 0
    confirmed_attributions: int = 0
    conversion_rate: float = 0.0
    """Confirmed by clicks, 0.0 without clicks, at most 1.0."""
    by_channel: dict[str, ChannelCounts]
    """Sums to the totals."""
    milestones: list[int]
    """Thresholds reached, ascending."""
    last_event_at: datetime | None = None
    """The latest `occurred_at` of the mentor's events; None until there is one, and then not published."""


class MilestoneReached(Struct, frozen=True, kw_only=True):
    """A mentor's confirmed count reached a threshold for the first time."""

    milestone_id: str
    event_type: Literal["recruitment_milestone_reached"] = "recruitment_milestone_reached"
    org_id: str
    mentor_id: str
    milestone_threshold: Annotated[int, Meta(ge=1)]
    confirmed_count: Annotated[int, Meta(ge=1)]
    attribution_id: str
    """The registration event that crossed the threshold."""
    reached_at: Instant
    """Its `occurred_at`."""


Event = TypeVar("Event", bound="CodeIssued | Click | Registration | Erasure | MentorCounts | MilestoneReached")

UUID_FIELDS: Final[dict[type[Struct], tuple[str, ...]]] = {
    CodeIssued: ("org_id", "mentor_id"),
    Click: ("click_id", "org_id"),
    Registration: ("attribution_id", "new_member_id", "org_id"),
    Erasure: ("erasure_id", "erased_pair"),
    MentorCounts: ("org_id", "mentor_id"),
    MilestoneReached: ("milestone_id", "org_id", "mentor_id", "attribution_id"),
}
"""The fields that are UUIDs; `org_id` is optional in a Click and a Registration."""

_DECODERS: Final = {kind: json.Decoder(kind) for kind in UUID_FIELDS}
_encoder: Final = json.Encoder()
encode_event: Final = _encoder.encode
"""Return an event as JSON bytes."""


def decode_event(kind: type[Event], value: bytes | None) -> Event:
    """Return the event that a record's value is, fully checked, its identifiers as received.

    Raises:
        BadEvent: the text names the event, the field and the fault.
        BadCode: the referral code cannot be one.

    """
    event = parse_event(kind, value)
    for field in UUID_FIELDS[kind]:
        text = getattr(event, field)
        if text is not None and not is_uuid(text):
            msg = f"{kind.__name__}: {field} {text[:40]!r} is not a UUID"
            raise BadEvent(msg)
    if not isinstance(event, MilestoneReached):
        normalise_code(event.referral_code)
    return event


def decode_registration(value: bytes | None) -> Registration | Erasure:
    """Return the event that a record of the registrations topic is, fully checked, its identifiers as received.

    Raises:
        BadEvent: it is neither; the text says what is missing to a Registration.
        BadCode: the referral code cannot be one.

    """
    try:
        return decode_event(Registration, value)
    except BadEvent:
        if not is_erasure(value):
            raise
        return decode_event(Erasure, value)


def is_erasure(value: bytes | None) -> bool:
    """Tell whether a value of the registrations topic has the fields and types of an Erasure, and so is no other."""
    try:
        parse_event(Erasure, value)
    except BadEvent:
        return False
    return True


def is_too_much(value: bytes) -> bool:
    """Tell whether a value is too large, or has too many brackets, to be an event."""
    size = len(value)
    return size > EVENT_BYTES_MAX or (size > BRACKETS_MAX and value.count(b"{") + value.count(b"[") > BRACKETS_MAX)


def parse_event(kind: type[Event], value: bytes | None) -> Event:
    """Return the event with its types checked, but neither its identifiers nor its code.

    Raises:
        BadEvent: empty, too large, not JSON, a missing field or a wrong type.

    """
    if not value:
        msg = f"{kind.__name__}: the value is empty"
        raise BadEvent(msg)
    if is_too_much(value):
        msg = (
            f"{kind.__name__}: the value has {len(value):,} bytes; at most {EVENT_BYTES_MAX:,} are allowed, "
            f"and {BRACKETS_MAX} opening brackets"
        )
        raise BadEvent(msg)
    try:
        event = cast("Event", _DECODERS[kind].decode(value))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        msg = f"{kind.__name__}: {fault}"
        raise BadEvent(msg) from fault
    return event


def time_of(event: CodeIssued | Click | Registration) -> tuple[str, datetime]:
    """Return the name of the field that says when it happened, and what it says."""
    return ("issued_at", event.issued_at) if isinstance(event, CodeIssued) else ("occurred_at", event.occurred_at)


def clean_channel(named: str) -> str:
    """Return a channel's name: lower case, at most 32 characters, `unknown` if nothing is left (rule 6).

    A NUL, which Postgres cannot store, is left out.
    """
    return named.replace("\0", "").strip().lower()[:CHANNEL_LENGTH_MAX].rstrip() or UNKNOWN_CHANNEL


def in_utc(instant: datetime) -> datetime:
    """Return the instant in UTC, so that equal ones look alike.

    Within a day of the years 1 and 9999 some have no form in UTC and stay as they are.
    """
    if instant.tzinfo is UTC:
        return instant
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        return instant
