"""JSON lines `{"topic": "clicks" | "registrations" | "codes", "value": {...}}`, as `referrals publish` reads them.

The value's bytes pass through untouched. What the stream app would make a dead letter of for itself alone is refused
here: `check_event` is its own reading of a value. What depends on other records (rule 4, a code taken) it decides.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Raw, Struct, json

from models.codes import normalise_code
from models.errors import BadCode, BadInput, without_values
from models.events import AHEAD_MAX, Click, CodeIssued, Registration, decode_event
from models.topics import CLICKS, CODES, REGISTRATIONS, Topic

TOPIC_OF: Final = {"clicks": CLICKS, "registrations": REGISTRATIONS, "codes": CODES}
EVENT_OF: Final[dict[Topic, type[CodeIssued | Click | Registration]]] = {
    CODES: CodeIssued,
    CLICKS: Click,
    REGISTRATIONS: Registration,
}

CODES_REMEMBERED: Final = 200_000
"""Keys kept by code, about 150 bytes each: normalising costs more than all the rest of a line."""


class BadLine(Exception):  # noqa: N818  read as what it is: a bad line
    """A line that cannot be published; the message says why."""


class Line(NamedTuple):
    """One record to publish."""

    topic: Topic
    key: bytes | None
    """The normalised code; None where the value names none that is usable."""
    value: bytes


class _Envelope(Struct, gc=False):
    topic: Literal["clicks", "registrations", "codes"]
    value: Raw


class _Keyed(Struct, gc=False):
    referral_code: Any = None


_decode_envelope: Final = json.Decoder(_Envelope).decode
_decode_keyed: Final = json.Decoder(_Keyed).decode


def parse_line(text: bytes) -> Line:
    """Return the record that a line describes, or raise BadLine."""
    try:
        envelope = _decode_envelope(text)
        value = bytes(envelope.value)
        if not value.startswith(b"{"):
            msg = "value must be a JSON object"
            raise BadLine(msg)
        code = _decode_keyed(value).referral_code
    except msgspec.ValidationError as fault:
        msg = f'{fault}; a line is {{"topic": "clicks" | "registrations" | "codes", "value": {{...}}}}'
        raise BadLine(msg) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        msg = f"not JSON: {fault}"
        raise BadLine(msg) from None
    topic = TOPIC_OF[envelope.topic]
    key = key_of(code) if isinstance(code, str) else None
    if key is None and topic.compacted:
        msg = f"no usable referral_code to key by, and {topic.name}, being compacted, takes no record without a key"
        raise BadLine(msg)
    return Line(topic, key, value)


def check_event(line: Line, now: datetime) -> None:
    """Raise BadLine where the value would be a dead letter, or its time is more than a day ahead of `now`."""
    try:
        event = decode_event(EVENT_OF[line.topic], line.value)
    except BadInput as fault:
        raise BadLine(without_values(fault)) from None
    at = event.issued_at if isinstance(event, CodeIssued) else event.occurred_at
    if at - now > AHEAD_MAX:
        field = "issued_at" if isinstance(event, CodeIssued) else "occurred_at"
        raise BadLine(f"{type(event).__name__}: {field} is more than a day ahead of the clock here; check the sender's")


@lru_cache(CODES_REMEMBERED)
def key_of(code: str) -> bytes | None:
    """Return the record key for a code as it was typed; None for what is no code."""
    try:
        return normalise_code(code).encode()
    except BadCode:
        return None
