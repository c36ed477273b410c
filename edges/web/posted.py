"""Registrations as they are posted: what a webhook and what the onboarding screen may say, and the event of it.

Names are in camel case, as in every answer; those of the events in the topics, in snake case, are taken too. What is
certain is taken though it is not as described, what is not is 422 with the field (`models.received`). The usual body,
in either style, pays for none of that.
"""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Struct

from edges.web.answers.answer import Accepted, FieldError, camel
from edges.web.bodies import JsonAnswer
from edges.web.problems import bad_fields, field_error
from edges.web.tracing import produce
from models.channels import listed_channel
from models.codes import CANONICAL_CODE
from models.events import AHEAD_MAX, DeviceMetadata, Instant, Registration, Status, encode_event, is_too_much
from models.identifiers import canonical_uuid
from models.received import BadField, may_say_twice, quoted, read_object, repaired
from models.tolerance import EARLIEST
from models.topics import REGISTRATIONS
from models.traces import is_traceparent

if TYPE_CHECKING:
    from collections.abc import Collection

    from edges.web.services import Services


class PostedRegistration(Struct, frozen=True, gc=False, kw_only=True):
    """A Registration as it is posted: what the webhook itself says may be left out."""

    referral_code: str
    new_member_id: UUID
    status: Status
    """May be left out where there is nothing but fields of this list: code and member alone are a confirmation."""
    attribution_id: UUID | None = None
    """Without it: the webhook's id if that is a UUID, else derived from it."""
    occurred_at: Instant | None = None
    """When it happened. Without it: when the webhook was first sent, however often it is sent again."""
    org_id: UUID | None = None
    """If it is given, the organisation of the address."""
    device_metadata: DeviceMetadata | None = None


class PostedSignup(Struct, frozen=True, gc=False, kw_only=True):
    """A member who is coming, as the onboarding screen posts him: it is no confirmation and cannot be one."""

    referral_code: str
    new_member_id: UUID
    status: Literal["pending_signup"] = "pending_signup"
    attribution_id: UUID | None = None
    """Without it: derived from organisation, code and member, so that it is the same when it is posted again."""
    occurred_at: Instant | None = None
    """When it happened. Without it: when it was first posted."""
    org_id: UUID | None = None
    """If it is given, the organisation of the address."""
    device_metadata: DeviceMetadata | None = None


Posted: TypeAlias = PostedRegistration | PostedSignup


class Reading(NamedTuple):
    """How bodies of one kind are read."""

    kind: type[Posted]
    exact: msgspec.json.Decoder[Any]
    """For bodies as described, with nothing beside it that might say otherwise."""
    exact_event: msgspec.json.Decoder[Any]
    """The same with the names of events."""
    alone: Status
    """What code and member alone mean."""


def _exactly(kind: type[Struct], rename: Literal["camel"] | None) -> type[Struct]:
    """Return a type with the fields of another, their names in a style, that takes no others; so of what is in it."""
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for field in msgspec.structs.fields(kind):
        type_ = _exactly(DeviceMetadata, rename) | None if field.name == "device_metadata" else field.type
        fields.append((field.name, type_) if field.required else (field.name, type_, field.default))
    options: dict[str, Any] = {"frozen": True, "gc": False, "kw_only": True, "forbid_unknown_fields": True}
    return msgspec.defstruct(kind.__name__, fields, rename=rename, **options)


def _reading(kind: type[Posted], alone: Status) -> Reading:
    exact, exact_event = (msgspec.json.Decoder(_exactly(kind, style)) for style in ("camel", None))
    return Reading(kind, exact, exact_event, alone)


REGISTRATION: Final = _reading(PostedRegistration, "confirmed")
SIGNUP: Final = _reading(PostedSignup, "pending_signup")

_FIELDS: Final = PostedRegistration.__struct_fields__
_EVENT_NAMES: Final = quoted((*_FIELDS, "share_channel"))
_NAMES: Final = quoted(tuple(camel(name) for name in (*_FIELDS, "share_channel")))
_OF_EVENTS: Final = tuple(name for name in _EVENT_NAMES if name not in _NAMES)
_REQUIRED: Final = ("referral_code", "new_member_id")
_IDS: Final = ("new_member_id", "attribution_id")
_NO_IDS: Final = frozenset((0, (1 << 128) - 1))


def read_posted(reading: Reading, body: bytes, org_id: str, *, now: datetime) -> Posted:
    """Return what a body says, its code normalised; raise Problem, 422, which names the field in the body's style."""
    if is_too_much(body):
        raise bad_fields(FieldError(field="body", message="is nested too deep"))
    try:
        posted = _read(reading, body)
        _check(posted, org_id, now)
    except BadField as fault:
        raise bad_fields(FieldError(field=_as_sent(fault.field, body), message=fault.message)) from None
    except msgspec.ValidationError as fault:
        error = field_error(fault)
        raise bad_fields(FieldError(field=_as_sent(error.field, body), message=error.message)) from None
    return posted


def _check(posted: Posted, org_id: str, now: datetime) -> None:
    """Raise BadField where what is said cannot be."""
    for name in _IDS:
        found: UUID | None = getattr(posted, name)
        if found is not None and found.int in _NO_IDS:
            raise BadField(name, "stands for an id that is not set; send the id")
    if posted.org_id is not None and posted.org_id.hex != org_id.replace("-", ""):
        raise BadField("org_id", "is not the organisation of the address")
    if posted.occurred_at is not None and not EARLIEST <= posted.occurred_at <= now + AHEAD_MAX:
        is_ahead = posted.occurred_at > now
        message = (
            "lies more than a day ahead of the clock here; check the sender's, and say when it happened"
            if is_ahead
            else "lies before there were referral links; leave it out where it is not known"
        )
        raise BadField("occurred_at", message)


def _as_sent(field: str, body: bytes) -> str:
    """Return a field's name in the style of the body that was sent."""
    if any(name in body for name in _OF_EVENTS):
        return field
    return ".".join(camel(part) for part in field.split("."))


def to_registration(
    posted: Posted,
    org_id: str,
    *,
    attribution_id: str,
    occurred_at: datetime,
    channels: Collection[str],
) -> Registration:
    """Return the event; of the device the channel alone, if it is of the list."""
    return Registration(
        attribution_id=attribution_id,
        referral_code=posted.referral_code,
        new_member_id=str(posted.new_member_id),
        status=posted.status,
        occurred_at=occurred_at,
        org_id=canonical_uuid(org_id),
        device_metadata=_channel_alone(posted.device_metadata, channels),
    )


async def publish(services: Services, registration: Registration, *, traceparent: bytes | None = None) -> JsonAnswer:
    """Publish it, with the trace that it belongs to, and return the answer to be given when the brokers have it.

    What is of a member who was erased is answered alike, and published nowhere.
    """
    answer = JsonAnswer(
        msgspec.json.encode(Accepted(attribution_id=registration.attribution_id)), status=HTTPStatus.ACCEPTED
    )
    if await services.erased.is_erased(registration):
        return answer
    await produce(
        services.producer,
        REGISTRATIONS.full_name(services.settings.topic_prefix),
        registration.referral_code.encode(),
        encode_event(registration),
        tracer=services.tracer,
        traceparent=traceparent if is_traceparent(traceparent) else None,
    )
    return answer


def _read(reading: Reading, body: bytes) -> Posted:
    """Return a body as described, or one that certainly means the same; raise BadField or msgspec's ValidationError."""
    is_event = b'"referral_code"' in body
    try:
        posted: Posted = (reading.exact_event if is_event else reading.exact).decode(body)
        names = _EVENT_NAMES if is_event else _NAMES
        if CANONICAL_CODE.fullmatch(posted.referral_code) and not may_say_twice(body, names):
            return posted
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    given = read_object(body)
    fields = repaired(given, _FIELDS)
    if "status" not in fields:
        is_whole = all(name in fields for name in _REQUIRED)  # what is missing is said first: it is another's name
        if is_whole and not fields.keys() <= set(_FIELDS):
            raise BadField("status", "is required beside fields that are not known here: one of them may say it")
        fields["status"] = reading.alone
    elif reading.alone == "pending_signup" and fields["status"] not in (None, "pending_signup"):
        raise BadField("status", "can only be pending_signup here; who confirms and withdraws posts a signed webhook")
    return msgspec.convert(fields, reading.kind)


def _channel_alone(device: DeviceMetadata | None, channels: Collection[str]) -> DeviceMetadata | None:
    if device is None or device.share_channel is None:
        return None
    channel = listed_channel(device.share_channel, channels)
    return None if channel is None else DeviceMetadata(share_channel=channel)
