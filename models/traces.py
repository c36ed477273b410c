"""A trace that comes with an event: W3C's `traceparent`, carried in record headers from whoever begins it to the award.

One that has not W3C's form is not carried. Where nobody asks for spans the header goes on as it came. Where somebody
does (`Rules.traces`), a milestone is a step of its own: its id follows from the record that crossed and from what the
milestone says, so whoever makes it again makes the same bytes.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

    from models.records import Record, StoredRecord

TRACEPARENT: Final = "traceparent"

_FORM: Final = re.compile(rb"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_SPAN_AT: Final = slice(36, 52)
_FLAGS_AT: Final = slice(53, 55)
_SAMPLED: Final = 1


class Step(Struct, frozen=True, gc=False):
    """A step of a trace: from a record that was read to one that is sent because of it."""

    parent: bytes
    """The traceparent of the record that was read."""
    traceparent: bytes
    """Its own, which the record that is sent has."""
    topic: str
    """Full name of the topic that was read."""
    partition: int
    offset: int
    at_ms: int
    """When it was read, in milliseconds since 1970."""


def is_traceparent(value: bytes | None) -> bool:
    """Tell whether a header's value has W3C's form."""
    return value is not None and _FORM.fullmatch(value) is not None


def is_sampled(traceparent: bytes) -> bool:
    """Tell whether who began the trace wants to see it."""
    return bool(int(traceparent[_FLAGS_AT], 16) & _SAMPLED)


def traceparent_of(headers: Iterable[tuple[str, bytes | None]]) -> bytes | None:
    """Return what a record says of its trace; None: nothing, or nothing of the form."""
    return next((value for name, value in headers if name == TRACEPARENT and is_traceparent(value)), None)


def trace_id_of(headers: Iterable[tuple[str, bytes | None]]) -> str | None:
    """Return the id of a record's trace, as logs have it."""
    found = _FORM.fullmatch(traceparent_of(headers) or b"")
    return None if found is None else found[1].decode()


def step_to(sent: bytes, record: Record | StoredRecord, traceparent: bytes, *, at_ms: int) -> Step:
    """Return the step from a record, of this traceparent, to the value that is sent because of it."""
    span_id = blake2b(traceparent + sent, digest_size=8).hexdigest().encode()
    own = traceparent[: _SPAN_AT.start] + span_id + traceparent[_SPAN_AT.stop :]
    return Step(traceparent, own, record.topic, record.partition, record.offset, at_ms)
