"""Lines of `referrals publish`: what is published, under which key, and what is malformed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from edges.publishing.lines import BadLine, Line, Refused, checked_line, parse_line
from models.events import Click, decode_event
from models.topics import CLICKS, CODES, REGISTRATIONS


def test_the_values_bytes_pass_untouched() -> None:
    """Spaces, order and unknown fields of the value stay as they are; the key is the normalised code."""
    value = b'{ "x": [1,  2], "referral_code": "anna-oooo" }'

    line = parse_line(b'{"value":  ' + value + b' , "topic": "clicks"}\n')

    assert line == Line(CLICKS, b"ANNA0000", value)


@pytest.mark.parametrize("code", ["7", '"short"', "null", '["ANNA0000"]'])
def test_without_a_usable_code_there_is_no_key(code: str) -> None:
    """With `--unchecked` it is sent so, and the stream app makes a dead letter of it."""
    line = parse_line(b'{"topic": "registrations", "value": {"referral_code": %s}}' % code.encode())

    assert (line.topic, line.key) == (REGISTRATIONS, None)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"x", "not JSON"),
        (b'{"topic": "clicks", "value": {"a": }}', "not JSON"),
        (b'{"topic": "clicks", "value": {}', "not JSON"),
        (b"[]", "Expected `object`"),
        (b'{"value": {}}', "topic"),
        (b'{"topic": "counts", "value": {}}', "topic"),
        (b'{"topic": "clicks"}', "value"),
        (b'{"topic": "clicks", "value": []}', "must be a JSON object"),
        (b'{"topic": "clicks", "value": "{}"}', "must be a JSON object"),
        (b'{"topic": "codes", "value": {"referral_code": "short"}}', "no usable referral_code"),
    ],
)
def test_a_malformed_line_says_why(text: bytes, why: str) -> None:
    """Not JSON, no topic of ours, no object; and a code's record without a code, which a compacted topic refuses."""
    with pytest.raises(BadLine, match=why):
        parse_line(text)


def test_a_code_is_published_under_its_own_key() -> None:
    """A code's record goes to the codes topic."""
    line = parse_line(b'{"topic": "codes", "value": {"referral_code": "ANNA0000"}}')

    assert (line.topic, line.key) == (CODES, b"ANNA0000")


NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
GOOD = (
    '{"click_id": "2f4e6d8c-1a3b-4c5d-8e7f-9a0b1c2d3e4f", "referral_code": "ANNA0000", '
    '"occurred_at": "2026-11-20T10:30:00Z"}'
)


def checked(value: str) -> Line:
    """Check a click as `publish` does."""
    return checked_line(f'{{"topic": "clicks", "value": {value}}}'.encode(), NOW)


def test_a_good_event_passes() -> None:
    """Also a day ahead, and not a second more."""
    assert checked(GOOD) == Line(CLICKS, b"ANNA0000", GOOD.encode())
    checked(GOOD.replace("20T10:30:00", "21T12:00:00"))
    with pytest.raises(Refused, match="occurred_at is more than a day ahead"):
        checked(GOOD.replace("20T10:30:00", "21T12:00:01"))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("2f4e6d8c-1a3b-4c5d-8e7f-9a0b1c2d3e4f", "it's anna@example.org", "Click: click_id is not a UUID"),
        ("ANNA0000", "Anna Berg, anna@example.org", "code"),
        ("referral_code", "code", "missing required field `referral_code`"),
        ("2026-11-20T10:30:00Z", "2026-11-20T10:30:00", "occurred_at"),
        ("2026-11-20T10:30:00Z", "yesterday", "occurred_at"),
        ("2f4e6d8c-1a3b-4c5d-8e7f-9a0b1c2d3e4f", "00000000-0000-0000-0000-000000000000", "click_id stands for an id"),
        ("2026-11-20T10:30:00Z", "0001-01-01T00:00:00Z", "occurred_at lies before"),
        ('"ANNA0000"', '"ANNA0000", "referral_code": "BERT0000"', "referral_code is there twice"),
        ("ANNA0000", "example.org, ANNA0000", "referral_code has spaces in it"),
    ],
)
def test_what_would_be_a_dead_letter_is_a_bad_line(old: str, new: str, why: str) -> None:
    """The reason names the field, and nothing of what stood there."""
    with pytest.raises(Refused, match=why) as refused:
        checked(GOOD.replace(old, new))
    assert "example.org" not in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ANNA0000", " anna-0000\\u200b"),
        ("2f4e6d8c-1a3b-4c5d-8e7f-9a0b1c2d3e4f", "{2F4E6D8C-1A3B-4C5D-8E7F-9A0B1C2D3E4F}"),
        ("2026-11-20T10:30:00Z", "2026-11-20T11:30+01"),
        ("referral_code", "referralCode"),
        ("click_id", "\\u0063lick_id"),
    ],
)
def test_what_is_certain_is_repaired(old: str, new: str) -> None:
    """With the tolerance of every edge: what is published is what the stream takes, under its key."""
    line = checked(GOOD.replace(old, new))
    expected = decode_event(Click, GOOD.encode())
    assert (line.key, decode_event(Click, line.value)) == (b"ANNA0000", expected)


def test_a_byte_order_mark_before_the_first_line() -> None:
    """Editors on Windows write it."""
    text = b'\xef\xbb\xbf{"topic": "clicks", "value": %b}' % GOOD.encode()
    assert checked_line(text, NOW) == parse_line(text) == Line(CLICKS, b"ANNA0000", GOOD.encode())


def test_a_line_may_belong_to_a_trace() -> None:
    """Its record then has the header; one that has not W3C's form is refused, for a file can be put right."""
    traceparent = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    text = b'{"topic": "clicks", "traceparent": "%b", "value": %b}' % (traceparent, GOOD.encode())
    assert checked_line(text, NOW) == parse_line(text) == Line(CLICKS, b"ANNA0000", GOOD.encode(), traceparent)
    with pytest.raises(BadLine, match="traceparent has not W3C's form"):
        parse_line(text.replace(b"-01", b"-1"))
    assert parse_line(text.replace(b'"%b"' % traceparent, b"null")).traceparent is None
