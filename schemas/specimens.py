"""One of each event and record, made as the app makes them: the descriptions' examples, and where headers' names are.

So a header cannot be in the code and not in the description, or the other way round.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from models.erasures import erasure_of
from models.errors import BadCode
from models.events import ChannelCounts, Click, CodeIssued, DeviceMetadata, MentorCounts, Registration, encode_event
from models.mentors import mentor_key
from models.milestones import milestone_reached, milestone_record
from models.outgoing import Outgoing, dead_letter
from models.records import StoredRecord
from models.topics import CLICKS, DEAD_LETTERS, MILESTONES

if TYPE_CHECKING:
    from msgspec import Struct

PREFIX: Final = "referrals."

_ORG: Final = "6f1c2a3e-4b5d-4c6e-8f70-91a2b3c4d5e6"
_MENTOR: Final = "0d9e8f7a-6b5c-4d3e-9f2a-1b0c9d8e7f6a"
_MEMBER: Final = "c3b2a190-8f7e-4d6c-9b5a-4f3e2d1c0b9a"
_CODE: Final = "7KQ2M9XW4T"
_AT: Final = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)

CODE_ISSUED: Final = CodeIssued(referral_code=_CODE, org_id=_ORG, mentor_id=_MENTOR, issued_at=_AT)
CLICK: Final = Click(
    click_id="2f4e6d8c-1a3b-4c5d-8e7f-9a0b1c2d3e4f",
    referral_code=_CODE,
    occurred_at=_AT,
    org_id=_ORG,
    device_metadata=DeviceMetadata(share_channel="whatsapp"),
)
REGISTRATION: Final = Registration(
    attribution_id="a7b6c5d4-e3f2-4a1b-8c9d-0e1f2a3b4c5d",
    referral_code=_CODE,
    new_member_id=_MEMBER,
    status="confirmed",
    occurred_at=_AT,
    org_id=_ORG,
)
ERASURE: Final = erasure_of(_CODE, _MEMBER, at=_AT)
MENTOR_COUNTS: Final = MentorCounts(
    org_id=_ORG,
    mentor_id=_MENTOR,
    referral_code=_CODE,
    total_clicks=10,
    pending_attributions=3,
    confirmed_attributions=2,
    conversion_rate=0.2,
    by_channel={"whatsapp": ChannelCounts(clicks=10, pending=3, confirmed=2)},
    milestones=[1],
    last_event_at=_AT,
)
MILESTONE_REACHED: Final = milestone_reached(MENTOR_COUNTS, 1, REGISTRATION)

EVENTS: Final[dict[type[Struct], Struct]] = {
    type(event): event for event in (CODE_ISSUED, CLICK, REGISTRATION, ERASURE, MENTOR_COUNTS, MILESTONE_REACHED)
}

MILESTONE: Final = milestone_record(MILESTONES.full_name(PREFIX), mentor_key(MENTOR_COUNTS), MILESTONE_REACHED)
DEAD_LETTER: Final = dead_letter(
    DEAD_LETTERS.full_name(PREFIX),
    StoredRecord(CLICKS.full_name(PREFIX), 3, 4711, 0, b"hello", b'{"referral_code": "hello"}', [], 0),
    BadCode("referral_code 'hello' is not 8 to 12 characters of Crockford's base32 alphabet"),
)


def headers_of(record: Outgoing) -> dict[str, str]:
    """Return a record's headers as text."""
    return {name: (value or b"").decode() for name, value in record.headers}


def as_json(event: Struct) -> dict[str, Any]:
    """Return an event as a reader of its topic decodes it; what is left out by default is not shown."""
    fields: dict[str, Any] = msgspec.json.decode(encode_event(event))
    return {name: value for name, value in fields.items() if value is not None}
