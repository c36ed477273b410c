"""The issue that stands is written again behind whatever compaction would leave in its place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import pytest

from models.issues import STANDS
from models.partitioning import partition_of
from streams.engine.batch import SourceRecord
from tests.factories import (
    CODE,
    CODES_TOPIC,
    MENTOR,
    ORG,
    OTHER_MENTOR,
    make_click,
    make_code_issued,
    make_record,
)
from tests.unit.models.stream import Stream

KEY: Final = CODE.encode()
OTHER_CODE: Final = "BERT000002"
TAKEN: Final = make_code_issued(mentor_id=OTHER_MENTOR)


def stream_with_code() -> Stream:
    """Return a stream that knows the code."""
    stream = Stream()
    stream.take(make_code_issued())
    assert stream.outgoing == []
    return stream


def record(value: bytes | None, key: bytes | None = KEY) -> SourceRecord:
    """Return a record of the codes topic."""
    return SourceRecord(CODES_TOPIC, 0, 0, 0, key, value, ())


def encoded(event: object) -> bytes:
    """Return an event as it is sent."""
    return json.dumps(event).encode()


DISPLACING: Final = {
    "another mentor's issue": record(encoded(TAKEN)),
    "a tombstone": record(None),
    "junk": record(b"{"),
    "another code under its key": record(encoded(make_code_issued(OTHER_CODE))),
    "its own issue, too large to be taken": record(encoded(make_code_issued(note="x" * 70_000))),
}


@pytest.mark.parametrize("what", DISPLACING)
def test_the_issue_that_stands_has_the_last_word(what: str) -> None:
    """Whatever comes under the code's key, the last record of the key says whose the code is, and that it stands."""
    stream = stream_with_code()
    stream.take(DISPLACING[what])

    last = stream.sent_to_sources()[-1]
    issue = json.loads(last.value or b"")
    assert (last.topic, last.key, last.headers) == (CODES_TOPIC, KEY, [(STANDS, b"1")])
    assert (issue["referral_code"], issue["org_id"], issue["mentor_id"]) == (CODE, ORG, MENTOR)
    before = len(stream.outgoing)
    stream.take(SourceRecord(CODES_TOPIC, 0, 9, 0, last.key, last.value, tuple(last.headers)))
    assert len(stream.outgoing) == before, "reading it again writes nothing more"


@pytest.mark.parametrize(
    "harmless",
    [
        [record(encoded(make_code_issued()))],
        [record(encoded(TAKEN), b"another key")],
        [record(None, b"another key")],
        [make_record(make_click())],
    ],
    ids=["itself", "another key", "a tombstone of another key", "a click"],
)
def test_what_displaces_nothing_writes_nothing(harmless: Sequence[SourceRecord]) -> None:
    """The codes topic grows by an issue only where one is in danger."""
    stream = stream_with_code()
    stream.take_each(harmless)

    assert stream.sent_to_sources() == []


def test_an_issue_under_another_key_is_written_under_its_code() -> None:
    """Any record of that key would displace it, and nobody would know what it displaced."""
    stream = Stream()
    stream.take(record(encoded(make_code_issued()), b"anna-ooooo1"))

    (again,) = stream.sent_to_sources()
    assert again.key == KEY


def test_only_the_codes_own_partition_is_looked_at() -> None:
    """In another partition the key is nobody's: what is there is moved or refused, and displaces nothing."""
    stream = Stream(partitions=4)
    home = partition_of(KEY, 4)
    stream.take(make_record(make_code_issued(), partition=home))
    stream.take(make_record(b"{", topic=CODES_TOPIC, partition=(home + 1) % 4))

    assert stream.sent_to_sources() == []
