"""Events: what is accepted, and what a refusal says."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import BadCode, BadEvent, BadInput
from models.events import (
    BRACKETS_MAX,
    EVENT_BYTES_MAX,
    UUID_FIELDS,
    Click,
    CodeIssued,
    Event,
    MilestoneReached,
    Registration,
    clean_channel,
    decode_event,
    encode_event,
    in_utc,
)
from tests.factories import ORG, by_channel, encode, make_click, make_code_issued, make_registration, uuid

KINDS: list[tuple[type[CodeIssued | Click | Registration], dict[str, Any]]] = [
    (CodeIssued, make_code_issued()),
    (Click, make_click()),
    (Registration, make_registration()),
]
REQUIRED = [(kind, event, field) for kind, event in KINDS for field in event]


def without(event: dict[str, Any], field: str) -> dict[str, Any]:
    """Return the event without a field."""
    return {name: value for name, value in event.items() if name != field}


def refusal(kind: type[Event], value: bytes | None) -> BadInput:
    """Return the fault that is found in a value."""
    with pytest.raises(BadInput) as refused:
        decode_event(kind, value)
    return refused.value


@pytest.mark.parametrize(("kind", "event"), KINDS)
def test_a_valid_event_is_read(kind: type[Event], event: dict[str, Any]) -> None:
    """Every field arrives as it was sent, and optional ones may be absent."""
    decoded = decode_event(kind, encode(event))

    assert {name: value for name, value in json.loads(encode_event(decoded)).items() if value is not None} == event


def test_optional_fields_are_read() -> None:
    """The organisation and the share channel, when they are named."""
    click = decode_event(Click, encode(make_click(org_id=ORG, **by_channel("sms"))))

    assert click.device_metadata is not None
    assert (click.org_id, click.device_metadata.share_channel) == (ORG, "sms")


@pytest.mark.parametrize("optional", [{"org_id": None}, {"device_metadata": None}, {"device_metadata": {}}])
def test_an_optional_field_may_be_null(optional: dict[str, Any]) -> None:
    """Null, or an object that names no channel, says as much as nothing."""
    decode_event(Click, encode(make_click(**optional)))


@pytest.mark.parametrize("extra", ["text", 1, 1.5, None, True, [], [[[]]], {"a": {"b": []}}, "\u00e9\u4e16\U0001f600"])
def test_unknown_fields_are_ignored(extra: object) -> None:
    """A producer may send more than we know, in the event and in the metadata of the device."""
    known = decode_event(Click, encode(make_click(device_metadata={})))

    assert decode_event(Click, encode(make_click(extra=extra, device_metadata={"extra": extra}))) == known


@pytest.mark.parametrize(("kind", "event", "field"), REQUIRED)
def test_a_missing_field_is_named(kind: type[Event], event: dict[str, Any], field: str) -> None:
    """The refusal says which event lacks which field."""
    fault = refusal(kind, encode(without(event, field)))

    assert isinstance(fault, BadEvent)
    assert kind.__name__ in str(fault)
    assert field in str(fault)


@pytest.mark.parametrize("wrong", [None, 5, True, 1.5, [], {}])
@pytest.mark.parametrize(("kind", "event", "field"), REQUIRED)
def test_a_field_of_a_wrong_type_is_named(kind: type[Event], event: dict[str, Any], field: str, wrong: object) -> None:
    """No number passes for a text, no text is made of a number."""
    fault = refusal(kind, encode(event | {field: wrong}))

    assert isinstance(fault, BadEvent)
    assert kind.__name__ in str(fault)
    assert field in str(fault)


@pytest.mark.parametrize(
    ("kind", "event", "field"), [(kind, event, field) for kind, event in KINDS for field in UUID_FIELDS[kind]]
)
@pytest.mark.parametrize("wrong", ["", "x", uuid(1) + "0", uuid(1)[:-1] + "g", uuid(1)[:-1] + "\u0661"])
def test_an_identifier_that_is_no_uuid_is_named(
    kind: type[Event], event: dict[str, Any], field: str, wrong: str
) -> None:
    """Every identifier is checked, the optional one too."""
    fault = refusal(kind, encode(event | {field: wrong}))

    assert isinstance(fault, BadEvent)
    assert kind.__name__ in str(fault)
    assert field in str(fault)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "yesterday",
        "2026-11-20",
        "2026-11-20T10:00:00",
        "2026-11-20T10:00:00.123456",
        "2026-11-20T10:00Z",
        "2026-11-20T24:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-11-20T10:00:00+24:00",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "9999-12-31T23:59:59.9999999Z",
        "2026-11-20T10:00:00Z\n",
        "1700000000",
    ],
)
@pytest.mark.parametrize(
    ("kind", "event", "field"),
    [
        (CodeIssued, make_code_issued(), "issued_at"),
        (Click, make_click(), "occurred_at"),
        (Registration, make_registration(), "occurred_at"),
    ],
)
def test_a_time_that_is_none_is_named(kind: type[Event], event: dict[str, Any], field: str, wrong: str) -> None:
    """A date alone, a time without an offset, a time that never was: refused."""
    fault = refusal(kind, encode(event | {field: wrong}))

    assert isinstance(fault, BadEvent)
    assert field in str(fault)


@pytest.mark.parametrize(
    "time", ["2026-11-20T10:00:00Z", "2026-11-20T12:00:00.000+02:00", "2026-11-20t04:30:00.000000-05:30"]
)
def test_a_time_may_have_any_offset(time: str) -> None:
    """The same instant, told in three places."""
    told, utc = (decode_event(Click, encode(make_click(occurred_at=each))) for each in (time, "2026-11-20T10:00:00Z"))

    assert told == utc


@pytest.mark.parametrize("status", ["", "CONFIRMED", "confirmed ", "cancelled"])
def test_an_unknown_status_is_named(status: str) -> None:
    """Of the statuses there are three."""
    fault = refusal(Registration, encode(make_registration(status=status)))

    assert isinstance(fault, BadEvent)
    assert "status" in str(fault)


@pytest.mark.parametrize("metadata", ["x", 3, True, [], [{"share_channel": "sms"}]])
def test_device_metadata_that_is_no_object_is_named(metadata: object) -> None:
    """An object or null, nothing else."""
    fault = refusal(Click, encode(make_click(device_metadata=metadata)))

    assert isinstance(fault, BadEvent)
    assert "device_metadata" in str(fault)


@pytest.mark.parametrize("channel", [3, True, [], {}])
def test_a_channel_that_is_no_text_is_named(channel: object) -> None:
    """A channel is a text or null."""
    fault = refusal(Registration, encode(make_registration(**by_channel(channel))))

    assert isinstance(fault, BadEvent)
    assert "share_channel" in str(fault)


@pytest.mark.parametrize("code", ["", "SHORT", "ABCDEFGHJKMNP", "ANNA00000U", "ANNA 00001", "x" * 10_000])
@pytest.mark.parametrize(("kind", "event"), KINDS)
def test_a_bad_code_is_named(kind: type[Event], event: dict[str, Any], code: str) -> None:
    """What cannot be a code is a fault of its own kind."""
    fault = refusal(kind, encode(event | {"referral_code": code}))

    assert isinstance(fault, BadCode)
    assert "referral_code" in str(fault)
    assert len(str(fault)) < 200


def with_extra(valid: bytes, extra: bytes) -> bytes:
    """Return a valid event with one more field, its value raw."""
    return valid[:-1] + b',"extra":' + extra + b"}"


SPOILT: dict[str, Callable[[bytes], bytes | None]] = {
    "null": lambda _: None,
    "empty": lambda _: b"",
    "a space": lambda _: b" ",
    "JSON null": lambda _: b"null",
    "a number": lambda _: b"42",
    "a text": lambda valid: json.dumps(valid.decode()).encode(),
    "an empty array": lambda _: b"[]",
    "an array of it": lambda valid: b"[" + valid + b"]",
    "an empty object": lambda _: b"{}",
    "single quotes": lambda valid: valid.replace(b'"', b"'"),
    "cut off": lambda valid: valid[:-1],
    "a brace too many": lambda valid: valid + b"}",
    "twice": lambda valid: valid * 2,
    "a byte order mark": lambda valid: b"\xef\xbb\xbf" + valid,
    "UTF-16": lambda valid: valid.decode().encode("utf-16"),
    "a schema registry's prefix": lambda valid: b"\x00\x00\x00\x00\x07" + valid,
    "gzipped": gzip.compress,
    "not UTF-8": lambda valid: valid.replace(b"ANNA", b"\xff\xfe"),
    "half a surrogate pair": lambda valid: valid.replace(b"ANNA", rb"\ud800"),
    "half a surrogate pair in an ignored field": lambda valid: with_extra(valid, rb'"\ud800"'),
    "nested arrays": lambda _: b"[" * 60_000,
    "nested arrays in an ignored field": lambda valid: with_extra(valid, b"[" * 30_000 + b"]" * 30_000),
    "NaN": lambda valid: with_extra(valid, b"NaN"),
    "too large": lambda valid: with_extra(valid, b'"' + b"x" * EVENT_BYTES_MAX + b'"'),
    "a megabyte of zeros": lambda _: b"\0" * 1_048_576,
    "a megabyte of spaces around it": lambda valid: b" " * 524_288 + valid + b" " * 524_288,
}


@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize(("kind", "event"), KINDS)
def test_a_value_that_is_no_event_is_refused(kind: type[Event], event: dict[str, Any], how: str) -> None:
    """Empty, not JSON, not UTF-8, no object, nested too deep, too large: the refusal names the event."""
    fault = refusal(kind, SPOILT[how](encode(event)))

    assert isinstance(fault, BadEvent)
    assert kind.__name__ in str(fault)
    assert len(str(fault)) < 200


def test_the_largest_event_is_read() -> None:
    """Exactly the size allowed is allowed; one byte more is too large, and the refusal says so."""
    overhead = len(encode(make_click(extra="")))
    largest = encode(make_click(extra="x" * (EVENT_BYTES_MAX - overhead)))

    assert len(largest) == EVENT_BYTES_MAX
    decode_event(Click, largest)
    assert f"{EVENT_BYTES_MAX + 1:,} bytes" in str(refusal(Click, largest + b" "))


@pytest.mark.parametrize("brackets", [b"[]", b"{}"])
def test_the_brackets_of_an_event_are_bounded(brackets: bytes) -> None:
    """Side by side or nested, so many and no more; the event's own brace is one of them."""
    allowed = with_extra(encode(make_click()), b"[" + b",".join([brackets] * (BRACKETS_MAX - 2)) + b"]")

    decode_event(Click, allowed)
    assert f"{BRACKETS_MAX} opening brackets" in str(refusal(Click, allowed.replace(b"[", b"[[],", 1)))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(KINDS), st.data())
def test_any_value_is_read_or_refused(
    of_kind: tuple[type[CodeIssued | Click | Registration], dict[str, Any]], data: st.DataObject
) -> None:
    """Whatever stands in a field, and whatever bytes are changed, nothing but a BadInput is raised."""
    kind, event = of_kind
    field = data.draw(st.sampled_from([*event, "org_id", "device_metadata"]))
    value = bytearray(encode(event | {field: data.draw(json_values)}))
    for place in data.draw(st.lists(st.integers(0, len(value) - 1), max_size=2)):
        value[place] = data.draw(st.integers(0, 255))

    try:
        decoded = decode_event(kind, bytes(value))
    except BadInput as fault:
        str(fault).encode("utf-8", "replace")
    else:
        encode_event(decoded)


def test_a_milestones_numbers_are_checked() -> None:
    """A threshold or a count below one is no milestone's: the badge consumer reads the topic as anybody's."""
    milestone = {
        "milestone_id": uuid(1),
        "org_id": uuid(2),
        "mentor_id": uuid(3),
        "milestone_threshold": 0,
        "confirmed_count": 1,
        "attribution_id": uuid(4),
        "reached_at": "2026-11-20T10:00:00Z",
    }

    assert "milestone_threshold" in str(refusal(MilestoneReached, encode(milestone)))


@pytest.mark.parametrize(
    ("named", "channel"),
    [
        ("sms", "sms"),
        ("WhatsApp", "whatsapp"),
        ("  E-Mail\t\n", "e-mail"),
        ("", "unknown"),
        (" \t", "unknown"),
        ("\0", "unknown"),
        ("s\0ms", "sms"),
        ("x" * 32, "x" * 32),
        ("x" * 33, "x" * 32),
        (" " * 40 + "sms", "sms"),
        ("x" * 31 + " y", "x" * 31),
        ("\u00c9T\u00c9", "\u00e9t\u00e9"),
        ("unknown", "unknown"),
        ("other", "other"),
    ],
)
def test_a_channel_has_one_name(named: str, channel: str) -> None:
    """Lower case, no space around, 32 characters; what leaves nothing is `unknown` (rule 6)."""
    assert clean_channel(named) == channel


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=40) | st.text(alphabet=" \0\tA\u0130\u03a3\u1e9e\u00df", min_size=30, max_size=36))
def test_a_clean_channel_stays_as_it_is(named: str) -> None:
    """A name that counts are kept under finds them again: the stream's fast gear looks it up as it came."""
    channel = clean_channel(named)

    assert clean_channel(channel) == channel
    assert 1 <= len(channel) <= 32


@pytest.mark.parametrize("extreme", ["0001-01-01T00:00:00+12:00", "9999-12-31T23:59:59-12:00"])
def test_an_extreme_instant_stays_as_it_is(extreme: str) -> None:
    """In UTC it would be in the year 0 or 10000, which no datetime can be."""
    instant = decode_event(Click, encode(make_click(occurred_at=extreme))).occurred_at

    assert in_utc(instant).isoformat() == extreme
