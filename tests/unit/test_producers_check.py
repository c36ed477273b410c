"""What is wrong with one record that a producer has sent."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta

import pytest

from models.partitioning import partition_of
from models.topics import CLICKS
from operations.producers import Sent, faults_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY = b"ANNA0000"
RIGHT = partition_of(KEY, 12)
VALUE = (
    b'{"click_id": "2f4e6d8c-1a3b-4c5d-8e7f-9a0b1c2d3e4f", "referral_code": "anna-oooo", '
    b'"occurred_at": "2026-11-20T10:30:00Z"}'
)
GOOD = Sent(CLICKS, RIGHT, KEY, VALUE, NOW)


def test_a_good_record() -> None:
    """Nothing is wrong, and its code is told."""
    assert faults_of(GOOD, 12, NOW) == ([], "ANNA0000")


@pytest.mark.parametrize(
    ("sent", "kind", "reason"),
    [
        (GOOD._replace(partition=(RIGHT + 1) % 12), "partitioner", f"says partition {RIGHT}"),
        (GOOD._replace(partition=zlib.crc32(KEY) % 12), "partitioner", "CRC32"),
        (GOOD._replace(key=None), "key", "it has none"),
        (GOOD._replace(key=b"anna-oooo", partition=partition_of(b"anna-oooo", 12)), "key", "not normalised"),
        (GOOD._replace(key=b"x", partition=partition_of(b"x", 12)), "key", "is not its referral code"),
        (GOOD._replace(value=None), "fields", "empty"),
        (GOOD._replace(value=b"{}"), "fields", "missing required field"),
        (GOOD._replace(value=VALUE.replace(b"2f4e6d8c", b"anna@x.y")), "fields", "Click: click_id is not a UUID"),
        (GOOD._replace(value=VALUE.replace(b"2026", b"2062")), "clock", "more than a day ahead of the record"),
        (GOOD._replace(value=VALUE.replace(b"2026", b"0001")), "clock", "further behind"),
        (GOOD._replace(timestamp=NOW + timedelta(days=2)), "clock", "ahead of the clock here"),
        (GOOD._replace(timestamp=NOW - timedelta(days=401)), "clock", "older than the topic keeps"),
    ],
)
def test_what_is_wrong(sent: Sent, kind: str, reason: str) -> None:
    """Each fault has its kind and says what to do, and nothing that stood in the value."""
    faults, _ = faults_of(sent, 12, NOW)
    assert (kind, True) in [(found, reason in text) for found, text in faults], faults
    assert "anna@" not in str(faults)
