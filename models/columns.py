"""Decoding a whole batch at once: types one by one, identifiers in columns, in a fraction of the time.

What does not pass here is not refused here: it is left to be looked at alone, where every check has its message.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar

from msgspec import MsgspecError, json

from models.errors import BadEvent
from models.events import BRACKETS_MAX, UUID_FIELDS, Click, Registration, is_too_much, parse_event
from models.identifiers import all_uuids, is_uuid

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = TypeVar("Kind", Click, Registration)


def decode_batch(kind: type[Kind], values: Sequence[bytes | None]) -> list[Kind | None]:
    """Return the values' events; None for each that `take` must look at, because a check did not pass."""
    decode = json.Decoder(kind).decode
    events: list[Kind | None]
    try:
        events = [decode(value) for value in values]  # type: ignore[arg-type]  # of None: the TypeError below
    except (MsgspecError, UnicodeDecodeError, RecursionError, TypeError):
        events = [_parse_or_none(kind, value) for value in values]
    else:
        if max(map(len, values)) > BRACKETS_MAX:  # type: ignore[arg-type]  # none is None here
            events = [
                None if is_too_much(value) else event  # type: ignore[arg-type]
                for event, value in zip(events, values, strict=True)
            ]
    for name in UUID_FIELDS[kind]:
        identifier = attrgetter(name)
        if name != "org_id" and not all_uuids(list(map(identifier, filter(None, events)))):
            events = [event if event is not None and is_uuid(identifier(event)) else None for event in events]
    return events


def _parse_or_none(kind: type[Kind], value: bytes | None) -> Kind | None:
    try:
        return parse_event(kind, value)
    except BadEvent:
        return None
