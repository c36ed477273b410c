"""What is gone explains as many things as records are gone, and not one more."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from process.settings import Settings
from proof.verify.checkpoint import Checkpoint, checked
from proof.verify.partial import settle
from proof.verify.partitioning import home_of
from proof.verify.reading import FIRST_TABLE, STANDING_KEY, Span
from proof.verify.records import NOTHING_BEFORE, ChannelTally, Owner, Tally
from proof.verify.removed import CLICKS_GONE, LETTERS_OF_GONE, Removed
from proof.verify.report import COUNTS, DEAD_LETTERS
from streams.app import engine_options
from streams.engine import standing

OWNER = Owner("00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-000000000001")
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CLICKS = ("clicks.v1", 0)
REGISTRATIONS = ("registrations.v1", 0)


def tally(**channels: tuple[int, int, int]) -> Tally:
    """Return what is left of a mentor's records: clicks, pending, confirmed by channel."""
    counts = {name: ChannelTally(*each) for name, each in channels.items()}
    clicks, pending, confirmed = (sum(each[at] for each in channels.values()) for at in range(3))
    return Tally("ANNA0000", OWNER, clicks, pending, confirmed, channels=counts, last_event_at=NOON)


def row(**channels: tuple[int, int, int]) -> dict[str, Any]:
    """Return what is published of him."""
    named = {name: dict(zip(("clicks", "pending", "confirmed"), each, strict=True)) for name, each in channels.items()}
    return {"by_channel": named, "last_event_at": "2026-11-20T12:00:00Z"}


@pytest.mark.parametrize(
    ("gone", "left", "found", "differences"),
    [
        ({CLICKS: 3}, {"sms": (1, 0, 0)}, {"sms": (4, 0, 0)}, 0),
        ({CLICKS: 3}, {"sms": (1, 0, 0)}, {"sms": (5, 0, 0)}, 1),
        ({CLICKS: 3}, {"sms": (1, 0, 0)}, {"sms": (1, 0, 0), "email": (3, 0, 0)}, 0),
        ({CLICKS: 3}, {"sms": (1, 0, 0)}, {"email": (3, 0, 0)}, 1),
        ({CLICKS: 3}, {"sms": (2, 0, 0)}, {"sms": (1, 0, 0)}, 1),
        ({REGISTRATIONS: 1}, {"sms": (0, 1, 0)}, {"sms": (0, 0, 1)}, 0),
        ({REGISTRATIONS: 1}, {"sms": (0, 2, 0)}, {"sms": (0, 0, 2)}, 1),
        ({REGISTRATIONS: 2}, {"sms": (0, 0, 3)}, {"sms": (0, 0, 1)}, 0),
        ({REGISTRATIONS: 2}, {"sms": (0, 0, 3)}, {"sms": (0, 0, 0)}, 1),
        ({REGISTRATIONS: 1}, {"sms": (0, 0, 1)}, {"email": (0, 0, 1)}, 0),
    ],
)
def test_bounds_of_what_is_published(
    gone: dict[tuple[str, int], int],
    left: dict[str, tuple[int, int, int]],
    found: dict[str, tuple[int, int, int]],
    differences: int,
) -> None:
    """Clicks never less than are left, and more by as many as are gone; registrations moved by as many as are gone."""
    removed = Removed(gone)

    direct = settle(tally(**left), row(**found), removed)

    assert len(direct) + len(removed.excesses()) == differences


def test_all_mentors_of_a_partition_share_what_is_gone() -> None:
    """Three are gone, two mentors have two more each."""
    removed = Removed({CLICKS: 3})
    for _ in range(2):
        assert settle(tally(sms=(1, 0, 0)), row(sms=(3, 0, 0)), removed) == []

    assert [difference.subject for difference in removed.excesses()] == ["clicks.v1/0"]


def test_a_record_that_is_gone_and_was_a_dead_letter_explains_no_click() -> None:
    """It did not count then."""
    removed = Removed({CLICKS: 3})
    assert removed.explains(DEAD_LETTERS, LETTERS_OF_GONE, CLICKS)
    assert removed.explains(COUNTS, CLICKS_GONE, CLICKS, 3, limit=removed.counted(*CLICKS))

    assert [difference.check for difference in removed.excesses()] == [COUNTS]


@pytest.mark.parametrize(("since", "counted"), [({}, 5), ({CLICKS: 2}, 3), ({CLICKS: 5}, 0), ({CLICKS: -4}, 9)])
def test_the_rows_say_since_when_they_count(since: dict[tuple[str, int], int], counted: int) -> None:
    """Begun anew at an offset they hold nothing before it; below 0 they hold records of a topic that is no more."""
    assert Removed({CLICKS: 5}, since).counted(*CLICKS) == counted


def test_a_dead_letter_without_a_key_may_be_gone_from_any_partition() -> None:
    """One with a key can be gone from its own only; together they are no more than are gone."""
    key, topic = b"key", "dead-letters.v1"
    home = home_of(key, 2)
    removed = Removed({(topic, 0): 2, (topic, 1): 3}, partitions=Counter({topic: 2}))
    elsewhere = Removed({(topic, 1 - home): 9}, partitions=Counter({topic: 2}))

    assert all(removed.explains_missing_letter(DEAD_LETTERS, None) for _ in range(5))
    assert removed.excesses() == []
    assert removed.explains_missing_letter(DEAD_LETTERS, None)
    assert [difference.subject for difference in removed.excesses()] == [topic]
    assert not elsewhere.explains_missing_letter(DEAD_LETTERS, key)


def test_what_compaction_has_removed() -> None:
    """The offsets between what is there, and only in a partition of which that is known."""
    removed = Removed({})
    removed.note_compacted(("codes.v1", 0), [2, 3, 6], 8)

    assert [offset for offset in range(9) if removed.has(("codes.v1", 0, offset))] == [0, 1, 4, 5, 7]
    assert removed.records("codes.v1", 0) == 5
    assert removed.before(("codes.v1", 0, 2))
    assert not removed.has(("codes.v1", 1, 0))


def test_a_checkpoint_speaks_of_the_same_rows_and_topic_only() -> None:
    """Another topic, rows begun anew, records lost behind it, or an end before it: then it says nothing."""
    kept = checked([tally(sms=(2, 0, 0))], Span(0, 10), 0, ["BERT0000"], 1)
    checkpoint = Checkpoint("topic", {"0": kept})

    before = checkpoint.before(0, "topic", Span(10, 12), 0)
    assert (before.offset, before.clicks, before.unproven) == (10, {"ANNA0000": {"sms": 2}}, 1)
    assert before.waiting == {"BERT0000"}
    for number, topic, span, since in (
        (1, "topic", Span(10, 12), 0),
        (0, "another", Span(10, 12), 0),
        (0, "topic", Span(11, 12), 0),
        (0, "topic", Span(5, 9), 0),
        (0, "topic", Span(10, 12), 4),
    ):
        assert checkpoint.before(number, topic, span, since) == NOTHING_BEFORE


def test_the_oracle_knows_where_the_app_keeps_its_standing() -> None:
    """It shares no code with it, so a changelog that is named otherwise would not be found, and nobody would say so."""
    options = engine_options(Settings())
    assert options.changelog(options.tables[0]) == f"{options.app_id}-{FIRST_TABLE}-changelog"
    assert standing.STANDING_KEY == STANDING_KEY
