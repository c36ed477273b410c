"""Lines of `referrals publish`: what is published, under which key, and what is malformed."""

from __future__ import annotations

import pytest

from edges.publishing.lines import BadLine, parse_line
from models.topics import CLICKS, CODES, REGISTRATIONS


def test_the_values_bytes_pass_untouched() -> None:
    """Spaces, order and unknown fields of the value stay as they are; the key is the normalised code."""
    value = b'{ "x": [1,  2], "referral_code": "anna-oooo" }'

    line = parse_line(b'{"value":  ' + value + b' , "topic": "clicks"}\n')

    assert line == (CLICKS, b"ANNA0000", value)


@pytest.mark.parametrize("code", ["7", '"short"', "null", '["ANNA0000"]'])
def test_without_a_usable_code_there_is_no_key(code: str) -> None:
    """The stream app makes a dead letter of it; publishing does not judge events."""
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
