"""JSON Schema (2020-12) of each event of the contract: msgspec's, from the type, and what validation demands beyond it.

Of events that others write (CodeIssued, Click, Registration) a schema accepts what `models.events.decode_event` does.
Of events that the program writes (Erasure, MentorCounts, MilestoneReached) it says what they look like, so it is
stricter: every field is there, identifiers are in lower case, codes are normalised, counts are not negative.

What JSON Schema cannot say, or says otherwise than the decoder, is in `DIFFERENCES`; the tests hold both to it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

import models.events
from edges.web.docstrings import field_descriptions
from models.codes import CODE_PATTERN, TYPED_CODE_PATTERN
from models.events import (
    BRACKETS_MAX,
    CHANNEL_LENGTH_MAX,
    EVENT_BYTES_MAX,
    UUID_FIELDS,
    ChannelCounts,
    Click,
    CodeIssued,
    Erasure,
    MentorCounts,
    MilestoneReached,
    Registration,
)
from models.mentors import CHANNELS_MAX
from process.version import VERSION

Schema = dict[str, Any]

READ: Final = (CodeIssued, Click, Registration)
"""Events that others write and the app reads."""
WRITTEN: Final = (MentorCounts, MilestoneReached, Erasure)
"""Events that the program writes; of these it reads the last."""
EVENTS: Final = (*READ, *WRITTEN)

DIFFERENCES: Final = (
    f"More than {EVENT_BYTES_MAX:,} bytes, or more than {BRACKETS_MAX} opening brackets, are refused by the decoder.",
    "A day must exist in its month; the pattern does not say so, and `format` does where a validator looks at it.",
    "The decoder also reads a time with a space for the T, and an offset without its colon.",
    "A whole number with a point or an exponent (1.0, 1e2) is an integer to JSON Schema; the decoder refuses it.",
    "The decoder refuses half a surrogate pair, and numbers past the range of a double.",
)
"""Where schemas and decoder disagree; the second is the decoder being lenient, the others what no schema can say."""

_UUID: Final = {"format": "uuid", "pattern": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"}
_UUID_WRITTEN: Final = {"format": "uuid", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
_CODE: Final = {"pattern": TYPED_CODE_PATTERN}
_CODE_WRITTEN: Final = {"pattern": CODE_PATTERN}
_TIME: Final = {
    "format": "date-time",
    "pattern": "^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    "[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$",
}
_COUNT: Final = {"minimum": 0}

_WRITTEN_AS: Final[dict[type, dict[str, Schema]]] = {
    ChannelCounts: {"clicks": _COUNT, "pending": _COUNT, "confirmed": _COUNT},
    MentorCounts: {
        "total_clicks": _COUNT,
        "pending_attributions": _COUNT,
        "confirmed_attributions": _COUNT,
        "conversion_rate": {"minimum": 0, "maximum": 1},
        "by_channel": {
            "propertyNames": {"minLength": 1, "maxLength": CHANNEL_LENGTH_MAX},
            "maxProperties": CHANNELS_MAX + 1,  # and `other`
        },
        "milestones": {"uniqueItems": True},
        "last_event_at": {  # a mentor who has none is not published
            "type": "string",
            "format": "date-time",
            "description": "The latest `occurred_at` of the mentor's events.",
        },
    },
}


def event_schema(kind: type) -> Schema:
    """Return the schema of an event as a document of its own."""
    parts = event_components([kind], ref_template="#/$defs/{name}")
    own = parts.pop(kind.__name__)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": f"Referral Streams {VERSION}; made from the types by `referrals schemas`",
        **own,
        **({"$defs": parts} if parts else {}),
    }


def event_components(kinds: list[type] | None = None, *, ref_template: str) -> dict[str, Schema]:
    """Return the schemas of events, all by default, and of what they are made of, by name."""
    _, parts = msgspec.json.schema_components(kinds or EVENTS, ref_template=ref_template)
    for name, schema in parts.items():
        _refine(getattr(models.events, name), schema)
    return parts


def _refine(kind: type, schema: Schema) -> None:
    """Add to msgspec's schema what it does not know."""
    is_written = kind in {*WRITTEN, ChannelCounts}
    described = field_descriptions(kind)
    written_as = _WRITTEN_AS.get(kind, {})
    for name, field in schema["properties"].items():
        if name == "last_event_at":
            field.clear()  # to the decoder it may be absent or any text, and it never is
        field.update(written_as.get(name, {}))
        # Of an optional field, what it is when it is there.
        form = next((one for one in field.get("anyOf", ()) if one.get("type") != "null"), field)
        if name in UUID_FIELDS.get(kind, ()):
            form.update(_UUID_WRITTEN if is_written else _UUID)
        elif name == "referral_code":
            form.update(_CODE_WRITTEN if is_written else _CODE)
        elif form.get("format") == "date-time":
            form.update(_TIME)
        if is_written:
            field.pop("default", None)
        if name in described:
            field.setdefault("description", described[name])
    if is_written:
        schema["required"] = list(schema["properties"])
    elif kind in READ:
        schema["description"] += (
            f" Unknown fields are ignored. At most {EVENT_BYTES_MAX:,} bytes and {BRACKETS_MAX} opening brackets."
        )
