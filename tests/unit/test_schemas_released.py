"""A topic changes only by a new version: what was released is kept, and what breaks it is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import pytest

from models.events import Click, CodeIssued, MentorCounts, MilestoneReached, Registration
from models.topics import CLICKS, CODES, MENTOR_COUNTS, MILESTONES, REGISTRATIONS, Topic
from schemas.compatibility import Writer, broken, broken_http
from schemas.events import READ, event_schema
from schemas.openapi import openapi_document

RELEASED: Final = Path(__file__).resolve().parents[2] / "schemas" / "released"
EVENTS: Final[dict[Topic, type]] = {
    CODES: CodeIssued,
    CLICKS: Click,
    REGISTRATIONS: Registration,
    MENTOR_COUNTS: MentorCounts,
    MILESTONES: MilestoneReached,
}
Schema = dict[str, Any]


def released(name: str) -> Schema:
    """Return a schema as it was released."""
    schema = json.loads((RELEASED / f"{name}.json").read_text(encoding="utf-8"))
    assert isinstance(schema, dict)
    return schema


def writer_of(kind: type) -> Writer:
    """Return who writes an event."""
    return "others" if kind in READ else "program"


@pytest.mark.parametrize("topic", EVENTS, ids=lambda topic: topic.name)
def test_todays_events_keep_what_was_released(topic: Topic) -> None:
    """If this fails: the change needs a new version of the topic (CONTRACT.md, What may change)."""
    kind = EVENTS[topic]
    assert broken(released(topic.name), event_schema(kind), writer=writer_of(kind)) == []


def test_todays_routes_keep_what_was_released() -> None:
    """If this fails: the change needs routes under another version than /v1."""
    assert broken_http(released("http.v1"), json.loads(json.dumps(openapi_document()))) == []


def test_each_release_is_of_something() -> None:
    """No file is left that nothing is compared with."""
    assert {file.stem for file in RELEASED.iterdir()} == {topic.name for topic in EVENTS} | {"http.v1"}


def remove(field: str) -> Callable[[Schema], None]:
    """Return a change that takes a field away."""

    def change(schema: Schema) -> None:
        del schema["properties"][field]
        schema["required"] = [name for name in schema["required"] if name != field]

    return change


def give(field: str, **keywords: object) -> Callable[[Schema], None]:
    """Return a change of what a field is."""
    return lambda schema: schema["properties"].setdefault(field, {}).update(keywords)


def require(*fields: str) -> Callable[[Schema], None]:
    """Return a change of what must be there."""
    return lambda schema: schema.__setitem__("required", list(fields))


BREAKING: Final = {
    "a field goes": (CLICKS, remove("click_id"), "click_id is gone"),
    "an optional one": (CLICKS, remove("org_id"), "org_id is gone"),
    "a field inside another": (
        CLICKS,
        lambda schema: schema["$defs"]["DeviceMetadata"]["properties"].pop("share_channel"),
        "device_metadata.share_channel is gone",
    ),
    "it becomes required": (REGISTRATIONS, require("org_id", "status"), "org_id becomes required"),
    "a new one is required": (CODES, require("campaign"), "campaign becomes required"),
    "a word less": (REGISTRATIONS, give("status", enum=["confirmed", "withdrawn"]), "status narrows: takes only"),
    "null is refused": (CLICKS, give("org_id", anyOf=[{"type": "string"}]), "org_id narrows: was null"),
    "another type": (CODES, give("referral_code", type="integer"), "referral_code narrows: was string"),
    "shorter texts": (CODES, give("referral_code", maxLength=8), "referral_code narrows: maxLength"),
    "a pattern": (CLICKS, give("click_id", pattern="^0"), "click_id narrows: pattern"),
    "no other fields": (CLICKS, lambda schema: schema.update(additionalProperties=False), "takes no other fields"),
    "of ours one goes": (MENTOR_COUNTS, remove("by_channel"), "by_channel is gone"),
    "of ours one is not always there": (MILESTONES, require(), "attribution_id is not always there any more"),
    "of ours one may be null": (
        MENTOR_COUNTS,
        give("total_clicks", type=["integer", "null"]),
        "total_clicks gets another form: was null",
    ),
    "of ours one may be negative": (
        MENTOR_COUNTS,
        lambda schema: schema["properties"]["total_clicks"].pop("minimum"),
        "total_clicks gets another form: minimum",
    ),
    "of ours one is a fraction": (MENTOR_COUNTS, give("total_clicks", type="number"), "total_clicks gets another form"),
    "of ours one inside another": (
        MENTOR_COUNTS,
        lambda schema: schema["$defs"]["ChannelCounts"]["properties"].pop("clicks"),
        "by_channel.*.clicks is gone",
    ),
}


@pytest.mark.parametrize("what", BREAKING)
def test_what_breaks_a_promise_is_named(what: str) -> None:
    """Each change is planted in the released schema and found under the field's name."""
    topic, change, fault = BREAKING[what]
    before = released(topic.name)
    after = deepcopy(before)
    change(after)
    found = broken(before, after, writer=writer_of(EVENTS[topic]))
    assert any(line.startswith(fault) or fault in line for line in found), found


HARMLESS: Final = {
    "an optional field comes": (CLICKS, give("campaign", type="string")),
    "one is not required any more": (REGISTRATIONS, require("referral_code")),
    "a further word": (REGISTRATIONS, give("status", enum=["pending_signup", "confirmed", "withdrawn", "refused"])),
    "of ours one comes that is always there": (
        MENTOR_COUNTS,
        lambda schema: (give("first_event_at", type="string")(schema), schema["required"].append("first_event_at")),
    ),
}


@pytest.mark.parametrize("what", HARMLESS)
def test_what_keeps_the_promise_is_no_fault(what: str) -> None:
    """Additions that readers and writers do not notice."""
    topic, change = HARMLESS[what]
    before = released(topic.name)
    after = deepcopy(before)
    change(after)
    assert broken(before, after, writer=writer_of(EVENTS[topic])) == []


COUNTS: Final = "/v1/orgs/{org_id}/mentors/{mentor_id}/attribution-counts"
WEBHOOK: Final = "/v1/orgs/{org_id}/registrations"


def test_what_breaks_http_is_named() -> None:
    """A route, an answer, a parameter, a field of a body and of an answer."""
    before = released("http.v1")

    def found(change: Callable[[Schema], object]) -> list[str]:
        after = deepcopy(before)
        change(after)
        return broken_http(before, after)

    components = "components"
    assert found(lambda d: d["paths"].pop(WEBHOOK)) == [f"POST {WEBHOOK} is gone"]
    assert found(lambda d: d["paths"][WEBHOOK]["post"]["responses"].pop("503")) == [
        f"POST {WEBHOOK} does not answer 503 any more"
    ]
    assert found(
        lambda d: [each.update(required=True) for each in d["paths"][COUNTS]["get"]["parameters"]],
    ) == [f"GET {COUNTS}: the parameter channel becomes required"]
    (fault,) = found(lambda d: d[components]["schemas"]["AttributionCounts"]["properties"].pop("totalClicks"))
    assert fault == f"GET {COUNTS}, answer 200: totalClicks is gone"
    posted = before["paths"][WEBHOOK]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    name = posted.rpartition("/")[2]
    (fault,) = found(lambda d: d[components]["schemas"][name]["required"].append("org_id"))
    assert fault == f"POST {WEBHOOK}, request: orgId becomes required"
