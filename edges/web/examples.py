"""Examples for the OpenAPI description: made from the schemas, so that none can be forgotten or grow old.

What a field of a name holds stands below; a field of no such name has a value of its type. The names and numbers are
those of CONTRACT.md's examples.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from edges.languages.catalogue import text
from edges.open_badges.credential import Held, credential_of
from edges.open_badges.issuer import did_document
from edges.open_badges.keys import SEED_BYTES, SigningKey
from edges.open_badges.proof import sign
from edges.web.answers.answer import camel
from edges.web.export import HEADER
from edges.web.history import HEADER as HISTORY_HEADER

Schema = dict[str, Any]

CODE: Final = "7KQ2M9XW4T"
ORG: Final = "6f1c2a3e-4b5d-4c6e-8f70-91a2b3c4d5e6"
MENTOR: Final = "0d9e8f7a-6b5c-4d3e-9f2a-1b0c9d8e7f6a"

BY_NAME: Final[dict[str, Any]] = {
    "address": "kari@example.org",
    "after": None,
    "awarded": 12,
    "backFilled": 12,
    "badge": None,
    "askAgainAt": None,
    "attributionId": "a7b6c5d4-e3f2-4a1b-8c9d-0e1f2a3b4c5d",
    "badgeId": "5a1e6b10-0001-5c4e-9f00-7265637275ad",
    "badgeName": "First recruit",
    "c": "whatsapp",
    "channel": "whatsapp",
    "clicks": 10,
    "code": CODE,
    "comesAt": 5,
    "confirmed": 2,
    "confirmedAttributions": 2,
    "confirmedCount": 2,
    "conversionRate": 0.2,
    "day": "2026-11-20",
    "deadLetters": 0,
    "due": 12,
    "disabledAt": None,
    "displayName": "Anna Berg",
    "error": None,
    "find": CODE,
    "from": "2026-11-20",
    "group": "North",
    "held": 0,
    "incomplete": None,
    "lag": 0,
    "isOff": False,
    "language": "nb",
    "linkDisabledAt": None,
    "madeBy": "kari",
    "measured": 2,
    "medianHours": 216,
    "mentorId": MENTOR,
    "missing": {},
    "name": "Alder",
    "newMemberId": "c3b2a190-8f7e-4d6c-9b5a-4f3e2d1c0b9a",
    "next": None,
    "offSince": None,
    "orgId": ORG,
    "p90Hours": 480,
    "partDays": 1,
    "pending": 3,
    "pendingAttributions": 3,
    "picture": "star",
    "place": "page 1, row 3",
    "provider": "Microsoft",
    "quarter": "2026-Q4",
    "reason": "status is empty",
    "refusedAt": None,
    "referralCode": CODE,
    "registered": 4,
    "remaining": 3,
    "shareChannel": "whatsapp",
    "shareUrl": f"https://refer.example.org/r/{CODE}",
    "source": "csv",
    "subject": "kari",
    "threshold": 5,
    "timeZone": "Europe/Oslo",
    "to": "2026-11-20",
    "today": "2026-11-20",
    "topic": "summary",
    "totalClicks": 10,
    "webhook-id": "msg_2f4e6d8c",
    "webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    "webhook-timestamp": "1795171800",
    "withdrawn": 0,
}
"""Values by the name of the field or parameter, as answers name it."""

BY_MEDIA_TYPE: Final = {
    "text/csv": f"{','.join(HEADER)}\r\n"
    f"{MENTOR},{CODE},10,3,2,0.2,1,First recruit,2026-11-20T10:30:00+00:00,Anna Berg,North\r\n",
    "image/svg+xml": '<svg viewBox="0 0 37 37" class="segno"><path class="qrline" stroke="#000" d="M4 4.5h7"/></svg>',
    "text/event-stream": 'event: pipeline\ndata: {"components":[],"deadLetters":0,"state":"ok"}\n\n',
    "text/plain": 'referrals_http_requests_total{method="GET",route="/health/live",status="200"} 1.0\n',
}
"""Of what is not JSON."""

_ISSUER: Final = f"did:web:refer.example.org:orgs:{ORG}"


def _credential() -> dict[str, Any]:
    at = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
    held = Held(
        org_id=ORG,
        mentor_id=MENTOR,
        badge_id=BY_NAME["badgeId"],
        badge_name=BY_NAME["badgeName"],
        criteria=text("en", "open-badge.criteria", n=1),
        awarded_at=at,
        organisation=BY_NAME["name"],
        holder=BY_NAME["displayName"],
    )
    return sign(credential_of(held, issuer=_ISSUER, language="en"), _key(), issuer=_ISSUER, at=at)


def _key() -> SigningKey:
    return SigningKey(bytes(SEED_BYTES))


BY_OPERATION: Final[dict[str, Callable[[], Any]]] = {
    "credential": _credential,
    "history_csv": lambda: f"{','.join(HISTORY_HEADER)}\r\n2026-11-20,whatsapp,10,4,2,0\r\n",
    "issuer_document": lambda: did_document(_ISSUER, [_key()]),
}
"""Of those that answer with something else than others of their kind; made when somebody asks for the description."""

_BY_SCHEMA: Final[dict[str, Schema]] = {
    "BadgeDecision": {"reason": "awarded"},
    "ComponentLag": {"name": "stream"},
    "Liveness": {"status": "alive"},
    "NextBadge": {"name": "Five recruits"},
    "PostedBadge": {"name": "Team player"},
    "PostedReplay": {"letters": ["3/128"], "dryRun": True},
    "PostedSignIn": {"link": "bxwqPktdTG6PcJGis8TV5g", "token": None},
    "Readiness": {"status": "ready"},
}
"""Values of fields whose name says too little."""
_BY_FORMAT: Final = {
    "date-time": "2026-11-20T10:30:00Z",
    "date": "2026-11-20",
    "uuid": "2f4e6d8c-1a3b-4c5d-8e7f-9a0b1c2d3e4f",
}
_BY_TYPE: Final[dict[str, Any]] = {
    "boolean": True,
    "integer": 1,
    "number": 0.5,
    "string": "text",
    "object": {},
    "null": None,
}


def example_of(schema: Schema, schemas: dict[str, Schema], name: str = "") -> Any:  # noqa: ANN401  any JSON
    """Return a value that a schema allows; `schemas` are those that its references name, `name` is the field's."""
    if "$ref" in schema:
        kind = schema["$ref"].rpartition("/")[2]
        found = example_of(schemas[kind], schemas, name)
        return {**found, **_BY_SCHEMA[kind]} if kind in _BY_SCHEMA else found
    if "properties" in schema:
        return {field: example_of(inner, schemas, field) for field, inner in schema["properties"].items()}
    if camel(name) in BY_NAME:
        return BY_NAME[camel(name)]
    if forms := schema.get("anyOf") or schema.get("oneOf"):
        return example_of(forms[0], schemas, name)
    if schema.get("type") == "array":
        return [example_of(schema["items"], schemas)]
    return _value(schema)


def _value(schema: Schema) -> Any:  # noqa: ANN401  the same
    """Return a value of a schema that holds no others."""
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    kind = schema.get("type", "null")
    return _BY_FORMAT.get(schema.get("format", ""), _BY_TYPE[kind[0] if isinstance(kind, list) else kind])
