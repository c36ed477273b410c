"""JSON lines `{"topic": "clicks" | "registrations" | "codes", "value": {...}}`, as `referrals publish` reads them.

A line may have W3C's `traceparent` beside them, which its record then has as a header.

The value's bytes pass through untouched where they are right. What is certain and written otherwise is repaired, and
what the stream app would make a dead letter of for itself alone is refused: `decode_event` is its own reading of a
value. What depends on other records (rule 4, a code taken) it decides.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Raw, Struct, json

from models.codes import normalise_code
from models.errors import BadCode, BadEvent, BadInput, without_values
from models.events import AHEAD_MAX, Click, CodeIssued, Registration, decode_event, is_too_much, time_of
from models.received import BadField, may_say_twice, quoted, read_object, repaired
from models.tolerance import EARLIEST
from models.topics import CLICKS, CODES, REGISTRATIONS, Topic
from models.traces import is_traceparent

TOPIC_OF: Final = {"clicks": CLICKS, "registrations": REGISTRATIONS, "codes": CODES}
EVENT_OF: Final[dict[Topic, type[CodeIssued | Click | Registration]]] = {
    CODES: CodeIssued,
    CLICKS: Click,
    REGISTRATIONS: Registration,
}

CODES_REMEMBERED: Final = 200_000
"""Keys kept by code, about 150 bytes each: normalising costs more than all the rest of a line."""


_Event = TypeVar("_Event", bound=CodeIssued | Click | Registration)


class BadLine(Exception):  # noqa: N818  read as what it is: a bad line
    """A line that cannot be published; the message says why."""


class Refused(BadLine):
    """A line whose record would be a dead letter, or count at a time that is none."""


class Line(NamedTuple):
    """One record to publish."""

    topic: Topic
    key: bytes | None
    """The normalised code; None where the value names none that is usable."""
    value: bytes
    traceparent: bytes | None = None
    """The trace that the record belongs to, where the line says so."""


class _Envelope(Struct, gc=False):
    topic: Literal["clicks", "registrations", "codes"]
    value: Raw
    traceparent: str | None = None


class _Keyed(Struct, gc=False):
    referral_code: Any = None


_QUOTED: Final[dict[Any, tuple[bytes, ...]]] = {
    kind: quoted([name for name in kind.__struct_fields__ if name != "device_metadata"]) for kind in EVENT_OF.values()
}
_NO_ID: Final = b"00000000-0000-0000-0000-000000000000"
"""What stands for an id that is not set; the stream would count it as somebody."""

_decode_envelope: Final = json.Decoder(_Envelope).decode
_decode_keyed: Final = json.Decoder(_Keyed).decode


def parse_line(text: bytes) -> Line:
    """Return the record that a line describes, its value untouched, or raise BadLine."""
    topic, value, code, traceparent = _parse(text)
    key = key_of(code) if isinstance(code, str) else None
    if key is None and topic.compacted:
        msg = f"no usable referral_code to key by, and {topic.name}, being compacted, takes no record without a key"
        raise BadLine(msg)
    return Line(topic, key, value, traceparent)


def checked_line(text: bytes, now: datetime) -> Line:
    """Return the record that a line describes, repaired where that is certain (rule 9).

    Raises:
        Refused: it would be a dead letter, or its time is more than a day ahead of `now`, or none.
        BadLine: it is no line.

    """
    topic, value, _, traceparent = _parse(text)
    line = checked_value(topic, value, now)
    return line if traceparent is None else line._replace(traceparent=traceparent)


def checked_value(topic: Topic, value: bytes, now: datetime) -> Line:
    """Return the record of a source topic that a value makes, repaired where that is certain; raise Refused."""
    kind = EVENT_OF[topic]
    try:
        value, event = _certain(kind, value)
    except BadInput as fault:
        raise Refused(without_values(fault)) from None
    field, at = time_of(event)
    if at - now > AHEAD_MAX:
        raise Refused(f"{kind.__name__}: {field} is more than a day ahead of the clock here; check the sender's")
    if at < EARLIEST:
        raise Refused(f"{kind.__name__}: {field} lies before there were referral links; say when it happened")
    return Line(topic, key_of(event.referral_code), value)


def _parse(text: bytes) -> tuple[Topic, bytes, Any, bytes | None]:
    """Return a line's topic, value, code and trace; raise BadLine."""
    try:
        envelope = _decode_envelope(text.removeprefix(BOM_UTF8))
        value = bytes(envelope.value)
        if not value.startswith(b"{"):
            msg = "value must be a JSON object"
            raise BadLine(msg)
        traceparent = None if envelope.traceparent is None else _traceparent(envelope.traceparent)
        return TOPIC_OF[envelope.topic], value, _decode_keyed(value).referral_code, traceparent
    except msgspec.ValidationError as fault:
        msg = f'{fault}; a line is {{"topic": "clicks" | "registrations" | "codes", "value": {{...}}}}'
        raise BadLine(msg) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        msg = f"not JSON: {fault}"
        raise BadLine(msg) from None


def _traceparent(given: str) -> bytes:
    """Return what a line says of its trace; raise BadLine where that has not W3C's form."""
    traceparent = given.encode()
    if not is_traceparent(traceparent):
        msg = (
            "traceparent has not W3C's form, 00-<32 digits>-<16 digits>-<2 digits>, hexadecimal and small; leave it "
            "out where there is no trace"
        )
        raise BadLine(msg)
    return traceparent


def _certain(kind: type[_Event], value: bytes) -> tuple[bytes, _Event]:
    """Return a value and its event: the value as it stands where that is right, else repaired; raise BadInput."""
    event: _Event | None = None
    try:
        event = decode_event(kind, value)
        if not may_say_twice(value, _QUOTED[kind]) and _NO_ID not in value:
            return value, event
    except BadInput:
        if is_too_much(value):
            raise
    try:
        fields = repaired(read_object(value), kind.__struct_fields__)
    except BadField as fault:
        msg = f"{kind.__name__}: {fault}"
        raise BadEvent(msg) from None
    if event is not None:  # nothing in it says otherwise
        return value, event
    value = json.encode(fields)
    return value, decode_event(kind, value)


@lru_cache(CODES_REMEMBERED)
def key_of(code: str) -> bytes | None:
    """Return the record key for a code as it was typed; None for what is no code."""
    try:
        return normalise_code(code).encode()
    except BadCode:
        return None
