"""`POST /v1/orgs/{org_id}/registrations`: the webhook of whoever knows of registrations.

What is answered 202 is in the registrations topic, acknowledged by the brokers. A webhook sent again changes nothing:
it has the same attribution id, and counted is the pair of code and member.

The checks, in this order: nothing compressed (415), not too large (413), signed (401; also for an organisation that
does not exist), and then what it says (422). What is certain is taken, though it is not as described (`_repaired`).
"""

from __future__ import annotations

import time
from codecs import BOM_UTF8
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec
from litestar import Request, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath
from msgspec import Struct

from edges.web.answers import Accepted, FieldError
from edges.web.bodies import JsonAnswer, read_body
from edges.web.problems import Problem, bad_fields, field_error, problem_answers
from edges.web.services import Opened
from edges.web.webhooks import BadSignature, signed_headers, verify
from models.channels import listed_channel
from models.codes import read_code
from models.errors import BadCode
from models.events import AHEAD_MAX, DeviceMetadata, Instant, Registration, Status, encode_event, is_too_much
from models.identifiers import NAMESPACE, canonical_uuid, is_uuid, read_uuid
from models.topics import REGISTRATIONS
from process.fault_points import fault_point


class PostedRegistration(Struct, frozen=True, gc=False, kw_only=True):
    """A Registration as it is posted: what the webhook itself says may be left out."""

    referral_code: str
    new_member_id: UUID
    status: Status
    attribution_id: UUID | None = None
    """Without it: the webhook's id if that is a UUID, else derived from it."""
    occurred_at: Instant | None = None
    """When it happened. Without it: when the webhook was first sent, however often it is sent again."""
    org_id: UUID | None = None
    """If it is given, the organisation of the address."""
    device_metadata: DeviceMetadata | None = None


_decode: Final = msgspec.json.Decoder(PostedRegistration).decode
_FIELDS: Final = frozenset(PostedRegistration.__struct_fields__)
_IDS: Final = ("new_member_id", "attribution_id", "org_id")
_NO_ENCODING: Final = frozenset((b"", b"identity"))


@post(
    "/v1/orgs/{org_id:str}/registrations",
    status_code=HTTPStatus.ACCEPTED,
    tags=["webhooks"],
    summary="Take a registration, signed as Standard Webhooks has it",
    responses={
        202: ResponseSpec(Accepted, description="It is in the topic", generate_examples=False),
        **problem_answers(401, 413, 415, 422, 503),
    },
)
async def take_registration(request: Request[Any, Any, Any], services: Opened, org_id: FromPath[str]) -> JsonAnswer:
    """Verify, publish, and answer when the brokers have it."""
    headers = request.scope["headers"]
    for name, value in headers:
        if name == b"content-encoding" and value.strip().lower() not in _NO_ENCODING:
            raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body as it is, without Content-Encoding")
    body = await read_body(request)
    org_id = canonical_uuid(org_id)
    try:
        signed = signed_headers(headers)
        verify(signed, body, await services.webhook_secrets.good(org_id), now_s=time.time())
    except BadSignature as fault:
        raise Problem(HTTPStatus.UNAUTHORIZED, str(fault)) from None
    posted, code = read_posted(body, org_id, now=datetime.now(UTC))
    event_id = _event_id(org_id, signed.id)
    registration = Registration(
        attribution_id=str(posted.attribution_id) if posted.attribution_id else event_id,
        referral_code=code,
        new_member_id=str(posted.new_member_id),
        status=posted.status,
        occurred_at=posted.occurred_at or await services.first_attempts.sent_at(org_id, event_id, signed.sent_s),
        org_id=org_id,
        device_metadata=_channel_alone(posted.device_metadata, services.settings.channels),
    )
    fault_point("ingest.verified")
    await services.producer.produce(
        REGISTRATIONS.full_name(services.settings.topic_prefix),
        registration.referral_code.encode(),
        encode_event(registration),
    )
    fault_point("ingest.acknowledged")
    answer = Accepted(attribution_id=registration.attribution_id)
    return JsonAnswer(msgspec.json.encode(answer), status=HTTPStatus.ACCEPTED)


def read_posted(body: bytes, org_id: str, *, now: datetime) -> tuple[PostedRegistration, str]:
    """Return what a verified webhook says, and its code normalised; raise Problem, 422, which names the field."""
    try:
        if is_too_much(body):
            raise bad_fields(FieldError(field="body", message="is nested too deep"))
        posted = _read(body)
        code = read_code(posted.referral_code)
    except msgspec.ValidationError as fault:
        raise bad_fields(field_error(fault)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise bad_fields(FieldError(field="body", message="is not JSON in UTF-8")) from None
    except BadCode:
        message = "is not 8 to 12 characters of Crockford's base32 alphabet"
        raise bad_fields(FieldError(field="referral_code", message=message)) from None
    if read_uuid(str(posted.new_member_id)) is None:
        raise bad_fields(FieldError(field="new_member_id", message="is nobody's: it stands for an id that is not set"))
    if posted.org_id is not None and str(posted.org_id) != org_id:
        raise bad_fields(FieldError(field="org_id", message="is not the organisation of the address"))
    if posted.occurred_at is not None and posted.occurred_at - now > AHEAD_MAX:
        message = "lies more than a day ahead of our clock: give the time at which it happened, with its offset"
        raise bad_fields(FieldError(field="occurred_at", message=message))
    return posted, code


def _read(body: bytes) -> PostedRegistration:
    """Return a body as described, or one that certainly means the same; raise msgspec's errors."""
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        value = msgspec.json.decode(body.removeprefix(BOM_UTF8))
        return msgspec.convert(_repaired(value) if isinstance(value, dict) else value, PostedRegistration)


def _repaired(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with what is certain in the place of how it was written.

    Ids in any usual form; `[]`, PHP's empty object, for a device of which nothing is known; and no status where there
    is nothing but what we know: code and member alone are a confirmation. Beside a field that we do not know it is not
    certain: that field may be the status, by another name.
    """
    fields = dict(given)
    for name in _IDS:
        if found := read_uuid(given.get(name)):
            fields[name] = found
    if given.get("device_metadata") == []:
        fields["device_metadata"] = {}
    if given.keys() <= _FIELDS:
        fields.setdefault("status", "confirmed")
    return fields


def _event_id(org_id: str, webhook_id: bytes) -> str:
    """Return the event's id that follows from the webhook's, so that a retry has the same."""
    text = webhook_id.decode("ascii")
    return canonical_uuid(text) if is_uuid(text) else str(uuid5(NAMESPACE, f"{org_id}:{text}"))


def _channel_alone(device: DeviceMetadata | None, channels: tuple[str, ...]) -> DeviceMetadata | None:
    if device is None or device.share_channel is None:
        return None
    channel = listed_channel(device.share_channel, channels)
    return None if channel is None else DeviceMetadata(share_channel=channel)


HANDLERS: Final = [take_registration]
