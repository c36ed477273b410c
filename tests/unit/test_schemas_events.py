"""The events' JSON Schemas and `decode_event` accept and refuse the same, but for the differences that are stated.

Values are made two ways: right ones, from the schema's own fields, and right ones with something put out of place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from models.attribution import Attribution, Rules
from models.changes import TABLES
from models.errors import BadInput
from models.events import BRACKETS_MAX, EVENT_BYTES_MAX, Click, CodeIssued, Registration, decode_event
from models.topics import MENTOR_COUNTS, MILESTONES
from schemas import specimens
from schemas.events import EVENTS, READ, WRITTEN, event_schema
from tests.factories import (
    PREFIX,
    by_channel,
    make_batch,
    make_click,
    make_code_issued,
    make_record,
    make_registration,
)

UUID_FORM = re.compile(r"[\da-f]{8}-([\da-f]{4}-){3}[\da-f]{12}", re.IGNORECASE | re.ASCII)

formats = FormatChecker(formats=())


@formats.checks("uuid")
def is_uuid(value: object) -> bool:
    """Tell what RFC 9562 says, apart from our own code."""
    return not isinstance(value, str) or UUID_FORM.fullmatch(value) is not None


@formats.checks("date-time")
def is_date_time(value: object) -> bool:
    """Tell whether the day is one of the calendar; the rest is the pattern's."""
    if isinstance(value, str) and re.match(r"[1-9\d]{4}-\d\d-\d\d", value, re.ASCII):
        try:
            datetime.strptime(value[:10], "%Y-%m-%d")  # noqa: DTZ007  a day has no time zone
        except ValueError:
            return False
    return True


def match_as_ecmascript(_: Validator, pattern: str, instance: object, __: object) -> Iterator[Any]:
    """Match as the standard says: `$` is the end, and not, as in Python, before a last line feed as well."""
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


EcmaScript = extend(Draft202012Validator, {"pattern": match_as_ecmascript})  # type: ignore[no-untyped-call]  # jsonschema's

VALIDATORS: dict[type[Any], Validator] = {
    kind: EcmaScript(event_schema(kind), format_checker=formats) for kind in EVENTS
}


def is_valid(kind: type[Any], value: object) -> bool:
    """Tell what the schema says."""
    return VALIDATORS[kind].is_valid(cast("Any", value))


def is_accepted(kind: type[Any], value: object) -> bool:
    """Tell what the decoder says."""
    try:
        decode_event(kind, json.dumps(value).encode())
    except BadInput:
        return False
    return True


# -- values -----------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False).filter(
    lambda number: not number.is_integer()
)
anything = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)

uuids = st.uuids().map(str) | st.uuids().map(lambda uuid: str(uuid).upper())
codes = st.text("0123456789ABCDEFGHIJKLMNOPQRSTVWXYZabcdefghijklmnopqrstvwxyz", min_size=8, max_size=12)
typed_codes = st.builds(lambda code, at: f"{code[:at]}-{code[at:]}", codes, st.integers(0, 12)) | codes
times = st.builds(
    "{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}{}{}".format,
    st.integers(1, 9999),
    st.integers(1, 12),
    st.integers(1, 28),
    st.sampled_from("Tt"),
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(0, 59),
    st.sampled_from(["", ".5", ".123456", ".000001"]),
    st.sampled_from(["Z", "z", "+00:00", "-00:00", "+23:59", "-01:30"]),
)
nearly_times = st.builds(
    "{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}{}{}".format,
    st.sampled_from([0, 1, 1900, 2023, 2024, 9999, 10000]),
    st.integers(0, 13),
    st.integers(0, 32),
    st.sampled_from(["T", "t", "", "_", "TT"]),
    st.integers(0, 25),
    st.sampled_from([0, 59, 60, 99]),
    st.sampled_from([0, 59, 60, 61]),
    st.sampled_from(["", ".", ".5", ",5", ".123456", ".5 "]),
    st.sampled_from(["Z", "z", "", "+00:00", "-23:59", "+24:00", "+00:60", "00:00", "+1:00", " Z", "Z\n", "UTC"]),
)
nearly_uuids = st.builds(
    lambda uuid, spoil: spoil(str(uuid)),
    st.uuids(),
    st.sampled_from(
        [
            lambda text: text.replace("-", ""),
            lambda text: f"{{{text}}}",
            lambda text: f"{text}\n",
            lambda text: f"urn:uuid:{text}",
            lambda text: text[:-1],
            lambda text: f"{text}0",
            lambda text: text.replace("-", "_"),
            lambda text: f"g{text[1:]}",
            lambda text: f"\uff10{text[1:]}",
        ]
    ),
)
nearly_codes = st.text("0AZalioUu-\u0131 \n\u212a", min_size=6, max_size=14) | st.text("0Zz", min_size=6, max_size=14)
out_of_place = anything | nearly_times | nearly_uuids | nearly_codes | uuids | typed_codes | times

devices = st.none() | st.fixed_dictionaries({}, optional={"share_channel": st.none() | texts, "os": anything})
FIELDS: dict[type, tuple[dict[str, st.SearchStrategy[Any]], dict[str, st.SearchStrategy[Any]]]] = {
    CodeIssued: ({"referral_code": typed_codes, "org_id": uuids, "mentor_id": uuids, "issued_at": times}, {}),
    Click: (
        {"click_id": uuids, "referral_code": typed_codes, "occurred_at": times},
        {"org_id": st.none() | uuids, "device_metadata": devices},
    ),
    Registration: (
        {
            "attribution_id": uuids,
            "referral_code": typed_codes,
            "new_member_id": uuids,
            "status": st.sampled_from(["pending_signup", "confirmed", "withdrawn"]),
            "occurred_at": times,
        },
        {"org_id": st.none() | uuids, "device_metadata": devices},
    ),
}


def right(kind: type) -> st.SearchStrategy[dict[str, Any]]:
    """Make events of a kind as they must be, with fields that nobody knows."""
    required, optional = FIELDS[kind]
    return st.fixed_dictionaries(required, optional={**optional, "unknown": anything})


@st.composite
def spoiled(draw: st.DrawFn, kind: type) -> object:
    """Make an event of a kind with one thing out of place; once in a while it is still right."""
    value = draw(right(kind))
    required, optional = FIELDS[kind]
    field = draw(st.sampled_from([*required, *optional, "", "share_channel"]))
    if field == "":
        return draw(anything)
    if field == "share_channel":
        return value | {"device_metadata": {"share_channel": draw(anything)}}
    if field in value and draw(st.booleans()):
        del value[field]
        return value
    return value | {field: draw(out_of_place)}


# -- the agreement ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_schema_is_one_and_its_example_is_valid(kind: type) -> None:
    """Each schema is valid by its own standard, and so is the example by it; nothing at all is not."""
    Draft202012Validator.check_schema(event_schema(kind))
    VALIDATORS[kind].validate(specimens.as_json(specimens.EVENTS[kind]))
    assert is_accepted(kind, specimens.as_json(specimens.EVENTS[kind]))
    assert not is_valid(kind, {})


@pytest.mark.parametrize("kind", READ, ids=lambda kind: kind.__name__)
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_right_events_are_accepted_by_both(kind: type, data: st.DataObject) -> None:
    """What is right in every field is valid, and the decoder takes it."""
    value = data.draw(right(kind))
    assert (is_valid(kind, value), is_accepted(kind, value)) == (True, True)


@pytest.mark.parametrize("kind", READ, ids=lambda kind: kind.__name__)
@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_schema_and_decoder_agree(kind: type, data: st.DataObject) -> None:
    """Whatever is out of place: valid if and only if accepted."""
    value = data.draw(spoiled(kind))
    assert is_valid(kind, value) == is_accepted(kind, value)


@settings(max_examples=500, deadline=None)
@given(nearly_times | times)
@example("2024-02-29T00:00:00Z")
@example("2023-02-29T00:00:00Z")
def test_they_agree_about_times(time: str) -> None:
    """Of every near miss of a time the schema says what the decoder says."""
    value = make_code_issued(issued_at=time)
    assert is_valid(CodeIssued, value) == is_accepted(CodeIssued, value)


@settings(max_examples=500, deadline=None)
@given(nearly_codes | typed_codes)
def test_they_agree_about_codes(code: str) -> None:
    """Of every near miss of a code the schema says what `normalise_code` says."""
    value = make_click(code)
    assert is_valid(Click, value) == is_accepted(Click, value)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("kind", WRITTEN, ids=lambda kind: kind.__name__)
def test_what_is_valid_of_ours_is_accepted(kind: type, data: st.DataObject) -> None:
    """Of events that the app writes, what the schema lets pass can be decoded."""
    value = specimens.as_json(specimens.EVENTS[kind])
    value |= {data.draw(st.sampled_from(list(value))): data.draw(out_of_place)}
    assert is_accepted(kind, value) or not is_valid(kind, value)


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        (kind, changed)
        for kind, changes in zip(
            WRITTEN,
            (
                (
                    {"org_id": specimens.MENTOR_COUNTS.org_id.upper()},
                    {"referral_code": "7kq2m9xw4t"},
                    {"total_clicks": -1},
                    {"conversion_rate": 1.5},
                    {"by_channel": {"": {"clicks": 0, "pending": 0, "confirmed": 0}}},
                    {"by_channel": {"sms": {"clicks": 1}}},
                    {"milestones": [1, 1]},
                    {"last_event_at": None},
                    {"last_event_at": "2026-11-20T10:30:00"},
                ),
                ({"milestone_id": specimens.MILESTONE_REACHED.milestone_id.upper()},),
                ({"erased_pair": specimens.ERASURE.erased_pair.upper()}, {"referral_code": "7kq2m9xw4t"}),
            ),
            strict=True,
        )
        for changed in changes
    ],
)
def test_schema_of_ours_is_stricter_than_the_decoder(kind: type, changed: dict[str, Any]) -> None:
    """What the app never writes is not valid, though the decoder would take it."""
    value = specimens.as_json(specimens.EVENTS[kind]) | changed
    assert is_accepted(kind, value)
    assert not is_valid(kind, value)


def test_differences_are_as_stated() -> None:
    """Each of DIFFERENCES is one: nobody relies on what has become wrong."""
    large = make_click(device_metadata={"os": "x" * EVENT_BYTES_MAX})
    nested = make_click(device_metadata={"os": [[] for _ in range(BRACKETS_MAX)]})
    spaced = make_code_issued(issued_at="2026-11-20 10:30:00Z")
    without_colon = make_code_issued(issued_at="2026-11-20T10:30:00+0100")
    last_instant = make_code_issued(issued_at="9999-12-31T23:59:59.9999999Z")
    milestone = specimens.as_json(specimens.MILESTONE_REACHED)
    for kind, value, valid, accepted in (
        (Click, large, True, False),
        (Click, nested, True, False),
        (Click, make_click(**by_channel("\ud800")), True, False),
        (CodeIssued, spaced, False, True),
        (CodeIssued, without_colon, False, True),
        (CodeIssued, last_instant, True, False),
        (WRITTEN[1], milestone | {"confirmed_count": 1.0}, True, False),
    ):
        assert (is_valid(kind, value), is_accepted(kind, value)) == (valid, accepted), str(value)[:200]
    no_formats = EcmaScript(event_schema(CodeIssued))
    assert no_formats.is_valid(make_code_issued(issued_at="2026-02-30T00:00:00Z"))


# -- what the app sends -----------------------------------------------------------------------------------------


channels = st.none() | texts | st.text(min_size=30, max_size=40) | st.sampled_from(["SMS ", "\0", "\u0130" * 40])
activity = st.one_of(
    st.builds(lambda time, channel: make_click(occurred_at=time, **by_channel(channel)), times, channels),
    st.builds(
        lambda member, status, time, channel: make_registration(
            member, status, 0, occurred_at=time, **by_channel(channel)
        ),
        st.integers(1, 30),
        st.sampled_from(["confirmed", "confirmed", "pending_signup", "withdrawn"]),
        times,
        channels,
    ),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(activity, min_size=1, max_size=40))
@example([make_registration(member) for member in range(1, 8)])
@example([make_click(**by_channel(f"channel {number}")) for number in range(30)])
def test_counts_and_milestones_of_the_stream_are_valid(events: list[dict[str, Any]]) -> None:
    """Whatever comes in, what the fold sends to its two topics is as their schemas say."""
    fold = Attribution(Rules(), partitions=1)
    rows: dict[str, dict[bytes, bytes]] = {table: {} for table in TABLES}
    sent: dict[str, list[bytes]] = {}
    for event in [make_code_issued(), *events]:
        changes = fold.fold(rows, make_batch(make_record(event)), now_ms=0)
        for table, changed in changes.rows.items():
            rows[table] |= {key: row for key, row in changed.items() if row is not None}
        for topic, latest in changes.latest.items():
            sent.setdefault(topic, []).extend(latest.values())
        for outgoing in changes.outgoing:
            sent.setdefault(outgoing.topic, []).append(outgoing.value or b"")
    assert set(sent) <= {topic.full_name(PREFIX) for topic in (MENTOR_COUNTS, MILESTONES)}
    assert sent[MENTOR_COUNTS.full_name(PREFIX)]
    for kind, written_to in zip(WRITTEN[:2], (MENTOR_COUNTS, MILESTONES), strict=True):
        for value in sent.get(written_to.full_name(PREFIX), ()):
            VALIDATORS[kind].validate(json.loads(value))
